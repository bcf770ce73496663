"""What pages hold: packed weights, joined words, what heads do, and what is left out."""

import base64
import json
import zlib

import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pages import contents
from attention_zoo.pipelines.engine.pages.heads import KINDS, measure_heads, name_heads
from attention_zoo.pipelines.engine.pages.packing import keep_largest, pack
from attention_zoo.pipelines.engine.pages.page import page_of, write_page
from attention_zoo.pipelines.engine.views import Alignment, ConfusionMatrix, LayeredHeads, PointMap, Scatter


def unpacked(packed):
    codes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), f"<u{packed['bits'] // 8}")
    return packed["largest"] * (codes / (2 ** packed["bits"] - 1)).reshape(packed["shape"]) ** 2


@pytest.mark.parametrize("bits, error", [(16, 2e-5), (8, 4e-3)])
def test_packed_numbers_are_those_that_were_packed(bits, error):
    values = np.random.default_rng(0).random((3, 5, 7)) * 2
    np.testing.assert_allclose(unpacked(pack(values, bits)), values, atol=2 * error)
    assert unpacked(pack([0.0, np.nan, np.inf, 0.5], bits)).tolist() == [0, 0, 0, 0.5]
    assert unpacked(pack(np.zeros((0, 4)), bits)).shape == (0, 4)
    with pytest.raises(ValueError, match="none below 0"):
        pack([-0.1])


def test_heads_are_named_after_the_place_that_gets_most():
    tokens = ["[CLS]", "the", "cat", "the", "[SEP]"]
    rows = np.arange(5)
    looks = [np.maximum(rows - 1, 0), np.minimum(rows + 1, 4), 0 * rows, 0 * rows + 4, rows]
    weights = np.stack([np.eye(5)[columns] for columns in looks] + [np.full((5, 5), 0.2)])[None]  # (1, 6, 5, 5)
    shares = measure_heads(tokens, weights)
    assert [KINDS[number] for number in name_heads(shares)[0, :5]] == list(KINDS) and name_heads(shares)[0, 5] == -1
    assert shares[0, :3].max(axis=-1).tolist() == [1, 1, 1]
    assert shares[0, 5].tolist() == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.2 * (2 + 1 + 2 + 1) / 4])
    assert name_heads(shares, threshold=1.1).tolist() == [[-1] * 6]
    assert measure_heads(["a"], np.ones((1, 1, 1, 1))).tolist() == [[[0] * 5]]


def test_pieces_are_joined_to_words_where_the_view_says_so():
    view = Alignment(["▁no", "w"], ["▁a", "b", "▁c"], np.full((1, 3, 2), 0.5), links=[(1, 2)])
    content = contents.alignment_content(view)
    words, pieces = content["levels"]["words"], content["levels"]["pieces"]
    assert (words["source"], words["target"], words["links"]) == (["now"], ["ab", "c"], [[0, 1]])
    assert unpacked(words["weights"]).tolist() == [[[1], [1]]] and pieces["target"] == ["a", "b", "c"]
    assert list(contents.alignment_content(Alignment(["a"], ["b"], np.ones((1, 1, 1)), join=False))["levels"]) == [
        "pieces"
    ]


def test_weights_that_need_too_much_room_are_thinned_and_that_is_said(monkeypatch):
    weights = np.random.default_rng(0).random((2, 3, 40, 40)).astype("float32")
    weights /= weights.sum(axis=-1, keepdims=True)
    view = LayeredHeads([f"t{number}" for number in range(40)], weights)
    whole = contents.layered_heads_content(view)
    assert whole["kept"] is None and whole["keptShare"] == pytest.approx(1)
    monkeypatch.setattr(contents, "LARGEST", 4000)
    thinned = contents.layered_heads_content(view)
    assert sum(len(layer["data"]) for layer in thinned["weights"]) <= 4000
    shown = np.stack([unpacked(layer) for layer in thinned["weights"]])
    np.testing.assert_allclose(shown, keep_largest(weights, thinned["kept"]), atol=0.004 * weights.max())
    assert thinned["keptShare"] == pytest.approx(keep_largest(weights, thinned["kept"]).sum() / weights.sum())
    assert thinned["shares"] == whole["shares"]


@pytest.mark.parametrize(
    "view, message",
    [
        (Alignment(["a"], ["b"], np.ones((1, 2, 1))), r"weights: expected shape \(H, 1, 1\)"),
        (LayeredHeads(["a"], np.ones((1, 1, 2, 1))), r"weights: expected shape \(L, H, 1, 1\)"),
        (ConfusionMatrix(["a"], np.ones((2, 2), int)), r"counts: expected shape \(1, 1\)"),
        (PointMap(np.ones((2, 2)), ["a"]), r"points: expected shape \(1, 2\)"),
        (Scatter(np.ones(2), np.ones(1)), "answers: expected as many as truths"),
    ],
)
def test_arrays_that_do_not_fit_are_named(view, message):
    with pytest.raises(ValueError, match=message):
        page_of(view)


def test_the_data_of_a_page_ends_no_script_and_a_page_has_one_suffix(tmp_path):
    text = "</script><!--<script>&\u2028\ud800"
    page = page_of(ConfusionMatrix([text], np.ones((1, 1), int), text))
    data = page.partition('<script type="application/json" id="content">')[2].partition("</script>")[0]
    assert json.loads(data)["labels"] == [text] and not set("<>&") & set(data)
    assert write_page(ConfusionMatrix([text], np.ones((1, 1), int), text), tmp_path / "new/a.HTML").is_file()
    with pytest.raises(UserError, match="path: expected a file that ends in .html, received a.png"):
        write_page(ConfusionMatrix(["a"], np.ones((1, 1), int)), "a.png")
