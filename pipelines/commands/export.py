"""`attention-zoo export TASK`: writes the next version of a run's SavedModel."""

from collections.abc import Mapping, Sequence

from attention_zoo.pipelines.commands.finished_run import of_a_run
from attention_zoo.pipelines.registry import Entry


def export(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`export TASK [--run DIR | --name RUN | --preset NAME] [--decoding.OPTION VALUE ...]`"""
    return of_a_run("export", tasks, argv)
