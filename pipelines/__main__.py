"""The console script `attention-zoo`, and `python -m attention_zoo.pipelines`."""

import sys

from attention_zoo.pipelines import DATASETS, TASKS
from attention_zoo.pipelines.engine import command_line


def main():
    """Runs the command that was typed. Returns the exit code."""
    return command_line.main(TASKS, DATASETS)


if __name__ == "__main__":
    sys.exit(main())
