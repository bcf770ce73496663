"""The console script `attention-zoo`, and `python -m attention_zoo.pipelines`."""

import sys
from collections.abc import Sequence

from attention_zoo.pipelines import registry
from attention_zoo.pipelines.commands import main as command_line


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: The arguments. Defaults to `None`, which takes those of the process.

    Returns:
        The exit code.
    """
    return command_line.main(registry.TASKS, registry.DATASETS, argv, registry.ABILITIES)


if __name__ == "__main__":
    sys.exit(main())
