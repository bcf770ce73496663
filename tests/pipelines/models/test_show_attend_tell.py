"""Show, attend and tell: its equations, its losses, and that it writes step by step what it says at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitting import compile_built
from keras import ops

from attention_zoo.pipelines.models import ShowAttendTell
from attention_zoo.pipelines.models.parts.image_encoder import ImageEncoder

RNG = np.random.default_rng(0)
INPUTS = {
    "image": RNG.integers(0, 255, (2, 24, 16, 3)).astype("uint8"),
    "target": np.array([[2, 5, 7, 6], [2, 4, 0, 0]], "int32"),
}


def make(attention="soft", **options):
    keras.utils.set_random_seed(1)
    sizes = {"image_size": (24, 16), "embedding_dim": 6, "units": 5, "attention_units": 4}
    model = ShowAttendTell(9, attention=attention, **(sizes | options))
    model(INPUTS)
    return model


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_equations_by_numpy():
    model = make()
    weights = {weight.path.split("/", 1)[1]: weight.numpy() for weight in model.weights if "encoder" not in weight.path}
    a = model.encoder(INPUTS["image"]).numpy().astype("float64")  # (B, L, D)
    names = ("first_output", "first_carry", "hidden", "projection")
    dense = {name: (weights[f"{name}/kernel"], weights[f"{name}/bias"]) for name in names}
    attention, cell = "decoder/attention", "decoder/cell"
    h, c = (np.tanh(a.mean(1) @ dense[name][0] + dense[name][1]) for name in ("first_output", "first_carry"))
    logits, scores = model(INPUTS, return_attention_scores=True)
    score = next(path.rsplit("/", 1)[0] for path in weights if path.endswith("query_kernel"))
    for step in range(4):
        y = weights["embedding/embeddings"][INPUTS["target"][:, step]]
        hidden = np.tanh((h @ weights[f"{score}/query_kernel"])[:, None] + a @ weights[f"{score}/key_kernel"])
        e = hidden @ weights[f"{score}/vector"]
        alpha = np.exp(e) / np.exp(e).sum(-1, keepdims=True)
        beta = sigmoid(h @ weights[f"{attention}/gate_kernel"] + weights[f"{attention}/gate_bias"])
        z = beta * np.einsum("bl,bld->bd", alpha, a)
        gates = np.concatenate([y, z], -1) @ weights[f"{cell}/kernel"] + h @ weights[f"{cell}/recurrent_kernel"]
        gates += weights[f"{cell}/bias"]
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        deep = np.tanh(y + np.concatenate([h, z], -1) @ dense["hidden"][0] + dense["hidden"][1])
        np.testing.assert_allclose(
            logits[:, step], deep @ dense["projection"][0] + dense["projection"][1], rtol=2e-4, atol=2e-5
        )
        np.testing.assert_allclose(scores["decoder/cross"][:, step], alpha, rtol=2e-4, atol=1e-6)


KINDS = [("soft", "expectation"), ("hard", "expectation"), ("hard", "argmax"), ("mean", "expectation")]


@pytest.mark.parametrize("attention, inference", KINDS)
def test_steps_write_what_the_whole_call_says(attention, inference):
    model = make(attention, inference=inference)
    logits, scores = model(INPUTS, return_attention_scores=True)
    memory = model.encode({"image": INPUTS["image"]})
    state = model.start(memory)
    for step in range(4):
        step_logits, state, step_scores = model.step(INPUTS["target"][:, step], state, memory)
        np.testing.assert_allclose(step_logits, logits[:, step], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.alignment(step_scores), scores["decoder/cross"][:, step], rtol=1e-4, atol=1e-6)


def test_the_mean_pooled_model_looks_everywhere_alike():
    scores = make("mean")(INPUTS, return_attention_scores=True)[1]
    np.testing.assert_allclose(scores["decoder/cross"], np.full((2, 4, 6), 1 / 6), rtol=1e-6)


def test_hard_attention_samples_in_training_alone():
    model = make("hard", dropout=0.0)
    assert "decoder/sample" not in model(INPUTS, return_attention_scores=True)[1]
    seen = [model(INPUTS, training=True, return_attention_scores=True)[1]["decoder/sample"].numpy() for _ in range(12)]
    sums = {sums for samples in seen for row in samples.sum(-1) for sums in [tuple(row)]}
    assert sums == {(1.0,) * 4, (0.0,) * 4}, "an example samples all its words or none"
    assert any((one != other).any() for one, other in zip(seen, seen[1:]))


def test_the_doubly_stochastic_penalty_by_hand():
    weights = np.array([[[1.0, 0.0], [0.5, 0.5], [9.0, 9.0]]], "float32")  # the last word is padding
    loss = make().attention_loss({"decoder/cross": weights}, np.array([[1, 1, 0]]), doubly_stochastic=2.0)
    np.testing.assert_allclose(loss, [2 * ((1 - 1.5) ** 2 + (1 - 0.5) ** 2)])


def test_the_baseline_moves_a_tenth_of_the_way_and_is_saved(tmp_path):
    model = make("hard")
    _, scores = model(INPUTS, training=True, return_attention_scores=True)
    for expected in (-1.0, -1.9):
        model.attention_loss(scores, INPUTS["target"] != 0, ops.convert_to_tensor([-8.0, -12.0]))
        assert float(model.baseline.numpy()) == pytest.approx(expected, rel=1e-6)
    assert not model.baseline.trainable
    model.save(tmp_path / "model.keras")
    assert float(keras.models.load_model(tmp_path / "model.keras").baseline.numpy()) == pytest.approx(-1.9, rel=1e-6)


def test_no_captions_leave_the_baseline_as_it_is():
    model = make("hard")
    _, scores = model(INPUTS, training=True, return_attention_scores=True)
    scores = {name: tensor[:0] for name, tensor in scores.items()}
    model.attention_loss(scores, INPUTS["target"][:0] != 0, ops.zeros((0,)))
    assert float(model.baseline.numpy()) == 0.0


def test_what_earned_more_than_the_baseline_becomes_likelier():
    model = make("hard", dropout=0.0)
    score = next(weight for weight in model.trainable_weights if weight.path.endswith("/vector"))
    with tf.GradientTape(persistent=True) as tape:
        _, scores = model(INPUTS, training=True, return_attention_scores=True)
        weights = scores["decoder/cross"]
        samples = tf.one_hot(tf.zeros([2, 4], tf.int32), 6)
        scores = {"decoder/cross": weights, "decoder/sample": samples}
        scales = {"doubly_stochastic": 0.0, "entropy_scale": 0.0}
        loss = tf.reduce_sum(model.attention_loss(scores, np.ones((2, 4)), tf.constant([3.0, 3.0]), **scales))
        log_probability = tf.reduce_sum(tf.math.log(weights[..., 0]))
    np.testing.assert_allclose(
        tape.gradient(loss, score), -0.1 * 3.0 * tape.gradient(log_probability, score), rtol=1e-4
    )


@pytest.mark.parametrize("attention", ["soft", "hard", "mean"])
def test_a_saved_model_answers_the_same_after_loading(attention, tmp_path):
    model = make(attention)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "model.keras")(INPUTS), model(INPUTS), rtol=1e-5, atol=1e-6
    )


def test_it_trains_with_compile_and_fit():
    model = make(dropout=0.0)
    compile_built(
        model, keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    )
    labels = np.array([[5, 7, 6, 3], [4, 3, 0, 0]])
    history = model.fit(INPUTS, labels, epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0] / 3


def test_the_small_encoder_annotates_an_eighth_of_the_image_with_places():
    encoder = ImageEncoder((24, 16))
    annotations = encoder(np.zeros((1, 24, 16, 3), "float32")).numpy()
    assert encoder.grid == (3, 2) and annotations.shape == (1, 6, 130)
    np.testing.assert_array_equal(annotations[0, :, -2:], [[-1, -1], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 1]])


def test_a_backbone_by_name_loses_its_last_pooling_and_may_be_frozen():
    encoder = ImageEncoder((32, 32), backbone="VGG16", frozen=True)
    assert encoder.grid == (2, 2) and encoder.compute_output_shape((None, 32, 32, 3)) == (None, 4, 514)
    assert not encoder.trainable_weights
    with pytest.raises(ValueError, match="`backbone` must be 'small' or a class"):
        ImageEncoder((32, 32), backbone="vgg16")


def test_an_unknown_attention_is_refused():
    with pytest.raises(ValueError, match="`attention` must be one of"):
        ShowAttendTell(9, attention="sharp")
