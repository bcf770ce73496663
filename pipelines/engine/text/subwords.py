"""Subwords: learned from text with SentencePiece, applied in the TensorFlow graph with tensorflow_text.

Training and serving use the same module, so they tokenise text alike.
"""

import io
import re
from collections.abc import Sequence

import sentencepiece
import tensorflow as tf
import tensorflow_text
from sentencepiece import sentencepiece_model_pb2

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD, UNK, end_rows


def learn_sentencepiece(
    sentences: Sequence[str], vocabulary_size: int, model_type: str = "unigram", adjust: bool = False
) -> bytes:
    """Learns a SentencePiece model (Kudo and Richardson 2018).

    Text is normalised by SentencePiece's `nmt_nfkc` (Unicode NFKC, white space folded). Ids 0 to 3 are padding,
    unknown, begin and end of sentence. Every character of the text gets a place in the vocabulary. One thread learns,
    so that the same sentences give the same bytes.

    Args:
        sentences: List of strings.
        vocabulary_size: Pieces to learn, the four special ones included. "char" has as many pieces as the text has
            characters, and keeps the most frequent if that is more than `vocabulary_size`.
        model_type: "unigram" (Kudo 2018), "bpe" (Sennrich et al. 2016) or "char".
        adjust: Whether a `vocabulary_size` that is more than the text can give, or less than its characters need, is
            changed, with a printed line, and not refused. Defaults to `False`.

    Returns:
        The model as bytes, to be written to a file and given to `Subwords`.

    Raises:
        UserError: `model_type` is none of the three, there is no text, or `vocabulary_size` is more than the text can
            give or less than its characters need. The message names the limit and the setting of a task.

    Example:

    >>> model = learn_sentencepiece(["the cat", "the dog", "the hat"] * 5, vocabulary_size=15)
    >>> Subwords(model).vocabulary_size
    15
    """
    if model_type not in ("unigram", "bpe", "char"):
        raise UserError(f"model_type: expected unigram, bpe or char, received {model_type!r}")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=vocabulary_size,
            model_type=model_type,
            normalization_rule_name="nmt_nfkc",
            character_coverage=1.0,
            max_sentence_length=1 << 20,  # bytes; longer lines would be skipped, and the default is only 4192
            num_threads=1,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            minloglevel=2,
        )
    except RuntimeError as error:
        limit, needed = (
            int(match[1]) if (match := re.search(pattern, str(error))) else 0
            for pattern in (r"value <= (\d+)", r"required_chars\. \d+ vs (\d+)")
        )
        if limit and adjust:
            print(f"data.vocabulary_size: {limit:,} instead of {vocabulary_size:,}, all that the text gives")
            return learn_sentencepiece(sentences, limit, model_type)
        if needed and adjust:  # as many pieces of several characters as the preset left room for
            size = needed + vocabulary_size
            print(f"data.vocabulary_size: {size:,} instead of {vocabulary_size:,}, for {needed:,} different characters")
            return learn_sentencepiece(sentences, size, model_type, adjust=True)
        if limit:
            raise UserError(
                f"--data.vocabulary_size: expected at most {limit}, all that the text gives; received {vocabulary_size}"
            ) from None
        if needed:
            raise UserError(
                f"--data.vocabulary_size: expected at least {needed}, room for every character of the text; "
                f"received {vocabulary_size}"
            ) from None
        if "sentences_.empty()" in str(error):
            raise UserError("sentences: expected at least one that is not empty, received none") from None
        raise
    return model.getvalue()


class Subwords(tf.Module):
    """Tokenises text into subwords and joins them again, in the graph.

    Args:
        model: Bytes of a SentencePiece model with ids as in `learn_sentencepiece`.

    Example:

    >>> subwords = Subwords(learn_sentencepiece(["the cat", "the dog", "the hat"] * 5, vocabulary_size=15))
    >>> ids = subwords.tokenize(tf.constant(["the cat", "", "a dog"]))
    >>> ids.shape, ids.dtype.name
    (TensorShape([3, None]), 'int32')
    >>> subwords.detokenize(ids).numpy().tolist()
    [b'the cat', b'', b'a dog']
    """

    def __init__(self, model: bytes):
        super().__init__(name="subwords")
        kind = sentencepiece_model_pb2.ModelProto.FromString(model).trainer_spec
        if kind.model_type == kind.BPE:  # the fast tokenizer does not merge: it looks for the most probable pieces
            self._tokenizer = tensorflow_text.SentencepieceTokenizer(model, tf.int32)  # pyright: ignore[reportArgumentType]
        else:
            self._tokenizer = tensorflow_text.FastSentencepieceTokenizer(model)
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._pieces = tuple(self._processor.id_to_piece(list(range(self.vocabulary_size))))

    @property
    def vocabulary_size(self) -> int:
        """Number of pieces, the four special ones included."""
        return self._processor.get_piece_size()

    def tokenize(self, text: tf.Tensor | str) -> tf.RaggedTensor | tf.Tensor:
        """Tokenises text into ids, without begin and end of sentence.

        Args:
            text: UTF-8 strings `(B,)`, or one string `()`. Bytes that are not UTF-8 are read as U+FFFD.

        Returns:
            int32 RaggedTensor `(B, None)`, or a Tensor `(None,)` for one string.
        """
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        return self._tokenizer.tokenize(text)  # pyright: ignore[reportReturnType]

    def encode(self, text: tf.Tensor, max_tokens: int) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Tokenises text into ids that end with EOS, as a model reads it in evaluation and serving.

        Args:
            text: As in `tokenize`, `(B,)`.
            max_tokens: Largest number of ids of a row, EOS included. A longer text keeps its first ids.

        Returns:
            int32 RaggedTensor `(B, None)`, and bool `(B,)`: which texts were cut.
        """
        tokens = self.tokenize(text)
        cut = tokens.row_lengths() >= max_tokens
        return end_rows(tokens, max_tokens), cut  # pyright: ignore[reportArgumentType]

    def detokenize(self, ids: tf.RaggedTensor | tf.Tensor, lengths: tf.Tensor | None = None) -> tf.Tensor:
        """Joins token ids to text; padding, begin and end of sentence are left out.

        Args:
            ids: int32 RaggedTensor `(B, None)` or padded Tensor `(B, T)`.
            lengths: Tokens of each row of a padded Tensor `(B,)`; all of them by default.

        Returns:
            Strings `(B,)`. An unknown token reads " ⁇ ".
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids, lengths=lengths)
        kept = tf.ragged.boolean_mask(ids, (ids != PAD) & (ids != BOS) & (ids != EOS))
        return self._tokenizer.detokenize(kept)  # pyright: ignore[reportReturnType]

    def pieces(self, ids: tf.RaggedTensor | tf.Tensor) -> tf.RaggedTensor | tf.Tensor:
        """Returns the pieces of token ids, as strings of the same shape; "▁" is a space before the piece."""
        return tf.gather(tf.constant(list(self._pieces)), ids)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Returns which characters each token of `tokenize(text)` covers.

        Args:
            text: One Python string.

        Returns:
            A list of (start, end) in code points of `text`, one a token. The white space before a piece is not
            part of its span, so the span of a lone "▁" is empty.

        Example:

        >>> subwords = Subwords(learn_sentencepiece(["ab c"], vocabulary_size=8, model_type="char"))
        >>> print(*[piece.decode() for piece in subwords.pieces(subwords.tokenize("ab c")).numpy()])
        ▁ a b ▁ c
        >>> subwords.spans("ab c")
        [(0, 0), (0, 1), (1, 2), (3, 3), (3, 4)]
        """
        offsets = self._processor.encode_as_offset_mapping(text)["offsets"]
        return [(end - len(text[start:end].lstrip()), end) for start, end in offsets]
