"""Sentence pieces whose ids are those of another vocabulary, as MarianMT reads text.

The ids are those of Hugging Face's MarianTokenizer. Everything runs in the TensorFlow graph.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text

from attention_zoo.pipelines.engine.text.piece_table import PieceTable
from attention_zoo.pipelines.engine.text.sentence_pieces import WHITE_SPACE, tokenize_around

BEGINS_WORD = "\u2581"
CODE = r"(?s)^>>.*?<<"  # says the language of the translation, such as ">>fra<<"


class VocabularyPieces(PieceTable):
    """Tokenises text into the pieces of a SentencePiece model, and numbers them by a vocabulary.

    A code of a language at the beginning of a text, such as ">>fra<<", is one token. Bytes that are not UTF-8 are read
    as U+FFFD.

    Args:
        model: The bytes of a SentencePiece model, such as those of the file source.spm.
        vocabulary: Id of each piece; more pieces may be in it than in the model.
        unknown: The piece that stands for all that is not in the vocabulary. Defaults to "<unk>".
        specials: Pieces that become one token wherever they are written in a text. Text is written without them.
            Defaults to none.

    Raises:
        ValueError: The model cannot be read.
        KeyError: `unknown` is not in the vocabulary.

    Example:

    >>> from attention_zoo.pipelines.engine.text.sentence_pieces import unigram_model
    >>> model = unigram_model([("<unk>", 0.0), ("▁a", -1.0), ("b", -2.0)], unknown=0)
    >>> pieces = VocabularyPieces(model, {"</s>": 0, "<unk>": 1, "b": 2, "▁a": 3, ">>fra<<": 4}, specials=["</s>"])
    >>> ids = pieces.tokenize(tf.constant([">>fra<< ab", "a</s>c", ""]))
    >>> ids.to_list()
    [[4, 3, 2], [3, 0, 1], []]
    >>> pieces.detokenize(tf.constant([[3, 2, 3, 0]])).numpy().tolist()
    [b'ab a']
    """

    def __init__(
        self, model: bytes, vocabulary: Mapping[str, int], unknown: str = "<unk>", specials: Sequence[str] = ()
    ):
        names = [""] * (max(vocabulary.values()) + 1)
        for piece, number in vocabulary.items():
            names[number] = piece
        super().__init__(vocabulary, names, name="vocabulary_pieces")
        try:
            as_strings: Any = tf.string  # the types of the two packages differ in name
            self._tokenizer: Any = tensorflow_text.SentencepieceTokenizer(model, out_type=as_strings)
            self._tokenizer.tokenize(tf.constant([""]))  # it reads the model when it is first used
        except tf.errors.OpError:
            raise ValueError("expected a SentencePiece model, received other bytes") from None
        pairs = tf.lookup.KeyValueTensorInitializer(list(vocabulary), list(vocabulary.values()), tf.string, tf.int32)
        self._table = tf.lookup.StaticHashTable(pairs, vocabulary[unknown])
        self._specials = {piece: vocabulary.get(piece, vocabulary[unknown]) for piece in specials}
        self._written = tuple("" if name in specials else name.replace(BEGINS_WORD, " ") for name in names)

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenises texts into ids, without tokens for their begin and end.

        Args:
            text: Strings `(B,)`.

        Returns:
            int32 RaggedTensor `(B, None)`.
        """
        return tokenize_around(text, self._specials, self._ids_of)

    def _ids_of(self, text: tf.Tensor) -> Any:
        """Returns the ids of texts without special pieces, int32 RaggedTensor `(B, None)`."""
        coded = tf.strings.regex_full_match(text, CODE + ".*")
        rest = tf.strings.regex_replace(text, CODE, "")
        lengths = tf.strings.length(text) - tf.strings.length(rest)
        code = tf.strings.substr(text, tf.zeros_like(lengths), lengths)
        codes = tf.RaggedTensor.from_row_lengths(code[coded], tf.cast(coded, tf.int64), validate=False)
        pieces = tf.concat([codes, self._tokenizer.tokenize(rest)], axis=1)
        return pieces.with_values(self._table.lookup(pieces.values))

    def detokenize(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns texts `(B,)` of token ids `(B, T)`; special pieces are left out."""
        text = tf.strings.reduce_join(tf.gather(tf.constant(self._written), ids), axis=-1)
        return tf.strings.regex_replace(text, f"^{WHITE_SPACE}|{WHITE_SPACE}$", "")
