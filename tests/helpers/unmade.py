"""Models of published sizes, which would take gigabytes."""

from contextlib import contextmanager

import keras


@contextmanager
def without_values():
    """Models that are built in the block have weights of their shapes, and no values.

    Keras lists such weights, and makes all of them when the next model is built, so the list is emptied at the end.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.utils.clear_session()
