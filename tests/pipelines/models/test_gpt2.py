"""GPT-2: a block written with NumPy, the paper's sizes, prompts and steps and packed rows."""

import math
from functools import partial

import keras
import numpy as np
import numpy_layers
import pytest
from fitting import compile_built
from unmade import without_values

from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.models.gpt2 import GPT2_SIZES, GPT2Decoder

TINY = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 16}
TOKENS = np.array([[5, 6, 7, 8, 9], [9, 5, 4, 3, 7]])


def make(seed=1, deviation=None, **options):
    """Returns a model; with `deviation`, its weights are far enough from 0 that differences show."""
    keras.utils.set_random_seed(seed)
    model = GPT2Decoder(20, **(TINY | options))
    model.build()
    random = np.random.default_rng(seed)
    for path, variable in variables_by_path(model).items():
        if deviation is not None and "seed" not in path:
            variable.assign(random.normal(float("gamma" in path), deviation, variable.shape))
    return model


normalised = partial(numpy_layers.normalised, epsilon=1e-5)


def gelu(features):
    return features * (1 + np.tanh(math.sqrt(2 / math.pi) * (features + 0.044715 * features**3))) / 2


def test_one_layer_is_the_equations_of_the_paper():
    model = make(num_layers=1, deviation=0.5)
    weights = {path: np.array(variable) for path, variable in variables_by_path(model).items() if "seed" not in path}
    tokens = np.array([[3, 4, 5]])
    outputs, scores = model({"tokens": tokens}, return_attention_scores=True)

    def part(name, *ends):
        return [weights[f"{name}/{end}"] for end in ends]

    features = weights["tokens/embeddings"][tokens[0]] + weights["positions/embeddings"][:3]  # (T, D)
    entered = normalised(features, *part("decoder_0/self_attention_norm", "gamma", "beta"))
    query, key, value = (
        np.einsum("td,dhe->hte", entered, weights[f"decoder_0/self_attention/{name}/kernel"])
        + weights[f"decoder_0/self_attention/{name}/bias"][:, None]
        for name in ("query", "key", "value")
    )
    logits = np.einsum("hte,hse->hts", query, key) / math.sqrt(4)
    logits = np.where(np.tri(3), logits, -np.inf)
    attention = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    kernel, bias = part("decoder_0/self_attention/attention_output", "kernel", "bias")
    features = features + np.einsum("hts,hse,hed->td", attention, value, kernel) + bias
    entered = normalised(features, *part("decoder_0/feed_forward_norm", "gamma", "beta"))
    kernel, bias = part("decoder_0/feed_forward_in", "kernel", "bias")
    inner = gelu(entered @ kernel + bias)
    kernel, bias = part("decoder_0/feed_forward_out", "kernel", "bias")
    states = normalised(features + inner @ kernel + bias, *part("norm", "gamma", "beta"))
    np.testing.assert_allclose(scores["decoder/1"][0], attention, atol=1e-5)
    np.testing.assert_allclose(outputs["states"][0], states, atol=1e-4)
    np.testing.assert_allclose(outputs["logits"][0], states @ weights["tokens/embeddings"].T, atol=1e-4)


@pytest.mark.parametrize(
    "size, count", [("small", 124_439_808), ("medium", 354_823_168), ("large", 774_030_080), ("xl", 1_557_611_200)]
)
def test_the_named_sizes_have_the_parameters_of_the_published_models(size, count):
    with without_values():
        model = GPT2Decoder(50257, **GPT2_SIZES[size])
        model.build()
        assert model.count_params() == count


def test_weights_start_as_in_the_paper():
    model = make(num_layers=8, hidden_dim=64, intermediate_dim=128, max_length=100)
    for path, variable in variables_by_path(model).items():
        if path.endswith(("kernel", "embeddings")):
            onto_residual = "attention_output" in path or "feed_forward_out" in path
            expected = 0.01 if path.startswith("positions") else 0.02 / math.sqrt(16) if onto_residual else 0.02
            assert np.array(variable).std() == pytest.approx(expected, rel=0.06), path


def written_step_by_step(model, tokens, lengths, memory, logits=None):
    """Logits after each token from the end of the prompts on, and the scores of the steps."""
    state, all_logits, all_scores = model.start(memory), [] if logits is None else [logits], []
    for number in range(tokens.shape[1] - max(lengths)):
        token = np.array([row[length + number] for row, length in zip(tokens, lengths)], "int32")
        logits, state, scores = model.step(token, state, memory)
        all_logits.append(logits)
        all_scores.append(scores)
    return np.stack(all_logits, axis=1), all_scores


@pytest.mark.parametrize("lengths", [(1, 1), (3, 3), (2, 4), (4, 1)])
def test_steps_after_prompts_equal_all_at_once(lengths):
    model = make(deviation=0.5)
    outputs, scores = model({"tokens": TOKENS}, return_attention_scores=True)
    prompts = np.where(np.arange(max(lengths)) < np.array(lengths)[:, None], TOKENS[:, : max(lengths)], 19)
    logits, memory = model.prefill(prompts, np.array(lengths))
    received, steps = written_step_by_step(model, TOKENS, lengths, memory, logits)
    for row, length in enumerate(lengths):
        expected = np.array(outputs["logits"])[row, length - 1 :][: received.shape[1]]
        np.testing.assert_allclose(received[row], expected, atol=1e-4)
        for number, step in enumerate(steps):
            weights = np.array(step["decoder/2"])[row]  # prompt with its padding, then what was written
            assert not weights[:, length : prompts.shape[1]].any()
            weights = np.delete(weights, range(length, prompts.shape[1]), axis=-1)
            expected = np.array(scores["decoder/2"])[row, :, length + number, : length + number + 1]
            np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_hypotheses_of_a_prompt_share_its_memory():
    model = make(deviation=0.5)
    prompts, lengths = TOKENS[:, :3], np.array([3, 2])
    _, memory = model.prefill(prompts, lengths)
    _, copied = model.prefill(np.repeat(prompts, 3, axis=0), np.repeat(lengths, 3))
    state = keras.tree.map_structure(lambda tensor: keras.ops.repeat(tensor, 3, axis=0), model.start(memory))
    own = model.start(copied)
    for tokens in ([2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9]):
        logits, state, scores = model.step(np.array(tokens), state, memory)
        expected, own, expected_scores = model.step(np.array(tokens), own, copied)
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        np.testing.assert_allclose(scores["decoder/1"], expected_scores["decoder/1"], atol=1e-5)


def likeliest_continuation(model, prompt, count):
    tokens = list(prompt)
    for _ in range(count):
        logits = np.array(model({"tokens": np.array([tokens])})["logits"])[0, -1]
        logits[:3] = -np.inf  # padding, unknown and begin of sentence are never written
        tokens.append(int(logits.argmax()))
        if tokens[-1] == 3:
            break
    return [token for token in tokens[len(prompt) :] if token != 3]


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_search_continues_prompts_of_unequal_lengths(beam_size):
    import tensorflow as tf

    from attention_zoo.pipelines.engine.decoding.search import decode
    from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings

    model = make(deviation=0.5, seed=4)
    prompts = [[5, 6, 7, 8], [9, 4], [2]]

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)])
    def search(tokens, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        limits = tf.fill([tf.shape(tokens)[0]], 5)
        return decode(model, {"tokens": tokens, "mask": mask}, DecodingSettings(beam_size=beam_size), limits)

    padded = np.array([prompt + [19] * (4 - len(prompt)) for prompt in prompts], "int32")
    found = search(padded, np.array([4, 2, 1], "int32"))
    alone = [search(np.array([prompt], "int32"), np.array([len(prompt)], "int32")) for prompt in prompts]
    for row, prompt in enumerate(prompts):
        answer = found["tokens"][row, 0, : found["lengths"][row, 0]].numpy().tolist()
        assert answer == alone[row]["tokens"][0, 0].numpy().tolist()
        np.testing.assert_allclose(found["scores"][row], alone[row]["scores"][0], atol=1e-4)
        if beam_size == 1:
            assert answer == likeliest_continuation(model, prompt, 5)


def test_an_empty_prompt_begins_with_the_token_of_the_search():
    model = make(deviation=0.5)
    memory = model.encode({"tokens": np.array([[7, 7], [5, 6]]), "mask": np.array([[False, False], [True, True]])})
    logits, _, _ = model.step(np.array([2, 2]), model.start(memory), memory)
    for row, tokens in enumerate(([2], [5, 6])):
        expected = model({"tokens": np.array([tokens])})["logits"][0, -1]
        np.testing.assert_allclose(logits[row], expected, atol=1e-5)


def test_packed_texts_are_read_as_if_alone():
    model = make(deviation=0.5)
    first, second = [5, 6, 7], [8, 9, 4, 3]
    packed = {"tokens": np.array([first + second]), "segments": np.array([[1] * 3 + [2] * 4])}
    alone = [np.array(model({"tokens": np.array([text])})["states"])[0] for text in (first, second)]
    np.testing.assert_allclose(model(packed)["states"][0], np.concatenate(alone), atol=1e-5)
    padded = packed | {"mask": np.array([[True] * 6 + [False]])}
    np.testing.assert_allclose(model(padded)["states"][0, :6], np.concatenate(alone)[:6], atol=1e-5)


def test_padding_on_either_side_changes_nothing():
    model = make(deviation=0.5)
    alone = np.array(model({"tokens": np.array([[5, 6, 7]])})["states"])[0]
    left = {"tokens": np.array([[0, 0, 5, 6, 7]]), "mask": np.array([[0, 0, 1, 1, 1]], bool)}
    right = {"tokens": np.array([[5, 6, 7, 0, 0]]), "mask": np.array([[1, 1, 1, 0, 0]], bool)}
    np.testing.assert_allclose(model(left)["states"][0, 2:], alone, atol=1e-5)
    np.testing.assert_allclose(model(right)["states"][0, :3], alone, atol=1e-5)


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
    assert asked[2:] == [True] * 2 and list(scores) == ["decoder/1", "decoder/2"]
    np.testing.assert_allclose(outputs["logits"], plain["logits"], atol=1e-5)


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(ValueError, match="expected at most max_length=16 tokens. Received: 17"):
        make()({"tokens": np.full((1, 17), 5)})


def test_a_saved_model_answers_as_before(tmp_path):
    model = make(deviation=0.5, activation="gelu")
    model({"tokens": TOKENS})
    model.save(tmp_path / "gpt2.keras")
    again = keras.saving.load_model(tmp_path / "gpt2.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again({"tokens": TOKENS})["logits"], model({"tokens": TOKENS})["logits"])


def test_mixed_precision_keeps_scores_and_logits_in_float32():
    model = make(dtype="mixed_bfloat16")
    outputs, scores = model({"tokens": TOKENS}, return_attention_scores=True)
    logits, memory = model.prefill(TOKENS)
    step, _, _ = model.step(np.array([5, 6]), model.start(memory), memory)
    assert outputs["states"].dtype == "bfloat16"
    assert {str(tensor.dtype.name) for tensor in (outputs["logits"], scores["decoder/1"], logits, step)} == {"float32"}


def test_it_learns_with_compile_and_fit():
    model = make(dropout=0.0, attention_dropout=0.0)
    texts = np.tile([[5, 6, 7, 8, 9, 5, 6, 7]], (16, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compile_built(model, keras.optimizers.Adam(0.01), loss={"logits": loss}, jit_compile=False)
    history = model.fit({"tokens": texts[:, :-1]}, {"logits": texts[:, 1:]}, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
