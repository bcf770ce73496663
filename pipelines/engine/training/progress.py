"""Where a run stands: the part of a checkpoint that is not a variable."""

from dataclasses import dataclass, field


@dataclass
class Progress:
    """Where a run stands. JSON-able.

    Args:
        step: Updates so far.
        epoch: Epochs that are over.
        batch: Batches of the current epoch that are over.
        seconds: Time of training so far, restarts included.
        loss_sum: Sum of the losses since the last evaluation.
        weight_sum: Sum of their weights.
        best_value: Best value of the monitored metric, None before the first evaluation.
        best_step: Step of the best value.
        evaluations_without_gain: Evaluations since the best one.
        evaluated_steps: Steps of all evaluations.
        history: Records of all evaluations.
        finished: Why the run ended; empty while it goes on.
        chosen_steps: Steps whose checkpoints are averaged for the final weights; one step is no averaging, none are
            not chosen yet.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    weight_sum: float = 0.0
    best_value: float | None = None
    best_step: int = 0
    evaluations_without_gain: int = 0
    evaluated_steps: list = field(default_factory=list)
    history: list = field(default_factory=list)
    finished: str = ""
    chosen_steps: list = field(default_factory=list)
