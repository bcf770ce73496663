"""One's own parallel text: two files, a sentence a line, the same line number in both. Nothing is lost without a word."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from attention_zoo.pipelines.datasets.spans import normalize
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.alignment_error import read_pharaoh

SHOWN = 5  # how many line numbers a report names


@dataclass
class FileReport:
    """What was skipped: for each kind of fault, the files and the numbers (from 1) of the lines that have it."""

    lines: int
    kept: int
    empty: dict[str, list[int]] = field(default_factory=dict)
    invalid: dict[str, list[int]] = field(default_factory=dict)

    def __str__(self):
        told = [f"{self.kept} of {self.lines} sentence pairs kept"]
        for fault, files in (("empty", self.empty), ("not UTF-8", self.invalid)):
            for name, numbers in files.items():
                first = ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
                told.append(f"skipped with their other sides: {len(numbers)} in {name} {fault} (line {first})")
        return "\n".join(told)


def read_parallel_files(source_path: str | Path, target_path: str | Path) -> tuple[list[tuple[str, str]], FileReport]:
    """Reads the sentence pairs of two UTF-8 files.

    A line that is empty or not UTF-8 is skipped together with its other side, and is in the report. Only line feeds end
    a line: other characters that Unicode counts as line ends may stand in a sentence.

    Args:
        source_path: the sentences to translate from.
        target_path: their translations.

    Returns:
        The pairs (source, target), stripped, in the files' order, and a `FileReport` to print.

    Raises:
        UserError: if a file can't be read, if the files differ in their number of lines, or if no pair is left.
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
    report = FileReport(lines=len(sources), kept=0)
    pairs = []
    for number, pair in enumerate(zip(sources, targets), 1):
        for name, text in zip(sides, pair):
            if not text:
                (report.invalid if text is None else report.empty).setdefault(name, []).append(number)
        if all(pair):
            pairs.append(pair)
    report.kept = len(pairs)
    if not pairs:
        raise UserError(f"expected sentence pairs in {source_name} and {target_name}, received none: {report}")
    return pairs, report


def read_aligned_files(paths: list[str | Path]) -> tuple[list, list]:
    """Reads sentence pairs that people have aligned word by word, in the form in which such sets are published.

    Args:
        paths: the sentences to translate from, UTF-8, a line each, words between spaces; their translations; and the
            links between their words, a line a pair, as `read_pharaoh` reads them.

    Returns:
        The pairs (source, target), and for each its sets of sure and of possible links.

    Raises:
        UserError: if there are not three files, if one can't be read, if a line of text is empty or not UTF-8, if the
            files differ in their number of lines, or if a link names a word that its sentence does not have.
    """
    if len(paths) != 3:
        raise UserError(
            f"expected three files, source, target and links; received {len(paths)}: {' '.join(map(str, paths))}"
        )
    source_path, target_path, links_path = paths
    pairs, report = read_parallel_files(source_path, target_path)
    if report.kept != report.lines:
        raise UserError(f"expected text on every line of {source_path} and {target_path}; {report}")
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
                    f"{links_path}, line {number}: expected links between {lengths[0]} and {lengths[1]} words, counted from 0; "
                    f"received {link[0]} with {link[1]}"
                )
    return pairs, links


def split_pairs(pairs: list[tuple[str, str]], most: int = 2_000) -> dict[str, list[tuple[str, str]]]:
    """Splits pairs into training, validation and test: a twentieth each for the latter two, but no more than `most`
    sources.

    A hash of the source, normalised, decides, not the place in the file: a source that occurs several times is in one
    split with all its translations, and the same text is split in the same way whatever its order.

    Raises:
        UserError: if there are fewer than three different sources.

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
    """The file's lines, stripped; None for one that is not UTF-8."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"expected a text file, received {path}: {error.strerror}") from error
    lines = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n") if content else []
    return [_decode(line) for line in lines]


def _decode(line):
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        return None
