"""The four recurrent translators: the model contract, their papers' equations and sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitting import compile_built
from keras import ops

from attention_zoo.pipelines.models import BahdanauTranslator, LuongTranslator, RecurrentEncoderDecoder, StackedSeq2Seq
from attention_zoo.pipelines.models.parts.gru_cell import GRUCell
from attention_zoo.pipelines.models.parts.stacked_lstm import StackedLSTM

VS, VT, E, U = 30, 40, 6, 8
SMALL = {"embedding_dim": E, "units": U, "dropout": 0.0}
SOURCE = np.array([[5, 6, 7, 8, 3], [9, 4, 3, 0, 0], [3, 0, 0, 0, 0]], "int32")
TARGET = np.array([[2, 5, 6, 7], [2, 8, 0, 0], [2, 9, 4, 0]], "int32")
MODELS = {
    "rnn": lambda **o: RecurrentEncoderDecoder(VS, VT, **(SMALL | o)),
    "seq2seq": lambda **o: StackedSeq2Seq(VS, VT, num_layers=3, **(SMALL | o)),
    "bahdanau": lambda **o: BahdanauTranslator(VS, VT, **(SMALL | o)),
    "bahdanau deep": lambda **o: BahdanauTranslator(VS, VT, output="deep", **(SMALL | o)),
    **{
        f"luong {score} {window} {'feeding' if feed else ''}": lambda score=score, window=window, feed=feed, **o: (
            LuongTranslator(
                VS, VT, num_layers=2, score=score, window=window, window_size=2, input_feeding=feed, **(SMALL | o)
            )
        )
        for score, window, feed in (
            ("dot", None, True),
            ("general", None, False),
            ("concat", "monotonic", True),
            ("location", None, True),
            ("location", "monotonic", False),
            ("general", "predictive", True),
            ("dot", "predictive", False),
        )
    },
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
one_of_each = pytest.mark.parametrize("name", ["rnn", "seq2seq", "bahdanau", "luong general predictive feeding"])


def seeded(make, **options):
    keras.utils.set_random_seed(1)
    return make(**options)


def call(model, source=SOURCE, target=TARGET, **options):
    return model({"source": ops.convert_to_tensor(source), "target": ops.convert_to_tensor(target)}, **options)


@every_model
def test_step_by_step_equals_teacher_forcing(make):
    model = seeded(make)
    memory = model.encode({"source": ops.convert_to_tensor(SOURCE)})  # before any call: encode builds
    logits, scores = call(model, return_attention_scores=True)
    assert logits.dtype == "float32" and logits.shape == (3, 4, VT)
    state = model.start(memory)
    for tensor in keras.tree.flatten([memory, state]):
        assert tensor.shape[0] == 3
    for t in range(TARGET.shape[1]):
        step_logits, state, step_scores = model.step(ops.convert_to_tensor(TARGET[:, t]), state, memory)
        np.testing.assert_allclose(step_logits, logits[:, t], atol=1e-5)
        assert step_scores.keys() == scores.keys()
        for name, weights in step_scores.items():
            np.testing.assert_allclose(weights, scores[name][:, t], atol=1e-5)


@every_model
def test_padding_changes_nothing(make):
    model = seeded(make)
    logits, scores = call(model, return_attention_scores=True)
    pad = np.zeros((3, 3), "int32")
    wide_logits, wide_scores = call(
        model, np.concatenate([SOURCE, pad], 1), np.concatenate([TARGET, pad], 1), return_attention_scores=True
    )
    np.testing.assert_allclose(wide_logits[:, :4], logits, atol=1e-5)
    alone = call(model, SOURCE[1:2, :3], TARGET[1:2, :2])  # the second sentence without its neighbours
    np.testing.assert_allclose(alone[0], logits[1, :2], atol=1e-5)
    for name, weights in scores.items():
        np.testing.assert_allclose(wide_scores[name][:, :4, :5], weights, atol=1e-5)
        assert not np.asarray(wide_scores[name])[..., 5:].any()
        assert not np.asarray(weights)[1, :, 3:].any()


def test_annotations_do_not_see_the_padding():
    model = seeded(MODELS["bahdanau"])
    wide = model.encode({"source": ops.convert_to_tensor(np.pad(SOURCE, ((0, 0), (0, 4))))})
    alone = model.encode({"source": ops.convert_to_tensor(SOURCE[1:2, :3])})
    np.testing.assert_allclose(wide["value"][1, :3], alone["value"][0], atol=1e-5)
    np.testing.assert_allclose(wide["first_state"][1], alone["first_state"][0], atol=1e-5)


@every_model
def test_rows_of_nothing_but_padding_are_finite_and_leave_the_others(make):
    model = seeded(make)
    source = SOURCE.copy()
    source[1] = 0
    logits = call(model, source)
    assert np.isfinite(np.asarray(logits)).all()
    np.testing.assert_allclose(np.asarray(logits)[[0, 2]], np.asarray(call(model))[[0, 2]], atol=1e-5)


@every_model
def test_alignment_is_the_one_attention_or_none(make):
    model = seeded(make)
    _, scores = call(model, return_attention_scores=True)
    alignment = model.alignment(scores)
    if isinstance(model, (BahdanauTranslator, LuongTranslator)):
        assert set(scores) == {"decoder/cross"} and alignment.shape == (3, 4, 5) and alignment.dtype == "float32"
    else:
        assert scores == {} and alignment is None
    assert model.attends == (alignment is not None)


@every_model
def test_config_and_file_bring_the_model_back(make, tmp_path):
    model = seeded(make)
    logits = call(model)
    config = model.get_config()
    assert type(model).from_config(config).get_config() == config
    assert keras.saving.get_registered_name(type(model)) == f"attention_zoo>{type(model).__name__}"
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(call(loaded), logits, atol=1e-6)


@one_of_each
def test_fit_learns_every_weight(name):
    model = seeded(MODELS[name], dropout=0.1)
    call(model)
    before = [weight.copy() for weight in model.get_weights()]
    labels = np.concatenate([TARGET[:, 1:], np.full((3, 1), 3)], 1)
    compile_built(model, keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def batches():  # of several lengths, as training has them
        for width in (0, 1, 2):
            source, target, wide = (np.pad(ids, ((0, 0), (0, width))) for ids in (SOURCE, TARGET, labels))
            yield {"source": source, "target": target}, wide

    spec = tf.TensorSpec([None, None], "int32")
    data = tf.data.Dataset.from_generator(batches, output_signature=({"source": spec, "target": spec}, spec))
    losses = model.fit(data, epochs=15, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < 0.5 * losses[0]
    for variable, old, new in zip(model.weights, before, model.get_weights()):
        if variable.trainable:
            assert not np.array_equal(old, new), variable.path


@one_of_each
def test_steps_run_in_a_graph_with_the_shapes_they_began_with(name):
    model = seeded(MODELS[name])
    call(model)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def greedy(source):
        memory = model.encode({"source": source})
        token = tf.fill([tf.shape(source)[0]], 2)
        state = model.start(memory)
        shapes = [tensor.shape for tensor in tf.nest.flatten(state)]
        for _ in tf.range(3):
            logits, state, _ = model.step(token, state, memory)
            token = tf.argmax(logits, -1, output_type=tf.int32)
        assert [tensor.shape for tensor in tf.nest.flatten(state)] == shapes
        return token

    assert greedy(SOURCE).shape == (3,)
    assert greedy(SOURCE[:0]).shape == (0,)


@one_of_each
def test_dropout_is_for_training_alone(name):
    model = seeded(MODELS[name], dropout=0.5)
    np.testing.assert_array_equal(call(model), call(model, training=False))
    assert not np.allclose(call(model, training=True), call(model))


@one_of_each
def test_half_precision_agrees_and_gives_float32_logits(name):
    model = seeded(MODELS[name])
    expected = call(model)
    half = seeded(MODELS[name], dtype="mixed_bfloat16")
    call(half)
    half.set_weights(model.get_weights())
    logits, scores = call(half, return_attention_scores=True)
    assert logits.dtype == "float32" and all(weights.dtype == "float32" for weights in scores.values())
    assert {layer.compute_dtype for layer in half._flatten_layers(include_self=False)} <= {"bfloat16"}
    np.testing.assert_allclose(logits, expected, atol=5e-2)


def test_bahdanaus_first_state_and_output_layer():
    model = seeded(MODELS["bahdanau"])
    source, target = SOURCE[:1], TARGET[:1, :1]
    logits = np.asarray(call(model, source, target))[0, 0]
    embedded = np.asarray(model.source_embedding(source))
    backward = np.asarray(model.encoder.backward_layer(embedded)[1])[0]  # reads from the end: its last state is ←h_1
    w_s, b_s = model.bridge.get_weights()
    first = np.tanh(backward @ w_s + b_s)
    annotations = np.asarray(model.encoder(embedded)[0])
    context = np.asarray(model.decoder.attention(first[None, None], annotations))[0, 0]
    read = np.concatenate([first, np.asarray(model.target_embedding(target))[0, 0], context])  # s_0, not s_1
    kernel, bias = model.hidden.get_weights()
    t = (read @ kernel + bias).reshape(U // 2, 2).max(-1)
    w_o, b_o = model.projection.get_weights()
    np.testing.assert_allclose(logits, t @ w_o + b_o, atol=1e-5)


def test_chos_decoder_sees_the_summary_at_every_step_and_in_the_output_layer():
    model = seeded(MODELS["rnn"])
    logits = np.asarray(call(model))[0]
    c = np.asarray(model.encode({"source": SOURCE[:1]})["summary"])
    state = [model.bridge(c)]
    for t, token in enumerate(TARGET[0]):
        read = np.concatenate([np.asarray(model.target_embedding(np.array([token]))), c], -1)
        s, state = model.decoder.cell(ops.convert_to_tensor(read), state)
        kernel, bias = model.hidden.get_weights()
        out = (np.concatenate([s, read], -1) @ kernel + bias).reshape(1, U // 2, 2).max(-1)
        w, b = model.projection.get_weights()
        np.testing.assert_allclose(logits[t], (out @ w + b)[0], atol=1e-5)


def test_sutskever_reads_the_source_backwards():
    model = seeded(MODELS["seq2seq"])
    memory = model.encode({"source": ops.convert_to_tensor(SOURCE)})
    for row in SOURCE:
        backwards = row[row != 0][::-1]
        _, states = model.encoder(model.source_embedding(backwards[None]))
        index = np.flatnonzero((SOURCE == row).all(1))[0]
        for i, (hidden, carry) in enumerate(states):
            np.testing.assert_allclose(memory[f"hidden/{i}"][index], hidden[0], atol=1e-5)
            np.testing.assert_allclose(memory[f"carry/{i}"][index], carry[0], atol=1e-5)


def test_stacked_lstms_are_keras_lstms_on_top_of_each_other():
    keras.utils.set_random_seed(1)
    stack, features = (
        StackedLSTM(4, 2),
        ops.convert_to_tensor(np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")),
    )
    outputs, states = stack(features)
    bottom, *bottom_state = stack.lstms[0](features)
    top, *top_state = stack.lstms[1](bottom)
    np.testing.assert_allclose(outputs, top, atol=1e-6)
    np.testing.assert_allclose(states, [bottom_state, top_state], atol=1e-6)
    again = StackedLSTM.from_config(stack.get_config())
    assert again.get_config() == stack.get_config()
    with pytest.raises(ValueError, match="`num_layers`"):
        StackedLSTM(4, 0)


def test_the_gru_cell_is_keras_with_the_reset_before_the_product():
    ours, theirs = GRUCell(4), keras.layers.GRUCell(4, reset_after=False)
    random = np.random.default_rng(0)
    x, h = (ops.convert_to_tensor(random.normal(size=(2, size)).astype("float32")) for size in (3, 4))
    ours(x, [h]), theirs(x, [h])
    kernel, gates, candidate, bias = (random.normal(size=w.shape).astype("float32") for w in ours.weights)
    ours.set_weights([kernel, gates, candidate, bias])
    theirs.set_weights([kernel, np.concatenate([gates, candidate], 1), bias])
    np.testing.assert_allclose(ours(x, [h])[0], theirs(x, [h])[0], atol=1e-6)
    assert GRUCell.from_config(ours.get_config()).get_config() == ours.get_config()


def rnn_parameters(vs, vt, e, u):
    def gru(features):
        return 3 * u * (features + u + 1)

    return vs * e + vt * e + gru(e) + gru(e + u) + 2 * (u * u + u) + (2 * u + e + 1) * u + (u // 2 + 1) * vt


def seq2seq_parameters(vs, vt, e, u, layers):
    stack = 4 * u * (e + u + 1) + (layers - 1) * 4 * u * (2 * u + 1)
    return vs * e + vt * e + 2 * stack + (u + 1) * vt


def bahdanau_parameters(vs, vt, e, u):
    def gru(features):
        return 3 * u * (features + u + 1)

    attention = u * u + 2 * u * u + u
    return (
        vs * e + vt * e + 2 * gru(e) + u * u + u + attention + gru(e + 2 * u) + (3 * u + e + 1) * u + (u // 2 + 1) * vt
    )


def luong_parameters(vs, vt, e, u, layers):
    def lstm(features):
        return 4 * u * (features + u + 1)

    attention = u * u + (u * u + u) + 2 * u * u  # general, local-p, W_c
    return vs * e + vt * e + lstm(e) + lstm(e + u) + 2 * (layers - 1) * lstm(u) + attention + (u + 1) * vt


PAPERS = {
    RecurrentEncoderDecoder: (rnn_parameters, (15000, 15000, 100, 1000), 24.2),
    StackedSeq2Seq: (seq2seq_parameters, (160000, 80000, 1000, 1000, 4), 384.1),  # "384M parameters", section 3.4
    BahdanauTranslator: (bahdanau_parameters, (30000, 30000, 620, 1000), 80.4),
    LuongTranslator: (luong_parameters, (50000, 50000, 1000, 1000, 4), 222.1),
}


@pytest.mark.parametrize("model_class", PAPERS, ids=lambda c: c.__name__)
def test_the_papers_size_has_its_number_of_parameters(model_class):
    count, size, millions = PAPERS[model_class]
    model = model_class.paper()  # not built: nothing is allocated
    config = model.get_config()
    names = ("source_vocabulary_size", "target_vocabulary_size", "embedding_dim", "units", "num_layers")
    assert tuple(config[name] for name in names if name in config) == size
    assert round(count(*size) / 1e6, 1) == millions
    small = model_class.paper(11, 13, embedding_dim=6, units=4)
    small.build()
    assert small.count_params() == count(11, 13, 6, 4, *size[4:])  # the formula is the built model's


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BahdanauTranslator(9, 9, output="linear"), "output='linear'"),
        (lambda: BahdanauTranslator(9, 9, units=7), "units=7"),
        (lambda: RecurrentEncoderDecoder(9, 9, units=7), "units=7"),
        (lambda: StackedSeq2Seq(9, 9, num_layers=0), "num_layers=0"),
        (lambda: LuongTranslator(9, 9, score="cosine"), "score='cosine'"),
        (lambda: LuongTranslator(9, 9, window="global"), "window='global'"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
