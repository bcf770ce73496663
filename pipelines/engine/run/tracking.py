"""Sends the curves of a run to Weights & Biases, which is an extra."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder


def tracking_callbacks(config: Any, folder: RunFolder) -> Sequence[keras.callbacks.Callback]:
    """Returns the callback that logs a run to the project `training.wandb`; none where the setting is empty.

    A continued run goes on with the same curves. `WANDB_MODE=offline` keeps them in the run's folder.

    Raises:
        UserError: The extra is not installed.
    """
    project = config.training.wandb
    if not project:
        return []
    try:
        import wandb  # pyright: ignore[reportMissingImports]
        from wandb.integration.keras import WandbMetricsLogger  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError('--training.wandb: expected the extra, `pip install "attention-zoo[wandb]"`') from None
    folder.path.mkdir(parents=True, exist_ok=True)
    name = "-".join(folder.path.parts[-2:])  # TASK-NAME
    wandb.init(project=project, name=name, id=name, resume="allow", dir=str(folder), config=asdict(config))
    return [WandbMetricsLogger(log_freq="batch")]  # pyright: ignore[reportReturnType]
