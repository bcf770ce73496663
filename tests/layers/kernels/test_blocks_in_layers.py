"""The layers that choose between blocks and the plain path."""

import keras
import numpy as np
import pytest

from attention_zoo import layers

MASKS = {
    "none": {},
    "padding": {"value_mask": np.arange(300) < np.array([[300], [120]])},
    "all": {
        "query_mask": np.arange(300) < np.array([[299], [100]]),
        "value_mask": np.arange(300) >= np.array([[0], [7]]),
        "attention_mask": np.random.default_rng(1).random((2, 300, 300)) < 0.5,
        "use_causal_mask": True,
    },
}
LAYERS = {
    "multi-head": lambda implementation, dropout: layers.MultiHeadAttention(
        2, 4, dropout=dropout, implementation=implementation
    ),
    "Bahdanau": lambda implementation, dropout: layers.BahdanauAttention(
        16, dropout=dropout, implementation=implementation
    ),
    "concat": lambda implementation, dropout: layers.LuongAttention(
        "concat", attentional_units=5, dropout=dropout, implementation=implementation
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_mask_that_turns_out_to_be_the_same_for_all_queries_reaches_every_block(normal, name):
    import tensorflow as tf

    layer, inputs = LAYERS[name]("blocks", 0.0), (normal(2, 600, 8), normal(2, 600, 6, seed=1))
    mask = np.random.default_rng(2).random((1, 1, 600)) < 0.5
    expected = layer(*inputs, attention_mask=np.broadcast_to(mask, (1, 600, 600)))
    open_mask = tf.function(
        lambda mask: layer(*inputs, attention_mask=mask), input_signature=[tf.TensorSpec((None, None, None), tf.bool)]
    )
    np.testing.assert_allclose(open_mask(mask), expected, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_with_a_mask_from_outside_the_graph_and_open_lengths(normal, outcome, assert_same, name):
    import tensorflow as tf

    layer, inputs = LAYERS[name]("auto", 0.0), (normal(1, 600, 8), normal(1, 600, 6, seed=1))
    mask = tf.constant(np.random.default_rng(2).random((1, 600, 600)) < 0.5)
    expected = outcome(lambda q, v: layer(q, v, attention_mask=mask), *inputs)
    assert_same(outcome(lambda q, v: layer(q, v, attention_mask=mask), *inputs, open_shapes=True), expected)


def test_a_score_that_compares_in_its_own_way_is_not_taken_for_the_additive_one(normal):
    class Sharper(layers.AdditiveScore):
        def compare(self, query, key):
            return 5 * super().compare(query, key)

    attention, inputs = layers.Attention(Sharper(64)), (normal(2, 130, 8), normal(2, 130, 6, seed=1))
    np.testing.assert_allclose(attention(*inputs), attention(*inputs, return_attention_scores=True)[0], atol=1e-5)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_the_same_with_either_kernel_and_with_scores(normal, outcome, assert_same, name, mask):
    made = [LAYERS[name](implementation, 0.0) for implementation in ("blocks", "plain")]
    inputs = normal(2, 300, 8), normal(2, 300, 6, seed=1)
    for layer in made:
        layer.build(*(x.shape for x in inputs))
        layer.set_weights([normal(*w.shape, seed=n) * 0.5 for n, w in enumerate(made[0].get_weights())])
    results = [outcome(lambda q, v: layer(q, v, **MASKS[mask]), *inputs) for layer in made]
    assert_same(*results)
    asked, _ = made[0](*inputs, return_attention_scores=True, **MASKS[mask])
    np.testing.assert_allclose(asked, results[0][0], atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_with_dropout_trains_in_blocks_without_a_leak_from_the_future(normal, name):
    inputs, changed = normal(2, 300, 8), normal(2, 300, 8)
    changed[:, 200:] += 3.0
    outputs = []
    for values in (inputs, changed):
        keras.utils.set_random_seed(3)
        outputs.append(np.array(LAYERS[name]("blocks", 0.5)(inputs, values, use_causal_mask=True, training=True)))
    np.testing.assert_allclose(outputs[0][:, :200], outputs[1][:, :200], atol=1e-5)
    assert np.abs(outputs[0][:, 200:] - outputs[1][:, 200:]).max() > 0.1
    layer = LAYERS[name]("blocks", 0.5)
    first, second = (np.array(layer(inputs, inputs, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3  # the seed moves on


@pytest.mark.parametrize("name", LAYERS)
def test_the_kernel_is_kept_by_the_config_and_checked(name):
    layer = LAYERS[name]("blocks", 0.1)
    assert type(layer).from_config(layer.get_config()).implementation == "blocks"
    with pytest.raises(ValueError, match="`implementation` must be one of .* implementation='flash'"):
        LAYERS[name]("flash", 0.1)


def test_fit_leaves_xla_out_for_blocks_and_trains_a_saved_model_on(normal, outcome, assert_same, tmp_path):
    sequence = keras.Input((None, 8))
    output = layers.MultiHeadSelfAttention(2, 4, dropout=0.1, implementation="blocks")(sequence, use_causal_mask=True)
    model = keras.Model(sequence, keras.layers.Dense(1)(output))
    model.compile("sgd", "mse")
    assert not model.jit_compile
    losses = model.fit(normal(4, 300, 8), normal(4, 300, 1, seed=1), epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(normal(1, 300, 8)), model(normal(1, 300, 8)), atol=1e-6)
    model.export(tmp_path / "exported", verbose=False)

    import tensorflow as tf

    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(normal(1, 300, 8)), model(normal(1, 300, 8)), atol=1e-6)
    again = outcome(
        exported.serve, normal(1, 300, 8)
    )  # its gradient computes the weights anew: a SavedModel holds no lists
    assert_same(again, outcome(model, normal(1, 300, 8)))


@pytest.mark.parametrize("causal, longest", [(False, 512), (True, 384)])
def test_a_graph_holds_blocks_only_if_they_pay_at_the_expected_lengths(causal, longest):
    import tensorflow as tf

    layer = layers.MultiHeadSelfAttention(2, 4)
    layer.build((None, None, 8))

    def chooses(max_length):
        layer.max_length = max_length
        graph = tf.function(lambda x: layer(x, use_causal_mask=causal), autograph=False)
        operations = graph.get_concrete_function(tf.TensorSpec((None, None, 8))).graph.get_operations()
        return bool({operation.type for operation in operations} & {"If", "StatelessIf"})

    assert [chooses(length) for length in (None, longest, longest + 1)] == [True, False, True]


def test_inputs_longer_than_expected_get_the_same_output(normal):
    layer, inputs = layers.MultiHeadSelfAttention(2, 4), normal(1, 600, 8)
    expected = layer(inputs)
    layer.max_length = 16
    np.testing.assert_allclose(layer(inputs), expected, atol=1e-5)
