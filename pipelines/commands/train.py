"""`attention-zoo train TASK`: trains, scores, draws and exports."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from attention_zoo.pipelines.commands.arguments import named_task, presets_of
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.registry import Entry


def train(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`train TASK [--preset NAME] [--config FILE] [--name RUN] [--start-from RUN] [--workers N] ...]`"""
    name, entry = named_task("train", tasks, argv)
    from attention_zoo.pipelines.engine.run.config import parse

    settings_class = load(entry.settings) if entry.settings else load(entry.task).Config
    run = parse(
        settings_class, argv[1:], presets_of(name), entry.default_preset, f"attention-zoo train {name}", entry.summary
    )
    if Path(run.name).name != run.name or run.name in ("", ".."):
        raise UserError(f"--name: expected the name of a folder in runs/{name}, received {run.name!r}")
    if run.workers > 1 and "TF_CONFIG" not in os.environ:
        from attention_zoo.pipelines.engine.run.launcher import run_workers

        return run_workers(run.workers, argv)
    task_class = load(entry.task)
    start_from = None
    if run.start_from:
        from attention_zoo.pipelines.engine.run.starting import find_run

        start_from = find_run(name, run.start_from)
    from attention_zoo.pipelines.engine.run.run import train as train_run

    folder = Path("runs") / name / run.name
    train_run(task_class, run.config, folder, run.preset, typed=run.config.typed, start_from=start_from)
    return 0
