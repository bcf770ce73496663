"""One finished run of each task's case, that all tests read."""

from dataclasses import dataclass
from pathlib import Path

import keras
import pytest
import yaml
from cases import CASES, Case
from shared import shared_folder

from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.run.config import dump, read
from attention_zoo.pipelines.registry import TASKS


@dataclass
class Finished:
    """A run that was killed at its first checkpoint and started again. Tests must not write into it.

    Args:
        name: The task's name.
        case: Its case.
        directory: The working directory of the run.
        printed: What the second start printed.
    """

    name: str
    case: Case
    directory: Path
    printed: str

    @property
    def run(self):
        return self.directory / "runs" / self.name / "tiny"

    @property
    def version(self):
        return self.directory / "saved_models" / self.name / "1"


@pytest.fixture(autouse=True)
def precision():
    """A run sets the precision of all models to come."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def cases():
    return CASES


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """`tiny_data(task) -> settings of the data section`: the data of a case, written once a process."""
    written = {}

    def write(name):
        if name not in written:
            written[name] = CASES[name].write_data(tmp_path_factory.mktemp(name))
        return written[name]

    return write


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, killed_and_continued):
    """`finished_run(case) -> Finished`: made by the first test that asks, in whatever process, for all of them."""

    def run(key):
        name, case = key.partition("/")[0], CASES[key]

        def train(directory):
            (data := directory / "data").mkdir()
            (tiny := directory / "tiny.yaml").write_text(
                yaml.safe_dump({"data": case.write_data(data), **case.settings})
            )
            # All settings, so that no preset shows through.
            tiny.write_text(dump(read(load(TASKS[name].settings), tiny)))
            words = ["train", name, "--config", "tiny.yaml", "--name", "tiny"]
            text = killed_and_continued(words, directory, directory / "runs" / name / "tiny" / "checkpoints")
            (directory / "printed").write_text(text)

        directory = shared_folder(tmp_path_factory, f"finished-{key.replace('/', '-')}", train)
        return Finished(name, case, directory, (directory / "printed").read_text())

    return run
