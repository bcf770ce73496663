"""`attention-zoo export TASK`: writes the next version of a run's SavedModel."""

from attention_zoo.pipelines.commands.finished_run import of_a_run


def export(tasks, argv):
    """`export TASK [--run DIR | --name RUN | --preset NAME]`"""
    return of_a_run("export", tasks, argv)
