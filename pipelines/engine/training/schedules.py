"""Learning rate and optimiser of a run, from its settings."""

import math
from collections.abc import Sequence

import keras

from attention_zoo.pipelines.engine.settings import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int, epoch: float, epochs: float) -> float:
    """Computes the learning rate of one step, as a pure function: a resumed run continues the schedule exactly.

    Args:
        settings: `TrainingSettings`.
        step: Number of the step, counted from 1.
        epoch: Number of passes over the data so far, a fraction included.
        epochs: Number of passes at which `linear` and `cosine` reach zero.

    Returns:
        The learning rate.

    Example:

    >>> from attention_zoo.pipelines.engine.settings import TrainingSettings
    >>> settings = TrainingSettings(learning_rate=1.0, schedule="rsqrt", warmup_steps=4)
    >>> [learning_rate(settings, step, 0.0, 10) for step in (1, 4, 16)]
    [0.25, 1.0, 0.5]
    """
    warmup = min(1.0, step / settings.warmup_steps) if settings.warmup_steps else 1.0
    left = max(0.0, 1.0 - epoch / epochs)
    if settings.schedule == "rsqrt":
        decay = min(1.0, math.sqrt(max(1, settings.warmup_steps) / step))
    elif settings.schedule == "linear":
        decay = left
    elif settings.schedule == "cosine":
        decay = 0.5 * (1.0 + math.cos(math.pi * (1.0 - left)))
    elif settings.schedule == "halving":
        past = max(0.0, epoch - settings.halve_after)
        decay = 0.5 ** math.ceil(past / settings.halve_every - 1e-9)
    else:
        decay = 1.0
    return settings.learning_rate * warmup * decay


def make_optimizer(settings: TrainingSettings, undecayed: Sequence[str] = ()) -> keras.optimizers.Optimizer:
    """Returns the Keras optimiser of a run.

    Its `apply` takes gradients that are already summed over all replicas and clipped. Under mixed_float16 they are
    scaled by `dynamic_scale`; if one is not finite, the update is skipped and the scale halved. With `training.ema` the
    optimiser keeps the moving average of the weights.

    Args:
        settings: `TrainingSettings`.
        undecayed: Parts of names of variables that adamw does not decay. Defaults to none.

    Example:

    >>> settings = TrainingSettings(optimizer="adamw", weight_decay=0.1, learning_rate=1.0)
    >>> kernel, bias = keras.Variable([[1.0]], name="kernel"), keras.Variable([1.0], name="bias")
    >>> optimizer = make_optimizer(settings, undecayed=["bias"])
    >>> optimizer.apply([keras.ops.zeros_like(kernel), keras.ops.zeros_like(bias)], [kernel, bias])
    >>> round(float(kernel[0, 0]), 3), float(bias[0])
    (0.9, 1.0)
    """
    adam = {"beta_2": settings.beta_2, "epsilon": settings.epsilon}
    classes = {
        "adam": (keras.optimizers.Adam, adam),
        "adamw": (keras.optimizers.AdamW, adam | {"weight_decay": settings.weight_decay}),
        "adadelta": (keras.optimizers.Adadelta, {"rho": 0.95, "epsilon": settings.epsilon}),
        "sgd": (keras.optimizers.SGD, {"momentum": settings.momentum}),
    }
    optimizer_class, options = classes[settings.optimizer]
    average = {"use_ema": True, "ema_momentum": settings.ema} if settings.ema else {}
    optimizer = optimizer_class(settings.learning_rate, **options, **average)
    if settings.optimizer == "adamw" and undecayed:
        optimizer.exclude_from_weight_decay(var_names=list(undecayed))
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: (
        gradients_and_variables
    )  # `Update` has summed them
    return keras.optimizers.LossScaleOptimizer(optimizer) if settings.precision == "mixed_float16" else optimizer
