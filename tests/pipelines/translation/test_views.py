"""What is to be seen of a translation: pieces, all heads of a Transformer, and links that the data knows."""

import numpy as np
import pytest

from attention_zoo.pipelines.datasets.parallel import Examples
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.subwords import Subwords, learn_sentencepiece
from attention_zoo.pipelines.translation.pictures import truth_of
from attention_zoo.pipelines.translation.task import Translation

ANSWER = {
    "input": "one", "translation": "une", "source_tokens": ["\u2581one", "</s>", ""], "source_lengths": 2,
    "target_tokens": ["\u2581un", "e", "</s>", ""], "target_lengths": 3, "weights": np.ones((5, 3)) / 3,
    "head_weights": np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3) / 120,
}  # fmt: skip


@pytest.mark.parametrize("pieces, join", [(["\u2581un", "e", "</s>"], True), (["\u2581", "u", "n", "</s>"], False)])
def test_pieces_are_joined_unless_the_model_writes_characters(pieces, join):
    view = Translation.view(ANSWER | {"target_tokens": [*pieces, ""], "target_lengths": len(pieces)})
    assert view.join == join and view.weights.shape == (5, len(pieces), 2) and view.source == ["\u2581one", "</s>"]
    assert view.names == ["alignment", "head 1", "head 2", "head 3", "head 4"] and view.title == "one → une"
    assert Translation.view(ANSWER | {"target_lengths": 0}) is None


def test_all_heads_of_a_transformer_are_a_view_of_their_own():
    view = Translation.view_heads(ANSWER)
    assert view.weights.shape == (8, 3, 2) and view.columns == 4
    assert view.names[5] == "layer 2, head 2" and (view.weights[5] == ANSWER["head_weights"][1, 1, :3, :2]).all()
    assert Translation.view_heads(ANSWER | {"target_lengths": 0}) is None
    with pytest.raises(UserError, match="--heads: expected a Transformer, received a model whose attention has no"):
        Translation.view_heads({name: value for name, value in ANSWER.items() if name != "head_weights"})


def test_known_links_are_shown_where_the_translation_is_the_reference():
    subwords = Subwords(learn_sentencepiece(["one two", "une deux"] * 9, vocabulary_size=16, model_type="char"))
    examples = Examples(["one two"], ["une deux"], alignment=[[(0, 3, 0, 3)]])
    truth = truth_of(examples, 0, subwords)
    assert truth["reference"] == "une deux" and truth["reference_tokens"] == ["\u2581", *"une", "\u2581", *"deux"]
    tokens = ["\u2581", *"one", "\u2581", *"two"]
    pairs = [(source, target) for source in (1, 2, 3) for target in (1, 2, 3)]
    answer = ANSWER | {"source_tokens": [*tokens, "</s>"], "source_lengths": 9, "weights": np.ones((10, 9))}
    answer |= {"target_tokens": [*truth["reference_tokens"], "</s>"], "target_lengths": 10, "translation": "une deux"}
    del answer["head_weights"]
    view = Translation.view(answer | truth)
    assert view.links == pairs and view.title == "one → une deux"
    other = {"target_tokens": ["\u2581", "a", "</s>"], "target_lengths": 3, "translation": "a"}
    view = Translation.view(answer | truth | other)
    assert view.links == [] and view.title == "one → a (reference: une deux)"
    assert truth_of(Examples(["one"], ["une"]), 0, subwords) == {"reference": "une"}
