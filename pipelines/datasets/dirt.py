"""One report of everything that a reader of users' files leaves out."""

from attention_zoo.pipelines.engine.errors import UserError

SHOWN = 10  # faults of each kind that a report names; it counts the others


class Dirt:
    """Collects the faults of a user's data, so that one pass finds all of them.

    A reader adds each fault and goes on without what has it. `report` names the first ten faults of each kind and
    counts the others.

    Args:
        strict: Whether `report` raises an error instead of returning its lines. Defaults to `False`.

    Example:

    >>> dirt = Dirt()
    >>> dirt.add("empty file", "photos/cat/7.png")
    >>> dirt.add("no JSON", "captions.jsonl, line 3", "received {")
    >>> dirt.add("empty file", "photos/dog/2.png")
    >>> print(dirt.report())
    skipped 2 with empty file:
      photos/cat/7.png
      photos/dog/2.png
    skipped 1 with no JSON:
      captions.jsonl, line 3: received {
    """

    def __init__(self, strict=False):
        self.strict = strict
        self.faults = {}  # kind -> (faults counted, the first ones as text)

    def add(self, kind, place, detail=""):
        """Records one fault.

        Args:
            kind: What is wrong, in words that fit all faults of the kind, such as "empty file".
            place: The file, and the line where there is one, such as "pairs.tsv, line 3".
            detail: What was found there. Defaults to nothing.
        """
        count, shown = self.faults.get(kind, (0, []))
        if count < SHOWN:
            shown.append(f"{place}: {detail}" if detail else f"{place}")
        self.faults[kind] = (count + 1, shown)

    def __len__(self):
        return sum(count for count, _ in self.faults.values())

    def __str__(self):
        lines = []
        for kind, (count, shown) in self.faults.items():
            lines += [f"skipped {count:,} with {kind}:", *(f"  {one}" for one in shown)]
            if count > len(shown):
                lines.append(f"  and {count - len(shown):,} more")
        return "\n".join(lines)

    def report(self):
        """Returns the report, "" where there are no faults.

        Raises:
            UserError: There are faults, and the reader is strict.
        """
        if self.strict and self.faults:
            raise UserError(f"data.strict: expected data without faults, received {len(self):,}:\n{self}")
        return str(self)
