import keras
import numpy as np
import pytest
from arrays import array

from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.self_attention import MultiHeadSelfAttention

MASKS = {
    "none": {},
    "query": {"query_mask": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)},
    "value": {"value_mask": np.array([[1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0]], bool)},
    "attention": {"attention_mask": np.random.default_rng(1).random((2, 5, 7)) < 0.6},
    "shared attention": {"attention_mask": np.random.default_rng(2).random((5, 7)) < 0.6},
    "causal": {"use_causal_mask": True},
}
MASKS["all"] = MASKS["query"] | MASKS["value"] | MASKS["attention"] | MASKS["causal"]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def full_mask(shape, query_mask=None, value_mask=None, attention_mask=None, use_causal_mask=False):
    """What may be attended to, by the definition of each mask."""
    mask = np.ones(shape, bool)
    if query_mask is not None:
        mask &= query_mask[..., :, None]
    if value_mask is not None:
        mask &= value_mask[..., None, :]
    if attention_mask is not None:
        mask &= attention_mask
    if use_causal_mask:
        mask &= np.tril(np.ones(shape[-2:], bool))
    return mask


def reference(weights, query, key, value, mask):
    """Multi-head attention of one sequence after another, one head after another, one query after another."""
    (wq, bq, wk, bk, wv, bv, wo, bo) = weights
    output = np.zeros((*query.shape[:2], wo.shape[-1]))
    scores = np.zeros((query.shape[0], wq.shape[1], query.shape[1], key.shape[1]))
    for b, t in np.ndindex(query.shape[:2]):
        seen = np.flatnonzero(mask[b, t])
        if not len(seen):
            continue
        output[b, t] = bo
        for h in range(wq.shape[1]):
            q = query[b, t] @ wq[:, h] + bq[h]
            logits = np.array([q @ (key[b, s] @ wk[:, h] + bk[h]) for s in seen]) / np.sqrt(len(q))
            weight = np.exp(logits - logits.max())
            scores[b, h, t, seen] = weight / weight.sum()
            found = sum(scores[b, h, t, s] * (value[b, s] @ wv[:, h] + bv[h]) for s in seen)
            output[b, t] += found @ wo[h]
    return output, scores


def randomize(layer):
    """Biases away from zero, so that a forgotten one shows."""
    rng = np.random.default_rng(7)
    layer.set_weights([rng.normal(size=w.shape) * 0.5 for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize("mask", MASKS)
def test_equals_the_definition_computed_query_by_query(mask):
    query, value, key = normal(2, 5, 6), normal(2, 7, 4, seed=1), normal(2, 7, 3, seed=2)
    layer = MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5, output_shape=8)
    layer.build(query.shape, value.shape, key.shape)
    randomize(layer)
    output, scores = layer(query, value, key, return_attention_scores=True, **MASKS[mask])
    expected, expected_scores = reference(layer.get_weights(), query, key, value, full_mask((2, 5, 7), **MASKS[mask]))
    np.testing.assert_allclose(array(output), expected, atol=1e-5)
    np.testing.assert_allclose(array(scores), expected_scores, atol=1e-6)
    np.testing.assert_allclose(array(layer(query, value, key, **MASKS[mask])), expected, atol=1e-5)


@pytest.mark.parametrize("lead", [(2,), (3, 2)], ids=["rank 3", "rank 4"])
@pytest.mark.parametrize("mask", MASKS)
def test_equals_keras_given_its_weights(mask, lead):
    query, value = normal(*lead, 5, 6), normal(*lead, 7, 4, seed=1)
    masks = dict(MASKS[mask])
    keras_masks = full_mask((*lead, 5, 7), **masks)
    # Keras has no head axis to give to a mask of rank 4, and attends over all middle axes: compare slice by slice.
    theirs = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5)
    theirs.build((2, 5, 6), (2, 7, 4))
    randomize(theirs)
    ours = MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5)
    ours.build(query.shape, value.shape)
    ours.set_weights(theirs.get_weights())
    output, scores = ours(query, value, return_attention_scores=True, **masks)
    for index in np.ndindex(lead[:-1]):
        expected, expected_scores = theirs(
            query[index], value[index], attention_mask=keras_masks[index], return_attention_scores=True
        )
        attends = keras_masks[index].any(-1)  # (B, T); elsewhere Keras gives the mean of all values, and we give zeros
        np.testing.assert_allclose(array(output)[index], array(expected) * attends[..., None], atol=1e-5)
        np.testing.assert_allclose(array(scores)[index], array(expected_scores) * attends[:, None, :, None], atol=1e-6)


def test_weights_have_the_order_and_shapes_of_keras():
    for bias in (True, False):
        theirs = keras.layers.MultiHeadAttention(2, 3, value_dim=5, use_bias=bias, output_shape=9)
        theirs.build((2, 5, 6), (2, 7, 4))
        ours = MultiHeadAttention(2, 3, value_dim=5, use_bias=bias, output_shape=9)
        ours.build((2, 5, 6), (2, 7, 4))
        assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]


def test_kernels_are_drawn_as_matrices_and_apart():
    layer = MultiHeadAttention(num_heads=8, key_dim=8)
    layer.build((1, 2, 64), (1, 2, 64))
    limit = np.sqrt(6 / (64 + 64))  # Glorot and Bengio 2010, equation 16, for a matrix 64 x 64
    kernels = [w for w in layer.get_weights() if w.ndim == 3]
    assert len(kernels) == 4
    for kernel in kernels:
        assert 0.95 * limit < np.abs(kernel).max() <= limit
    assert not np.allclose(kernels[0], kernels[1])


@pytest.mark.parametrize("scores", [False, True], ids=["output", "scores"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("lead", [(2,), (3, 2)], ids=["rank 3", "rank 4"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_the_future_does_not_leak(scores, dropout, lead, training, padded):
    sequence = normal(*lead, 6, 8)
    changed = sequence.copy()
    changed[..., 4:, :] += 3.0
    mask = np.ones((*lead, 6), bool) if padded else None
    outputs = []
    for values in (sequence, changed):
        keras.utils.set_random_seed(3)  # the same dropout both times
        layer = MultiHeadSelfAttention(num_heads=2, key_dim=4, dropout=dropout)
        result = layer(values, query_mask=mask, use_causal_mask=True, return_attention_scores=scores, training=training)
        if scores:
            assert not np.triu(array(result[1]), 1).any()
        outputs.append(array(result[0] if scores else result))
    np.testing.assert_array_equal(outputs[0][..., :4, :], outputs[1][..., :4, :])
    assert np.abs(outputs[0][..., 4:, :] - outputs[1][..., 4:, :]).max() > 0.1


def test_dropout_acts_in_training_alone_and_scores_are_those_before_it():
    keras.utils.set_random_seed(0)
    query, value = normal(2, 5, 8), normal(2, 7, 8, seed=1)
    layer = MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.5)
    plain, plain_scores = layer(query, value, return_attention_scores=True)
    again, _ = layer(query, value, return_attention_scores=True)
    dropped, scores = layer(query, value, return_attention_scores=True, training=True)
    np.testing.assert_array_equal(array(plain), array(again))
    assert np.abs(array(plain) - array(dropped)).max() > 1e-2
    np.testing.assert_array_equal(array(plain_scores), array(scores))


def test_a_query_with_nothing_to_attend_to_gets_zeros_past_the_bias():
    query, value = normal(2, 5, 6), normal(2, 7, 6, seed=1)
    layer = MultiHeadAttention(num_heads=2, key_dim=3)
    layer.build(query.shape, value.shape)
    randomize(layer)
    nothing = np.array([[False] * 7, [True] * 7])
    output, scores = layer(query, value, value_mask=nothing, return_attention_scores=True)
    assert not array(output)[0].any() and not array(scores)[0].any()
    np.testing.assert_allclose(array(scores)[1].sum(-1), 1.0, atol=1e-6)
    assert np.abs(array(output)[1]).min() > 0


@pytest.mark.parametrize("layer_class", [MultiHeadAttention, MultiHeadSelfAttention])
def test_implicit_masks_equal_explicit_ones_and_an_explicit_one_wins(layer_class):
    ids = np.array([[4, 5, 6, 0, 0], [4, 5, 6, 7, 8]])
    features = keras.layers.Embedding(9, 6, mask_zero=True)(ids)
    plain = array(features)
    layer = layer_class(num_heads=2, key_dim=3)
    inputs = (lambda x: (x, x)) if layer_class is MultiHeadAttention else (lambda x: (x,))
    implicit = array(layer(*inputs(features)))
    masks = {"query_mask": ids != 0} | ({"value_mask": ids != 0} if layer_class is MultiHeadAttention else {})
    np.testing.assert_allclose(implicit, array(layer(*inputs(plain), **masks)), atol=1e-6)
    assert not implicit[0, 3:].any()
    everything = {name: np.ones_like(mask) for name, mask in masks.items()}
    np.testing.assert_allclose(array(layer(*inputs(features), **everything)), array(layer(*inputs(plain))), atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize("room", [None, 7])
def test_step_by_step_with_the_cache_equals_the_whole_sequence(policy, chunk, room):
    sequence = normal(2, 6, 8)
    layer = MultiHeadSelfAttention(num_heads=2, key_dim=4, value_dim=3, dtype=policy)
    whole, scores = layer(sequence, use_causal_mask=True, return_attention_scores=True)
    cache = layer.empty_cache(2, room)
    assert (
        cache["key"].shape[2] == (room or 0)
        and keras.backend.standardize_dtype(cache["key"].dtype) == layer.compute_dtype
    )
    tolerance = 1e-5 if policy == "float32" else 2e-2
    for start in range(0, 6, chunk):
        stop = start + chunk
        output, weights, cache = layer(
            sequence[:, start:stop], use_causal_mask=True, cache=cache, return_attention_scores=True
        )
        np.testing.assert_allclose(array(output), array(whole)[:, start:stop], atol=tolerance)
        np.testing.assert_allclose(array(weights)[..., :stop], array(scores)[:, :, start:stop, :stop], atol=tolerance)
        assert not array(weights)[..., stop:].any()
        length = room or stop
        assert tuple(cache["key"].shape) == (2, 2, length, 4) and tuple(cache["value"].shape) == (2, 2, length, 3)
        assert room is None or int(cache["length"]) == stop


@pytest.mark.parametrize("room", [None, 6])
def test_a_query_mask_with_a_cache_speaks_of_the_new_tokens(room):
    sequence, mask = normal(1, 5, 8), np.array([[True, True, True, True, False]])
    layer = MultiHeadSelfAttention(num_heads=2, key_dim=4)
    whole = layer(sequence, query_mask=mask)
    _, cache = layer(sequence[:, :2], cache=layer.empty_cache(1, room))
    output, _ = layer(sequence[:, 2:], query_mask=mask[:, 2:], cache=cache)
    np.testing.assert_allclose(array(output), array(whole)[:, 2:], atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_in_half_and_weighs_in_float32(policy):
    query, value = normal(2, 5, 8), normal(2, 7, 8, seed=1)
    full = MultiHeadAttention(num_heads=2, key_dim=4)
    half = MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.1, dtype=policy)
    full.build(query.shape, value.shape)
    half.build(query.shape, value.shape)
    half.set_weights(full.get_weights())
    output, scores = half(query, value, use_causal_mask=True, return_attention_scores=True)
    assert keras.backend.standardize_dtype(output.dtype) == half.compute_dtype
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    assert all(w.dtype == "float32" for w in half.weights)
    np.testing.assert_allclose(array(output), array(full(query, value, use_causal_mask=True)), rtol=3e-2, atol=3e-2)


def test_products_that_only_fit_float16_once_scaled_stay_finite():
    query = np.full((1, 3, 8), 12.5, "float32")  # heads of 100: the product is 80000, past 65504; scaled it is 28284
    layer = MultiHeadAttention(num_heads=1, key_dim=8, use_bias=False, kernel_initializer="ones", dtype="mixed_float16")
    _, scores = layer(query, query, return_attention_scores=True)
    np.testing.assert_allclose(array(scores), 1 / 3, atol=1e-3)


@pytest.mark.parametrize("layer_class", [MultiHeadAttention, MultiHeadSelfAttention])
def test_config_holds_every_argument_and_rebuilds_the_layer(layer_class):
    arguments = dict(num_heads=3, key_dim=2, value_dim=4, dropout=0.25, use_bias=False, output_shape=(7,))
    layer = layer_class(**arguments, kernel_initializer=keras.initializers.RandomNormal(stddev=0.3))
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == f"attention_zoo>{layer_class.__name__}"
    twin = keras.saving.deserialize_keras_object(config)
    assert {name: getattr(twin, name) for name in arguments} == arguments
    assert twin.kernel_initializer.stddev == 0.3
    assert twin.get_config() == layer.get_config()


def test_saved_in_a_functional_model_it_answers_as_before(tmp_path):
    query, value = keras.Input((None, 6)), keras.Input((7, 4))
    output, scores = MultiHeadAttention(2, 3, dropout=0.1)(
        query, value, return_attention_scores=True, use_causal_mask=True
    )
    self_output, self_scores = MultiHeadSelfAttention(2, 3)(output, return_attention_scores=True)
    assert output.shape == (None, None, 6) and scores.shape == (None, 2, None, 7) and scores.dtype == "float32"
    assert self_output.shape == (None, None, 6) and self_scores.shape == (None, 2, None, None)
    model = keras.Model([query, value], [self_output, scores])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = [normal(2, 5, 6), normal(2, 7, 4, seed=1)]
    for before, after in zip(model(inputs), loaded(inputs)):
        np.testing.assert_array_equal(array(before), array(after))


@pytest.mark.parametrize("room", [None, 9])
def test_symbolic_calls_and_compute_output_shape_tell_the_shapes_of_real_calls(room):
    layer = MultiHeadSelfAttention(2, 3, value_dim=4, output_shape=5)
    cache = layer.empty_cache(2, room)
    real = layer(normal(2, 6, 8), cache=cache, return_attention_scores=True)
    symbolic = layer.compute_output_spec(keras.KerasTensor((2, 6, 8)), cache=cache, return_attention_scores=True)
    assert keras.tree.map_structure(lambda t: tuple(t.shape), real) == keras.tree.map_structure(
        lambda t: tuple(t.shape), symbolic
    )
    assert layer.compute_output_shape((2, 6, 8)) == (2, 6, 5)
    assert MultiHeadAttention(2, 3).compute_output_shape((None, None, 6), (None, 7, 4)) == (None, None, 6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compiles a tf.function")
def test_compiled_by_xla_it_gives_the_same():
    import tensorflow as tf

    query, value = normal(2, 5, 6), normal(2, 7, 4, seed=1)
    layer = MultiHeadAttention(2, 3)
    expected = layer(query, value, **MASKS["all"])
    compiled = tf.function(lambda q, v: layer(q, v, **MASKS["all"]), jit_compile=True)
    np.testing.assert_allclose(array(compiled(query, value)), array(expected), atol=1e-5)


def test_a_mask_of_keys_alone_means_the_same_with_and_without_scores():
    query, mask = normal(2, 4, 6), np.array([True, False, True, True])
    layer = MultiHeadAttention(2, 3)
    with_scores, scores = layer(query, query, attention_mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(array(with_scores), array(layer(query, query, attention_mask=mask)), atol=1e-5)
    assert not array(scores)[..., 1].any()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients with a tape")
def test_every_weight_has_a_finite_gradient_even_with_fully_masked_rows():
    import tensorflow as tf

    layer = MultiHeadAttention(2, 3, dropout=0.1)
    with tf.GradientTape() as tape:
        output = layer(
            normal(2, 5, 6), normal(2, 7, 4), value_mask=np.eye(2, 7, dtype=bool) & (np.arange(7) > 0), training=True
        )
        loss = tf.reduce_sum(output**2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert len(gradients) == 8
    assert all(gradient is not None and np.isfinite(array(gradient)).all() for gradient in gradients)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(num_heads=0, key_dim=3), "num_heads=0"),
        (dict(num_heads=True, key_dim=3), "num_heads=True"),
        (dict(num_heads=2, key_dim=3, sliding_window=0), "sliding_window=0"),
        (dict(num_heads=2, key_dim=2.5), "key_dim=2.5"),
        (dict(num_heads=2, key_dim=3, value_dim=-1), "value_dim=-1"),
        (dict(num_heads=2, key_dim=3, output_shape=0), "output_shape=0"),
    ],
)
def test_a_bad_size_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**arguments)


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match="same rank"):
        MultiHeadAttention(2, 3)(normal(2, 5, 6), normal(7, 4))
    with pytest.raises(ValueError, match="same length"):
        MultiHeadAttention(2, 3)(normal(2, 5, 6), normal(2, 7, 4), normal(2, 8, 4))
