"""An exported model answers as the model does, and what cannot be served is refused before anything is written."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tiny_export import dense

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving import export
from attention_zoo.pipelines.engine.serving.export import export_saved_model
from attention_zoo.pipelines.engine.serving.versions import complete_versions, load_saved_model

SOURCE = tf.TensorSpec((None, None), tf.int32)
STEPS = 5


class Writer(keras.Model):
    """The model contract in little: it writes token after token, by methods other than `call`."""

    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(11, 6)
        self.cell = keras.layers.GRUCell(6)
        self.dropout = keras.layers.Dropout(0.5)
        self.readout = keras.layers.Dense(11)
        self.seed_generator = keras.random.SeedGenerator(5)

    def build(self, input_shape=None):
        self.embedding.build((None, None))
        self.cell.build((None, 6))
        self.readout.build((None, 6))
        self.built = True

    def call(self, source):
        return self.step(source[:, 0], self.start(self.encode(source)))[0]

    def encode(self, source):
        return keras.ops.mean(self.embedding(source), axis=1)  # (B, 6)

    def start(self, memory):
        return memory

    def step(self, token, state):
        output, (state,) = self.cell(self.embedding(token), (state,))
        return self.readout(self.dropout(output, training=False)), state


def written_by_loop(model, source, draw):
    """Five tokens a row, by `draw` from the logits, in a `tf.while_loop`."""
    batch = tf.shape(source)[0]

    def body(step, token, state, tokens):
        logits, state = model.step(token, state)
        token = tf.cast(draw(logits), tf.int32)
        return step + 1, token, state, tf.concat([tokens, token[:, None]], axis=1)

    first = (tf.constant(0), tf.fill([batch], 2), model.start(model.encode(source)), tf.zeros([batch, 0], tf.int32))
    shapes = (tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None, 6]), tf.TensorShape([None, None]))
    return tf.while_loop(lambda step, *_: step < STEPS, body, first, shape_invariants=shapes)[-1]


def writer_signatures(model):
    def greedy(source):
        return {"tokens": written_by_loop(model, source, lambda logits: tf.argmax(logits, axis=-1))}

    def sample(source):
        draw = lambda logits: keras.random.categorical(logits / 0.1, 1, seed=model.seed_generator)[:, 0]  # noqa: E731
        return {"tokens": written_by_loop(model, source, draw)}

    return {"serving_default": (greedy, {"source": SOURCE}), "sample": (sample, {"source": SOURCE})}


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    keras.utils.set_random_seed(7)
    model = Writer()
    model.build()
    directory = tmp_path_factory.mktemp("exports") / "saved_models" / "writer"
    return model, export_saved_model(directory, [model], writer_signatures(model))


def test_greedy_loop_over_encode_and_step_answers_as_a_python_loop_does(writer, session_run):
    model, version = writer
    source = np.random.default_rng(0).integers(0, 11, (4, 3), dtype=np.int32)
    token, state, expected = np.full(4, 2), model.start(model.encode(source)), []
    for _ in range(STEPS):
        logits, state = model.step(token, state)
        token = np.argmax(logits, axis=-1)
        expected.append(token)
    assert len(np.unique(expected)) > 1, "a model that always writes one token shows nothing"
    np.testing.assert_array_equal(
        session_run(version, "serving_default", {"source": source})["tokens"], np.stack(expected, 1)
    )


def test_greedy_loop_answers_an_empty_batch(writer, session_run):
    answer = session_run(writer[1], "serving_default", {"source": np.zeros((0, 3), np.int32)})
    assert answer["tokens"].shape == (0, STEPS)


def test_seed_generator_is_exported_and_moves_on_from_call_to_call(writer, session_run):
    _, version = writer
    source = tf.ones((16, 3), tf.int32)
    loaded = load_saved_model(version.parent)
    first, second = (loaded.signatures["sample"](source=source)["tokens"].numpy() for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(session_run(version, "sample", {"source": source.numpy()})["tokens"], first)


def test_reload_needs_neither_this_project_nor_keras(writer):
    _, version = writer
    program = """
import sys
sys.modules["attention_zoo"] = sys.modules["keras"] = None  # to import one of them is an error
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
print(loaded.signatures["serving_default"](source=tf.ones((2, 3), tf.int32))["tokens"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program, str(version)], capture_output=True, text=True)
    assert done.stdout.strip() == f"(2, {STEPS})", done.stderr[-2000:]


def test_export_killed_before_the_rename_leaves_no_version(tmp_path, monkeypatch):
    def killed(temporary, final):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export, "replace_directory", killed)
        with pytest.raises(KeyboardInterrupt):
            dense(tmp_path / "tiny")
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == [".1.partial"]
    assert complete_versions(tmp_path / "tiny") == []
    with pytest.raises(UserError, match="no SavedModel in .*tiny: `attention-zoo train`"):
        load_saved_model(tmp_path / "tiny")
    dense(tmp_path / "tiny")
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["1"]


def test_warm_up_holds_one_request_that_the_model_answers_for_every_signature(tmp_path, session_run):
    model = Writer()
    model.build()
    signatures = writer_signatures(model)
    version = export_saved_model(tmp_path / "writer", [model], signatures, {"source": [[4, 5, 3], [6, 3, 0]]})
    records = list(
        tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests")).as_numpy_iterator()
    )
    requests = [PredictionLog.FromString(record).predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default", "sample"]
    for request in requests:
        assert request.model_spec.name == "writer"
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        np.testing.assert_array_equal(inputs["source"], [[4, 5, 3], [6, 3, 0]])
        assert session_run(version, request.model_spec.signature_name, inputs)["tokens"].shape == (2, STEPS)


def test_without_warm_up_no_file_is_written(tmp_path):
    assert not (dense(tmp_path / "tiny") / "assets.extra").exists()


@pytest.mark.parametrize(
    "warm_up, message",
    [
        ({}, r"warm_up must have .*\['features'\]; received \[\]"),
        ({"feature": [[1.0, 2.0]]}, r"\['features'\]; received \['feature'\]"),
        ({"features": [[1.0, 2.0, 3.0]]}, r"warm_up\['features'\] must have the shape \(None, 2\).* received \(1, 3\)"),
    ],
)
def test_warm_up_that_does_not_fit_is_an_error_and_nothing_is_written(tmp_path, warm_up, message):
    with pytest.raises(ValueError, match=message):
        dense(tmp_path / "saved_models" / "tiny", warm_up)
    assert list(tmp_path.iterdir()) == []


def same(text):
    return {"text": text}


TEXT = {"text": tf.TensorSpec((None,), tf.string)}


@pytest.mark.parametrize(
    "signatures, message",
    [
        ({"attention": (same, TEXT)}, r"must hold 'serving_default'.*received \['attention'\]"),
        ({"serving_default": ("same", TEXT)}, "must begin with a function, received 'same'"),
        ({"serving_default": (same, {})}, "must have a dict of tf.TensorSpec as inputs, received {}"),
        (
            {"serving_default": (same, {"text": tf.string})},
            "input 'text' of signature 'serving_default' must be a tf.TensorSpec",
        ),
        ({"serving_default": (lambda text: text, TEXT)}, "must return a dict of tensors by name"),
        (
            {"serving_default": (lambda text: {"words": tf.strings.split(text)}, TEXT)},
            "output 'words' .* must be a dense tensor",
        ),
    ],
)
def test_signature_that_cannot_be_served_is_an_error_and_nothing_is_written(tmp_path, signatures, message):
    with pytest.raises(ValueError, match=message):
        export_saved_model(tmp_path / "saved_models" / "tiny", [], signatures)
    assert list(tmp_path.iterdir()) == []


def test_model_that_is_not_built_is_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="expected models that are built, received"):
        export_saved_model(tmp_path / "saved_models" / "tiny", [Writer()], {"serving_default": (same, TEXT)})
    assert list(tmp_path.iterdir()) == []


def test_each_signature_is_traced_once(tmp_path):
    traces = []

    def double(features):
        traces.append(features)
        return {"doubled": 2 * features}

    inputs = {"features": tf.TensorSpec((None, 3), "float32")}
    export_saved_model(tmp_path / "model", [], {"serving_default": (double, inputs), "again": (double, inputs)})
    assert len(traces) == 2
