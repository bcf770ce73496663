"""Keras's `fit`, without its second look at the training step."""


def compile_built(model, optimizer, *arguments, **options):
    """Does `model.compile` for a model that has its weights, and makes the optimizer's variables.

    `fit` would make them in its first step, and then trace that step again, which takes longer than the training.
    """
    model.compile(optimizer, *arguments, **options)
    optimizer.build(model.trainable_variables)
