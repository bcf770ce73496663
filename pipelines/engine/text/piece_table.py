"""The pieces of a tokeniser and their ids, in both directions."""

from collections.abc import Mapping, Sequence

import tensorflow as tf


class PieceTable(tf.Module):
    """What tokenisers of pieces share: the size of the vocabulary, ids by piece, and pieces by id.

    Args:
        ids: Id of each piece, as a folder of the Hugging Face Hub writes it.
        pieces: What each id stands for in a text, strings or bytes, in the order of the ids.
        name: Of the module.

    Example:

    >>> table = PieceTable({"Ġa": 0, "b": 1}, [" a", "b"], name="letters")
    >>> table.id_of("b"), table.vocabulary_size, table.pieces(tf.constant([[0, 1]])).numpy().tolist()
    (1, 2, [[b' a', b'b']])
    """

    def __init__(self, ids: Mapping[str, int], pieces: Sequence[str | bytes], name: str):
        super().__init__(name=name)
        self._ids, self._pieces = dict(ids), tuple(pieces)

    @property
    def vocabulary_size(self) -> int:
        """One more than the largest id, special tokens included."""
        return len(self._pieces)

    def id_of(self, piece: str) -> int:
        """Returns the id of a piece.

        Raises:
            KeyError: There is no such piece.
        """
        return self._ids[piece]

    def pieces(self, ids: tf.RaggedTensor | tf.Tensor) -> tf.RaggedTensor | tf.Tensor:
        """Returns the pieces of token ids, as strings of the same shape."""
        return tf.gather(tf.constant(self._pieces), ids)
