"""Encoders without their heads: what a run begins with."""

import numpy as np
import pytest

from attention_zoo.pipelines.hub.encoders import built, with_options
from attention_zoo.pipelines.models import BertEncoder

SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.1), (0.1, 0.0)])
def test_an_encoder_takes_another_dropout(before, after):
    encoder = built(BertEncoder(9, **SIZES, dropout=before, attention_dropout=before, name="encoder"))
    changed = with_options(encoder, dropout=after, attention_dropout=after)
    assert changed.options["dropout"] == after
    tokens = {"tokens": np.array([[2, 6, 7, 3]])}
    np.testing.assert_array_equal(changed(tokens)["states"], encoder(tokens)["states"])


def test_an_option_that_needs_further_weights_is_refused():
    encoder = built(BertEncoder(9, **SIZES, pooler=False, name="encoder"))
    with pytest.raises(ValueError, match="changes: expected options that need no further weights"):
        with_options(encoder, pooler=True)
