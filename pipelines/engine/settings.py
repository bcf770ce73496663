"""The sections of a run's configuration that every task shares.

Plain dataclasses, importable without TensorFlow, so that `--help` answers at once.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from attention_zoo.pipelines.engine.errors import UserError, check_ranges


class TaskConfig:
    """Base of the settings of a task, whose fields are sections.

    Attributes:
        typed: Dotted names of the settings that the user wrote, on the command line or in the file of `--config`; the
            others have the value of the preset or the default. Empty for settings that `parse` did not make. It is not
            a field: `config.yaml` does not hold it, and `dataclasses.replace` does not copy it.
        common: Settings that `--help` lists first.
    """

    typed: ClassVar[frozenset[str]] = frozenset()
    common: ClassVar[tuple[str, ...]] = (  # what `--help` shows first
        *("data.dataset", "data.files", "data.folder", "data.limit", "model.name"),
        *("training.epochs", "training.max_minutes", "training.batch_tokens", "training.learning_rate"),
    )

    def __post_init__(self):
        if hasattr(self, "model"):
            check_model(self.model)


SIZES = ("embedding_dim", "hidden_dim", "intermediate_dim", "units", "attention_units", "num_layers", "num_heads")


def check_model(model: Any) -> None:
    """Refuses sizes of a model that cannot be, before any data is read.

    Args:
        model: The model section of a task's settings. Fields are checked by their names: sizes such as `num_layers`,
            shares such as `dropout`, and that `num_heads` divides the width (`hidden_dim`, else `embedding_dim`).

    Raises:
        UserError: A value is not possible.

    Example:

    >>> from types import SimpleNamespace
    >>> check_model(SimpleNamespace(hidden_dim=64, num_heads=3))
    Traceback (most recent call last):
        ...
    attention_zoo.pipelines.engine.errors.UserError: model.num_heads: expected a divisor of hidden_dim, 64, received 3
    """
    values = vars(model)
    rules = {name: (values[name] >= 1, "at least 1") for name in (*SIZES, "patch_size", "image_size") if name in values}
    shares = [name for name in values if name.endswith("dropout") or name == "stochastic_depth"]
    rules |= {name: (0 <= values[name] < 1, "at least 0 and below 1") for name in shares}
    width = next((name for name in ("hidden_dim", "embedding_dim") if name in values), None)
    if width and values.get("num_heads", 0) >= 1:
        divides = values[width] % values["num_heads"] == 0
        rules["num_heads"] = (divides, f"a divisor of {width}, {values[width]}")
    try:
        check_ranges(model, rules)
    except UserError as error:
        raise UserError(f"model.{error}") from None


@dataclass
class EncoderSettings:
    """A Transformer encoder of texts, given or from scratch.

    Args:
        encoder: What the encoder begins with: a folder of the Hugging Face Hub with BERT, RoBERTa, ALBERT,
            DistilBERT or XLNet, or the folder of a run that has such an encoder. Without it the model is trained from
            scratch.
        num_layers: Blocks of an encoder from scratch. An encoder that is given has its own sizes.
        num_heads: Attention heads of an encoder from scratch.
        hidden_dim: Width of an encoder from scratch.
        intermediate_dim: Width of the inner layer of the blocks of an encoder from scratch.
        dropout: Share of the features and attention weights that are dropped in training.
    """

    encoder: str = ""
    num_layers: int = 2
    num_heads: int = 4
    hidden_dim: int = 128
    intermediate_dim: int = 512
    dropout: float = 0.1


def describe_change(name: str, before: Any, after: Any, reason: str) -> list[str]:
    """Returns the line that says that a setting was changed, in a list; an empty list if it was not.

    Args:
        name: Dotted name of the setting.
        before: Its value before.
        after: Its value now.
        reason: Why it was changed.

    Example:

    >>> describe_change("data.color", False, True, "since 9 of your 10 images have color")
    ['data.color: true instead of false, since 9 of your 10 images have color']
    >>> describe_change("training.epochs", 2000, 2000, "for more steps")
    []
    """
    if after == before:
        return []
    now, then = (
        str(value).lower() if isinstance(value, bool) else f"{value:,}" if isinstance(value, int | float) else value
        for value in (after, before)
    )
    return [f"{name}: {now} instead of {then}, {reason}"]


@dataclass
class TrainingSettings:
    """How the weights are learned.

    Args:
        epochs: Passes over the training data at most.
        max_minutes: Training stops after this many minutes, with evaluations, and schedules that fall to zero reach it
            by then; 0 is no limit. With a limit the result depends on the speed of the machine.
        batch_tokens: Size of a batch: rows times the longest row, in tokens.
        optimizer: The update rule; lamb (You et al. 2020) is for large batches, and trained ALBERT.
        learning_rate: Peak of the schedule.
        schedule: constant; rsqrt (Vaswani et al. 2017, section 5.3); linear and cosine fall to zero at the last
            epoch; halving (Luong et al. 2015, section 4.1).
        warmup_steps: Steps over which the learning rate rises linearly from zero; 0 is none.
        halve_after: Epoch after which `schedule=halving` begins to halve.
        halve_every: Epochs between two halvings.
        momentum: Share of the last update that sgd adds to the next; 0 is plain SGD.
        beta_2: Decay of Adam's second moment.
        epsilon: Added to the denominator of Adam and Adadelta.
        weight_decay: Decoupled weight decay of adamw and lamb.
        clip_norm: Largest global norm of the gradient; 0 is no clipping.
        label_smoothing: Probability mass spread over the vocabulary.
        monitor: Metric that decides which checkpoint is best, and when to stop early, such as dev/loss. Of equal
            values the one with the lower dev/loss is best.
        patience: Evaluations without improvement before training stops; 0 never stops early.
        evaluate_every: Steps between evaluations on the dev split; 0 evaluates after every epoch.
        checkpoint_every: Steps between checkpoints; 0 writes one with every evaluation.
        keep_checkpoints: Newest checkpoints that stay on disk, besides the best.
        average_checkpoints: Checkpoints whose weights are averaged at the end (kept if better); 1 is no averaging.
        strategy: one device; mirrored, a replica for each GPU (two on the CPU if there is none, to try it out);
            multi_worker, the cluster in TF_CONFIG or of Slurm; auto, chosen by the devices and the cluster.
        accumulate: Number of parts of a batch that each replica processes one after the other, to save memory; the
            update is the same.
        recompute: Whether each Transformer block computes its activations again for the gradient, in place of keeping
            them: a step takes about a fifth longer, and long sequences need much less memory.
        ema: Decay of the moving average of the weights, which is then scored and exported; 0 keeps none.
        precision: Keras dtype policy of the model; mixed_float16 scales the loss.
        jit: Compile the training step with XLA. Every new batch shape compiles anew.
        seed: Seed of initial weights, dropout and the order of the data.
        wandb: Project of Weights & Biases that shows the curves of the run, for `pip install "attention-zoo[wandb]"`.
    """

    epochs: int = 10
    max_minutes: float = 0.0
    batch_tokens: int = 4096
    optimizer: Literal["adam", "adamw", "lamb", "adadelta", "sgd"] = "adam"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "rsqrt", "linear", "cosine", "halving"] = "constant"
    warmup_steps: int = 0
    halve_after: float = 5.0
    halve_every: float = 1.0
    momentum: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    monitor: str = "dev/loss"
    patience: int = 0
    evaluate_every: int = 0
    checkpoint_every: int = 0
    keep_checkpoints: int = 3
    average_checkpoints: int = 1
    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = "auto"
    accumulate: int = 1
    recompute: bool = False
    ema: float = 0.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit: bool = False
    seed: int = 1
    wandb: str = ""

    def __post_init__(self):
        counts = ("epochs", "batch_tokens", "keep_checkpoints", "average_checkpoints", "accumulate")
        from_zero = (
            *("max_minutes", "warmup_steps", "halve_after", "weight_decay", "clip_norm"),
            *("patience", "evaluate_every", "checkpoint_every"),
        )
        shares = ("momentum", "beta_2", "label_smoothing", "ema")
        rules = {name: (getattr(self, name) >= 1, "at least 1") for name in counts}
        rules |= {name: (getattr(self, name) > 0, "above 0") for name in ("learning_rate", "epsilon", "halve_every")}
        rules |= {name: (getattr(self, name) >= 0, "at least 0") for name in from_zero}
        rules |= {name: (0 <= getattr(self, name) < 1, "at least 0 and below 1") for name in shares}
        rules["monitor"] = (self.monitor.startswith("dev/"), "dev/loss, or dev/ and a metric of the task")
        check_ranges(self, rules)


Precision = Literal["float32", "bfloat16", "int8"]


@dataclass
class ExportSettings:
    """Where the finished model goes.

    Args:
        directory: Folder that holds TASK/VERSION/, as TF Serving reads it.
        promote: Whether the version takes the place of the served one. auto: unless that one was trained on other data
            or has a better score, or --data.limit made the run a trial; always; never. Otherwise it goes to
            TASK.candidate/.
        precision: Of the exported model's products with weights. float32 is that of the trained model; bfloat16 and
            int8 are faster where the processor multiplies them, and their scores on the test split are printed. int8
            needs a server with oneDNN, that is, on x86.
    """

    directory: str = "saved_models"
    promote: Literal["auto", "always", "never"] = "auto"
    precision: Precision = "float32"
