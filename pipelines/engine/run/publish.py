"""The end of a run: scores, pictures, the exported version with its record, and what was written where."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from attention_zoo.pipelines.engine.run.config import dump
from attention_zoo.pipelines.engine.run.illustrate import illustrate
from attention_zoo.pipelines.engine.run.low_precision import compared_scores, scores_in
from attention_zoo.pipelines.engine.run.promotion import choose_directory
from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.run.runs import preset_of
from attention_zoo.pipelines.engine.serving.export import export_saved_model, size_of
from attention_zoo.pipelines.engine.serving.products import ConstantProducts
from attention_zoo.pipelines.engine.serving.record import VersionRecord, read_record, record_files
from attention_zoo.pipelines.engine.serving.versions import complete_versions
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.task import Task


def baselines(task: Task) -> dict[str, float]:
    """Returns the scores of a task's baselines: computed once a run, and again if its settings have changed."""
    settings = {section: value for section, value in asdict(task.config).items() if section != "export"}
    path, settings = task.folder.baselines, json.loads(json.dumps(settings))
    kept = json.loads(path.read_text()) if path.is_file() else {}
    if kept.get("settings") == settings:
        return kept["scores"]
    scores = {name: float(value) for name, value in task.baselines().items()}
    if scores:  # one that was left out may be there the next time
        atomic_write(path, json.dumps({"settings": settings, "scores": scores}) + "\n")
    return scores


def publish(task: Task, model: keras.Model, metrics: dict[str, float], reporter: TrainingReporter) -> dict[str, float]:
    """Scores, draws and exports the finished model, measures the export, and prints all paths. Returns all metrics.

    A run that was exported before, with the same weights and settings, gets no second version.
    """
    metrics = metrics | score(task, model)
    write_metrics(task.folder, metrics)
    with stage("training the baselines"):
        metrics |= {f"baseline/{name}": value for name, value in baselines(task).items()}
    write_metrics(task.folder, metrics)
    with stage("drawing the pictures"):
        pictures = illustrate(task, model)
    record = record_of(task, model, metrics)
    directory, reason = choose_directory(task.config, record, task.prefers_lower(task.config.training.monitor))
    # A run that a better one has replaced since is not to be exported again as a candidate.
    exported = exported_before([Path(task.config.export.directory) / task.name, directory], record)
    if exported:
        directory = exported.parent
        note = f"SavedModel: {exported} has these weights already"
    else:
        exported, note = export_task(task, model, directory, record)
    if reason:
        note += f"\nnot served: {reason}; --export.promote always serves it"
    with stage("measuring the exported model"):
        figures = task.after_export(exported)
    if figures:
        metrics |= figures
        write_metrics(task.folder, metrics)
    show_metrics(reporter.console, metrics)
    for picture in pictures:
        reporter.note(f"picture: {picture}")
    reporter.note(note)
    reporter.note(f"next: {next_command(task, directory)}")
    return metrics


def next_command(task: Task, directory: Path) -> str:
    """Returns the command that asks the exported model, wherever it is."""
    usual = Path("saved_models") / task.name
    return task.next_command() + ("" if directory == usual else f" --model {shlex.quote(str(directory))}")


def score(task: Task, model: keras.Model) -> dict[str, float]:
    """Returns the test metrics as `test/NAME`. A name with its own group, such as `causal/blobs`, stays unchanged."""
    with stage("scoring the test split"):
        scores = task.evaluate(model, "test")
    return {name if "/" in name else f"test/{name}": value for name, value in scores.items()}


def record_of(task: Task, model: keras.Model, metrics: Mapping[str, float]) -> VersionRecord:
    """Returns the record of a version that is exported now."""
    digest = hashlib.blake2b(settings_text(task).encode(), digest_size=16)
    for variable in model.variables:
        digest.update(np.asarray(variable).tobytes())
    return VersionRecord(
        task=task.name,
        run=str(task.folder),
        preset=preset_of(task.folder),
        data=task.data_version,
        exported=datetime.now().strftime("%Y-%m-%d %H:%M"),
        weights=digest.hexdigest(),
        scores=dict(metrics),
    )


def settings_text(task: Task) -> str:
    """Returns the settings of a task in YAML, headed like the config.yaml of its run."""
    lines = task.folder.config.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("#")) + dump(task.config)


def exported_before(directories: Sequence[Path], record: VersionRecord) -> Path | None:
    """Returns the newest version with these weights and settings in the first folder that has one, or `None`."""
    for directory in directories:
        for version in reversed(complete_versions(directory)):
            before = read_record(directory / str(version))
            if before is not None and before.weights == record.weights:
                return directory / str(version)
    return None


def export_task(task: Task, model: keras.Model, directory: Path, record: VersionRecord) -> tuple[Path, str]:
    """Exports the signatures of the task as the next version in a folder. Returns it and lines that describe it."""
    products = ConstantProducts(task.config.export.precision)
    lines = []
    if products.precision != "float32":
        scores = scores_in(products.precision, task, model)
        record = replace(record, scores={**record.scores, **scores})
        lines.append(compared_scores(products.precision, record.scores))
    notes = record_files(record, settings_text(task))
    with stage("exporting the model"):
        trackables, signatures, warm_up = task.signatures(model)
        exported = export_saved_model(directory, trackables, signatures, warm_up, notes, products)
    operations, size = size_of(exported)
    lines += products.notes()
    return exported, "\n".join([f"SavedModel: {exported} ({operations:,} operations, {size / 1e6:,.0f} MB)", *lines])


def write_metrics(folder: RunFolder, metrics: Mapping[str, float]) -> None:
    """Writes the metrics as JSON."""
    atomic_write(folder.metrics, json.dumps(metrics, indent=1, sort_keys=True) + "\n")


def show_metrics(console: Console, metrics: Mapping[str, float]) -> None:
    """Prints the metrics as a table."""
    table = Table("metric", "value")
    for name, value in sorted(metrics.items()):
        table.add_row(name, f"{value:,.4g}" if isinstance(value, float) else f"{value:,}")
    console.print(table)
