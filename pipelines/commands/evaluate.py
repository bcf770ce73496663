"""`attention-zoo evaluate TASK`: scores a run on its test split again."""

from attention_zoo.pipelines.commands.finished_run import of_a_run


def evaluate(tasks, argv):
    """`evaluate TASK [--run DIR | --name RUN | --preset NAME]`"""
    return of_a_run("evaluate", tasks, argv)
