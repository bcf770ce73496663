import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers
from attention_zoo.layers import replace_attention


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def attention_types(model):
    kinds = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention, layers.MultiHeadAttention)
    return [type(layer) for layer in model._flatten_layers() if isinstance(layer, kinds)]


def check(model, inputs, path, ours):
    expected = ops.convert_to_numpy(model(inputs))
    copy = replace_attention(model)
    assert attention_types(copy) == ours
    np.testing.assert_allclose(ops.convert_to_numpy(copy(inputs)), expected, atol=1e-5)
    copy.save(path / "copy.keras")
    loaded = keras.models.load_model(path / "copy.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(inputs)), expected, atol=1e-5)
    return loaded


def test_a_functional_model_keeps_its_outputs_and_masks(tmp_path):
    inputs = keras.Input((5, 8))
    causal = keras.layers.MultiHeadAttention(2, 4, dropout=0.1, sliding_window=3)
    hidden = causal(inputs, inputs, use_causal_mask=True)
    grouped = keras.layers.GroupQueryAttention(4, 4, 2, use_gate=True)
    model = keras.Model(inputs, keras.layers.Dense(3)(grouped(hidden, hidden)))
    ours = [layers.MultiHeadAttention, layers.GroupedQueryAttention]
    assert attention_types(check(model, normal(2, 5, 8), tmp_path, ours)) == ours
    assert attention_types(model) == [keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention]


@keras.saving.register_keras_serializable("test_replace")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = keras.layers.MultiHeadAttention(2, 4)
        self.more = [keras.layers.MultiHeadAttention(2, 4), keras.layers.Dense(8)]
        self.head = keras.layers.Dense(3)

    def call(self, inputs):
        hidden = self.attention(inputs, inputs)
        return self.head(self.more[1](self.more[0](hidden, hidden)))


def test_a_subclassed_model_keeps_its_outputs(tmp_path):
    model = Subclassed()
    model(normal(2, 5, 8))
    check(model, normal(2, 5, 8), tmp_path, [layers.MultiHeadAttention] * 2)


class Doubled(keras.layers.MultiHeadAttention):
    def call(self, query, value, key=None):
        return 2 * super().call(query, value, key)


def test_a_subclass_of_keras_attention_stays_as_it_is():
    inputs = keras.Input((5, 8))
    model = keras.Model(inputs, Doubled(2, 4)(inputs, inputs))
    copy = replace_attention(model)
    assert attention_types(copy) == [Doubled]
    np.testing.assert_allclose(copy(normal(2, 5, 8)), model(normal(2, 5, 8)), atol=1e-5)


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="must be built"):
        replace_attention(Subclassed())


def test_a_backbone_of_keras_hub_keeps_its_outputs(tmp_path):
    hub = pytest.importorskip("keras_hub")
    sizes = {"vocabulary_size": 20, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    model = hub.models.BertBackbone(**sizes, max_sequence_length=6)
    ids, mask = np.arange(12).reshape(2, 6), np.arange(6) < np.array([[6], [4]])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": mask.astype("int32")}
    expected = model(inputs)["sequence_output"]
    copy = replace_attention(model)
    assert attention_types(copy) == [layers.MultiHeadAttention] * 2
    np.testing.assert_allclose(copy(inputs)["sequence_output"], expected, atol=1e-5)
    copy.save(tmp_path / "copy.keras")
    loaded = keras.models.load_model(tmp_path / "copy.keras")
    np.testing.assert_allclose(loaded(inputs)["sequence_output"], expected, atol=1e-5)
