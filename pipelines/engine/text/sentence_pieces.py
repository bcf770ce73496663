"""Sentence pieces of other people's models, as ALBERT and XLNet read text.

The ids are those of Hugging Face's AlbertTokenizer and XLNetTokenizer. Everything runs in the TensorFlow graph, so an
exported model has its tokeniser in it. `subwords.py` has the pieces that tasks of this project learn.
"""

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_text
from sentencepiece import sentencepiece_model_pb2

from attention_zoo.pipelines.engine.text.byte_words import row_numbers
from attention_zoo.pipelines.engine.text.lower_case import lower_each_letter
from attention_zoo.pipelines.engine.text.pattern_splits import split_at
from attention_zoo.pipelines.engine.text.piece_table import PieceTable
from attention_zoo.pipelines.engine.text.word_offsets import words_with_offsets
from attention_zoo.pipelines.engine.text.wordpieces import PUNCTUATION

WHITE_SPACE = r"[\s\x{b}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"

BEGIN = "\u2581"  # of a piece that begins a word
FILLER = "\x7f"  # a byte that stands for nothing
NO_CHARACTER = "\U000f0000"  # of private use, and in no vocabulary


def unigram_model(
    pieces: Iterable[tuple[str, float]], unknown: int, controls: Iterable[str] = (), charsmap: bytes = b""
) -> bytes:
    """Returns a SentencePiece model with these pieces.

    Args:
        pieces: Pieces and their log-probabilities, in the order of their ids.
        unknown: Id of the unknown piece.
        controls: Pieces that no text gives, such as "[CLS]". Defaults to none.
        charsmap: SentencePiece's table of characters that stand for others. Defaults to none.

    Example:

    >>> model = unigram_model([("<unk>", 0.0), ("▁a", -1.0), ("b", -2.0)], unknown=0)
    >>> SentencePieces(model).tokenize(tf.constant(["ab A"])).to_list()
    [[1, 2, 1]]
    """
    kind, controls = sentencepiece_model_pb2.ModelProto.SentencePiece, set(controls)
    proto = sentencepiece_model_pb2.ModelProto()
    for number, (piece, score) in enumerate(pieces):
        of_kind = kind.UNKNOWN if number == unknown else kind.CONTROL if piece in controls else kind.NORMAL
        proto.pieces.add(piece=piece, score=score, type=of_kind)
    proto.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.UNIGRAM
    proto.trainer_spec.unk_id = unknown
    proto.normalizer_spec.precompiled_charsmap = charsmap
    return proto.SerializeToString()


class SentencePieces(PieceTable):
    """Tokenises text into pieces of a SentencePiece model (Kudo and Richardson 2018), in the graph.

    Bytes that are not UTF-8 are read as U+FFFD. Two deviations from Hugging Face's: TensorFlow's tables of characters
    are those of an older Unicode, so a letter or accent that was added since keeps its case, or stays; and where the
    model's own normalisation composes what was decomposed before, as Hangul, theirs leaves it decomposed.

    Args:
        model: The bytes of a model, such as those of the file spiece.model.
        lowercase: Whether letters become lower case. Defaults to `True`, ALBERT's.
        strip_accents: Whether characters are decomposed (NFKD) and lose their marks. Defaults to `True`.
        specials: Ids of strings that become one token wherever they are written in a text, such as "[MASK]". Defaults
            to none.

    Raises:
        ValueError: The model cannot be read.
    """

    def __init__(
        self,
        model: bytes,
        lowercase: bool = True,
        strip_accents: bool = True,
        specials: Mapping[str, int] | None = None,
    ):
        proto = sentencepiece_model_pb2.ModelProto()
        try:
            proto.ParseFromString(model)
        except Exception:  # protobuf has a class of errors for each of its implementations
            raise ValueError("expected a SentencePiece model, received other bytes") from None
        specials = dict(specials or {})
        ids = {piece.piece: number for number, piece in enumerate(proto.pieces)} | specials
        pieces = [piece.piece.replace("\u2581", " ") for piece in proto.pieces]  # a piece that begins a word
        pieces += [""] * (max(ids.values()) + 1 - len(pieces))
        for piece, number in specials.items():
            pieces[number] = piece
        super().__init__(ids, pieces, name="sentence_pieces")
        self.lowercase, self.strip_accents = lowercase, strip_accents
        self._specials = specials
        self._tokenizer: Any = tensorflow_text.SentencepieceTokenizer(model)

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenises texts into ids, without tokens for their begin and end.

        Args:
            text: Strings `(B,)`.

        Returns:
            int32 RaggedTensor `(B, None)`.
        """
        return tokenize_around(text, self._specials, lambda rest: self._tokenizer.tokenize(self.normalize(rest)))

    def tokenize_with_offsets(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Tokenises texts word by word, with the places of the words in the texts as they are, accents included.

        Words are divided at white space, and punctuation stands apart unless a piece has it beside something else. A
        piece belongs to the word in which it begins.

        Args:
            text: As in `tokenize`.

        Returns:
            `(ids, starts, ends)`: int32 RaggedTensor `(B, None, None)`, the pieces of each word, which together are
            those of `tokenize` if there is a word; and int64 RaggedTensors `(B, None)`, the offsets in bytes of the
            first byte of each word and of the byte after its last one.

        Example:

        >>> pieces = SentencePieces(unigram_model([("<unk>", 0.0), ("▁so", -1.0), ("s", -2.0), (",", -2.0)], unknown=0))
        >>> ids, starts, ends = pieces.tokenize_with_offsets(tf.constant(["Sos, só"]))
        >>> ids.to_list(), starts.to_list(), ends.to_list()
        ([[[1, 2], [3], [1]]], [[0, 3, 5]], [[3, 4, 8]])
        """

        def normalize(letters: tf.Tensor) -> tf.Tensor:
            return tf.strings.regex_replace(self.normalize(letters), FILLER, "")

        spelled = tf.strings.regex_replace(text, "``|''", f'"{FILLER}')  # which `normalize` makes one character
        words, starts, ends = words_with_offsets(spelled, normalize, PUNCTUATION, FILLER, list(self._specials))
        ids, sizes = self.tokenize(text), self._sizes(text)
        word_sizes = words.with_values(tf.reduce_sum(self._sizes(words.values), axis=1))
        room = 1 + tf.maximum(tf.reduce_sum(word_sizes, axis=1), tf.reduce_sum(sizes, axis=1))  # (B,)
        before = tf.cumsum(room, exclusive=True)  # bytes of the texts before each text, which are apart
        word_rows, piece_rows = row_numbers(words), row_numbers(ids)
        word_places, piece_places = (
            tf.gather(before, rows) + flat_places(each) for rows, each in ((word_rows, word_sizes), (piece_rows, sizes))
        )
        there = tf.gather(words.row_lengths() > 0, piece_rows)
        word = tf.searchsorted(word_places, piece_places[there], side="right", out_type=tf.int64) - 1
        count = tf.size(word_places, tf.int64)
        pieces = tf.RaggedTensor.from_value_rowids(ids.values[there], word, count, validate=False)
        begins = pieces.row_lengths() > 0
        own = tf.where(begins)[:, 0]  # numbers of the words that are kept: others are inside of the one before them
        inside = tf.cumsum(tf.cast(begins, tf.int64)) - 1
        rows_of_own = tf.pad(tf.gather(word_rows, own), [[1, 0]], constant_values=-1)
        same = tf.gather(rows_of_own, inside + 1) == word_rows
        limits = tf.math.unsorted_segment_max(ends.values[same], inside[same], tf.size(own))
        kept = tf.ragged.boolean_mask(starts, starts.with_values(begins))
        return kept.with_values(tf.gather(pieces, own)), kept, kept.with_values(limits)

    def _sizes(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns how many bytes of normalised texts `(N,)` each piece has, int64 RaggedTensor `(N, None)`."""
        spelling = copy.copy(self._tokenizer)  # with the same model
        spelling.out_type = tf.string

        def sizes(rest: tf.Tensor) -> tf.RaggedTensor:
            pieces = spelling.tokenize(self.normalize(rest))
            return pieces.with_values(tf.strings.length(tf.strings.regex_replace(pieces.values, f"^{BEGIN}", "")))

        specials = {piece: len(piece.encode()) for piece in self._specials}
        found: Any = tf.cast(tokenize_around(text, specials, sizes), tf.int64)
        return found

    def normalize(self, text: tf.Tensor) -> tf.Tensor:
        """Returns texts as they are before the model's own normalisation, strings of the same shape."""
        text = tf.strings.regex_replace(text, "``|''", '"')
        if self.strip_accents:
            text = tf.strings.regex_replace(tensorflow_text.normalize_utf8(text, "NFKD"), r"\p{M}", "")
        if self.lowercase:
            text = lower_each_letter(text)
        return tf.strings.regex_replace(text, WHITE_SPACE, " ")


def tokenize_around(
    text: tf.Tensor, specials: Mapping[str, int], tokenize: Callable[[tf.Tensor], tf.RaggedTensor]
) -> tf.RaggedTensor:
    """Tokenises texts in which special pieces are tokens of their own wherever they stand.

    Args:
        text: Strings `(B,)`. Bytes that are not UTF-8 are replaced.
        specials: The special pieces and their ids.
        tokenize: Function from strings `(B,)` to ids, an int32 RaggedTensor `(B, None)`, for what is between them.

    Returns:
        int32 RaggedTensor `(B, None)`.

    Example:

    >>> code_points = lambda text: tf.strings.unicode_decode(text, "UTF-8")
    >>> tokenize_around(tf.constant(["ab<s>c"]), {"<s>": 1}, code_points).to_list()
    [[97, 98, 1, 99]]
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.regex_replace(text, r"\x{0}", NO_CHARACTER)  # SentencePiece's op would end the text there
    if not specials:
        return tokenize(text)
    pattern = "|".join(re.escape(piece) for piece in sorted(specials, key=len, reverse=True))
    pattern = f"({pattern})"
    parts, _, _ = split_at(text, pattern, pattern)  # (B, None)
    same = parts.values[:, None] == tf.constant(list(specials))  # (P, S)
    special = tf.reduce_any(same, axis=1)
    numbers = tf.reduce_sum(tf.where(same, tf.constant([*specials.values()], tf.int32), 0), axis=1)
    ids = tokenize(tf.where(special, "", parts.values))
    single = tf.RaggedTensor.from_row_lengths(numbers[special], tf.cast(special, ids.row_splits.dtype), validate=False)
    return parts.with_values(tf.concat([ids, single], axis=1)).merge_dims(1, 2)


def flat_places(sizes: tf.RaggedTensor) -> tf.Tensor:
    """Returns where each thing of a row begins, if they have these sizes, `(N,)` of all rows.

    Example:

    >>> flat_places(tf.ragged.constant([[2, 3, 1], [4, 1]])).numpy().tolist()
    [0, 2, 5, 0, 4]
    """
    places = tf.cumsum(sizes.values, exclusive=True)
    totals = tf.cumsum(tf.reduce_sum(sizes, axis=1), exclusive=True)
    return places - tf.gather(totals, row_numbers(sizes))
