import keras
import numpy as np
import pytest
from arrays import array
from keras import ops

from attention_zoo.layers import TransformerDecoderBlock, TransformerEncoderBlock

SOURCE_MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)
TARGET_MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def shapes(nest):
    return keras.tree.map_structure(lambda tensor: tuple(tensor.shape), nest)


def decoder(**arguments):
    block = TransformerDecoderBlock(num_heads=2, intermediate_dim=16, **arguments)
    block.build((None, None, 8), (None, None, 8))
    rng = np.random.default_rng(5)
    block.set_weights([rng.normal(size=w.shape) * 0.4 for w in block.get_weights()])
    return block


def normalized(x, gamma, beta):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * gamma + beta


def attended(x, memory, weights, mask):
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    projections = (x, wq, bq), (memory, wk, bk), (memory, wv, bv)
    query, key, value = (np.einsum("btd,dhk->bhtk", a, w) + b[:, None] for a, w, b in projections)
    logits = np.where(mask[:, None], np.einsum("bhtk,bhsk->bhts", query, key) / np.sqrt(wq.shape[-1]), -np.inf)
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    weight /= weight.sum(-1, keepdims=True)
    return np.einsum("bhts,bhsk,hke->bte", weight, value, wo) + bo


@pytest.mark.parametrize("normalize_first", [False, True])
def test_the_encoder_block_computes_section_3_of_the_paper(normalize_first):
    x = normal(2, 5, 8)
    block = TransformerEncoderBlock(num_heads=2, intermediate_dim=16, normalize_first=normalize_first)
    block.build(x.shape)
    rng = np.random.default_rng(5)
    block.set_weights([rng.normal(size=w.shape) * 0.4 for w in block.get_weights()])
    attention = block.self_attention.get_weights()
    norms = [block.self_attention_norm.get_weights(), block.feed_forward_norm.get_weights()]
    (w1, b1), (w2, b2) = block.feed_forward_in.get_weights(), block.feed_forward_out.get_weights()
    mask = np.broadcast_to(SOURCE_MASK[:, None], (2, 5, 5))

    def feed_forward(y):
        return np.maximum(y @ w1 + b1, 0) @ w2 + b2

    if normalize_first:
        entering = normalized(x, *norms[0])
        y = x + attended(entering, entering, attention, mask)
        expected = y + feed_forward(normalized(y, *norms[1]))
    else:
        y = normalized(x + attended(x, x, attention, mask), *norms[0])
        expected = normalized(y + feed_forward(y), *norms[1])
    real = SOURCE_MASK  # rows of padding attend to nothing and are nobody's business
    np.testing.assert_allclose(array(block(x, query_mask=SOURCE_MASK))[real], expected[real], atol=2e-5)


@pytest.mark.parametrize("normalize_first", [False, True])
def test_the_decoder_block_computes_section_3_of_the_paper(normalize_first):
    x, memory = normal(2, 4, 8), normal(2, 5, 8, seed=1)
    block = decoder(normalize_first=normalize_first)
    norms = [n.get_weights() for n in (block.self_attention_norm, block.cross_attention_norm, block.feed_forward_norm)]
    (w1, b1), (w2, b2) = block.feed_forward_in.get_weights(), block.feed_forward_out.get_weights()
    causal = np.broadcast_to(np.tril(np.ones((4, 4), bool)), (2, 4, 4))
    cross = np.broadcast_to(SOURCE_MASK[:, None], (2, 4, 5))
    sublayers = [
        lambda y: attended(y, y, block.self_attention.get_weights(), causal),
        lambda y: attended(y, memory, block.cross_attention.get_weights(), cross),
        lambda y: np.maximum(y @ w1 + b1, 0) @ w2 + b2,
    ]
    expected = x
    for sublayer, norm in zip(sublayers, norms):
        if normalize_first:
            expected = expected + sublayer(normalized(expected, *norm))
        else:
            expected = normalized(expected + sublayer(expected), *norm)
    np.testing.assert_allclose(array(block(x, memory, value_mask=SOURCE_MASK)), expected, atol=2e-5)


@pytest.mark.parametrize("normalize_first", [False, True])
@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize("room", [None, 4])
def test_step_by_step_with_the_cache_equals_the_whole_sequence(normalize_first, chunk, room):
    target, source = normal(2, 4, 8), normal(2, 5, 8, seed=1)
    block = decoder(normalize_first=normalize_first)
    whole, scores = block(target, source, value_mask=SOURCE_MASK, return_attention_scores=True)
    cache = {"self": block.empty_cache(2, room), "cross": block.project_memory(source)}
    for start in range(0, 4, chunk):
        stop = start + chunk
        output, weights, cache = block(
            target[:, start:stop], None, value_mask=SOURCE_MASK, cache=cache, return_attention_scores=True
        )
        np.testing.assert_allclose(array(output), array(whole)[:, start:stop], atol=1e-5)
        np.testing.assert_allclose(
            array(weights["self"])[..., :stop], array(scores["self"])[:, :, start:stop, :stop], atol=1e-5
        )
        np.testing.assert_allclose(array(weights["cross"]), array(scores["cross"])[:, :, start:stop], atol=1e-5)


def test_a_cache_without_a_projection_projects_the_value_and_hands_it_back():
    target, source = normal(2, 4, 8), normal(2, 5, 8, seed=1)
    block = decoder()
    first, cache = block(target[:, :1], source, cache={"self": block.empty_cache(2)})
    second, _ = block(target[:, 1:2], None, cache=cache)
    whole = array(block(target, source))
    np.testing.assert_allclose(array(first), whole[:, :1], atol=1e-5)
    np.testing.assert_allclose(array(second), whole[:, 1:2], atol=1e-5)
    with pytest.raises(ValueError, match="`value` must be given"):
        block(target, None, cache={"self": block.empty_cache(2)})


@pytest.mark.parametrize("scores", [False, True], ids=["output", "scores"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("lead", [(2,), (3, 2)], ids=["rank 3", "rank 4"])
@pytest.mark.parametrize("block_class", [TransformerEncoderBlock, TransformerDecoderBlock])
def test_the_future_does_not_leak(scores, dropout, lead, block_class):
    target, source = normal(*lead, 6, 8), normal(*lead, 5, 8, seed=1)
    changed = target.copy()
    changed[..., 4:, :] += normal(8, seed=2)
    outputs = []
    for values in (target, changed):
        keras.utils.set_random_seed(3)  # the same dropout both times
        block = block_class(2, 16, dropout=dropout, attention_dropout=dropout)
        inputs = (values, source) if block_class is TransformerDecoderBlock else (values,)
        masks = {} if block_class is TransformerDecoderBlock else {"use_causal_mask": True}  # the decoder's default
        result = block(*inputs, return_attention_scores=scores, training=True, **masks)
        outputs.append(array(result[0] if scores else result))
    np.testing.assert_array_equal(outputs[0][..., :4, :], outputs[1][..., :4, :])
    assert np.abs(outputs[0][..., 4:, :] - outputs[1][..., 4:, :]).max() > 0.1


def test_padding_changes_nothing_for_real_tokens():
    source = normal(2, 5, 8)
    changed = source.copy()
    changed[0, 4] += 3.0
    encoder, block = TransformerEncoderBlock(2, 16), decoder()
    target = normal(2, 4, 8, seed=1)
    outputs = [array(encoder(x, query_mask=SOURCE_MASK))[SOURCE_MASK] for x in (source, changed)]
    np.testing.assert_array_equal(*outputs)
    outputs = [array(block(target, x, value_mask=SOURCE_MASK)) for x in (source, changed)]
    np.testing.assert_array_equal(*outputs)


def test_implicit_masks_equal_explicit_ones_and_an_explicit_one_wins():
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    source, target = embedding(np.where(SOURCE_MASK, 5, 0)), embedding(np.where(TARGET_MASK, 6, 0))
    encoder, block = TransformerEncoderBlock(2, 16), decoder()
    np.testing.assert_allclose(array(encoder(source)), array(encoder(array(source), query_mask=SOURCE_MASK)), atol=1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(encoder(source)._keras_mask), SOURCE_MASK)
    explicit = block(array(target), array(source), query_mask=TARGET_MASK, value_mask=SOURCE_MASK)
    np.testing.assert_allclose(array(block(target, source)), array(explicit), atol=1e-6)
    everything = {"query_mask": np.ones_like(TARGET_MASK), "value_mask": np.ones_like(SOURCE_MASK)}
    np.testing.assert_allclose(
        array(block(target, source, **everything)), array(block(array(target), array(source))), atol=1e-6
    )


def test_a_token_with_nothing_to_attend_to_keeps_its_residual():
    x = normal(2, 5, 8)
    block = TransformerEncoderBlock(2, 16, normalize_first=True)
    block.build(x.shape)
    block.feed_forward_out.kernel.assign(np.zeros((16, 8)))
    output, scores = block(x, query_mask=SOURCE_MASK, return_attention_scores=True)
    np.testing.assert_allclose(array(output)[0, 4], x[0, 4], atol=1e-6)
    assert not array(scores)[0, :, 4].any()


def test_dropout_acts_on_the_residual_branches_in_training_alone():
    x = normal(2, 5, 8)
    block = TransformerEncoderBlock(2, 16, dropout=1 - 1e-7, normalize_first=True)
    np.testing.assert_allclose(array(block(x, training=True)), x, atol=1e-6)  # all updates are dropped
    assert np.abs(array(block(x)) - x).max() > 0.1


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("block_class", [TransformerEncoderBlock, TransformerDecoderBlock])
def test_symbolic_calls_tell_the_shapes_and_dtypes_of_real_calls(policy, block_class):
    block = block_class(2, 16, dtype=policy)
    inputs = [normal(2, 4, 8), normal(2, 5, 8)] if block_class is TransformerDecoderBlock else [normal(2, 4, 8)]
    options = [{}, {"return_attention_scores": True}]
    block(*inputs)
    if block_class is TransformerDecoderBlock:
        for cache in (block.empty_cache(2), block.empty_cache(2, max_length=6)):
            options.append({"cache": {"self": cache}, "return_attention_scores": True})
    for option in options:
        real = block(*inputs, **option)
        symbolic = block.compute_output_spec(*[keras.KerasTensor(x.shape) for x in inputs], **option)
        assert shapes(real) == shapes(symbolic)
        dtypes = [
            keras.tree.map_structure(lambda t: keras.backend.standardize_dtype(t.dtype), n) for n in (real, symbolic)
        ]
        assert dtypes[0] == dtypes[1]
    assert block.compute_output_shape(*[x.shape for x in inputs]) == (2, 4, 8)
    assert np.isfinite(array(block(*inputs))).all()


@pytest.mark.parametrize("block_class", [TransformerEncoderBlock, TransformerDecoderBlock])
def test_config_holds_every_argument_and_rebuilds_the_block(block_class):
    arguments = dict(
        num_heads=4,
        intermediate_dim=9,
        dropout=0.2,
        attention_dropout=0.3,
        normalize_first=True,
        layer_norm_epsilon=1e-5,
    )
    block = block_class(**arguments, activation="gelu")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(block))
    assert {name: getattr(twin, name) for name in arguments} == arguments
    assert twin.activation is keras.activations.gelu
    assert twin.get_config() == block.get_config()


def test_saved_in_a_functional_model_they_answer_as_before(tmp_path):
    source, target = keras.Input((None, 8)), keras.Input((None, 8))
    memory, encoder_scores = TransformerEncoderBlock(2, 16, dropout=0.1)(source, return_attention_scores=True)
    output, scores = TransformerDecoderBlock(2, 16, normalize_first=True)(target, memory, return_attention_scores=True)
    model = keras.Model([source, target], [output, encoder_scores, scores["cross"]])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = [normal(2, 5, 8), normal(2, 4, 8, seed=1)]
    for before, after in zip(model(inputs), loaded(inputs)):
        np.testing.assert_array_equal(array(before), array(after))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="takes gradients with a tape, compiles a tf.function"
)
def test_compiled_by_xla_every_weight_has_a_finite_gradient():
    import tensorflow as tf

    encoder, block = TransformerEncoderBlock(2, 16, dropout=0.1), decoder(attention_dropout=0.1)
    source, target = normal(2, 5, 8), normal(2, 4, 8, seed=1)
    encoder.build(source.shape)
    weights = encoder.trainable_variables + block.trainable_variables

    def gradients(training):
        with tf.GradientTape() as tape:
            output = block(target, encoder(source, query_mask=SOURCE_MASK, training=training), training=training)
            loss = tf.reduce_sum(output**2 * np.arange(8))
        return tape.gradient(loss, [w.value for w in weights])

    assert len(weights) == 16 + 26
    assert all(g is not None and np.isfinite(array(g)).all() for g in gradients(True))
    compiled = tf.function(lambda: gradients(False), jit_compile=True)()
    for eager, fast in zip(gradients(False), compiled):
        np.testing.assert_allclose(array(eager), array(fast), rtol=1e-3, atol=1e-3)


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="multiple of num_heads=3.*8"):
        TransformerEncoderBlock(3, 16)(normal(2, 5, 8))
    with pytest.raises(ValueError, match="intermediate_dim=0"):
        TransformerDecoderBlock(2, 0)
