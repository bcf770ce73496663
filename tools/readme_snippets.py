"""Writes the Python snippets of the README and of the book into a folder, where a type checker can look at them."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLLOWED = "adding_a_task.md"  # its blocks are files, which a test puts in their places


def blocks_of(page):
    """Returns the blocks of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def main(folder):
    """Writes `snippet_N.py` for each block of Python in the README, and `book/PAGE.py` for each page of the book."""
    (folder / "book").mkdir(parents=True, exist_ok=True)
    for number, block in enumerate(blocks_of(ROOT / "README.md"), 1):
        (folder / f"snippet_{number}.py").write_text(block, encoding="utf-8")
    for page in sorted(ROOT.glob("docs/**/*.md")):
        blocks = blocks_of(page)  # the blocks of a page are one program
        if blocks and page.name != FOLLOWED:
            (folder / "book" / f"{page.stem}.py").write_text("\n\n".join(blocks), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
