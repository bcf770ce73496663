"""Byte pairs: text as bytes, of which the most frequent pairs are merged, as GPT-2 and RoBERTa read it.

The ids are those of Hugging Face's GPT2Tokenizer and RobertaTokenizer. Everything runs in the TensorFlow graph, so an
exported model has its tokeniser in it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.byte_words import SPACES, changed, row_numbers, split_byte_words
from attention_zoo.pipelines.engine.text.pair_merging import PairMerging
from attention_zoo.pipelines.engine.text.piece_table import PieceTable

_READABLE = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
_OTHERS = [byte for byte in range(256) if byte not in _READABLE]
# How vocab.json writes a byte: as the character of the same number, or as one from U+0100 on if that is not printable.
LETTERS = {byte: chr(byte) for byte in _READABLE} | {byte: chr(256 + number) for number, byte in enumerate(_OTHERS)}
BYTES = {letter: byte for byte, letter in LETTERS.items()}
ENOUGH = 10  # of a piece in a text: a model learns little of one that occurs less often


def learn_byte_pairs(
    texts: Iterable[str], vocabulary_size: int, adjust: bool = False
) -> tuple[dict[str, int], list[str]]:
    """Learns byte pairs from text (Sennrich et al. 2016), with the words of GPT-2.

    Args:
        texts: Strings.
        vocabulary_size: Pieces to learn, the 256 bytes included. Special tokens come in addition.
        adjust: Whether to learn fewer, and to print how many, where the text does not have so many that occur
            `ENOUGH` times. Defaults to `False`.

    Returns:
        `(vocabulary, merges)`, as vocab.json and merges.txt have them, and as `BytePairs` takes them.

    Raises:
        UserError: tokenizers is not installed, or `vocabulary_size` is less than 256 or more than the text can give.

    Example:

    >>> vocabulary, merges = learn_byte_pairs(["the cat", "the hat"], vocabulary_size=259)
    >>> merges
    ['a t', 'h e', 't he']
    """
    check_installed()
    import tokenizers

    if vocabulary_size < len(LETTERS):
        raise UserError(f"--data.vocabulary_size: expected at least 256, one a byte; received {vocabulary_size}")
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=ENOUGH if adjust else 0,
        initial_alphabet=alphabet,
        show_progress=False,
        special_tokens=[],
    )
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.train_from_iterator(texts, trainer)
    model = json.loads(learner.to_str())["model"]
    learned = len(model["vocab"])
    if learned < vocabulary_size and not adjust:
        raise UserError(
            f"--data.vocabulary_size: expected at most {learned}, all that the text gives; received {vocabulary_size}"
        )
    if learned < vocabulary_size:
        print(
            f"data.vocabulary_size: {learned:,} instead of {vocabulary_size:,}, all that occur {ENOUGH} times or more"
        )
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return dict(sorted(model["vocab"].items(), key=lambda item: item[1])), merges


def check_installed() -> None:
    """Checks that tokenizers is there, which learns pieces of text; `BytePairs` itself does without.

    Raises:
        UserError: It is not.
    """
    try:
        import tokenizers  # noqa: F401
    except ImportError:
        raise UserError("learning pieces of text needs tokenizers: `pip install 'attention-zoo[hub]'`") from None


class BytePairs(PieceTable):
    """Tokenises text into byte pairs and joins them again, in the graph.

    Any bytes can be tokenised, and `detokenize` gives them back. Bytes that are not UTF-8 are split into words as
    U+FFFD would be, and tokenised as the bytes that they are, where Hugging Face's tokenisers take `str` alone.

    A byte that the vocabulary does not have is left out, as Hugging Face's tokenisers leave it out. The vocabularies of
    GPT-2 and RoBERTa, and those of `learn_byte_pairs`, have all 256.

    Args:
        vocabulary: Ids of the pieces, as vocab.json has them.
        merges: Pairs of pieces, most frequent first, as the lines of merges.txt have them.
        specials: Ids of strings that become one token wherever they are written in a text, such as "<mask>".
        strip_left: Those of `specials` that take the white space before them with them. RoBERTa's "<mask>" does, GPT-2
            has none.

    Raises:
        ValueError: A merge is not a pair of pieces of the vocabulary that together are one, `strip_left` has a string
            that `specials` does not have, or `specials` has an empty string.

    Example:

    >>> vocabulary = {letter: byte for byte, letter in LETTERS.items()} | {"th": 256, "the": 257, "Ġthe": 258}
    >>> pairs = BytePairs(vocabulary, ["t h", "th e", "Ġ the"], specials={"<s>": 259})
    >>> ids = pairs.tokenize(tf.constant([b"the the<s>", b"", b"\\xff\\x00"]))
    >>> ids.to_list()
    [[257, 258, 259], [], [255, 0]]
    >>> pairs.detokenize(ids).numpy().tolist()
    [b'the the<s>', b'', b'\\xff\\x00']
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[str],
        specials: Mapping[str, int] | None = None,
        strip_left: Sequence[str] = (),
    ):
        specials = dict(specials or {})
        if unknown := set(strip_left) - set(specials):
            raise ValueError(f"strip_left: expected some of {list(specials)}, received {sorted(unknown)}")
        if "" in specials:
            raise ValueError("specials: expected strings that are not empty, received ''")
        ids = {**vocabulary, **specials}
        pieces = [b""] * (max(ids.values()) + 1)
        for piece, number in vocabulary.items():
            pieces[number] = bytes_of(piece)
        longest = max(map(len, pieces))
        for piece, number in specials.items():
            pieces[number] = piece.encode()
        super().__init__(ids, pieces, name="byte_pairs")
        self._specials, self._strip_left = specials, tuple(strip_left)
        self._merging = PairMerging(_merged_ids(vocabulary, merges), self.vocabulary_size, longest)
        self._byte_ids = np.array([vocabulary.get(LETTERS[byte], -1) for byte in range(256)], np.int32)

    @tf.autograph.experimental.do_not_convert  # it would find nothing to convert, and take seconds for that
    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenises texts into ids, without tokens for their begin and end.

        Args:
            text: Strings `(B,)`, any bytes.

        Returns:
            int32 RaggedTensor `(B, None)`.
        """
        return self._tokens_of_words(text)[0].merge_dims(1, 2)

    @tf.autograph.experimental.do_not_convert
    def tokenize_with_offsets(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Tokenises texts word by word, with the places of the words without the white space before them.

        Args:
            text: As in `tokenize`.

        Returns:
            `(ids, starts, ends)`: int32 RaggedTensor `(B, None, None)`, the tokens of each word, which together are
            those of `tokenize`; and int64 RaggedTensors `(B, None)`, the offsets in bytes of the first byte of each
            word and of the byte after its last one. They are equal where white space stands alone.

        Example:

        >>> pairs = BytePairs({letter: byte for byte, letter in LETTERS.items()}, [])
        >>> ids, starts, ends = pairs.tokenize_with_offsets(tf.constant(["a é"]))
        >>> ids.to_list(), starts.to_list(), ends.to_list()
        ([[[97], [32, 195, 169]]], [[0, 2]], [[1, 4]])
        """
        tokens, words = self._tokens_of_words(text)
        starts, ends = words.values.row_starts(), words.values.row_limits()  # among the bytes of all texts
        rows = row_numbers(words)
        before = tf.cumsum(tf.cast(tf.strings.length(text), tf.int64), exclusive=True)
        begin = tf.gather(before, rows)
        spelled = tf.strings.substr(tf.gather(text, rows), starts - begin, ends - starts)
        bare = tf.strings.regex_replace(spelled, f"^{SPACES}", "")
        sizes = tf.cast(tf.strings.length(bare), tf.int64)
        return tokens, words.with_values(ends - sizes - begin), words.with_values(ends - begin)

    def _tokens_of_words(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Returns the ids and the bytes of the words of texts, int32 RaggedTensors `(B, None, None)`."""
        with tf.device("CPU"):  # strings are there, and a loop over small tensors is no work for an accelerator
            words, specials = split_byte_words(tf.convert_to_tensor(text), list(self._specials), self._strip_left)
            per_word = words.values  # (W, None)
            # UTF-8 of the bytes as code points: a string for each word, by which equal words are found.
            distinct, number = tf.unique(tf.strings.unicode_encode(per_word, "UTF-8"))
            places = tf.range(tf.size(number))
            first = tf.math.unsorted_segment_min(places, number, tf.size(distinct))
            tokens = self._tokens(tf.gather(per_word, first), tf.gather(specials.flat_values, first))
            return words.with_values(tf.gather(tokens, number)), words

    def _tokens(self, words: tf.RaggedTensor, specials: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids of words given as bytes `(W, None)`, RaggedTensor `(W, None)`."""
        rows = row_numbers(words)
        ids = tf.gather(tf.constant(self._byte_ids), words.flat_values)
        kept = ids >= 0
        if self._specials:  # one id in the place of the first byte, which then has no neighbour to be merged with
            special = tf.gather(specials, rows)
            ids_of_specials = tf.constant(list(self._specials.values()), tf.int32)
            ids = tf.where(special >= 0, tf.gather(ids_of_specials, tf.maximum(special, 0)), ids)
            kept = tf.where(special >= 0, changed(rows), kept)
        ids, rows = self._merging(ids[kept], rows[kept])
        return tf.RaggedTensor.from_value_rowids(ids, rows, words.nrows(), validate=False)

    def detokenize(self, ids: tf.RaggedTensor | tf.Tensor, skip_specials: bool = False) -> tf.Tensor:
        """Joins token ids to texts, byte by byte.

        Args:
            ids: RaggedTensor or Tensor `(B, None)`.
            skip_specials: Whether special tokens are left out. Defaults to `False`.

        Returns:
            Strings `(B,)`. A text cut within a character does not end in UTF-8.
        """
        pieces = self._pieces
        if skip_specials:
            left_out = set(self._specials.values())
            pieces = tuple(b"" if number in left_out else piece for number, piece in enumerate(pieces))
        found = tf.gather(tf.constant(pieces), ids)
        if isinstance(found, tf.RaggedTensor):
            rows = row_numbers(found)  # pyright: ignore[reportArgumentType]
            return tf.strings.unsorted_segment_join(found.values, rows, found.nrows())
        return tf.strings.reduce_join(found, axis=-1)


def bytes_of(piece: str) -> bytes:
    """Returns the bytes of a piece as vocab.json writes it.

    Example:

    >>> bytes_of("Ġthe"), bytes_of("Ã©").decode()
    (b' the', 'é')
    """
    if all(letter in BYTES for letter in piece):
        return bytes(BYTES[letter] for letter in piece)
    return piece.encode()  # of a token that was added by hand


def _merged_ids(vocabulary: Mapping[str, int], merges: Sequence[str]) -> np.ndarray:
    """Returns the ids of two pieces and of what they are together, int64 `(M, 3)`."""
    merged = []
    for line in merges:
        left, _, right = line.strip("\r\n").partition(" ")
        if not all(piece in vocabulary for piece in (left, right, left + right)):
            raise ValueError(f"merges: expected pairs of pieces that together are in the vocabulary, received {line!r}")
        merged.append([vocabulary[left], vocabulary[right], vocabulary[left + right]])
    return np.array(merged, np.int64).reshape(-1, 3)
