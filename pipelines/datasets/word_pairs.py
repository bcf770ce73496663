"""What people say of words: similarities of pairs (WordSim-353) and analogies (the paper's questions-words.txt).

Both files come with the package gensim, from whose wheel they are read. The wheel is never installed.
"""

import zipfile
from pathlib import Path

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.engine.errors import UserError

WHEEL = {
    "requirement": "gensim==4.4.0",
    "filename": "gensim-4.4.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "sha256": "91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
    "options": ("--platform=manylinux_2_28_x86_64", "--python-version=311", "--implementation=cp", "--abi=cp311"),
}
SIMILARITIES = "gensim/test/test_data/wordsim353.tsv"
ANALOGIES = "gensim/test/test_data/questions-words.txt"


def read_similarities(file: str = "") -> list[tuple[str, str, float]]:
    """Reads pairs of words and how similar people find them.

    Args:
        file: A user's file: two words and a number a line; lines that begin with # are left out. Defaults to `""`,
            which reads WordSim-353 (Finkelstein et al. 2002), from 0 to 10.

    Returns:
        List of (word, word, similarity), in lower case.

    Raises:
        UserError: The file cannot be read, or a line has another form.
    """
    pairs = []
    for number, line in _lines(file, SIMILARITIES, "--data.similarities"):
        parts = line.split()
        try:
            first, second, score = parts
            pairs.append((first, second, float(score)))
        except ValueError:
            raise UserError(
                f"--data.similarities: expected two words and a number, received line {number} of {file}: {line}"
            ) from None
    return pairs


def read_analogies(file: str = "") -> list[tuple[str, str, str, str]]:
    """Reads analogies: the first word is to the second as the third to the fourth.

    Args:
        file: A user's file: four words a line; lines that begin with : or # are left out. Defaults to `""`, which reads
            the 19,544 analogies of Mikolov et al. 2013.

    Returns:
        List of four words each, in lower case.

    Raises:
        UserError: The file cannot be read, or a line has another form.
    """
    analogies = []
    for number, line in _lines(file, ANALOGIES, "--data.analogies"):
        words = line.split()
        if len(words) != 4:
            raise UserError(f"--data.analogies: expected four words, received line {number} of {file}: {line}")
        analogies.append(tuple(words))
    return analogies


def _lines(file: str, default: str, option: str) -> list[tuple[int, str]]:
    """Returns the numbered lines of a user's file or of one in the package, in lower case, without comments."""
    try:
        text = Path(file).read_text(encoding="utf-8") if file else _packaged(default)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option}: expected a UTF-8 text file, received {file}: {error}") from None
    lines = enumerate(text.lower().splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip() and not line.startswith(("#", ":"))]


def _packaged(name: str) -> str:
    wheel = fetch_wheel(**WHEEL, folder=Path(tfds.core.constants.DATA_DIR) / "downloads" / "packages")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode()
