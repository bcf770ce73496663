"""One report of all faults in a user's files."""

from pathlib import Path

from attention_zoo.pipelines.engine.errors import UserError

SHOWN = 10  # faults of each kind that a report names; it counts the others


class Dirt:
    """Collects the faults of a user's data, so that one pass finds all of them.

    A reader adds each fault and skips the line or file that has it. `report` names the first ten faults of each kind
    and counts the others.

    Args:
        strict: Whether `report` raises an error instead of printing. Defaults to `False`.

    Example:

    >>> dirt = Dirt()
    >>> dirt.add("an empty file", "photos/cat/7.png")
    >>> dirt.add("broken JSON", "captions.jsonl, line 3", "received {")
    >>> dirt.add("an empty file", "photos/dog/2.png")
    >>> dirt.report()
    skipped 2 with an empty file:
      photos/cat/7.png
      photos/dog/2.png
    skipped 1 with broken JSON:
      captions.jsonl, line 3: received {
    """

    def __init__(self, strict: bool = False):
        self.strict = strict
        self.faults: dict[str, tuple[int, list[str]]] = {}  # kind -> (faults counted, the first ones as text)

    def add(self, kind: str, place: str | Path, detail: str = "") -> None:
        """Records one fault.

        Args:
            kind: The fault, in words that fit all faults of the kind, such as "an empty file".
            place: The file, and the line where there is one, such as "pairs.tsv, line 3".
            detail: The content of the line, or another hint. Defaults to nothing.
        """
        count, shown = self.faults.get(kind, (0, []))
        if count < SHOWN:
            shown.append(f"{place}: {detail}" if detail else f"{place}")
        self.faults[kind] = (count + 1, shown)

    def __len__(self) -> int:
        return sum(count for count, _ in self.faults.values())

    def version(self) -> str:
        """Returns the end of a data version: a run is not continued if images were lost or restored since."""
        return f", without {len(self):,} fault{'s' * (len(self) > 1)}" if self.faults else ""

    def lines(self, verb: str = "") -> list[str]:
        """Returns the lines of the report; `verb` begins the first line of each kind."""
        lines = []
        for kind, (count, shown) in self.faults.items():
            lines += [f"{verb}{count:,} with {kind}:", *(f"  {one}" for one in shown)]
            if count > len(shown):
                lines.append(f"  and {count - len(shown):,} more")
        return lines

    def report(self) -> None:
        """Prints the report; prints nothing where there are no faults.

        Raises:
            UserError: There are faults, and the reader is strict.
        """
        if self.strict and self.faults:
            raise UserError("\n".join([f"--data.strict: expected no faults, received {len(self):,}", *self.lines()]))
        if self.faults:
            print("\n".join(self.lines("skipped ")))
