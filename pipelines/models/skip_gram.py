"""Skip-gram with negative sampling: a word's vector predicts the words around it (Mikolov et al. 2013).

Shapes: B rows of text, L centre words of a row, W window, T = W + L + W words of a row, K negatives of a row, D
embedding_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.kernels import gather_rows


@keras.saving.register_keras_serializable("attention_zoo")
class SkipGram(keras.Model):
    """Scores how well words go with the words around them, and with random words (sec. 2.2, eq. 4).

    Every word has two vectors: one as the centre and one as a context. The score of a pair is their product. A row of
    text is scored as a whole: all its centre words with all its words, of which `pair_weights` selects those in the
    window, and with K negatives that its centre words share. So a step is one product of matrices for each row, and
    reads and writes about three vectors a word, where drawing negatives for each pair takes 36 at a window of 5.

    Three details differ from the paper's program. It draws negatives for each pair; here each of the K has the weight
    `negatives / K` in each pair, which has the same expectation. A negative that is the context itself is not drawn
    again. The vectors of a batch are updated together.

    Args:
        vocabulary_size: Number of words, V.
        embedding_dim: D. Defaults to 100.
        window: W, the largest distance of centre and context. Defaults to 5.

    Call arguments:
        inputs: Dict of `"text"`, ids `(B, T)`, whose first and last W words are contexts only, and `"negatives"`, ids
            `(B, K)`.

    Returns:
        Logits of all pairs of a row, float32 `(B, L, T + K)`.

    Attributes:
        words: Vectors of the words as centres, `(V, D)`: the result of the training.
        contexts: Vectors of the words as contexts, `(V, D)`.

    Example:

    >>> model = SkipGram(vocabulary_size=10, embedding_dim=4, window=2)
    >>> text = ops.array([[1, 2, 3, 4, 5, 6, 7]])
    >>> logits = model({"text": text, "negatives": ops.array([[8, 9]])})
    >>> logits.shape
    TensorShape([1, 3, 9])

    Reference: Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality", 2013.
    """

    def __init__(self, vocabulary_size, embedding_dim=100, window=5, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.window = window

    def build(self, input_shape=None):
        shape = (self.vocabulary_size, self.embedding_dim)
        uniform = keras.initializers.RandomUniform(-0.5 / self.embedding_dim, 0.5 / self.embedding_dim)
        self.words = self.add_weight(shape=shape, initializer=uniform, name="words", autocast=False)
        self.contexts = self.add_weight(shape=shape, initializer="zeros", name="contexts", autocast=False)
        self.built = True

    def call(self, inputs):
        text, negatives = inputs["text"], inputs["negatives"]
        length = ops.shape(text)[1] - 2 * self.window  # L
        centres = gather_rows(self.words, text[:, self.window : self.window + length])  # (B, L, D)
        others = gather_rows(self.contexts, ops.concatenate([text, negatives], axis=1))  # (B, T + K, D)
        return ops.matmul(centres, ops.transpose(others, (0, 2, 1)))  # (B, L, T + K)

    def compute_output_shape(self, input_shape):
        (rows, words), (_, negatives) = input_shape["text"], input_shape["negatives"]
        return rows, words - 2 * self.window, words + negatives

    def get_config(self):
        names = ("vocabulary_size", "embedding_dim", "window")
        return super().get_config() | {name: getattr(self, name) for name in names}


def pair_weights(left, right, window, negatives, shared):
    """Returns the weights of the pairs that `SkipGram` scores, as the targets of `negative_sampling_loss`.

    Args:
        left: How many words before each centre word are its contexts, integers `(B, L)` from 0 to W.
        right: The same for the words after it.
        window: W.
        negatives: Negatives of a pair, 5 to 20 in the paper.
        shared: K, the number of negatives of a row.

    Returns:
        float32 Tensor `(B, L, T + K)`: 1 for a centre word and its context, 0 for other pairs of words, and at most 0,
        the negated weight, for a centre word and a negative.

    Example:

    >>> weights = pair_weights(ops.array([[1, 2]]), ops.array([[2, 0]]), window=2, negatives=5, shared=2)
    >>> ops.convert_to_numpy(weights)[0].tolist()
    [[0.0, 1.0, 0.0, 1.0, 1.0, 0.0, -7.5, -7.5], [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -5.0, -5.0]]
    """
    left, right = ops.cast(left, "int32"), ops.cast(right, "int32")
    length = ops.shape(left)[1]
    places = ops.arange(length + 2 * window) - window
    offsets = ops.expand_dims(places, 0) - ops.expand_dims(ops.arange(length), 1)  # (L, T)
    before = ops.logical_and(offsets < 0, -offsets <= ops.expand_dims(left, -1))  # (B, L, T)
    after = ops.logical_and(offsets > 0, offsets <= ops.expand_dims(right, -1))
    near = ops.cast(ops.logical_or(before, after), "float32")
    contexts = ops.cast(ops.expand_dims(left + right, -1), "float32")  # (B, L, 1)
    return ops.concatenate([near, ops.repeat(contexts * (-negatives / shared), shared, axis=-1)], axis=-1)


@ops.custom_gradient
def negative_sampling_loss(weights, logits):
    """Returns eq. 4 of the paper, negated and summed over pairs: `-log sigmoid(x)` for true pairs, `(-x)` for others.

    Its gradient is written out, `w (sigmoid(x) - 1)` and `w sigmoid(x)`, since a step reads all pairs of a row.

    Args:
        weights: Weight of each pair, positive for true pairs and negative for random ones, see `pair_weights`.
        logits: Scores of pairs.

    Example:

    >>> loss = negative_sampling_loss(ops.array([1.0, -2.0, 0.0]), ops.array([0.0, 0.0, 9.0]))
    >>> round(float(loss), 4) == round(3 * 0.693147, 4)
    True
    """
    sizes, true = ops.abs(weights), ops.relu(weights)
    others = ops.sigmoid(-logits)
    loss = -ops.sum(sizes * ops.log(ops.maximum(others, 1e-37))) - ops.sum(true * logits)

    def gradient(*upstreams, upstream=None):
        upstream = upstreams[0] if upstream is None else upstream
        return None, upstream * (sizes * (1.0 - others) - true)

    return loss, gradient
