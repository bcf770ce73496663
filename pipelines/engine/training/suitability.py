"""Reports settings that do not suit the data, before training starts."""

from attention_zoo.pipelines.engine.settings import TrainingSettings


def unsuitable_settings(settings: TrainingSettings, batches: int) -> list[str]:
    """Compares training settings with the length of the run.

    Args:
        settings: `TrainingSettings`.
        batches: Number of batches in an epoch, at least 1.

    Returns:
        Lines to print, each of which names a setting to change and a value that suits; none if all settings suit.

    Example:

    >>> from attention_zoo.pipelines.engine.settings import TrainingSettings
    >>> unsuitable_settings(TrainingSettings(epochs=12, warmup_steps=200), batches=3)
    ['36 steps in all (12 epochs of 3), of which 36 warm up: the learning rate never reaches its peak; set --training.warmup_steps 3, or more --training.epochs']
    """  # noqa: E501
    steps = settings.epochs * batches
    lines = []
    if settings.warmup_steps and settings.warmup_steps >= steps:
        lines.append(
            f"{steps:,} steps in all ({settings.epochs} epochs of {batches:,}), of which {steps:,} warm up: the "
            f"learning rate never reaches its peak; set --training.warmup_steps {steps // 10}, "
            "or more --training.epochs"
        )
    if batches == 1:
        lines.append(
            "one batch holds the whole training split, so an epoch is one step; set --training.batch_tokens below "
            f"{settings.batch_tokens}, {max(1, settings.batch_tokens // 8)} for instance"
        )
    evaluations = steps // settings.evaluate_every if settings.evaluate_every else settings.epochs
    if settings.patience and settings.patience >= evaluations:
        lines.append(
            f"{evaluations:,} evaluations in all, and training stops early only after {settings.patience} without "
            f"improvement: it never will; set --training.patience {max(1, evaluations // 4)}, or 0 to say so"
        )
    return lines
