"""Exported products with constant weights, several at once or in low precision, answer as the model does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.layers import MultiHeadSelfAttention
from attention_zoo.layers.products import ProductsBy
from attention_zoo.layers.projection import Projection, project_together
from attention_zoo.layers.tied_logits import tied_logits
from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.serving import products
from attention_zoo.pipelines.engine.serving.export import export_saved_model, size_of
from attention_zoo.pipelines.engine.serving.int8 import int8_product, int8_works
from attention_zoo.pipelines.engine.serving.products import ConstantProducts
from attention_zoo.pipelines.models import TransformerTranslator

SOURCE = np.array([[5, 6, 7, 3], [8, 3, 0, 0], [9, 10, 3, 0]], np.int32)
needs_int8 = pytest.mark.skipif(not int8_works(), reason="TensorFlow has no product of int8 here")


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    sizes = {"embedding_dim": 16, "num_layers": 1, "num_heads": 2, "intermediate_dim": 32}
    model = TransformerTranslator(40, 40, **sizes, dropout=0.0)
    model.build()
    for variable in model.variables:  # biases, too
        variable.assign_add(0.1 * random(*variable.shape))
    return model


def answers_of(model, source):
    return decode(model, {"source": source}, DecodingSettings(), tf.fill([tf.shape(source)[0]], 6))


def exported(model, directory, precision):
    used = ConstantProducts(precision)
    signature = (lambda source: answers_of(model, source), {"source": tf.TensorSpec([None, None], tf.int32)})
    return used, export_saved_model(directory / "writer", [model], {"serving_default": signature}, products=used)


def test_a_float32_export_answers_as_the_model_with_constants_in_its_loop(model, tmp_path, session_run):
    used, version = exported(model, tmp_path, "float32")
    received, expected = session_run(version, "serving_default", {"source": SOURCE}), answers_of(model, SOURCE)
    np.testing.assert_array_equal(received["tokens"], expected["tokens"])
    np.testing.assert_allclose(received["scores"], expected["scores"], rtol=1e-4)
    (block,) = model.decoder_blocks
    attention, cross = block.self_attention, block.cross_attention
    of_steps = [attention.query_dense, attention.key_dense, attention.value_dense, attention.output_dense]
    of_steps += [cross.query_dense, cross.output_dense, block.feed_forward_in, block.feed_forward_out]
    assert used.bytes == 4 * sum(layer.count_params() for layer in of_steps)
    read = tf.train.list_variables(str(version / "variables" / "variables"))
    numbers = sum(int(np.prod(shape)) for name, shape in read if "VARIABLE_VALUE" in name)
    assert numbers == model.count_params() - used.bytes // 4
    operations, size = size_of(version)
    assert operations > 100 and size > 4 * model.count_params()


@needs_int8
def test_an_answer_in_int8_does_not_depend_on_the_batch(model, tmp_path, session_run):
    _, version = exported(model, tmp_path, "int8")
    together = session_run(version, "serving_default", {"source": SOURCE})
    for row in range(len(SOURCE)):
        alone = session_run(version, "serving_default", {"source": SOURCE[row : row + 1]})
        length = alone["lengths"][0, 0]
        assert length == together["lengths"][row, 0]
        np.testing.assert_array_equal(alone["tokens"][0, 0, :length], together["tokens"][row, 0, :length])
    assert session_run(version, "serving_default", {"source": SOURCE[:0]})["lengths"].shape == (0, 1)


@needs_int8
def test_int8_products_are_near_and_each_row_has_its_own_scale():
    rows, weights, bias = random(5, 32), random(32, 7), random(7)
    rows[1], rows[2], weights[:, 3] = 0.0, 1e4 * rows[2], 1e-3 * weights[:, 3]
    product = tf.function(lambda rows: int8_product(rows, weights, bias), autograph=False)
    received, expected = product(tf.constant(rows)).numpy() - bias, rows @ weights
    largest = np.abs(rows).max(1, keepdims=True) * np.abs(weights).max(0)  # an error of half a step in each factor
    assert (np.abs(received - expected) <= 32 * largest * (0.5 / 127 + 0.5 / 64) + 1e-5).all()
    assert (np.abs(received - expected).mean(1) <= 0.03 * np.abs(expected).mean(1) + 1e-5).all()
    np.testing.assert_array_equal(received[1], np.zeros(7))


@needs_int8
@pytest.mark.parametrize("sign", [1, -1])
def test_int8_products_of_the_largest_numbers_do_not_saturate_on_any_processor(sign):
    rows, weights = np.ones((3, 64), np.float32), sign * np.ones((64, 32), np.float32)
    product = tf.function(lambda rows: int8_product(rows, weights), autograph=False)
    np.testing.assert_allclose(product(tf.constant(rows)), rows @ weights, rtol=1e-5)


@pytest.mark.parametrize("precision, error", [("float32", 1e-6), ("bfloat16", 0.05), ("int8", 0.1)])
def test_products_side_by_side_equal_those_of_each_layer(precision, error):
    if precision == "int8" and not int8_works():
        pytest.skip("TensorFlow has no product of int8 here")
    rows, layers = tf.constant(random(2, 3, 16)), [Projection((2, 4)), Projection((5,))]
    expected = [layer(rows) for layer in layers]
    for layer in layers:
        layer.bias.assign(random(*layer.bias.shape))
    expected = [layer(rows) for layer in layers]

    @tf.function(autograph=False)
    def in_a_loop():
        zeros = [tf.zeros_like(one) for one in expected]
        return tf.while_loop(lambda *_: True, lambda *_: project_together(rows, layers), zeros, maximum_iterations=1)

    with ProductsBy(ConstantProducts(precision)):
        received = in_a_loop()
    for one, other in zip(received, expected):
        np.testing.assert_allclose(one, other, atol=error)


def test_cached_self_attention_projects_once():
    attention, asked = MultiHeadSelfAttention(2, 4), []
    sequence = tf.constant(random(2, 1, 8))
    cache = attention(sequence, cache=attention.empty_cache(2))[1]
    with ProductsBy(lambda rows, layers: asked.append([layer.name for layer in layers])):
        attention(sequence, cache=cache)
    assert asked[0] == ["query", "key", "value"]


def test_scores_of_a_vocabulary_keep_their_variable_in_float32_alone():
    embedding, states = keras.layers.Embedding(50, 8), tf.constant(random(3, 8))
    embedding.build(None)
    for precision, size in (("float32", 0), ("bfloat16", 2 * 50 * 9)):
        used = ConstantProducts(precision)
        with ProductsBy(used):
            scores = tf.function(lambda: tied_logits(states, embedding), autograph=False)()
        assert used.bytes == size
        np.testing.assert_allclose(scores, states @ tf.transpose(embedding.embeddings), atol=0.01)


def test_weights_beyond_the_limit_remain_variables_and_a_line_says_so():
    used, layer, rows = ConstantProducts("bfloat16", most_bytes=70), Projection((4,)), tf.ones((1, 8))
    expected = layer(rows)
    with ProductsBy(used):
        layer(rows)  # 2 * (8 * 4 + 4) bytes
    np.testing.assert_array_equal(layer(rows), expected)
    assert used.bytes == 0 and used.left_out == 1 and "products remain variables" in used.notes()[0]


def test_without_a_product_of_int8_the_export_is_float32_and_a_line_says_so(monkeypatch):
    monkeypatch.setattr(products, "int8_works", lambda: False)
    used = ConstantProducts("int8")
    assert used.precision == "float32" and "oneDNN" in used.notes()[0]
