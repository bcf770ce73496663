"""Attention: the two halves put together, Keras's own layers as the measure where they can do the same."""

import itertools

import keras
import numpy as np
import pytest
from arrays import array, close, floats
from attention_inputs import QUERY, QUERY_MASK, VALUE, VALUE_MASK, B, D, S, T
from keras import ops

from attention_zoo.layers import (
    AdditiveScore,
    Attention,
    BahdanauAttention,
    ConcatScore,
    DotScore,
    LuongAttention,
    ScaledDotScore,
    combine_masks,
)

ATTENTIONS = {
    "scaled dot": lambda **options: Attention(ScaledDotScore(), **options),
    "bahdanau": lambda **options: BahdanauAttention(3, **options),
    **{
        f"luong {score} {window} {units}": lambda score=score, window=window, units=units, **options: LuongAttention(
            score, window=window, window_size=2, attentional_units=units, **options
        )
        for score, window, units in [
            ("dot", None, None),
            ("concat", None, None),
            ("location", "monotonic", None),
            ("general", "predictive", None),
            ("general", "monotonic", 7),
        ]
    },
}
every_attention = pytest.mark.parametrize("make", ATTENTIONS.values(), ids=ATTENTIONS)
# In low precision a key at the edge of a predicted window may fall on the other side of it.
every_attention_but_predictive = pytest.mark.parametrize(
    "make", [pytest.param(make, id=name) for name, make in ATTENTIONS.items() if "predictive" not in name]
)
BACKEND = keras.backend.backend()


FULL_MASK = np.random.default_rng(7).random((B, T, S)) > 0.3


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(1)


# --- masks ---


@every_attention
def test_explicit_masks_equal_implicit_ones_and_win_over_them(make):
    layer, masking = make(), keras.layers.Masking()
    query, value = QUERY * QUERY_MASK[..., None], VALUE * VALUE_MASK[..., None]
    explicit = layer(query, value, query_mask=QUERY_MASK, value_mask=VALUE_MASK)
    close(layer(masking(query), masking(value)), explicit)
    assert np.abs(array(explicit) - array(layer(query, value))).max() > 1e-3
    everywhere = {"query_mask": np.ones_like(QUERY_MASK), "value_mask": np.ones_like(VALUE_MASK)}
    close(layer(masking(query), masking(value), **everywhere), layer(query, value))


@every_attention
def test_masks_equal_an_attention_mask_that_says_the_same(make):
    layer = make()
    together = QUERY_MASK[:, :, None] & VALUE_MASK[:, None, :] & np.tri(T, S, dtype=bool)
    apart = layer(QUERY, VALUE, query_mask=QUERY_MASK, value_mask=VALUE_MASK, use_causal_mask=True)
    close(layer(QUERY, VALUE, attention_mask=together), apart)


@every_attention
def test_what_is_masked_changes_nothing(make):
    layer = make()
    changed = np.where(VALUE_MASK[..., None], VALUE, 1e3).astype("float32")
    close(layer(QUERY, changed, value_mask=VALUE_MASK), layer(QUERY, VALUE, value_mask=VALUE_MASK))


@every_attention
@pytest.mark.parametrize("policy", ["float32", "float16"])
def test_a_row_with_nothing_to_attend_to_is_zero(make, policy):
    mask = np.ones((B, T, S), bool)
    mask[1, 2] = False
    output, weights = make(dtype=policy)(QUERY, VALUE, attention_mask=mask, return_attention_scores=True)
    assert not array(output)[1, 2].any() and not array(weights)[1, 2].any()
    assert np.isfinite(array(output)).all() and array(output)[1, 1].any()


def test_a_window_beyond_the_source_keeps_the_query_in_the_attentional_state():
    layer = LuongAttention("dot", window="monotonic", window_size=1, attentional_units=7)
    query = floats(1, 8, D)
    output, weights = layer(query, VALUE[:1], value_mask=np.ones((1, S), bool), return_attention_scores=True)
    (w_c,) = layer.get_weights()
    assert not array(weights)[0, 7].any()
    close(output[0, 7], np.tanh(query[0, 7] @ w_c[D:]))


@every_attention
@pytest.mark.parametrize(
    "dropout, with_scores, leading", list(itertools.product([0.0, 0.5], [False, True], [(B,), (B, 2)]))
)
def test_the_future_does_not_leak_through_a_causal_mask(make, dropout, with_scores, leading):
    query, value = floats(*leading, T, D, seed=1), floats(*leading, T, D, seed=2)

    def run(value):
        keras.utils.set_random_seed(5)  # the same weights, the same dropout
        output = make(dropout=dropout)(
            query, value, use_causal_mask=True, return_attention_scores=with_scores, training=dropout > 0
        )
        if with_scores:
            assert not np.triu(array(output[1]), 1).any()
        return array(output[0] if with_scores else output)

    before = run(value)
    for t in (0, T - 2):
        changed = value.copy()
        changed[..., t + 1 :, :] += 3.0
        np.testing.assert_array_equal(run(changed)[..., : t + 1, :], before[..., : t + 1, :])
    changed = value.copy()
    changed[..., :1, :] += 3.0
    assert np.abs(run(changed) - before).max() > 1e-3  # the past is seen


@every_attention
def test_rank_4_is_rank_3_side_by_side(make):
    layer = make()
    query, value, mask = floats(2, 3, T, D, seed=1), floats(2, 3, S, D, seed=2), np.arange(6).reshape(2, 3, 1) % 4 + 1
    mask = np.arange(S) < mask
    whole = array(layer(query, value, value_mask=mask))
    for n in range(3):
        close(layer(query[:, n], value[:, n], value_mask=mask[:, n]), whole[:, n])


# --- step by step ---


@every_attention
@pytest.mark.parametrize("full", [False, True], ids=["source mask", "full mask"])
def test_steps_equal_the_whole(make, full):
    layer = make()
    masks = {"attention_mask": FULL_MASK} if full else {"value_mask": VALUE_MASK}
    output, weights = layer(QUERY, VALUE, **masks, return_attention_scores=True)
    query, value = ops.convert_to_tensor(QUERY), ops.convert_to_tensor(VALUE)
    mask, projected = combine_masks(**masks), layer.project_key(value)
    for t in range(T):
        step_output, step_weights = layer.attend(
            query[:, t : t + 1],
            projected,
            value,
            mask[:, t : t + 1] if full else mask,
            positions=np.full((B, 1), t, "int32"),
        )
        close(step_output, output[:, t : t + 1])
        close(step_weights, weights[:, t : t + 1])


@every_attention
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_a_step_outside_of_call_follows_the_policy(make, policy):
    layer = make(dtype=policy)
    inside = layer(QUERY, VALUE)
    output, weights = layer.attend(QUERY, layer.project_key(VALUE), VALUE)
    assert (
        keras.backend.standardize_dtype(output.dtype)
        == keras.backend.standardize_dtype(inside.dtype)
        == layer.compute_dtype
    )
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    close(output, inside, 1e-2)


# --- dropout, precision ---


def test_dropout_drops_weights_in_training_alone():
    layer = Attention(DotScore(), dropout=0.5)
    query, value = np.zeros((1, 100, 1), "float32"), np.ones((1, 100, 1), "float32")
    still, weights = layer(query, value, return_attention_scores=True)
    moved, same_weights = layer(query, value, return_attention_scores=True, training=True)
    close(still, np.ones((1, 100, 1)))
    close(weights, same_weights)  # they are shown as they were before dropout
    assert array(moved).std() > 0.01
    assert array(moved).mean() == pytest.approx(1.0, abs=0.05)  # kept weights are scaled up by 2
    assert (array(layer(query, value, training=True)) != array(moved)).any()


@every_attention_but_predictive
@pytest.mark.parametrize("policy, tolerance", [("float16", 2e-2), ("mixed_float16", 2e-2), ("mixed_bfloat16", 0.1)])
def test_low_precision_agrees_with_float32(make, policy, tolerance):
    exact, layer = make(), make(dtype=policy)
    expected, output = exact(QUERY, VALUE, value_mask=VALUE_MASK), layer(QUERY, VALUE)
    layer.set_weights(exact.get_weights())
    output = layer(QUERY, VALUE, value_mask=VALUE_MASK)
    assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
    assert all(keras.backend.standardize_dtype(w.dtype) == layer.variable_dtype for w in layer.trainable_weights)
    close(output, expected, tolerance)


# --- an ordinary Keras layer ---


@every_attention
def test_the_config_makes_the_same_layer_again(make):
    layer = make(name="mine", dropout=0.25, dtype=keras.DTypePolicy("mixed_float16"))
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.name, again.dropout, again.dtype_policy.name) == ("mine", 0.25, "mixed_float16")
    assert type(again.score) is type(layer.score) and type(again.alignment) is type(layer.alignment)


@every_attention
def test_a_functional_model_keeps_masks_and_survives_saving(make, tmp_path):
    inputs = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedded = [keras.layers.Embedding(9, D, mask_zero=True)(tokens) for tokens in inputs]
    output, weights = make()(*embedded, return_attention_scores=True)
    model = keras.Model(inputs, [keras.layers.GlobalAveragePooling1D()(output), weights])
    tokens = [ops.array([[1, 2, 3, 0]]), ops.array([[4, 5, 0, 0, 0]])]
    pooled, shown = (array(x) for x in model(tokens))
    assert not shown[0, :, 2:].any() and not shown[0, 3].any()
    close(
        pooled, model([tokens[0][:, :3], tokens[1][:, :2]])[0]
    )  # padding changes nothing, the pooling behind included
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")(tokens)[0], pooled)


@every_attention
def test_symbolic_shapes_and_dtypes_are_the_real_ones(make):
    for policy in ("float32", "mixed_bfloat16"):
        layer = make(dtype=policy)
        symbols = layer(keras.KerasTensor(QUERY.shape), keras.KerasTensor(VALUE.shape), return_attention_scores=True)
        for symbol, real in zip(symbols, layer(QUERY, VALUE, return_attention_scores=True), strict=True):
            assert tuple(symbol.shape) == tuple(real.shape)
            assert symbol.dtype == keras.backend.standardize_dtype(real.dtype)
        assert layer.compute_output_shape((None, None, D), (None, S, D)) == (None, None, symbols[0].shape[-1])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="test_contract.py compiles on the other backends")
@every_attention
def test_compiled_by_xla_equals_eager(make):
    import tensorflow as tf

    layer = make()

    def run(query, value):
        return layer(query, value, value_mask=tf.constant(VALUE_MASK), use_causal_mask=True)

    expected = run(QUERY, VALUE)
    close(tf.function(run, jit_compile=True)(tf.constant(QUERY), tf.constant(VALUE)), expected)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="takes the gradient with TensorFlow's tape")
@every_attention
def test_every_weight_gets_a_finite_gradient(make):
    import tensorflow as tf

    layer = make()
    with tf.GradientTape() as tape:
        mask = FULL_MASK & (np.arange(T) != 1)[:, None]  # query 1 has nothing to attend to
        loss = tf.reduce_sum(layer(QUERY, VALUE, attention_mask=mask) ** 2)
    for weight, gradient in zip(layer.trainable_weights, tape.gradient(loss, layer.trainable_weights)):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, weight.path


def test_units_default_to_the_width_of_the_query():
    layer = LuongAttention("concat", window="predictive")
    layer.build((B, T, 4), (B, S, 6))
    assert [tuple(w.shape) for w in layer.trainable_weights] == [(10, 4), (4,), (4, 4), (4,)]
    assert isinstance(layer.score, ConcatScore) and isinstance(BahdanauAttention(3).score, AdditiveScore)


def test_errors_name_the_argument_and_what_was_received():
    for arguments, message in [
        (lambda: Attention("dot"), "`score` must be a Score layer. Received: score='dot'"),
        (lambda: Attention(DotScore(), "soft"), "`alignment` must be an Alignment layer. Received: alignment='soft'"),
        (lambda: Attention(DotScore(), dropout=1.0), r"`dropout` must be in \[0, 1\). Received: dropout=1.0"),
        (lambda: LuongAttention("bilinear"), "`score` must be one of .*'general'.* Received: score='bilinear'"),
        (lambda: LuongAttention(window="local"), "`window` must be one of .*'monotonic'.* Received: window='local'"),
        (lambda: LuongAttention(attentional_units=0), "`attentional_units` must be .* Received: attentional_units=0"),
        (lambda: Attention(DotScore())(QUERY, VALUE, VALUE[:, :3]), r"same length.*\(2, 5, 6\).*\(2, 3, 6\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            arguments()
