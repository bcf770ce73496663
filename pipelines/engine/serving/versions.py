"""The versions of the exported models: SAVED_MODELS/TASK/VERSION/, and the models.config that lists the tasks."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import atomic_write

# Where the TF Serving image keeps its models: SAVED_MODELS is mounted there (see deploy/README.md).
SERVED_FROM = "/models"


def load_saved_model(directory: Path | str, answer: str | None = None) -> Any:
    """Loads the newest complete version of a task's SavedModel.

    Loading needs TensorFlow and, for the text ops, tensorflow_text. The loaded object uses no code of this project.

    Args:
        directory: `saved_models/TASK`.
        answer: Name of an output that `serving_default` must have. Defaults to `None`, which accepts every model.

    Returns:
        The loaded object; `loaded.signatures[name](input=tensor)` returns a dict of tensors. Keep the object as long
        as its signatures: they lose their variables with it.

    Raises:
        UserError: There is no complete version, or it has no such output.
    """
    import tensorflow_text  # noqa: F401  registers the ops of the tokenizers

    directory = Path(directory)
    versions = complete_versions(directory)
    if not versions:
        raise UserError(f"no SavedModel in {directory}: `attention-zoo train` and `attention-zoo export` write one")
    loaded = tf.saved_model.load(str(directory / str(versions[-1])))
    answers = loaded.signatures["serving_default"].structured_outputs
    if answer is not None and answer not in answers:
        raise UserError(
            f"{directory}: expected a model that answers with {answer}, received one with {', '.join(sorted(answers))}"
        )
    return loaded


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
        if complete_versions(directory):
            server.model_config_list.config.add(
                name=directory.name, base_path=f"{SERVED_FROM}/{directory.name}", model_platform="tensorflow"
            )
    atomic_write(Path(root) / "models.config", text_format.MessageToString(server))
