"""Word vectors in the formats of other programs: word2vec's text and binary files, TensorBoard's projector."""

from attention_zoo.pipelines.engine.storage.files import atomic_write


def write_word2vec(path, words, vectors, binary=False):
    """Writes the formats of word2vec: a line with both sizes, then each word with its vector.

    Args:
        path: The file. It is replaced at once.
        words: The V words, without white space.
        vectors: Array `(V, D)`.
        binary: Whether vectors are written as little-endian float32 and not as text, a word a line.

    Returns:
        The `Path`.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> path = write_word2vec(f"{tempfile.mkdtemp()}/vectors.txt", ["cat", "dog"], np.array([[1, 2.5], [0, -1]]))
    >>> path.read_text().splitlines()
    ['2 2', 'cat 1 2.5', 'dog 0 -1']
    """
    head = f"{len(vectors)} {vectors.shape[1]}\n".encode()
    if binary:
        rows = (word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(words, vectors.astype("<f4")))
    else:
        texts = (" ".join(f"{value:.7g}" for value in row) for row in vectors.tolist())
        rows = (f"{word} {text}\n".encode() for word, text in zip(words, texts))
    return atomic_write(path, head + b"".join(rows))


def write_projector(folder, words, vectors):
    """Writes the two files that TensorBoard's Embedding Projector and projector.tensorflow.org load.

    Args:
        folder: Folder of `tensors.tsv` and `metadata.tsv`.
        words: The V words.
        vectors: Array `(V, D)`.
    """
    rows = ("\t".join(f"{value:.6g}" for value in row) + "\n" for row in vectors.tolist())
    atomic_write(folder / "tensors.tsv", "".join(rows))
    atomic_write(folder / "metadata.tsv", "".join(f"{word}\n" for word in words))
    atomic_write(folder / "projector_config.pbtxt", PROJECTOR)


PROJECTOR = """\
embeddings {
  tensor_name: "words"
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
}
"""
