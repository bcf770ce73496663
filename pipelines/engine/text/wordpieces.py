"""WordPiece: words, and the longest known pieces of them, as BERT reads text.

The ids are those of Hugging Face's BERT tokeniser. Its normaliser and its splitting into words are written with regular
expressions; tensorflow_text finds the pieces. tensorflow_text's own `FastBertTokenizer` differs: it keeps control
characters (tensorflow/text #817) and limits words by bytes.
"""

import re
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text

from attention_zoo.pipelines.engine.text.lower_case import lower_each_letter
from attention_zoo.pipelines.engine.text.pattern_splits import split_at
from attention_zoo.pipelines.engine.text.piece_table import PieceTable
from attention_zoo.pipelines.engine.text.word_offsets import words_with_offsets

PUNCTUATION = r"[!-/:-@\[-`{-~\pP]"
WHITE_SPACE = r"[\t\n\r\pZ]"
CONTROL = r"[\x{FFFD}\p{Cc}\p{Cf}\p{Co}]"  # other control characters than these three are left out
CHINESE = (
    r"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}"
    r"\x{2B920}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}])"
)
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUES = "##"  # what a piece begins with that does not begin a word


class WordPieces(PieceTable):
    """Tokenises text into the pieces of BERT's vocabulary, in the graph (Devlin et al. 2019; Wu et al. 2016).

    Deviation: Hugging Face's classes of characters are those of Unicode 8. Punctuation marks and accents that Unicode
    has had since then, such as U+2E4F, are letters there, and punctuation marks and accents here.

    Args:
        vocabulary: The pieces in the order of their ids; those within words begin with "##".
        lowercase: Whether text is put in lower case. Defaults to `True`.
        strip_accents: Whether accents are removed. Defaults to `None`: as `lowercase` says.
        split_chinese: Whether each Chinese character is a word. Defaults to `True`.
        unknown: Piece of a word that cannot be divided into pieces. Defaults to "[UNK]".
        specials: Pieces that are taken as they are where a text has them. Defaults to BERT's.
        max_word_length: Largest number of characters of a word; longer ones are unknown. Defaults to 100, BERT's.

    Raises:
        ValueError: `unknown` is not in the vocabulary.

    Example:

    >>> pieces = WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "un", "##s", "!"])
    >>> ids = pieces.tokenize(tf.constant(["Un[MASK] Cafés!", ""]))
    >>> ids.to_list()
    [[6, 4, 5, 7, 8], []]
    >>> pieces.detokenize(ids).numpy().tolist()
    [b'un [MASK] cafes !', b'']
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_chinese: bool = True,
        unknown: str = "[UNK]",
        specials: Sequence[str] = SPECIALS,
        max_word_length: int = 100,
    ):
        if unknown not in vocabulary:
            raise ValueError(f"expected a vocabulary with {unknown!r}, received {len(vocabulary):,} pieces without")
        super().__init__({piece: number for number, piece in enumerate(vocabulary)}, vocabulary, name="word_pieces")
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.split_chinese, self.unknown, self.max_word_length = split_chinese, unknown, max_word_length
        # A piece that another one begins with must not win.
        self._specials = sorted(specials, key=len, reverse=True)
        self._special = "|".join(re.escape(piece) for piece in self._specials)
        self._tokenizer = tensorflow_text.FastWordpieceTokenizer(
            list(vocabulary),
            suffix_indicator=CONTINUES,
            max_bytes_per_word=8 * max_word_length,  # more than a word of that many characters has
            unknown_token=unknown,
            no_pretokenization=True,
        )

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenises texts into ids, without "[CLS]" and "[SEP]".

        Args:
            text: UTF-8 strings `(B,)`. Bytes that are not UTF-8 are left out.

        Returns:
            int32 RaggedTensor `(B, None)`.
        """
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        text = tf.strings.regex_replace(text, r"\x{0}", "\x01")  # `split_at` ends a string at a NUL
        parts, _, _ = split_at(text, self._special, self._special)  # (B, parts)
        special = tf.strings.regex_full_match(parts.flat_values, self._special)
        kept = tf.RaggedTensor.from_row_lengths(parts.flat_values[special], tf.cast(special, tf.int64), validate=False)
        words = self.words(tf.where(special, "", parts.flat_values))
        words = parts.with_flat_values(tf.concat([words, kept], axis=1)).merge_dims(1, 2)  # (B, words)
        return self._ids_of(words).merge_dims(1, 2)  # pyright: ignore[reportArgumentType]

    def tokenize_with_offsets(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Tokenises texts word by word, with the places of the words in the texts as they are, accents included.

        Args:
            text: As in `tokenize`.

        Returns:
            `(ids, starts, ends)`: int32 RaggedTensor `(B, None, None)`, the pieces of each word, which together are
            those of `tokenize`; and int64 RaggedTensors `(B, None)`, the offsets in bytes of the first byte of each
            word and of the byte after its last one.

        Example:

        >>> pieces = WordPieces(["[UNK]", "cafe", "##s", "!"])
        >>> ids, starts, ends = pieces.tokenize_with_offsets(tf.constant(["Cafés!"]))
        >>> ids.to_list(), starts.to_list(), ends.to_list()
        ([[[1, 2], [3]]], [[0, 6]], [[6, 7]])
        """
        words, starts, ends = words_with_offsets(text, self.normalize, PUNCTUATION, CONTROL, self._specials)
        return self._ids_of(words), starts, ends

    def _ids_of(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Returns the ids of the pieces of normalised words `(B, None)`, int32 RaggedTensor `(B, None, None)`."""
        long = tf.strings.length(words.flat_values, "UTF8_CHAR") > self.max_word_length
        words = words.with_flat_values(tf.where(long, self.unknown, words.flat_values))
        ids = words.with_flat_values(self._tokenizer.tokenize(words.flat_values))
        return tf.cast(ids, tf.int32)  # pyright: ignore[reportArgumentType, reportCallIssue, reportReturnType]

    def words(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Normalises texts `(N,)` and splits them into words and punctuation marks `(N, None)`."""
        return split_at(self.normalize(text), f" +|{PUNCTUATION}", PUNCTUATION)[0]

    def normalize(self, text: tf.Tensor) -> tf.Tensor:
        """Returns texts `(N,)` without control characters, with spaces around Chinese characters, in lower case."""
        text = tf.strings.regex_replace(text, WHITE_SPACE, " ")
        text = tf.strings.regex_replace(text, CONTROL, "")
        if self.split_chinese:
            text = tf.strings.regex_replace(text, CHINESE, r" \1 ")
        if self.strip_accents:
            text = tf.strings.regex_replace(tensorflow_text.normalize_utf8(text, "NFD"), r"\p{Mn}", "")
        return lower_each_letter(text) if self.lowercase else text

    def detokenize(self, ids: tf.RaggedTensor | tf.Tensor) -> tf.Tensor:
        """Joins token ids `(B, None)` to text, strings `(B,)`, with a space between words and punctuation marks."""
        joined = tf.strings.reduce_join(self.pieces(ids), axis=-1, separator=" ")
        return tf.strings.regex_replace(joined, f" {CONTINUES}", "")
