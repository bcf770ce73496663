"""The blocks against the plain path, which `test_dot_product.py` holds against the definition. TensorFlow alone has blocks."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from attention_zoo import layers
from attention_zoo.layers.dot_product import dot_product_attention
from attention_zoo.layers.kernels import additive_blocks, blocks_possible, dot_product_blocks

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the blocks are TensorFlow's")
LENGTHS = st.sampled_from([1, 2, 19, 240, 256, 257, 496, 512, 530])  # one block, full ones of 120 and 256, remainders, keys that get more
shared_settings = settings(max_examples=10, deadline=None, derandomize=True, database=None)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def outcome(function, *inputs, open_shapes=False):
    """The output, and the gradients of a loss that tells its elements apart, computed in a graph."""
    import tensorflow as tf

    def step(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            output = function(*tensors)
            flat = tf.reshape(tf.cast(output, tf.float32), (-1,))
            loss = tf.reduce_sum(flat * tf.sin(tf.range(tf.size(flat), dtype=tf.float32)))
        return (output, *tape.gradient(loss, tensors, unconnected_gradients="zero"))  # one key needs no query

    def opened(x):  # all lengths, as the layers see them: heads, features and vectors are known
        return tf.TensorSpec([None, None, *x.shape[2:]] if x.ndim > 2 else x.shape, x.dtype)

    signature = [opened(x) for x in inputs] if open_shapes else None
    return [x.numpy() for x in tf.function(step, autograph=False, input_signature=signature)(*map(tf.constant, inputs))]


def assert_same(actual, expected):
    np.testing.assert_allclose(actual[0], expected[0], atol=1e-5, rtol=1e-5)
    for a, e in zip(actual[1:], expected[1:], strict=True):
        np.testing.assert_allclose(a, e, atol=1e-4, rtol=1e-4)


def masks(kind, batch, heads, queries, keys):
    rng = np.random.default_rng(5)
    found = {"is_causal": "causal" in kind}
    if "padding" in kind:
        found["key_mask"] = rng.random((batch, keys)) < 0.7
        found["key_mask"][0, : keys // 2] = False  # under a causal mask the first queries then see nothing
    if "mask" in kind:
        found["mask"] = rng.random((batch, heads, queries, keys)) < 0.5
        found["mask"][..., queries // 2, :] = False
    return found


def with_dropout_told(query, key, value, rate, seed, bias, **options):
    """The plain path with the weights dropped that the blocks drop: with the identity for values they show which."""
    keys, group = key.shape[1], query.shape[2] // key.shape[2]
    identity = ops.broadcast_to(ops.eye(keys)[None, :, None], (key.shape[0], keys, key.shape[2], keys))
    whole = dot_product_attention(query, key, identity, bias=bias, kernel="plain", **options)  # (B, T, H, S)
    kept = dot_product_attention(query, key, identity, bias=bias, dropout_rate=rate, seed=seed, kernel="blocks", **options)
    factor = ops.stop_gradient(ops.where(kept > 0, 1 / (1 - rate), 0.0))
    return ops.einsum("bths,bshv->bthv", whole * factor, ops.repeat(value, group, axis=2))


@shared_settings
@given(
    lengths=st.tuples(LENGTHS, LENGTHS),
    batch=st.sampled_from([1, 2]),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2), (3, 1)]),
    kind=st.sampled_from(["", "padding", "causal", "mask", "padding causal", "padding causal mask"]),
    bias=st.sampled_from([None, (1, True), (2, False), (1, False)]),
    dropout=st.booleans(),
    open_shapes=st.booleans(),
)
def test_blocks_equal_the_plain_path_and_its_gradients(lengths, batch, heads, kind, bias, dropout, open_shapes):
    (queries, keys), (count, key_heads) = lengths, heads
    options = masks(kind, batch, count, queries, keys)
    shapes = (batch, queries, count, 6), (batch, keys, key_heads, 6), (batch, keys, key_heads, 5)
    inputs = [normal(*shape, seed=n) for n, shape in enumerate(shapes)]
    if bias is not None:
        inputs.append(normal(min(bias[0], batch), count if bias[1] else 1, queries, keys, seed=3))

    def blocks(query, key, value, bias=None):
        rate = 0.3 if dropout else 0.0
        return dot_product_attention(query, key, value, bias=bias, dropout_rate=rate, seed=9, kernel="blocks", **options)

    def plain(query, key, value, bias=None):
        if dropout:
            return with_dropout_told(query, key, value, 0.3, 9, bias, **options)
        return dot_product_attention(query, key, value, bias=bias, kernel="plain", **options)

    expected = outcome(plain, *inputs)
    assert np.isfinite(expected[0]).all()
    assert_same(outcome(blocks, *inputs, open_shapes=open_shapes and bias is None), expected)


@pytest.mark.parametrize("kind", ["", "padding", "mask", "causal"])
@pytest.mark.parametrize("bias, open_shapes", [(None, False), (None, True), ((2, True), False), ((1, False), False)])
def test_as_many_keys_as_fill_whole_pages_are_attended_to_like_any_others(kind, bias, open_shapes):
    options = masks(kind, 2, 4, 19, 512)
    inputs = [normal(*shape, seed=n) for n, shape in enumerate([(2, 19, 4, 6), (2, 512, 2, 6), (2, 512, 2, 5)])]
    if bias is not None:
        inputs.append(normal(bias[0], 4 if bias[1] else 1, 19, 512, seed=3))

    def attend(kernel):
        return lambda query, key, value, bias=None: dot_product_attention(
            query, key, value, bias=bias, kernel=kernel, **options
        )

    found = outcome(attend("blocks"), *inputs, open_shapes=open_shapes)
    assert_same(found, outcome(attend("plain"), *inputs))


@pytest.mark.parametrize("kind", ["", "padding causal mask"])
@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 3e-2), ("float16", 4e-3)])
def test_low_precision_is_that_of_the_inputs_alone(dtype, tolerance, kind):
    import tensorflow as tf

    inputs = [tf.cast(normal(2, 270, 2, 8, seed=n), dtype) for n in range(3)]
    options = masks(kind, 2, 2, 270, 270)
    actual = outcome(lambda q, k, v: dot_product_attention(q, k, v, kernel="blocks", **options), *inputs)
    assert {str(x.dtype) for x in actual} == {dtype}
    exact = [tf.cast(x, "float32") for x in inputs]
    expected = outcome(lambda q, k, v: dot_product_attention(q, k, v, kernel="plain", **options), *exact)
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a.astype("float32"), e, atol=tolerance, rtol=tolerance)


def test_scores_far_from_zero_stay_exact():
    query, key, value = normal(1, 300, 1, 4) * 60, normal(1, 300, 1, 4, seed=1) * 60, normal(1, 300, 1, 4, seed=2)
    found = [np.array(dot_product_attention(query, key, value, is_causal=True, kernel=k)) for k in ("blocks", "plain")]
    np.testing.assert_allclose(*found, atol=2e-3)
    assert np.isfinite(found[0]).all()


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
@pytest.mark.parametrize("batch, queries, keys", [(0, 5, 7), (2, 0, 7), (2, 5, 0)])
def test_nothing_to_compute_gives_nothing_and_no_error(batch, queries, keys, graph):
    import tensorflow as tf

    def dot(query, key, mask):
        return dot_product_blocks(query, key, key, mask, None, None, False, 1.0, 0.0, None)

    def additive(query, key, mask):
        return additive_blocks(query[:, :, 0], key[:, :, 0], tf.ones(4), key[:, :, 0], mask[:, None])

    if graph:
        open_lengths = [tf.TensorSpec((None, None, 2, 4))] * 2 + [tf.TensorSpec((None, None), tf.bool)]
        dot, additive = (tf.function(f, autograph=False, input_signature=open_lengths) for f in (dot, additive))
    query, key = tf.zeros((batch, queries, 2, 4)), tf.zeros((batch, keys, 2, 4))  # a replica may get no sequence at all
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([query, key])
        found, also_found = (f(query, key, tf.ones((batch, keys), tf.bool)) for f in (dot, additive))
    assert found.shape == query.shape and also_found.shape == (batch, queries, 4)
    assert not np.any(found) and not np.any(also_found)
    for output in (found, also_found):
        for gradient, x in zip(tape.gradient(output, [query, key]), (query, key)):
            assert gradient.shape == x.shape and not np.any(gradient)


def test_a_bias_of_minus_infinity_is_a_mask():
    inputs = [normal(1, 300, 2, 4, seed=n) for n in range(3)]
    allowed = masks("mask", 1, 2, 300, 300)["mask"]  # a row of nothing among them
    bias = np.where(allowed, 0.0, -np.inf).astype("float32")
    biased = outcome(lambda q, k, v: dot_product_attention(q, k, v, bias=bias, kernel="blocks"), *inputs)
    assert_same(biased, outcome(lambda q, k, v: dot_product_attention(q, k, v, mask=allowed, kernel="plain"), *inputs))


def test_dropout_drops_its_share_and_keeps_the_mean():
    query = np.zeros((1, 512, 2, 4), "float32")
    identity = np.broadcast_to(np.eye(512, dtype="float32")[:, None], (1, 512, 2, 512))

    def drawn(seed):
        return np.array(dot_product_attention(query, query, identity, dropout_rate=0.25, seed=seed, kernel="blocks"))

    weights = drawn(3)  # (1, 512, 2, 512)
    assert abs((weights == 0).mean() - 0.25) < 0.005
    assert abs(weights.sum(-1).mean() - 1) < 0.005
    by_row = (weights == 0).mean(axis=3)[0]  # (512, 2); 0.25 ± 0.019 each
    assert 0.15 < by_row.min() and by_row.max() < 0.35 and 0.015 < by_row.std() < 0.025
    assert (weights[:, :, 0] != weights[:, :, 1]).mean() > 0.3  # heads drop apart
    assert (weights != drawn(4)).mean() > 0.3
    np.testing.assert_array_equal(weights, drawn(3))
    assert (drawn(None) != drawn(None)).mean() > 0.3  # without a seed each call draws anew


def test_no_call_repeats_the_dropout_of_the_one_before():
    keys, units = 128, 1024  # four queries a block
    query, key = np.zeros((1, 16, units), "float32"), np.zeros((1, keys, units), "float32")
    identity, seeds = np.eye(keys, dtype="float32")[None], keras.random.SeedGenerator(1)
    masks = [
        np.array(additive_blocks(query, key, np.zeros(units, "float32"), identity, dropout_rate=0.5, seed=seeds))[0] > 0
        for _ in range(3)
    ]
    rows = np.concatenate(masks)  # (3 * 16, keys)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_long_sequences_take_the_blocks_by_themselves_also_where_lengths_come_late():
    import tensorflow as tf

    inputs = [normal(1, 600, 2, 4, seed=n) for n in range(3)]

    def operations(function):
        graph = function.get_concrete_function(*[tf.TensorSpec((1, None, 2, 4))] * 3).graph
        return {operation.type for operation in graph.get_operations()}

    late = tf.function(lambda q, k, v: dot_product_attention(q, k, v), autograph=False)
    assert {"If", "StatelessIf"} & operations(late)
    for length in (20, 600):
        short = [x[:, :length] for x in inputs]
        np.testing.assert_allclose(late(*short), dot_product_attention(*short, kernel="plain"), atol=1e-5)
    assert_same(outcome(dot_product_attention, *inputs, open_shapes=True), outcome(dot_product_attention, *inputs))


def test_under_xla_the_plain_path_answers_and_blocks_say_why_not():
    import tensorflow as tf

    inputs = [normal(1, 600, 2, 4, seed=n) for n in range(3)]
    compiled = tf.function(lambda *x: dot_product_attention(*x), jit_compile=True)
    np.testing.assert_allclose(compiled(*inputs), dot_product_attention(*inputs, kernel="plain"), atol=1e-5)
    assert blocks_possible()
    with pytest.raises(ValueError, match="jit_compile=False"):
        tf.function(lambda *x: dot_product_attention(*x, kernel="blocks"), jit_compile=True)(*inputs)


@shared_settings
@given(
    lengths=st.tuples(LENGTHS, LENGTHS),
    batch=st.sampled_from([1, 2]),
    mask=st.sampled_from([None, "padding", "shared", "full"]),
    open_shapes=st.booleans(),
)
def test_additive_blocks_equal_the_plain_path_and_its_gradients(lengths, batch, mask, open_shapes):
    queries, keys = lengths
    inputs = [normal(batch, queries, 40), normal(batch, keys, 40, seed=1), normal(40, seed=2), normal(batch, keys, 3, seed=3)]
    shape = {None: None, "padding": (batch, 1, keys), "shared": (queries, keys), "full": (batch, queries, keys)}[mask]
    allowed = None if mask is None else np.random.default_rng(4).random(shape) < 0.5

    def plain(query, key, vector, value):
        scores = ops.sum(ops.tanh(query[:, :, None] + key[:, None]) * vector, axis=-1)
        return ops.matmul(layers.masked_softmax(scores, allowed), value)

    actual = outcome(lambda *x: additive_blocks(*x, mask=allowed), *inputs, open_shapes=open_shapes)
    assert_same(actual, outcome(plain, *inputs))


def test_additive_dropout_is_the_same_in_the_gradient():
    query, key, vector = normal(2, 50, 16), normal(2, 700, 16, seed=1), normal(16, seed=2)
    identity = np.broadcast_to(np.eye(700, dtype="float32"), (2, 700, 700))
    whole, kept = (np.array(additive_blocks(query, key, vector, identity, dropout_rate=rate, seed=3)) for rate in (0.0, 0.4))
    factor = np.where(kept > 0, 1 / 0.6, 0.0).astype("float32")
    assert abs((kept == 0).mean() - 0.4) < 0.01
    np.testing.assert_allclose(kept, whole * factor, atol=1e-6)

    def plain(query, key, vector, value):
        scores = ops.sum(ops.tanh(query[:, :, None] + key[:, None]) * vector, axis=-1)
        return ops.matmul(ops.softmax(scores) * factor, value)

    inputs = (query, key, vector, normal(2, 700, 3, seed=4))
    assert_same(outcome(lambda *x: additive_blocks(*x, dropout_rate=0.4, seed=3), *inputs), outcome(plain, *inputs))


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
    "multi-head": lambda kernel, dropout: layers.MultiHeadAttention(2, 4, dropout=dropout, kernel=kernel),
    "Bahdanau": lambda kernel, dropout: layers.BahdanauAttention(16, dropout=dropout, kernel=kernel),
    "concat": lambda kernel, dropout: layers.LuongAttention("concat", attentional_units=5, dropout=dropout, kernel=kernel),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_mask_that_turns_out_to_be_the_same_for_all_queries_reaches_every_block(name):
    import tensorflow as tf

    layer, inputs = LAYERS[name]("blocks", 0.0), (normal(2, 600, 8), normal(2, 600, 6, seed=1))
    mask = np.random.default_rng(2).random((1, 1, 600)) < 0.5
    expected = layer(*inputs, attention_mask=np.broadcast_to(mask, (1, 600, 600)))
    open_mask = tf.function(
        lambda mask: layer(*inputs, attention_mask=mask), input_signature=[tf.TensorSpec((None, None, None), tf.bool)]
    )
    np.testing.assert_allclose(open_mask(mask), expected, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_mask_from_outside_the_graph_is_differentiated_past_where_lengths_are_open(name):
    import tensorflow as tf

    layer, inputs = LAYERS[name]("auto", 0.0), (normal(1, 600, 8), normal(1, 600, 6, seed=1))
    mask = tf.constant(np.random.default_rng(2).random((1, 600, 600)) < 0.5)
    expected = outcome(lambda q, v: layer(q, v, attention_mask=mask), *inputs)
    assert_same(outcome(lambda q, v: layer(q, v, attention_mask=mask), *inputs, open_shapes=True), expected)


def test_a_score_that_compares_in_its_own_way_is_not_taken_for_the_additive_one():
    class Sharper(layers.AdditiveScore):
        def compare(self, query, key):
            return 5 * super().compare(query, key)

    attention, inputs = layers.Attention(Sharper(64)), (normal(2, 130, 8), normal(2, 130, 6, seed=1))
    np.testing.assert_allclose(attention(*inputs), attention(*inputs, return_attention_scores=True)[0], atol=1e-5)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_the_same_with_either_kernel_and_with_scores(name, mask):
    made = [LAYERS[name](kernel, 0.0) for kernel in ("blocks", "plain")]
    inputs = normal(2, 300, 8), normal(2, 300, 6, seed=1)
    for layer in made:
        layer.build(*(x.shape for x in inputs))
        layer.set_weights([normal(*w.shape, seed=n) * 0.5 for n, w in enumerate(made[0].get_weights())])
    results = [outcome(lambda q, v: layer(q, v, **MASKS[mask]), *inputs) for layer in made]
    assert_same(*results)
    asked, _ = made[0](*inputs, return_attention_scores=True, **MASKS[mask])
    np.testing.assert_allclose(asked, results[0][0], atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_with_dropout_trains_in_blocks_without_a_leak_from_the_future(name):
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
    assert type(layer).from_config(layer.get_config()).kernel == "blocks"
    with pytest.raises(ValueError, match="`kernel` must be one of .* kernel='flash'"):
        LAYERS[name]("flash", 0.1)


def test_fit_leaves_xla_out_for_blocks_and_trains_a_saved_model_on(tmp_path):
    sequence = keras.Input((None, 8))
    output = layers.MultiHeadSelfAttention(2, 4, dropout=0.1, kernel="blocks")(sequence, use_causal_mask=True)
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
