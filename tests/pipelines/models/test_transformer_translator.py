import keras
import numpy as np
import pytest
from arrays import array
from fitting import compile_built
from keras import ops

from attention_zoo.pipelines.models.transformer_translator import TransformerTranslator

SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0], [9, 9, 3, 0]], "int32")
TARGET = np.array([[2, 5, 6, 9, 4], [2, 9, 8, 0, 0], [2, 4, 0, 0, 0]], "int32")
INPUTS = {"source": SOURCE, "target": TARGET}
TINY = dict(embedding_dim=16, num_layers=2, num_heads=2, intermediate_dim=32)


def tiny(**changes):
    keras.utils.set_random_seed(1)
    return TransformerTranslator(20, 20, **(TINY | changes))


def parameters_by_hand(vocabulary, dim, layers, feed_forward):
    attention = 4 * (dim * dim + dim)
    network = 2 * dim * feed_forward + feed_forward + dim
    norm = 2 * dim
    return vocabulary * dim + layers * (attention + network + 2 * norm) + layers * (2 * attention + network + 3 * norm)


def test_logits_and_scores_have_the_names_and_shapes_of_the_contract():
    logits, scores = tiny()(INPUTS, return_attention_scores=True)
    assert tuple(logits.shape) == (3, 5, 20) and keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert {name: tuple(weights.shape) for name, weights in scores.items()} == {
        f"{name}": shape
        for i in range(2)
        for name, shape in {
            f"encoder/{i}/self": (3, 2, 4, 4),
            f"decoder/{i}/self": (3, 2, 5, 5),
            f"decoder/{i}/cross": (3, 2, 5, 4),
        }.items()
    }
    for name, weights in scores.items():
        if name.endswith("cross"):
            assert not array(weights)[1, :, :, 2:].any()  # padding of the source gets no weight
            np.testing.assert_allclose(array(weights)[1, :, :3].sum(-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"normalize_first": True}, {"dtype": "mixed_bfloat16"}], ids=str)
def test_step_by_step_equals_teacher_forcing(changes):
    model = tiny(**changes)
    logits, scores = model(INPUTS, return_attention_scores=True)
    memory = model.encode({"source": SOURCE})
    state = model.start(memory)
    assert {tensor.shape[2] for tensor in state.values()} == {0}
    assert not set(state) & set(memory)  # what a beam reorders has nothing of the source in it
    tolerance = 1e-5 if not changes.get("dtype") else 5e-2
    for t in range(TARGET.shape[1]):
        step_logits, state, step_scores = model.step(ops.convert_to_tensor(TARGET[:, t]), state, memory)
        assert keras.backend.standardize_dtype(step_logits.dtype) == "float32"
        written = TARGET[:, t] != 0  # a step takes what was written, and that is no padding
        np.testing.assert_allclose(array(step_logits)[written], array(logits)[written, t], atol=tolerance)
        assert set(step_scores) == {name for name in scores if name.startswith("decoder")}
        for name, weights in step_scores.items():
            expected = array(scores[name])[written, :, t]
            np.testing.assert_allclose(array(weights)[written], expected[..., : weights.shape[-1]], atol=tolerance)
        alignment = array(model.alignment(step_scores))
        np.testing.assert_allclose(alignment[written], array(model.alignment(scores))[written, t], atol=tolerance)
    assert {tuple(tensor.shape) for tensor in state.values()} == {(3, 2, 5, 8)}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="runs a tf.while_loop")
def test_decoding_in_a_graph_loop_of_open_shapes_equals_teacher_forcing():
    import tensorflow as tf

    model = tiny()
    expected = array(model(INPUTS))

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)] * 2)
    def loop(source, target):
        memory = model.encode({"source": source})
        state = model.start(memory)
        names = sorted(state)
        invariants = [tf.TensorShape([None if size == 0 else size for size in state[name].shape]) for name in names]

        def body(t, logits, *tensors):
            step_logits, new, _ = model.step(target[:, t], dict(zip(names, tensors)), memory)
            return t + 1, logits.write(t, step_logits), *[new[name] for name in names]

        length = tf.shape(target)[1]
        logits = tf.TensorArray(tf.float32, length, element_shape=(None, 20))
        start = (0, logits, *[state[name] for name in names])
        shapes = (tf.TensorShape(()), tf.TensorShape(None), *invariants)
        return tf.transpose(tf.while_loop(lambda t, *_: t < length, body, start, shapes)[1].stack(), (1, 0, 2))

    written = TARGET != 0
    np.testing.assert_allclose(array(loop(SOURCE, TARGET))[written], expected[written], atol=1e-5)


def test_the_alignment_is_the_mean_over_layers_and_heads():
    model = tiny()
    _, scores = model(INPUTS, return_attention_scores=True)
    by_hand = sum(array(scores[f"decoder/{i}/cross"])[:, h] for i in range(2) for h in range(2)) / 4
    np.testing.assert_allclose(array(model.alignment(scores)), by_hand, atol=1e-6)


def test_heads_are_stacked_by_layer():
    model = tiny()
    _, scores = model(INPUTS, return_attention_scores=True)
    heads = array(model.head_alignments(scores))
    assert heads.shape == (3, 2, 2, 5, 4)
    np.testing.assert_array_equal(heads[:, 1], array(scores["decoder/1/cross"]))


@pytest.mark.parametrize("training", [False, True])
def test_no_scores_are_computed_unless_asked_for(training, monkeypatch):
    model = tiny()
    model(INPUTS)
    asked = []
    for block in [*model.encoder_blocks, *model.decoder_blocks]:
        call = block.call

        def noted(*args, call=call, **options):
            asked.append(options.get("return_attention_scores", False))
            return call(*args, **options)

        monkeypatch.setattr(block, "call", noted)
    without = model(INPUTS, training=training)
    assert asked == [False] * 4
    model(INPUTS, training=training, return_attention_scores=True)
    assert asked[4:] == [True] * 4
    if not training:  # dropout draws anew at each call
        logits, _ = model(INPUTS, return_attention_scores=True)
        np.testing.assert_allclose(array(without), array(logits), atol=1e-5)


def test_neither_the_future_nor_padding_changes_a_prediction():
    model = tiny(dropout=0.0)
    logits = array(model(INPUTS, training=True))
    later = TARGET.copy()
    later[:, 3:] = 7
    changed = array(model({"source": SOURCE, "target": later}, training=True))
    np.testing.assert_array_equal(logits[0, :3], changed[0, :3])
    wider = {"source": np.pad(SOURCE, ((0, 0), (0, 3))), "target": np.pad(TARGET, ((0, 0), (0, 2)))}
    np.testing.assert_allclose(array(model(wider))[:, :5][TARGET != 0], logits[TARGET != 0], atol=1e-5)


def test_one_matrix_embeds_source_and_target_and_scores_the_output():
    model = tiny(dropout=0.0)
    before = array(model(INPUTS))
    tables = [weight for weight in model.trainable_variables if tuple(weight.shape) == (20, 16)]
    assert len(tables) == 1
    table = array(tables[0]).copy()
    table[19] = 0.0  # a token that occurs in no input: only its own logit may change
    tables[0].assign(table)
    after = array(model(INPUTS))
    np.testing.assert_array_equal(after[..., :19], before[..., :19])
    assert not after[..., 19].any()
    table[5] += 1.0
    tables[0].assign(table)
    assert np.abs(array(model(INPUTS))[..., :5] - after[..., :5]).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_few_steps_of_adam_on_a_copy_task_lower_its_loss(dtype):
    keras.utils.set_random_seed(0)
    words = np.random.default_rng(0).integers(4, 20, size=(256, 5)).astype("int32")
    ends = np.full((256, 1), 3, "int32")
    inputs = {"source": np.hstack([words, ends]), "target": np.hstack([ends - 1, words])}
    labels = np.hstack([words, ends])
    model = TransformerTranslator(
        20, 20, embedding_dim=32, num_layers=1, num_heads=2, intermediate_dim=64, dropout=0.0, dtype=dtype
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.build()
    compile_built(model, keras.optimizers.Adam(3e-3), loss, jit_compile=False)  # compiling takes longer than training
    history = model.fit(inputs, labels, batch_size=32, epochs=5, verbose=0).history["loss"]
    assert history[-1] < 0.75 * history[0]


def test_dropout_acts_in_training_alone():
    model = tiny(dropout=0.3, attention_dropout=0.3)
    np.testing.assert_array_equal(array(model(INPUTS)), array(model(INPUTS, training=False)))
    assert np.abs(array(model(INPUTS)) - array(model(INPUTS, training=True))).max() > 1e-2


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="takes gradients with a tape, compiles a tf.function"
)
def test_every_weight_has_a_gradient_and_xla_gives_the_same_logits():
    import tensorflow as tf

    model = tiny(normalize_first=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(INPUTS, training=True) ** 2)
    for weight, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
        assert gradient is not None and np.isfinite(array(tf.convert_to_tensor(gradient))).all(), weight.path
    compiled = tf.function(model, jit_compile=True)
    tensors = {name: tf.constant(ids) for name, ids in INPUTS.items()}
    np.testing.assert_allclose(array(compiled(tensors)), array(model(INPUTS)), atol=1e-5)


@pytest.mark.parametrize("normalize_first", [False, True])
def test_saved_it_answers_as_before(normalize_first, tmp_path):
    model = tiny(normalize_first=normalize_first, attention_dropout=0.2)
    before = array(model(INPUTS))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(loaded(INPUTS)), before)
    assert loaded.get_config() == model.get_config()
    assert loaded.get_config() | TINY == loaded.get_config()


def test_a_new_model_can_encode_before_it_was_called():
    memory = tiny().encode({"source": SOURCE})
    assert tuple(memory["decoder/1/cross/key"].shape) == (3, 2, 4, 8)


def test_parameters_of_small_models_are_those_counted_by_hand():
    for layers, dim, feed_forward in ((1, 8, 16), (2, 16, 40)):
        model = TransformerTranslator(
            30, 30, embedding_dim=dim, num_layers=layers, num_heads=2, intermediate_dim=feed_forward
        )
        model.build()
        assert model.count_params() == parameters_by_hand(30, dim, layers, feed_forward)


def test_the_papers_base_model_has_its_size():
    model = TransformerTranslator.paper()  # not built: 250 MB of weights say no more than the count
    assert (model.embedding_dim, model.num_layers, model.num_heads, model.intermediate_dim, model.dropout) == (
        512,
        6,
        8,
        2048,
        0.1,
    )
    assert not model.normalize_first and model.attention_dropout == 0.0
    count = parameters_by_hand(
        model.target_vocabulary_size, model.embedding_dim, model.num_layers, model.intermediate_dim
    )
    assert count == 63_082_496  # table 3 says 65 million
    assert TransformerTranslator.paper(100, num_heads=16).num_heads == 16


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="must be equal.*100 and 200"):
        TransformerTranslator(100, 200)
    with pytest.raises(ValueError, match="embedding_dim=10, num_heads=4"):
        TransformerTranslator(100, 100, embedding_dim=10, num_heads=4)
