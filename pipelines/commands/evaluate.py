"""`attention-zoo evaluate TASK`: scores a run on its test split again."""

from collections.abc import Mapping, Sequence

from attention_zoo.pipelines.commands.finished_run import of_a_run
from attention_zoo.pipelines.registry import Entry


def evaluate(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`evaluate TASK [--run DIR | --name RUN | --preset NAME]`"""
    return of_a_run("evaluate", tasks, argv)
