"""Runs all benchmarks, one after the other, and writes their figures into one file.

python benchmarks/run.py --quick --json figures.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = ("attention", "decoding", "training", "input", "word_embeddings", "start")


def main():
    """Runs the scripts and collects their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller shapes and fewer rounds: five minutes for all")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    figures, failed = {}, []
    with tempfile.TemporaryDirectory() as directory:
        for name in SCRIPTS:
            script, written = Path(__file__).with_name(f"{name}.py"), Path(directory) / f"{name}.json"
            print(f"== {name}", flush=True)
            done = subprocess.run(
                [sys.executable, script, "--json", written, *(["--quick"] if arguments.quick else [])]
            )
            if done.returncode or not written.is_file():
                failed.append(name)
            else:
                figures |= json.loads(written.read_text())
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    return f"failed: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
