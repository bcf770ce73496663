"""Shows a run while it goes on: progress bar with ETA, a line an evaluation, TensorBoard, and records in CSV and JSON."""

import csv
import json
import time
from contextlib import contextmanager

import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.text.batching import padding_share

EVERY = 10  # steps between two points of the training's curve


class TrainingReporter:
    """Collects the figures of a run and shows them.

    Args:
        folder: `RunFolder` or path of the run: the training curve, the evaluations and TensorBoard's logs are written
            there.
        silent: Whether to show and write nothing, as the workers of a cluster do whose chief speaks for all.
        unit: What the weight of a loss counts: "tokens", "images".
    """

    def __init__(self, folder, silent=False, unit="tokens"):
        self.folder = RunFolder(folder)
        self.silent = silent
        self.unit = unit
        self.console = Console(highlight=False, quiet=silent)
        self.padding_share = None
        self._recent = []  # losses and weights since the last point of the curve
        self._reset()

    def _reset(self):
        self._since = time.monotonic()
        self._tokens = self._waited = 0.0
        self._steps = 0

    def survey(self, dataset):
        """Counts the batches of an epoch and the share of padding in them; returns the count.

        A dataset that knows its length is not gone through for its padding: that is 0 where its rows have one shape,
            or not known.
        """
        if (count := int(dataset.cardinality())) >= 0:
            specs = tf.nest.flatten(dataset.element_spec)
            self.padding_share = 0.0 if all(None not in spec.shape[1:] for spec in specs) else None
            self.note(f"{count:,} batches an epoch")
            return count
        report = padding_share(dataset)
        self.padding_share = report["padding_share"]
        self.note(
            f"{report['batches']:,} batches an epoch, {report['tokens']:,} tokens, padding {100 * self.padding_share:.1f}%"
        )
        return report["batches"]

    @contextmanager
    def training(self, progress, total_steps):
        """Shows the bar while the block runs."""
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.3f}, {task.fields[speed]:,.0f} " + f"{self.unit}/s"),
        )
        directory = self.folder.tensorboard
        self.writer = tf.summary.create_noop_writer() if self.silent else tf.summary.create_file_writer(str(directory))
        self._reset()
        self._keep_losses_until(progress.step)
        with Progress(*columns, console=self.console, transient=True) as self.bar, self.writer.as_default():
            self.row = self.bar.add_task(
                "", total=total_steps, completed=progress.step, epoch=progress.epoch + 1, loss=0.0, speed=0.0
            )
            yield
        self.writer.close()

    def step(self, progress, loss, weight, rate, waited):
        """Takes the figures of one update: the loss per token, tokens, learning rate, seconds waited for input."""
        self._tokens += weight
        self._waited += waited
        self._steps += 1
        self._recent.append((loss, weight))
        if progress.step % EVERY == 0:
            weights = sum(weight for _, weight in self._recent)
            loss = sum(loss * weight for loss, weight in self._recent) / max(weights, 1.0)
            self._recent = []
            self._append_loss(progress.step, loss, rate)
            speed = self._tokens / max(time.monotonic() - self._since, 1e-9)
            self.bar.update(self.row, completed=progress.step, epoch=progress.epoch + 1, loss=loss, speed=speed)
            tf.summary.scalar("train/loss", loss, step=progress.step)
            tf.summary.scalar("train/learning_rate", rate, step=progress.step)

    def _append_loss(self, step, loss, rate):
        if not self.silent:
            with open(self.folder.losses, "a", newline="") as file:
                csv.writer(file).writerow([step, f"{loss:.6g}", f"{rate:.6g}"])

    def _keep_losses_until(self, step):
        """What came after the checkpoint that a run continues from will come again."""
        if not self.silent:
            kept = [("step", "loss", "learning_rate"), *(row for row in self.folder.read_losses() if row[0] <= step)]
            atomic_write(self.folder.losses, "".join(",".join(map(str, row)) + "\n" for row in kept))

    def since_last_evaluation(self):
        """Returns how fast the steps since the last call were, and starts anew."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        figures = {
            "train/tokens_per_second": self._tokens / seconds,
            "train/step_seconds": seconds / max(self._steps, 1),
            "input/wait_share": self._waited / seconds,
        }
        self._reset()
        return figures

    def evaluation(self, progress, record, better):
        """Shows and writes one evaluation."""
        with self.writer.as_default():
            for name, value in record.items():
                tf.summary.scalar(name, value, step=progress.step)
        self.writer.flush()
        if not self.silent:
            atomic_write(self.folder.history, json.dumps(progress.history, indent=1) + "\n")
        shown = [f"{name} {record[name]:.3f}" for name in sorted(record) if name.startswith(("dev/", "train/loss"))]
        self.note(
            f"epoch {progress.epoch:>3}  step {progress.step:>6,}  {'  '.join(shown)}  "
            f"{record['train/tokens_per_second']:,.0f} {self.unit}/s, {1000 * record['train/step_seconds']:,.0f} ms a step, "
            f"{100 * record['input/wait_share']:.1f}% waiting for input"
            f"{'  (best)' if better else ''}"
        )
        self._reset()  # the evaluation's own time is not training time

    def note(self, text):
        """Prints a line above the bar."""
        self.console.print(text, soft_wrap=True)
