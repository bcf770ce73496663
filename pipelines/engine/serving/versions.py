"""The versions of the exported models: SAVED_MODELS/TASK/VERSION/, and the models.config that lists the tasks."""

from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.record import read_record
from attention_zoo.pipelines.engine.storage.files import atomic_write

# Where the TF Serving image keeps its models: SAVED_MODELS is mounted there (see deploy/README.md).
SERVED_FROM = "/models"
CANDIDATE = ".candidate"  # ends the name of a folder with versions that are not served


def load_saved_model(directory: Path | str, answer: str | tuple[str, ...] = ()) -> Any:
    """Loads a version of a task's SavedModel.

    Loading needs TensorFlow and, for the text ops, tensorflow_text. The loaded object uses no code of this project.

    Args:
        directory: `saved_models/TASK`, for the newest complete version, or `saved_models/TASK/VERSION`.
        answer: Name of an output that `serving_default` must have, or several of which it must have one. Defaults to
            `()`, which accepts every model.

    Returns:
        The loaded object; `loaded.signatures[name](input=tensor)` returns a dict of tensors. Keep the object as long
        as its signatures: they lose their variables with it.

    Raises:
        UserError: There is no complete version, or it has no such output.
    """
    version = version_folder(directory)
    import tensorflow as tf  # here, so that versions are listed without TensorFlow
    import tensorflow_text  # noqa: F401  registers the ops of the tokenizers

    loaded = tf.saved_model.load(str(version))
    answers = loaded.signatures["serving_default"].structured_outputs
    wanted = (answer,) if isinstance(answer, str) else answer
    if wanted and not set(wanted) & set(answers):
        raise UserError(
            f"{directory}: expected a model that answers with {' or '.join(wanted)}, "
            f"received one with {', '.join(sorted(answers))}"
        )
    return loaded


def version_folder(directory: Path | str, run: str = "") -> Path:
    """Returns the folder of the version that answers, without loading it.

    Args:
        directory: `saved_models/TASK`, for the newest complete version, or `saved_models/TASK/VERSION`.
        run: Folder of a run, for the newest version that was exported from it. Defaults to `""`, any run.

    Raises:
        UserError: There is no such version.
    """
    directory = Path(directory)
    if (directory / "saved_model.pb").is_file():
        return directory
    versions = [directory / str(version) for version in complete_versions(directory)]
    if not versions:
        raise UserError(f"no SavedModel in {directory}: `attention-zoo train` and `attention-zoo export` write one")
    if not run:
        return versions[-1]
    records = {version: read_record(version) for version in versions}
    of_run = [version for version, record in records.items() if record and Path(record.run) == Path(run)]
    if not of_run:
        there = sorted({record.run for record in records.values() if record})
        raise UserError(
            f"no version of {run} in {directory}; there are versions of {', '.join(there) or 'no known run'}"
        )
    return of_run[-1]


def complete_versions(directory: Path | str) -> list[int]:
    """Returns the numbers of the complete versions in `saved_models/TASK`, ascending; none if there is no such folder.

    Example:

    >>> complete_versions("saved_models/no_such_task")
    []
    """
    # TensorFlow writes saved_model.pb after variables and assets.
    return sorted(
        version
        for version in taken_versions(directory)
        if (Path(directory) / str(version) / "saved_model.pb").is_file()
    )


def taken_versions(directory: Path | str) -> list[int]:
    """Returns the version numbers in `saved_models/TASK`, complete or not, in any order."""
    directory = Path(directory)
    names = [path.name for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
    # As TF Serving writes numbers: "007" is not the folder of version 7.
    return [int(name) for name in names if name.isascii() and name.isdigit() and name == str(int(name))]


def write_models_config(root: Path) -> None:
    """Lists every task that has a complete version in `models.config`, for `tensorflow_model_server`."""
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    server = ModelServerConfig()
    for directory in sorted(Path(root).iterdir()):
        if complete_versions(directory) and not directory.name.endswith(CANDIDATE):
            server.model_config_list.config.add(
                name=directory.name, base_path=f"{SERVED_FROM}/{directory.name}", model_platform="tensorflow"
            )
    atomic_write(Path(root) / "models.config", text_format.MessageToString(server))
