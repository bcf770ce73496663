"""Writes the Python snippets of the README into a folder, where a type checker can look at them."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(folder):
    """Writes `snippet_N.py` for each block of Python in the README."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    folder.mkdir(parents=True, exist_ok=True)
    for number, block in enumerate(blocks, 1):
        (folder / f"snippet_{number}.py").write_text(block, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
