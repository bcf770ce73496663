"""The record that each version of an exported model keeps of its run, in `assets.extra`, which servers ignore."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

FILE = "run.json"
CARD = "README.md"


@dataclass(frozen=True)
class VersionRecord:
    """Where a version comes from.

    Args:
        task: Name of the task.
        run: Folder of the run.
        preset: Preset that the settings came from.
        data: The data that was read, such as "cldr_phrases/fr/1.1.0".
        exported: When it was exported, as "2026-11-28 17:20".
        weights: Identifies the weights and settings: two exports of one finished run have the same.
        scores: Metrics of the run.

    Example:

    >>> record = VersionRecord("steering", "runs/steering/a", "a", "car_racing 1.0.0", "2026-11-28 17:20", "")
    >>> str(record)
    'runs/steering/a (car_racing 1.0.0), exported 2026-11-28 17:20'
    """

    task: str
    run: str
    preset: str
    data: str
    exported: str
    weights: str
    scores: Mapping[str, float] = field(default_factory=dict)

    def __str__(self):
        data = f" ({self.data})" if self.data else ""
        return f"{self.run}{data}, exported {self.exported}"


def record_files(record: VersionRecord, settings: str) -> dict[str, str]:
    """Returns the texts that a version keeps, by file name: the record, the settings, and a model card.

    Args:
        record: The record.
        settings: The settings of the run, YAML.
    """
    return {
        FILE: json.dumps(asdict(record), indent=1, sort_keys=True) + "\n",
        RunFolder("").config.name: settings,
        CARD: model_card(record, settings),
    }


def model_card(record: VersionRecord, settings: str) -> str:
    """Returns a page in Markdown: the origin of a model, its scores and its settings."""
    scores = "\n".join(f"| {name} | {value:,.6g} |" for name, value in sorted(record.scores.items()))
    return (
        f"# {record.task}\n\n"
        f"Trained with `attention-zoo train {record.task} --preset {record.preset}` in `{record.run}`, "
        f"exported {record.exported}.\n\n"
        f"Data: {record.data or 'not recorded'}\n\n"
        f"| metric | value |\n|---|---|\n{scores}\n\n"
        f"Settings:\n\n```yaml\n{settings.rstrip()}\n```\n"
    )


def read_record(version: Path | str) -> VersionRecord | None:
    """Returns the record of a version's folder; None for a version without one, or with one that cannot be read."""
    try:
        content = json.loads((Path(version) / "assets.extra" / FILE).read_text(encoding="utf-8"))
        return VersionRecord(**{one.name: content[one.name] for one in fields(VersionRecord)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
