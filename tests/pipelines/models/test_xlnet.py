"""XLNet: a block written with NumPy, the sizes, orders of prediction and memory."""

import keras
import numpy as np
import pytest
from fitting import compile_built
from numpy_layers import gelu, normalised
from unmade import without_values

from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.models.xlnet import XLNET_SIZES, XLNetEncoder

TINY = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
TOKENS = np.array([[7, 6, 8, 9], [9, 3, 4, 8]])
PERMUTATION = np.array([[[0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 1], [1, 1, 0, 0]]], bool)  # order: 1, 0, 3, 2


def make(seed=1, deviation=None, **options):
    """Returns a model; with `deviation`, its weights are far enough from 0 that differences show."""
    keras.utils.set_random_seed(seed)
    model = XLNetEncoder(20, **(TINY | options))
    model.build()
    random = np.random.default_rng(seed)
    for path, variable in variables_by_path(model).items():
        if deviation is not None and "seed" not in path:
            variable.assign(random.normal(float("gamma" in path), deviation, variable.shape))
    return model


def test_one_layer_is_the_equations_of_the_paper():
    model = make(num_layers=1, deviation=0.5)
    weights = {path: np.array(variable) for path, variable in variables_by_path(model).items() if "seed" not in path}
    tokens, segments, targets = TOKENS[0], np.array([0, 0, 1, 1]), [3, 2]
    inputs = {"tokens": tokens, "segments": segments, "targets": np.array(targets)}
    inputs = {name: value[None] for name, value in inputs.items()} | {"permutation_mask": PERMUTATION}
    outputs, scores = model(inputs, return_attention_scores=True)

    def part(name, *ends):
        return [weights[f"encoder_0/{name}/{end}"] for end in ends]

    content = weights["tokens/embeddings"][tokens]  # (T, D)
    kernels = {n: part(f"self_attention/{n}", "kernel")[0] for n in ("query", "key", "value", "position")}
    names = ("content_bias", "position_bias", "segment_bias", "segment_embedding")
    r_w, r_r, r_s, segment_vectors = part("self_attention", *names)

    def layer(stream, places, allowed):
        query = np.einsum("nd,dhe->nhe", stream, kernels["query"])
        key, value = (np.einsum("td,dhe->the", content, kernels[n]) for n in ("key", "value"))
        logits = np.full((2, len(places), 4), -np.inf)
        for h, i, j in np.ndindex(logits.shape):
            if allowed[i, j]:
                angles = (places[i] - j) * 10000.0 ** (-2 * np.arange(4) / 8)
                position = np.concatenate([np.sin(angles), np.cos(angles)]) @ kernels["position"][:, h]
                segment = segment_vectors[int(segments[places[i]] != segments[j]), h]
                q = query[i, h]
                logits[h, i, j] = ((q + r_w[h]) @ key[j, h] + (q + r_r[h]) @ position + (q + r_s[h]) @ segment) / 2
        attention = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        kernel = part("self_attention/attention_output", "kernel")[0]
        features = stream + np.einsum("hts,she,hed->td", attention, value, kernel)
        features = normalised(features, *part("self_attention_norm", "gamma", "beta"))
        kernel, bias = part("feed_forward_in", "kernel", "bias")
        inner = gelu(features @ kernel + bias)
        kernel, bias = part("feed_forward_out", "kernel", "bias")
        features = normalised(features + inner @ kernel + bias, *part("feed_forward_norm", "gamma", "beta"))
        return features, attention

    states, attention = layer(content, [0, 1, 2, 3], PERMUTATION[0] | np.eye(4, dtype=bool))
    start = np.tile(weights["target_embedding"][0], (2, 1))
    predicted, target_attention = layer(start, targets, PERMUTATION[0][targets])
    np.testing.assert_allclose(scores["encoder/1"][0], attention, atol=1e-5)
    np.testing.assert_allclose(scores["encoder/1/query"][0], target_attention, atol=1e-5)
    np.testing.assert_allclose(outputs["states"][0], states, atol=1e-4)
    np.testing.assert_allclose(outputs["target_states"][0], predicted, atol=1e-4)
    logits = predicted @ weights["tokens/embeddings"].T + weights["bias"]
    np.testing.assert_allclose(outputs["logits"][0], logits, atol=1e-4)


@pytest.mark.parametrize("size, count", [("base", 116_718_336), ("large", 360_268_800)])
def test_the_named_sizes_have_the_parameters_of_the_published_models(size, count):
    with without_values():
        model = XLNetEncoder(32000, **XLNET_SIZES[size], output_bias=False)
        model.build()
        assert model.count_params() == count


def test_a_token_depends_on_those_before_it_in_the_order_alone():
    model = make(deviation=0.5)
    everywhere = np.array([[0, 1, 2, 3]])
    inputs = {"tokens": TOKENS[:1], "permutation_mask": PERMUTATION, "targets": everywhere}
    before = model(inputs)
    order = [1, 0, 3, 2]
    for place, changed in enumerate(order):
        tokens = TOKENS[:1].copy()
        tokens[0, changed] = 15
        after = model(inputs | {"tokens": tokens})
        for later, token in enumerate(order):
            content = np.abs(np.array(after["states"] - before["states"]))[0, token].max()
            predicted = np.abs(np.array(after["logits"] - before["logits"]))[0, token].max()
            assert (content > 1e-4) == (later >= place), (changed, token)
            assert (predicted > 1e-4) == (later > place), (changed, token)


def test_targets_may_be_one_hot():
    model = make(deviation=0.5)
    targets = np.array([[3, 1], [0, 2]])
    expected = model({"tokens": TOKENS, "targets": targets})["logits"]
    one_hot = model({"tokens": TOKENS, "targets": np.eye(4, dtype="float32")[targets]})["logits"]
    np.testing.assert_array_equal(one_hot, expected)


def test_the_content_stream_is_the_same_with_and_without_targets():
    model = make(deviation=0.5)
    inputs = {"tokens": TOKENS, "permutation_mask": np.repeat(PERMUTATION, 2, axis=0)}
    alone = model(inputs)
    assert set(alone) == {"states"}
    both = model(inputs | {"targets": np.array([[1], [2]])})
    np.testing.assert_allclose(both["states"], alone["states"], atol=1e-6)


def test_a_causal_order_with_a_memory_equals_the_whole_text():
    """With a memory of all layers, the second half of a text is read as after the first."""
    model = make(deviation=0.5, memory_length=8)

    def read(tokens, memory):
        length = tokens.shape[1]
        order = np.tile(np.tri(length, dtype=bool), (2, 1, 1))
        return model({"tokens": tokens, "permutation_mask": order} | memory)

    whole = read(np.concatenate([TOKENS, TOKENS[:, ::-1]], axis=1), {})
    first = read(TOKENS, {})
    memory = {name: first[name] for name in ("memory", "memory_mask")}
    second = read(TOKENS[:, ::-1], memory)
    np.testing.assert_allclose(second["states"], whole["states"][:, 4:], atol=1e-5)
    np.testing.assert_allclose(second["memory"], whole["memory"], atol=1e-5)
    assert np.array(second["memory_mask"]).all() and second["memory"].shape == (2, 2, 8, 8)


def test_a_memory_keeps_its_last_tokens_and_hides_padding():
    model = make(deviation=0.5, memory_length=5, reuse_length=3)
    tokens = np.array([[7, 6, 8, 9], [5, 5, 4, 8]])  # 5 is padding
    first = model({"tokens": tokens})
    assert np.array(first["memory_mask"]).tolist() == [[True] * 3, [False, False, True]]
    memory = {name: first[name] for name in ("memory", "memory_mask")}
    second, scores = model({"tokens": TOKENS} | memory, return_attention_scores=True)
    assert not np.array(scores["encoder/2"])[1, ..., :2].any()
    assert np.array(second["memory_mask"]).tolist() == [[True] * 5, [False, True, True, True, True]]
    np.testing.assert_array_equal(second["memory"][:, :, :2], first["memory"][:, :, 1:])


def test_a_memory_has_no_gradient():
    import tensorflow as tf

    model = make(deviation=0.5, memory_length=4)
    memory = tf.constant(np.random.default_rng(0).normal(size=(2, 2, 4, 8)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(memory)
        outputs = model({"tokens": TOKENS, "memory": memory})
        loss = tf.reduce_sum(outputs["states"] ** 3)
    assert tape.gradient(loss, memory) is None


@pytest.mark.parametrize("left", [False, True])
def test_padding_on_either_side_changes_nothing(left):
    model = make(deviation=0.5)
    alone = np.array(model({"tokens": TOKENS[:1]})["states"])[0]
    tokens = np.array([[5, 5, *TOKENS[0]] if left else [*TOKENS[0], 5, 5]])
    states = np.array(model({"tokens": tokens})["states"])[0]
    np.testing.assert_allclose(states[2:] if left else states[:4], alone, atol=1e-5)
    other = {"tokens": np.where(tokens == 5, 17, tokens), "mask": tokens != 5}
    states = np.array(model(other)["states"])[0]
    np.testing.assert_allclose(states[2:] if left else states[:4], alone, atol=1e-5)


def test_no_scores_are_computed_unless_asked_for(monkeypatch):
    model, asked = make(), []
    for block in model.blocks:
        call = block.call

        def noted(*args, call=call, **options):
            asked.append(options["return_attention_scores"])
            return call(*args, **options)

        monkeypatch.setattr(block, "call", noted)
    plain = model({"tokens": TOKENS})
    assert asked == [False] * 2
    outputs, scores = model({"tokens": TOKENS}, return_attention_scores=True)
    assert asked[2:] == [True] * 2 and list(scores) == ["encoder/1", "encoder/2"]
    np.testing.assert_allclose(outputs["states"], plain["states"], atol=1e-6)


def test_a_saved_encoder_answers_as_before(tmp_path):
    model = make(deviation=0.5, memory_length=3, clamp_length=2, activation="gelu_tanh")
    inputs = {"tokens": TOKENS, "targets": np.array([[1], [2]])}
    expected = model(inputs)
    model.save(tmp_path / "xlnet.keras")
    again = keras.saving.load_model(tmp_path / "xlnet.keras")
    assert again.get_config() == model.get_config()
    for name, value in again(inputs).items():
        np.testing.assert_array_equal(value, expected[name])


def test_mixed_precision_keeps_attention_and_logits_in_float32():
    model = make(dtype="mixed_bfloat16", memory_length=3)
    inputs = {"tokens": TOKENS, "targets": np.array([[1], [2]]), "segments": TOKENS % 2}
    outputs, scores = model(inputs, return_attention_scores=True)
    assert outputs["states"].dtype == outputs["memory"].dtype == "bfloat16" and outputs["logits"].dtype == "float32"
    assert {value.dtype.name for value in scores.values()} == {"float32"}


def test_it_learns_orders_of_prediction_with_compile_and_fit():
    import tensorflow as tf

    from attention_zoo.pipelines.engine.text.permutations import permutation_masks

    model = make(dropout=0.0, attention_dropout=0.0, num_layers=1, hidden_dim=16)
    starts = np.random.default_rng(1).integers(0, 6, (64, 1))
    texts = (6 + (starts + np.arange(12)) % 6).astype("int32")  # every token follows from any other

    def example(tokens, seed):
        found = permutation_masks(tf.ones_like(tokens, tf.bool), tf.stack([seed, 0]))
        labels = tf.gather(tokens, found["targets"], batch_dims=1)
        inputs = {"tokens": tokens, "permutation_mask": found["permutation_mask"], "targets": found["targets"]}
        return inputs, {"logits": labels}, {"logits": found["weights"]}

    data = tf.data.Dataset.from_tensor_slices(texts).batch(16, drop_remainder=True).repeat(60)
    data = tf.data.Dataset.zip(data, tf.data.Dataset.counter()).map(example)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compile_built(model, keras.optimizers.Adam(0.01), loss={"logits": loss}, jit_compile=False)
    history = model.fit(data, epochs=4, steps_per_epoch=60, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_an_unknown_text_token_is_refused():
    with pytest.raises(ValueError, match='`text_token` must be "first" or "last". Received: text_token=\'cls\''):
        make(text_token="cls")
