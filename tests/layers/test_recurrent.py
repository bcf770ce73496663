"""The recurrent decoder: its equations in NumPy, step by step against all at once, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from arrays import softmax
from keras import ops

from attention_zoo.layers import Attention, AttentiveDecoder, BahdanauAttention, DotScore, LuongAttention

B, T, S, E, D, U = 3, 5, 6, 4, 8, 7
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]], bool)
random = np.random.default_rng(0)
QUERY, VALUE = (random.normal(size=shape).astype("float32") for shape in ((B, T, E), (B, S, D)))


def gru():
    return keras.layers.GRUCell(U, reset_after=False, bias_initializer="glorot_uniform")


def lstm():
    return keras.layers.LSTMCell(U, bias_initializer="glorot_uniform")


DECODERS = {
    "bahdanau": lambda: AttentiveDecoder(gru(), BahdanauAttention(5)),
    "bahdanau stacked": lambda: AttentiveDecoder([lstm(), gru()], BahdanauAttention(5)),
    "luong": lambda: AttentiveDecoder([lstm(), lstm()], LuongAttention("general"), order="step_then_attend"),
    "luong feeding": lambda: AttentiveDecoder(
        [lstm(), lstm()], LuongAttention("general", attentional_units=3), order="step_then_attend", input_feeding=True
    ),
    **{
        f"luong {score} {window}": lambda score=score, window=window, feed=feed: AttentiveDecoder(
            lstm(),
            LuongAttention(score, window=window, window_size=2, attentional_units=U),
            order="step_then_attend",
            input_feeding=feed,
        )
        for score, window, feed in (
            ("concat", "monotonic", True),
            ("location", "monotonic", False),
            ("general", "predictive", True),
            ("concat", "predictive", False),
        )
    },
    "bahdanau monotonic": lambda: AttentiveDecoder(gru(), LuongAttention("general", window="monotonic", window_size=1)),
}
every_decoder = pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS.keys())


def run(decoder, query=QUERY, value=VALUE, **options):
    results = decoder(
        ops.convert_to_tensor(query), ops.convert_to_tensor(value), return_attention_scores=True, **options
    )
    return [ops.convert_to_numpy(result) for result in results]


def seeded(make):
    keras.utils.set_random_seed(1)
    return make()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_attend_then_step_is_bahdanaus_equations():
    decoder = seeded(DECODERS["bahdanau"])
    s = random.normal(size=(B, U)).astype("float32")
    outputs, contexts, weights = run(decoder, initial_state=[ops.convert_to_tensor(s)])
    w_a, u_a, v_a = decoder.attention.score.get_weights()
    kernel, recurrent, bias = decoder.cells[0].get_weights()
    for t in range(T):
        energy = np.tanh((s @ w_a)[:, None] + VALUE @ u_a) @ v_a  # with the state before the step
        alpha = softmax(energy)
        context = np.einsum("bs,bsd->bd", alpha, VALUE)
        z, r, candidate = np.split(np.concatenate([QUERY[:, t], context], -1) @ kernel + bias, 3, -1)
        z, r = sigmoid(z + s @ recurrent[:, :U]), sigmoid(r + s @ recurrent[:, U : 2 * U])
        s = z * s + (1 - z) * np.tanh(candidate + (r * s) @ recurrent[:, 2 * U :])
        np.testing.assert_allclose(weights[:, t], alpha, atol=1e-5)
        np.testing.assert_allclose(contexts[:, t], context, atol=1e-5)
        np.testing.assert_allclose(outputs[:, t], s, atol=1e-5)


def test_step_then_attend_with_input_feeding_is_luongs_equations():
    decoder = seeded(DECODERS["luong feeding"])
    outputs, contexts, weights = run(decoder)
    w_a = decoder.attention.score.get_weights()[0]
    w_c = ops.convert_to_numpy(decoder.attention.combine_kernel)
    h, c = np.zeros((2, B, U)), np.zeros((2, B, U))
    fed = np.zeros((B, 3))
    for t in range(T):
        x = np.concatenate([QUERY[:, t], fed], -1)
        for layer, cell in enumerate(decoder.cells):
            kernel, recurrent, bias = cell.get_weights()
            i, f, g, o = np.split(x @ kernel + h[layer] @ recurrent + bias, 4, -1)
            c[layer] = sigmoid(f) * c[layer] + sigmoid(i) * np.tanh(g)
            x = h[layer] = sigmoid(o) * np.tanh(c[layer])
        alpha = softmax(np.einsum("bu,ud,bsd->bs", x, w_a, VALUE))  # with the state after the step
        fed = np.tanh(np.concatenate([np.einsum("bs,bsd->bd", alpha, VALUE), x], -1) @ w_c)
        np.testing.assert_allclose(weights[:, t], alpha, atol=1e-5)
        np.testing.assert_allclose(contexts[:, t], fed, atol=1e-5)
        np.testing.assert_allclose(outputs[:, t], x, atol=1e-5)


def test_input_feeding_feeds_only_where_it_is_asked_for():
    first = VALUE + 1.0
    for name, feeds in (("luong", False), ("luong feeding", True)):
        decoder = seeded(DECODERS[name])
        same_outputs = np.allclose(run(decoder)[0][:, 1:], run(decoder, value=first)[0][:, 1:], atol=1e-6)
        assert same_outputs != feeds  # without feeding the source reaches the contexts, never the cells


@every_decoder
def test_step_by_step_equals_all_at_once(make):
    decoder = seeded(make)
    mask = ops.convert_to_tensor(MASK)
    expected = run(decoder, value_mask=mask)
    memory = decoder.project_memory(ops.convert_to_tensor(VALUE), value_mask=mask)
    state = decoder.start(memory)
    for t in range(T):
        (output, context), state, weights = decoder.step(ops.convert_to_tensor(QUERY[:, t]), state, memory)
        for actual, whole in zip((output, context, weights), expected):
            np.testing.assert_allclose(actual, whole[:, t], atol=1e-5)
    np.testing.assert_array_equal(state["position"], np.full((B, 1), T))


@every_decoder
def test_padded_columns_and_rows_change_nothing(make):
    decoder = seeded(make)
    expected = run(decoder, value_mask=ops.convert_to_tensor(MASK))
    wide = np.concatenate([np.where(MASK[..., None], VALUE, 9.0), np.full((B, 2, D), 9.0)], 1).astype("float32")
    wide_mask = np.concatenate([MASK, np.zeros((B, 2), bool)], 1)
    actual = run(decoder, value=wide, value_mask=ops.convert_to_tensor(wide_mask))
    for a, e in zip(actual[:2], expected[:2]):
        np.testing.assert_allclose(a, e, atol=1e-5)
    np.testing.assert_allclose(actual[2][..., :S], expected[2], atol=1e-5)
    assert not actual[2][..., S:].any()
    wide_mask[1] = False  # a row of nothing but padding leaves the others alone, and stays finite
    padded = run(decoder, value=wide, value_mask=ops.convert_to_tensor(wide_mask))
    for a, e in zip(padded[:2], expected[:2]):
        np.testing.assert_allclose(a[[0, 2]], e[[0, 2]], atol=1e-5)
        assert np.isfinite(a).all()
    assert not padded[2][1].any()


@every_decoder
def test_masked_steps_leave_the_state_and_give_zeros(make):
    decoder = seeded(make)
    keep = (
        [0, 2, 3, 4] if decoder.attention.get_config().get("window") is None else [0, 1, 2, 3]
    )  # windows count the steps
    mask = np.zeros((B, T), bool)
    mask[:, keep] = True
    actual = run(decoder, query_mask=ops.convert_to_tensor(mask), value_mask=ops.convert_to_tensor(MASK))
    expected = run(decoder, query=QUERY[:, keep], value_mask=ops.convert_to_tensor(MASK))
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a[:, keep], e, atol=1e-5)
        assert not a[:, ~mask[0]].any()


def test_monotonic_windows_count_the_steps():
    decoder = seeded(DECODERS["bahdanau monotonic"])
    _, _, weights = run(decoder)
    near = np.abs(np.arange(S)[None] - np.arange(T)[:, None]) <= 1
    np.testing.assert_array_equal(weights > 0, np.broadcast_to(near, (B, T, S)))


def test_keys_may_differ_from_values():
    decoder = seeded(DECODERS["bahdanau"])
    key = ops.convert_to_tensor(random.normal(size=(B, S, 3)).astype("float32"))
    _, contexts, weights = run(decoder, key=key)
    np.testing.assert_allclose(contexts, weights @ VALUE, atol=1e-5)
    memory = decoder.project_memory(ops.convert_to_tensor(VALUE), key=key)
    _, _, first = decoder.step(ops.convert_to_tensor(QUERY[:, 0]), decoder.start(memory), memory)
    np.testing.assert_allclose(first, weights[:, 0], atol=1e-5)


def test_dropout_between_cells_is_the_same_at_every_step_and_off_at_inference():
    keras.utils.set_random_seed(1)
    identity = keras.layers.SimpleRNNCell(U, activation=None, kernel_initializer="ones", recurrent_initializer="zeros")
    top = keras.layers.SimpleRNNCell(U, activation=None, kernel_initializer="identity", recurrent_initializer="zeros")
    decoder = AttentiveDecoder([identity, top], Attention(DotScore()), order="step_then_attend", dropout=0.5)
    value = random.normal(size=(B, S, U)).astype("float32")
    ones = np.ones((B, T, E), "float32")
    np.testing.assert_allclose(run(decoder, ones, value)[0], E)  # each unit sums the ones
    dropped = run(decoder, ones, value, training=True)[0]
    assert set(np.unique(dropped)) == {0.0, 2.0 * E}
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], T, axis=1))
    assert not np.array_equal(dropped, run(decoder, ones, value, training=True)[0])


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", ["bahdanau", "luong", "luong feeding"])
def test_gradients_in_a_graph_equal_eager_ones(name, jit_compile):
    decoder = seeded(DECODERS[name])
    run(decoder)
    variables = [variable.value for variable in decoder.trainable_variables]

    def gradients(query, value, mask):
        with tf.GradientTape() as tape:
            outputs, contexts = decoder(query, value, value_mask=mask, training=True)
            loss = tf.reduce_sum(outputs**2) + tf.reduce_sum(contexts**2)
        return tape.gradient(loss, variables)

    shapes = [tf.TensorSpec([None, None, E]), tf.TensorSpec([None, None, D]), tf.TensorSpec([None, None], tf.bool)]
    compiled = tf.function(gradients, input_signature=None if jit_compile else shapes, jit_compile=jit_compile)
    for actual, expected in zip(compiled(QUERY, VALUE, MASK), gradients(QUERY, VALUE, MASK)):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
        assert np.abs(expected).max() > 0


def test_step_numbers_stay_exact_in_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        decoder = AttentiveDecoder(gru(), LuongAttention("general", window="monotonic", window_size=1))
        query, value = (
            np.ones((1, 300, E), "float32"),
            np.ones((1, 300, D), "float32"),
        )  # bfloat16 cannot count past 256
        weights = run(decoder, query, value)[2]
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(weights[0, 299] > 0, np.arange(300) >= 298)


@every_decoder
def test_a_decoder_made_from_a_config_has_the_same_config(make, tmp_path):
    decoder = seeded(make)
    config = decoder.get_config()
    assert AttentiveDecoder.from_config(config).get_config() == config
    inputs = keras.Input((None, E)), keras.Input((None, D))
    model = keras.Model(inputs, decoder(*inputs, return_attention_scores=True))
    model.save(tmp_path / "decoder.keras")
    loaded = keras.models.load_model(tmp_path / "decoder.keras")
    for actual, expected in zip(loaded([QUERY, VALUE]), model([QUERY, VALUE])):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_a_keras_mask_goes_on_to_outputs_and_contexts():
    masked = keras.layers.Masking()(ops.concatenate([QUERY[:, :4], np.zeros((B, 1, E), "float32")], axis=1))
    outputs, contexts = seeded(DECODERS["bahdanau"])(masked, ops.convert_to_tensor(VALUE))
    for result in (outputs, contexts):
        np.testing.assert_array_equal(result._keras_mask, [[True] * 4 + [False]] * B)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"cells": 3}, "`cells`"),
        ({"cells": []}, "`cells`"),
        ({"cells": keras.layers.StackedRNNCells([keras.layers.GRUCell(2)])}, "`cells`"),
        ({"cells": keras.layers.GRUCell(2, dropout=0.5)}, "a cell with dropout"),
        ({"attention": keras.layers.Dense(2)}, "`attention`"),
        ({"attention": BahdanauAttention(2, dropout=0.1)}, "attention.dropout=0.1"),
        ({"order": "both"}, "order='both'"),
        ({"input_feeding": True}, "`input_feeding`"),
        ({"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentiveDecoder(**{"cells": keras.layers.GRUCell(2), "attention": BahdanauAttention(2), **arguments})


def test_a_wrong_initial_state_is_named():
    decoder = seeded(DECODERS["luong"])
    with pytest.raises(
        ValueError, match=r"`initial_state` must hold tensors of sizes \[7, 7, 7, 7\]. Received: sizes \[7\]"
    ):
        run(decoder, initial_state=[ops.zeros((B, U))])
