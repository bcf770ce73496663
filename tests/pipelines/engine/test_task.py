from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.registry import TASKS


def test_a_task_without_a_next_command_names_predict(tmp_path):
    class Toy(Task):
        name = "toy"

    assert Toy(None, tmp_path).next_command() == "attention-zoo predict toy"


def test_the_default_preset_stands_in_the_registry_only():
    assert not hasattr(Task, "default_preset") and "default_preset" not in Task.__annotations__
    assert all(entry.default_preset for entry in TASKS.values())
