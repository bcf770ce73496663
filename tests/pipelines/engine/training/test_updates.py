"""Gradients of embeddings stay lists of rows where that changes nothing but the time."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from line_task import Line, run


class Lookup(Line):
    """Learns a number for each of 50 ids, of which a batch has few, some of them twice."""

    def preprocess(self, split, epoch):
        ids = tf.random.stateless_uniform([32], [3, epoch], 0, 20, tf.int32)
        return tf.data.Dataset.from_tensor_slices({"x": ids, "y": tf.cast(ids, tf.float32)[:, None]}).batch(8)

    def build(self):
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((), dtype="int32"), keras.layers.Embedding(50, 1)])

    def evaluate(self, model, split):
        return {}


@pytest.fixture
def applied(monkeypatch):
    """The gradients that an optimiser is given, as types."""
    kinds, apply = set(), keras.optimizers.SGD.apply

    def spy(optimizer, gradients, variables=None):
        kinds.update(type(gradient) for gradient in gradients)
        return apply(optimizer, gradients, variables)

    monkeypatch.setattr(keras.optimizers.SGD, "apply", spy)
    return kinds


def test_plain_sgd_updates_the_rows_of_a_batch_as_the_whole_gradient_would(tmp_path, applied):
    rows, _ = run(tmp_path / "rows", task=Lookup, optimizer="sgd")
    assert applied == {tf.IndexedSlices}
    applied.clear()
    whole, _ = run(tmp_path / "whole", task=Lookup, optimizer="sgd", clip_norm=1e9)
    assert applied and tf.IndexedSlices not in applied
    arrays = whole.state.arrays()
    for name, array in rows.state.arrays().items():
        np.testing.assert_allclose(array, arrays[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("settings", [{"clip_norm": 0.1}, {"accumulate": 2}, {"jit": True}])
def test_what_needs_the_whole_gradient_gets_it(tmp_path, applied, settings):
    run(tmp_path, task=Lookup, optimizer="sgd", epochs=1, **settings)
    assert applied and tf.IndexedSlices not in applied


class TwoHeads(Line):
    """A model with a head that the loss does not reach."""

    def build(self):
        keras.utils.set_random_seed(1)
        x = keras.Input((1,))
        return keras.Model(x, [keras.layers.Dense(1, name="used")(x), keras.layers.Dense(1, name="unused")(x)])

    def loss(self, model, batch, training):
        return super().loss(lambda x, training: model(x, training=training)[0], batch, training)


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd"}, {"accumulate": 2}])
def test_weights_that_the_loss_does_not_reach_stay_as_they_are(tmp_path, settings):
    before = TwoHeads(None, tmp_path).build()
    trainer, _ = run(tmp_path, task=TwoHeads, **settings)
    for head, changed in (("used", True), ("unused", False)):
        old, new = (model.get_layer(head).get_weights()[0] for model in (before, trainer.model))
        assert (old != new).all() == changed
