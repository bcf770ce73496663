"""Learning rate and optimiser of a run, from its settings."""

import math
from collections.abc import Mapping, Sequence

import keras

from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.storage.weights import variables_by_path

BIASES_AND_NORMS = ("bias", "gamma", "beta")
"""Parts of names of weights that BERT's recipe does not decay; gamma and beta are those of normalisations."""


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


def make_optimizer(
    settings: TrainingSettings, factors: Sequence[float] = (), undecayed: Sequence[str] = ()
) -> keras.optimizers.Optimizer:
    """Returns the Keras optimiser of a run.

    Its `apply` takes gradients that are already summed over all replicas and clipped. Under mixed_float16 they are
    scaled by `dynamic_scale`; if one is not finite, the update is skipped and the scale halved. With `training.ema` the
    optimiser keeps the moving average of the weights. Keras's `Lamb` decays weights as AdamW does, apart from the step
    whose size it adapts (You et al. 2020, algorithm 2, decay them within it).

    Args:
        settings: `TrainingSettings`.
        factors: What the learning rate of each trainable variable is multiplied by, in their order. The rate of
            `adamw`'s and `lamb`'s weight decay is multiplied, too. Defaults to none, the same rate for all.
        undecayed: Parts of names of variables whose values do not decay. Defaults to none.

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
        "lamb": (keras.optimizers.Lamb, adam | {"weight_decay": settings.weight_decay}),
        "adadelta": (keras.optimizers.Adadelta, {"rho": 0.95, "epsilon": settings.epsilon}),
        "sgd": (keras.optimizers.SGD, {"momentum": settings.momentum}),
    }
    optimizer_class, options = classes[settings.optimizer]
    average = {"use_ema": True, "ema_momentum": settings.ema} if settings.ema else {}
    optimizer = optimizer_class(settings.learning_rate, **options, **average)
    if optimizer.weight_decay is not None and undecayed:
        optimizer.exclude_from_weight_decay(var_names=list(undecayed))
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: (
        gradients_and_variables
    )  # `Update` has summed them
    if factors:
        scale_rates(optimizer, factors)
    return keras.optimizers.LossScaleOptimizer(optimizer) if settings.precision == "mixed_float16" else optimizer


def scale_rates(optimizer: keras.optimizers.Optimizer, factors: Sequence[float]) -> None:
    """Gives each variable of an optimiser a learning rate of its own: the optimiser's times a factor.

    Scaling the gradient would not do: Adam's step does not depend on its size.

    Args:
        optimizer: A Keras optimiser, which is changed in place.
        factors: A factor for each trainable variable, in the order of `optimizer.build`.

    Example:

    >>> variables = [keras.Variable([1.0]), keras.Variable([1.0])]
    >>> optimizer = keras.optimizers.SGD(0.5)
    >>> optimizer.build(variables)
    >>> scale_rates(optimizer, [1.0, 0.5])
    >>> optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)])
    >>> [float(variable[0]) for variable in variables]
    [0.5, 0.75]
    """
    step, decay = optimizer.update_step, optimizer.weight_decay
    optimizer.weight_decay = None  # Keras would decay all variables at one rate

    def update_step(gradient, variable, learning_rate):
        rate = keras.ops.cast(learning_rate, variable.dtype) * factors[optimizer._get_variable_index(variable)]
        if decay and optimizer._use_weight_decay(variable):
            optimizer.assign_sub(variable, variable * (decay * rate))
        step(gradient, variable, rate)

    optimizer.update_step = update_step


def factors_of(model: keras.Model, factors: Mapping[str, float]) -> list[float]:
    """Returns the factors of a model's trainable variables in their order; an empty list if all are 1.

    Args:
        model: A built `keras.Model`.
        factors: By the paths of `variables_by_path`; other variables have 1.

    Raises:
        ValueError: The model has no weight of such a path.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, name="body")])
    >>> factors_of(model, {"body/bias": 0.5}), factors_of(model, {"body/bias": 1.0})
    ([1.0, 0.5], [])
    """
    variables = variables_by_path(model)
    if unknown := sorted(set(factors) - set(variables)):
        raise ValueError(f"factors: expected paths of weights, received {', '.join(unknown)}")
    by_variable = {id(variables[path]): float(factor) for path, factor in factors.items()}
    found = [by_variable.get(id(variable), 1.0) for variable in model.trainable_variables]
    return found if any(factor != 1.0 for factor in found) else []
