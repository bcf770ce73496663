"""Whether a finished run takes the place of the version that is served, or is exported beside it."""

from pathlib import Path

from attention_zoo.pipelines.engine.serving.record import VersionRecord, read_record
from attention_zoo.pipelines.engine.serving.versions import CANDIDATE, complete_versions
from attention_zoo.pipelines.engine.settings import TaskConfig


def choose_directory(config: TaskConfig, record: VersionRecord, lower_is_better: bool) -> tuple[Path, str]:
    """Returns the folder that a version is exported to, and why it does not take the place of the served one.

    Args:
        config: Settings of the run.
        record: Record of the new version.
        lower_is_better: Whether the monitored metric is better when it is lower.

    Returns:
        `SAVED_MODELS/TASK` and `""`, or `SAVED_MODELS/TASK.candidate` and the reason.
    """
    served = Path(config.export.directory) / record.task
    versions = complete_versions(served)
    before = read_record(served / str(versions[-1])) if versions else None
    if config.export.promote == "always" or not versions:
        return served, ""
    beside = served.with_name(served.name + CANDIDATE)
    if config.export.promote == "never":
        return beside, "--export.promote is never"
    reason = trial(config) or (worse(config.training.monitor, record, before, lower_is_better) if before else "")
    return (beside, reason) if reason else (served, "")


def trial(config: TaskConfig) -> str:
    """Returns why a run is a trial, or `""`."""
    limit = getattr(config.data, "limit", 0)
    return f"it was trained on --data.limit {limit} examples" if limit else ""


def worse(monitor: str, record: VersionRecord, before: VersionRecord, lower_is_better: bool) -> str:
    """Returns why a version is not better than the one before, or `""`."""
    if record.data != before.data:
        return f"the served version was trained on {before.data}, this one on {record.data}"
    if monitor not in record.scores or monitor not in before.scores:
        return ""
    now, then = record.scores[monitor], before.scores[monitor]
    is_worse = now > then if lower_is_better else now < then
    return f"its {monitor} is {now:.4g}, that of the served version {then:.4g}" if is_worse else ""
