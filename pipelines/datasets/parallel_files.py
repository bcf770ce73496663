"""A user's parallel text: two files with a sentence a line, the same line number in both, or one file of pairs."""

import hashlib
from collections.abc import Container
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.spans import normalize
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
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
    sides = {str(path): [line and line.strip() for line in _lines(path)] for path in (source_path, target_path)}
    if len(sides) < 2:
        raise UserError(f"expected two files, source and target, received {source_path} twice")
    (source_name, sources), (target_name, targets) = sides.items()
    if len(sources) != len(targets):
        raise UserError(
            f"expected files with the same number of lines, received {source_name} with {len(sources)} "
            f"and {target_name} with {len(targets)}; the lengths of the lines fit until about line "
            f"{count_fitting_lines(sources, targets)}"
        )
    for name, lines in sides.items():
        for number, line in enumerate(lines, 1):
            if not line:
                dirt.add("a line that is not UTF-8" if line is None else "an empty line", f"{name}, line {number}")
    return [(source, target) for source, target in zip(sources, targets) if source and target]


def count_fitting_lines(sources: list[str | None], targets: list[str | None]) -> int:
    """Returns up to which line the lengths of two texts fit, so that a user finds the line that one of them lacks.

    Lines of the same number are pairs up to there; after it, the lines with the same distance to the end are. Of all
    numbers, the returned one makes the lengths within the pairs the most alike.

    Example:

    >>> count_fitting_lines(["a", "four", "b", "eleven", "c"], ["x", "cinq", "onze mots", "z"])
    2
    """
    lengths = [np.log([len(line or "") + 1 for line in lines]) for lines in (sources, targets)]
    shorter, longer = sorted((side - np.mean(side) for side in lengths), key=len)
    count = len(shorter)
    from_start = np.cumsum([0.0, *np.abs(shorter - longer[:count])])
    from_end = np.cumsum([0.0, *np.abs(shorter - longer[len(longer) - count :])])
    return int(np.argmin(from_start + from_end[-1] - from_end))


def read_pairs_file(path: str | Path, dirt: Dirt) -> list[tuple[str, str]]:
    """Reads the sentence pairs of one UTF-8 file: source, a tab, target, as Tatoeba's pairs are published.

    Further columns, such as the authors, are ignored. Quotation marks are text.

    Args:
        path: The file.
        dirt: Takes the lines that are skipped.

    Returns:
        The pairs (source, target), stripped, in the file's order.

    Raises:
        UserError: The file cannot be read, or its first column holds the numbers of sentences.
    """
    pairs, ignored = [], 0
    for number, line in enumerate(_lines(path), 1):
        place, columns = f"{path}, line {number}", (line or "").split("\t")
        pair = tuple(column.strip() for column in columns[:2])
        if line is None:
            dirt.add("a line that is not UTF-8", place)
        elif not line.strip():
            dirt.add("an empty line", place)
        elif len(pair) < 2:
            dirt.add("fewer than two columns between tabs", place, line[:80].strip())
        elif not all(pair):
            dirt.add("an empty source or target", place, line[:80].strip())
        else:
            pairs.append(pair)
            ignored += len(columns) > 2
    if pairs and all(source.isdecimal() for source, _ in pairs):
        raise UserError(
            f"expected source and target in the first two columns of {path}, received a column of numbers; "
            f"`cut -f 2,4` keeps the text of a file with the numbers of the sentences"
        )
    if ignored:
        print(f"{path}: the columns after source and target are ignored, on {ignored:,} lines")
    return pairs


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
            "--data.alignment_files: expected three files, source, target and links; "
            f"received {len(paths)}: {' '.join(map(str, paths))}"
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


def split_pairs(
    pairs: list[tuple[str, str]], given: Container[str] = (), most: int = 2_000
) -> dict[str, list[tuple[str, str]]]:
    """Splits pairs into training, validation and test: a twentieth of the sources, up to `most`, each for the last two.

    A hash of the normalised source decides, not its place in the file. All translations of a source are in one split,
    and the order of the lines does not matter.

    Args:
        pairs: The pairs (source, target).
        given: Splits that the user gave files of; they get no pair here.
        most: Largest number of sources of validation and of test.

    Raises:
        UserError: There are fewer different sources than splits.

    Example:

    >>> splits = split_pairs([(f"line {i}", str(i)) for i in range(100)])
    >>> {name: len(pairs) for name, pairs in splits.items()}
    {'train': 90, 'validation': 5, 'test': 5}
    """
    keys = [normalize(source).casefold() for source, _ in pairs]
    distinct = sorted(set(keys), key=lambda key: hashlib.blake2b(key.encode()).digest())
    held = [split for split in ("test", "validation") if split not in given]
    if len(distinct) < 1 + len(held):
        raise UserError(
            f"--data.files: expected at least {1 + len(held)} different source sentences to split, "
            f"received {len(distinct)}"
        )
    share = max(1, min(most, len(distinct) // 20))
    split_of = {key: split for n, split in enumerate(held) for key in distinct[n * share : (n + 1) * share]}
    splits = {"train": [], "validation": [], "test": []}
    for key, pair in zip(keys, pairs):
        splits[split_of.get(key, "train")].append(pair)
    return splits


def _lines(path: str | Path) -> list[str | None]:
    """Returns the lines of a file, without their ends; None for one that is not UTF-8."""
    content = read_utf8(path)
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    return [_decode(line) for line in lines]


def _decode(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
