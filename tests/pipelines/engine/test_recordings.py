import keras
import numpy as np
import pytest

from attention_zoo.layers import BahdanauAttention, MultiHeadSelfAttention, record_attention
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.recordings import layered_heads


def test_a_recording_becomes_a_picture_of_all_heads_without_padding(tmp_path):
    inputs = keras.Input((5, 8))
    hidden = MultiHeadSelfAttention(2, 4, name="first")(inputs)
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 4, name="second")(hidden, hidden))
    with record_attention(model) as scores:
        model(np.random.default_rng(0).normal(size=(3, 5, 8)))
    view = layered_heads(scores, ["a", "black", "cat"], row=1, title="cats")
    expected = np.stack([np.asarray(scores[name])[1, :, :3, :3] for name in ("first", "second")])
    np.testing.assert_array_equal(view.weights, expected)
    assert view.tokens == ["a", "black", "cat"] and view.title == "cats"
    assert draw(view, tmp_path / "heads.svg").read_text().startswith("<?xml")


def test_layers_without_heads_count_as_layers_with_one():
    layer = BahdanauAttention(3)
    layer(np.ones((1, 2, 4)), np.ones((1, 2, 4)))
    with record_attention(layer) as scores:
        layer(np.ones((1, 2, 4)), np.ones((1, 2, 4)))
    np.testing.assert_allclose(layered_heads(scores, "ab").weights, np.full((1, 1, 2, 2), 0.5))


@pytest.mark.parametrize(
    "scores, tokens, row",
    [
        ({}, "ab", 0),
        ({"cross": np.ones((1, 2, 2, 3))}, "ab", 0),
        ({"a": np.ones((1, 2, 2, 2)), "b": np.ones((1, 4, 2, 2))}, "ab", 0),
        ({"a": np.ones((1, 2, 2, 2))}, "abc", 0),
        ({"a": np.ones((1, 2, 2, 2))}, "ab", 1),
    ],
)
def test_scores_that_are_no_view_are_refused(scores, tokens, row):
    with pytest.raises(UserError, match="expected"):
        layered_heads(scores, tokens, row)
