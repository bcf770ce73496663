"""A beam's hypotheses share the memory of their source."""

import keras
import numpy as np
import pytest
from keras import tree

from attention_zoo.pipelines import models

MODELS = {
    "rnn": lambda: models.RecurrentEncoderDecoder(20, 20, embedding_dim=6, units=8),
    "seq2seq": lambda: models.StackedSeq2Seq(20, 20, embedding_dim=6, units=8, num_layers=2),
    "bahdanau": lambda: models.BahdanauTranslator(20, 20, embedding_dim=6, units=8),
    "luong": lambda: models.LuongTranslator(20, 20, embedding_dim=6, units=8, window="predictive", input_feeding=True),
    "transformer": lambda: models.TransformerTranslator(
        20, 20, embedding_dim=8, num_layers=2, num_heads=2, intermediate_dim=16
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_hypotheses_that_share_their_sources_memory_take_the_step_of_copied_memory(name):
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    memory = model.encode({"source": np.array([[5, 6, 7, 3], [8, 9, 3, 0]])})
    state = tree.map_structure(lambda tensor: keras.ops.repeat(tensor, 3, axis=0), model.start(memory))
    own = {name: tensor for name, tensor in memory.items() if name != "shared"}
    copied = memory | tree.map_structure(lambda tensor: keras.ops.repeat(tensor, 3, axis=0), own)
    shared_state = copied_state = state
    for tokens in ([2, 2, 2, 2, 2, 2], [4, 5, 6, 7, 8, 9]):
        logits, shared_state, scores = model.step(np.array(tokens), shared_state, memory)
        expected, copied_state, expected_scores = model.step(np.array(tokens), copied_state, copied)
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
            (shared_state, scores),
            (copied_state, expected_scores),
        )
    assert np.ptp(np.asarray(logits)[:3], axis=0).max() > 1e-3  # else the hypotheses would not differ
