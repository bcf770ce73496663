"""ALBERT: BERT with small embeddings and one block for all layers (Lan et al. 2020)."""

import keras

from attention_zoo.pipelines.models.bert import BertEncoder

ALBERT_SIZES = {
    "base": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "intermediate_dim": 4096},
    "xlarge": {"num_layers": 24, "num_heads": 16, "hidden_dim": 2048, "intermediate_dim": 8192},
    "xxlarge": {"num_layers": 12, "num_heads": 64, "hidden_dim": 4096, "intermediate_dim": 16384},
}
"""The paper's sizes (table 1), all with embeddings of 128."""


@keras.saving.register_keras_serializable("attention_zoo")
class AlbertEncoder(BertEncoder):
    """`BertEncoder` with factorised embeddings and shared blocks (section 3.1).

    Embeddings have a width of their own, and a dense layer makes them as wide as the blocks. The layers are divided
    into groups, each of which has one set of weights.

    Takes the arguments of `BertEncoder`; `embedding_dim` defaults to 128, `num_groups` to 1, both the paper's, and
    `dropout` and `attention_dropout` to 0, those of the authors' second version.

    Example:

    >>> import keras
    >>> encoder = AlbertEncoder(100, embedding_dim=4, num_layers=6, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> tuple(encoder({"tokens": keras.ops.array([[5, 6, 0]])})["states"].shape), len(encoder.blocks)
    ((1, 3, 8), 1)
    """

    def __init__(
        self,
        vocabulary_size,
        *args,
        embedding_dim=128,
        num_groups=1,
        dropout=0.0,
        attention_dropout=0.0,
        **kwargs,
    ):
        shares = {"dropout": dropout, "attention_dropout": attention_dropout}
        super().__init__(vocabulary_size, *args, embedding_dim=embedding_dim, num_groups=num_groups, **shares, **kwargs)
