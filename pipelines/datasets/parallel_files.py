"""A user's own parallel text: two files, a sentence a line, the same line number in both."""

import hashlib
from pathlib import Path

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.spans import normalize
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.alignment_error import read_pharaoh


def read_parallel_files(source_path: str | Path, target_path: str | Path, dirt: Dirt) -> list[tuple[str, str]]:
    """Reads the sentence pairs of two UTF-8 files.

    A line that is empty or not UTF-8 is skipped together with its other side. Only line feeds end a line: other
    characters that Unicode counts as line ends may stand in a sentence.

    Args:
        source_path: The sentences to translate from.
        target_path: Their translations.
        dirt: Takes the lines that are skipped.

    Returns:
        The pairs (source, target), stripped, in the files' order.

    Raises:
        UserError: A file cannot be read, or the files differ in their number of lines.
    """
    sides = {str(path): _lines(path) for path in (source_path, target_path)}
    if len(sides) < 2:
        raise UserError(f"expected two files, source and target, received {source_path} twice")
    (source_name, sources), (target_name, targets) = sides.items()
    if len(sources) != len(targets):
        raise UserError(
            f"expected files with the same number of lines, received {source_name} with {len(sources)} "
            f"and {target_name} with {len(targets)}"
        )
    for name, lines in sides.items():
        for number, line in enumerate(lines, 1):
            if not line:
                dirt.add("a line that is not UTF-8" if line is None else "an empty line", f"{name}, line {number}")
    return [pair for pair in zip(sources, targets) if all(pair)]


def read_aligned_files(paths: list[str | Path]) -> tuple[list, list]:
    """Reads sentence pairs that people have aligned word by word, in the form in which such sets are published.

    Every fault is an error, and no line is skipped: the three files belong together by the numbers of their lines, and
    a score on a part of a published set cannot be compared.

    Args:
        paths: The sentences to translate from, UTF-8, a line each, words between spaces; their translations; and the
            links between their words, a line for each pair, as `read_pharaoh` reads them.

    Returns:
        The pairs (source, target), and for each its sets of sure and of possible links.

    Raises:
        UserError: There are not three files, one cannot be read, a line of text is empty or not UTF-8, the files
            differ in their number of lines, or a link names a word that its sentence does not have.
    """
    if len(paths) != 3:
        raise UserError(
            f"expected three files, source, target and links; received {len(paths)}: {' '.join(map(str, paths))}"
        )
    source_path, target_path, links_path = paths
    dirt = Dirt()
    pairs = read_parallel_files(source_path, target_path, dirt)
    if dirt:
        raise UserError("\n".join([f"expected text on every line of {source_path} and {target_path}", *dirt.lines()]))
    links = read_pharaoh(links_path)
    if len(links) != len(pairs):
        raise UserError(
            f"expected {links_path} with {len(pairs)} lines, as many as {source_path}, received {len(links)}"
        )
    for number, (pair, (_, possible)) in enumerate(zip(pairs, links), 1):
        lengths = [len(text.split()) for text in pair]
        for link in possible:
            if link[0] >= lengths[0] or link[1] >= lengths[1]:
                raise UserError(
                    f"{links_path}, line {number}: expected links between {lengths[0]} and {lengths[1]} words, "
                    f"counted from 0; received {link[0]} with {link[1]}"
                )
    return pairs, links


def split_pairs(pairs: list[tuple[str, str]], most: int = 2_000) -> dict[str, list[tuple[str, str]]]:
    """Splits pairs into training, validation and test: a twentieth of the sources each for the latter two, up to `most`.

    A hash of the normalised source decides, not its place in the file. All translations of a source are in one split,
    and the order of the lines does not matter.

    Raises:
        UserError: There are fewer than three different sources.

    Example:

    >>> splits = split_pairs([(f"line {i}", str(i)) for i in range(100)])
    >>> {name: len(pairs) for name, pairs in splits.items()}
    {'train': 90, 'validation': 5, 'test': 5}
    """
    keys = [normalize(source).casefold() for source, _ in pairs]
    distinct = sorted(set(keys), key=lambda key: hashlib.blake2b(key.encode()).digest())
    if len(distinct) < 3:
        raise UserError(f"expected at least 3 different source sentences to split, received {len(distinct)}")
    held_out = max(1, min(most, len(distinct) // 20))
    split_of = {key: "test" for key in distinct[:held_out]} | {
        key: "validation" for key in distinct[held_out : 2 * held_out]
    }
    splits = {"train": [], "validation": [], "test": []}
    for key, pair in zip(keys, pairs):
        splits[split_of.get(key, "train")].append(pair)
    return splits


def _lines(path):
    """Returns the lines of a file, stripped; None for one that is not UTF-8."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"expected a text file, received {path}: {error.strerror}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"expected a text file in UTF-8, received {path} in UTF-16")
    lines = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n") if content else []
    return [_decode(line) for line in lines]


def _decode(line):
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        return None
