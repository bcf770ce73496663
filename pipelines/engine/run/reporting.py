"""Shows the progress of a run, and records its figures in CSV, JSON and TensorBoard."""

import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike

import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from attention_zoo.pipelines.engine.run.console import make_console
from attention_zoo.pipelines.engine.stages import bar_shown, stage
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.training import progress as run_progress
from attention_zoo.pipelines.engine.training.survey import Survey

EVERY = 10  # steps between two points of the training's curve
WIDE = 80  # columns of a terminal that show speed and elapsed time too
LINE_SECONDS = 30.0  # between two lines about the training, where the output is no terminal


class TrainingReporter:
    """Collects the figures of a run and shows them.

    On a terminal a bar shows them. Into a file a plain line is printed every 30 seconds.

    Args:
        folder: `RunFolder` or path of the run: the training curve, the evaluations and TensorBoard's logs are written
            there.
        silent: Show and write nothing, as in the workers of a cluster that are not the chief. Defaults to `False`.
        unit: Plural of the thing that the weight of a loss counts: "tokens", "images". Defaults to `"tokens"`.
        console: `rich.console.Console`. Defaults to standard output.
        clock: Function that returns seconds. Defaults to `time.monotonic`.
    """

    def __init__(
        self,
        folder: PathLike[str] | str,
        silent: bool = False,
        unit: str = "tokens",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.folder = RunFolder(folder)
        self.silent = silent
        self.unit = unit
        self.console = console or make_console(quiet=silent)
        self.padding_share = None
        self._clock = clock
        self._recent = []  # losses and weights since the last point of the curve
        self._since_line = []  # and since the last line in a file
        self._reset()

    def _reset(self):
        self._since = self._clock()
        self._weight = self._waited = 0.0
        self._steps = 0

    def survey(self, size: Survey) -> None:
        """Shows the size of an epoch.

        Args:
            size: A `Survey`.
        """
        self.padding_share = size.padding_share
        padding = "" if size.padding_share is None else f", padding {100 * size.padding_share:.1f}%"
        tokens = "" if size.tokens is None else f", {size.tokens:,} tokens{padding}"
        self.note(f"{size.batches:,} batches an epoch{tokens}")

    @contextmanager
    def training(self, progress: run_progress.Progress, total_steps: int, seconds: float = math.inf) -> Iterator[None]:
        """Shows bar or lines, and keeps TensorBoard's file open, while the block runs.

        Args:
            progress: `Progress` at the start.
            total_steps: Steps of the whole run.
            seconds: Time after which it ends before that. Defaults to infinity.
        """
        directory = str(self.folder.tensorboard)
        self.writer = tf.summary.create_noop_writer() if self.silent else tf.summary.create_file_writer(directory)
        self._reset()
        self._total_steps, self._first_step, self._started = total_steps, progress.step, self._clock()
        self._seconds = seconds
        self._line_at = self._started
        self._keep_losses_until(progress.step)
        with bar_shown(), self._make_bar() as self.bar, self.writer.as_default(), ExitStack() as self._until_first_step:
            if not self.silent:
                self._until_first_step.enter_context(stage("compiling the training step"))
            self.row = self.bar.add_task(
                "", total=total_steps, completed=progress.step, epoch=progress.epoch + 1, loss=0.0, speed=0.0
            )
            yield
        self.writer.close()

    def _make_bar(self):
        epoch, left = TextColumn("epoch {task.fields[epoch]}"), (TextColumn("ETA"), TimeRemainingColumn())
        loss, speed = "loss {task.fields[loss]:.3f}", ", {task.fields[speed]:,.0f} " + f"{self.unit}/s"
        if self.console.width < WIDE:
            columns = epoch, BarColumn(8), MofNCompleteColumn(), *left, TextColumn(loss)
        else:
            columns = epoch, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *left, TextColumn(loss + speed)
        return Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)

    def step(self, progress: run_progress.Progress, loss: float, weight: float, rate: float, waited: float) -> None:
        """Takes the figures of one update.

        Args:
            progress: `Progress` after the step.
            loss: Loss per unit of weight.
            weight: Weight of the batch.
            rate: Learning rate.
            waited: Seconds that the step waited for its batch.
        """
        self._until_first_step.close()
        self._weight += weight
        self._waited += waited
        self._steps += 1
        self._recent.append((loss, weight))
        self._since_line.append((loss, weight))
        speed = self._weight / max(self._clock() - self._since, 1e-9)
        loss = weighted_mean(self._recent)
        fields = {"epoch": progress.epoch + 1, "loss": loss, "speed": speed}
        self.bar.update(self.row, completed=progress.step, total=self._expected_steps(progress), **fields)
        if progress.step % EVERY == 0:
            self._recent = []
            self._append_loss(progress.step, loss, rate)
            tf.summary.scalar("train/loss", loss, step=progress.step)
            tf.summary.scalar("train/learning_rate", rate, step=progress.step)
        if not self.console.is_terminal and self._clock() - self._line_at >= LINE_SECONDS:
            self._line_at = self._clock()
            self.note(self._line(progress, weighted_mean(self._since_line), speed))
            self._since_line = []

    def _step_seconds(self, progress: run_progress.Progress) -> float:
        """Returns the mean time of a step since the start, evaluations included."""
        return max(self._clock() - self._started, 1e-9) / (progress.step - self._first_step)

    def _expected_steps(self, progress: run_progress.Progress) -> int:
        """Returns the steps of the whole run: as many as there is time for, if that is limited."""
        if math.isinf(self._seconds):
            return self._total_steps
        left = max(0.0, self._seconds - (self._clock() - self._started))
        return min(self._total_steps, progress.step + round(left / self._step_seconds(progress)))

    def _line(self, progress: run_progress.Progress, loss: float, speed: float) -> str:
        """Returns a line about the training for output without a bar."""
        total = self._expected_steps(progress)
        left = int(self._step_seconds(progress) * max(0, total - progress.step))
        return (
            f"epoch {progress.epoch + 1}  step {progress.step:,} of {total:,}  loss {loss:.3f}  "
            f"{speed:,.0f} {self.unit}/s  ETA {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        )

    def _append_loss(self, step: int, loss: float, rate: float) -> None:
        if not self.silent:
            with open(self.folder.losses, "a", newline="") as file:
                csv.writer(file).writerow([step, f"{loss:.6g}", f"{rate:.6g}"])

    def _keep_losses_until(self, step: int) -> None:
        """Removes the points after the checkpoint that a run continues from, since it repeats their steps."""
        if not self.silent:
            kept = [("step", "loss", "learning_rate"), *(row for row in self.folder.read_losses() if row[0] <= step)]
            atomic_write(self.folder.losses, "".join(",".join(map(str, row)) + "\n" for row in kept))

    def since_last_evaluation(self) -> dict[str, float]:
        """Returns the speed of the steps since the last call, and resets the counts."""
        seconds = max(self._clock() - self._since, 1e-9)
        figures = {
            f"train/{self.unit}_per_second": self._weight / seconds,
            "train/step_seconds": seconds / max(self._steps, 1),
            "input/wait_share": self._waited / seconds,
        }
        self._reset()
        return figures

    def evaluation(self, progress: run_progress.Progress, record: dict[str, float], better: bool) -> None:
        """Shows and writes one evaluation.

        Args:
            progress: `Progress` of the run.
            record: Its figures by name.
            better: Whether it is the best evaluation so far.
        """
        with self.writer.as_default():
            for name, value in record.items():
                tf.summary.scalar(name, value, step=progress.step)
        self.writer.flush()
        if not self.silent:
            atomic_write(self.folder.history, json.dumps(progress.history, indent=1) + "\n")
        shown = [f"{name} {record[name]:.3f}" for name in sorted(record) if name.startswith(("dev/", "train/loss"))]
        self.note(
            f"epoch {progress.epoch:>3}  step {progress.step:>6,}  {'  '.join(shown)}  "
            f"{record[f'train/{self.unit}_per_second']:,.0f} {self.unit}/s, "
            f"{1000 * record['train/step_seconds']:,.0f} ms a step, "
            f"{100 * record['input/wait_share']:.1f}% waiting for input"
            f"{'  (best)' if better else ''}"
        )
        self._reset()  # the evaluation's own time is not training time
        self._line_at = self._clock()  # and a line on the next step would give the speed of that step

    def note(self, text: str) -> None:
        """Prints a line, above the bar if there is one."""
        self.console.print(text, soft_wrap=True)


def weighted_mean(losses: list[tuple[float, float]]) -> float:
    """Returns the mean of `[(loss, weight)]`.

    Example:

    >>> weighted_mean([(1.0, 1.0), (3.0, 3.0)])
    2.5
    """
    return sum(loss * weight for loss, weight in losses) / max(sum(weight for _, weight in losses), 1.0)
