"""The names of the classes of a run, in the order of the model's outputs."""

from collections.abc import Sequence
from pathlib import Path

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import atomic_write


def keep_labels(file: Path, labels: Sequence[str]) -> None:
    """Writes the names of the classes, one a line, or compares them with those that the run was trained with.

    Args:
        file: `labels` of the `RunFolder`.
        labels: The names, in the order of the model's outputs.

    Raises:
        UserError: The run has other classes.
    """
    if not file.is_file():
        atomic_write(file, "".join(f"{label}\n" for label in labels))
        return
    known = file.read_text(encoding="utf-8").splitlines()
    if known != list(labels):
        raise UserError(
            f"--data.folder, --data.dataset: expected the classes of the run, {', '.join(known)}; "
            f"received {', '.join(labels)}"
        )
