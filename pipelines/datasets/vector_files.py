"""Word vectors from a text file in the format of word2vec, with a first line "COUNT SIZE", or of GloVe, without one."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.stages import counted

OPTION = "--model.vectors"


def vector_size(path: str | Path) -> int:
    """Returns the number of numbers of each vector of a file, from its first lines.

    Raises:
        UserError: The file cannot be read, or does not begin with a word and numbers.
    """
    with _open(path) as file:
        first, second = (file.readline().decode("utf-8", "replace").split() for _ in range(2))
    size = len(second) - 1 if _is_head(first) else len(first) - 1
    if size < 1:
        raise UserError(
            f"{OPTION}: expected a text file with a word and its numbers on each line; received {path} with "
            f"{' '.join(first)[:60]!r} on the first"
        )
    return size


def read_vectors(path: str | Path, numbers: Mapping[str, int], dirt: Dirt) -> tuple[np.ndarray, np.ndarray]:
    """Reads the vectors of the words of a vocabulary.

    A word that the file has several times gets the first vector. Of words that the vocabulary lacks, the vectors of
    words that are equal but for case are taken, if it has no other.

    Args:
        path: The file, UTF-8.
        numbers: Number of each word, below their count.
        dirt: `Dirt` that takes the lines that are skipped.

    Returns:
        (vectors, known): float32 `(len(numbers), size)`, and bool `(len(numbers),)`, which of them the file has.

    Raises:
        UserError: The file cannot be read.
    """
    size = vector_size(path)
    vectors = np.zeros((len(numbers), size), "float32")
    exact, known = np.zeros(len(numbers), bool), np.zeros(len(numbers), bool)
    with _open(path) as file:
        for line, content in enumerate(counted(file), 1):
            if line == 1 and _is_head(content.decode("utf-8", "replace").split()):
                continue
            parts = content.rstrip().rsplit(b" ", size) if b"\t" not in content else content.rstrip().split(b"\t")
            place, word = f"{path}, line {line}", ""
            try:
                word = parts[0].decode()
                if len(parts) != size + 1 or not word:
                    found = len(content.split()) - 1
                    dirt.add(f"a number of numbers other than {size}", place, f"{word[:30]} with {found}")
                    continue
                number = numbers.get(word, -1)
                folded = number < 0
                if folded:
                    number = numbers.get(word.lower(), -1)
                if number < 0 or exact[number] or (folded and known[number]):
                    continue
                vector = np.array(parts[1:], "S").astype("float32")
            except UnicodeDecodeError:
                dirt.add("a word that is not UTF-8", place)
                continue
            except ValueError:
                dirt.add("something that is no number", place, word[:30])
                continue
            if not np.isfinite(vector).all():
                dirt.add("something that is no number", place, word[:30])
                continue
            vectors[number], known[number], exact[number] = vector, True, not folded
    return vectors, known


def _is_head(parts: list[str]) -> bool:
    return len(parts) == 2 and all(part.isdecimal() for part in parts)


def _open(path: str | Path):
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{OPTION}: expected a text file, received {path}: {error.strerror}") from error
