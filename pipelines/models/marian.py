"""The Transformer of Marian (Junczys-Dowmunt et al. 2018), that of OPUS-MT (Tiedemann and Thottingal 2020).

Shapes: B batch, S source, T target, D embedding_dim, V vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers import PositionalEmbedding, TransformerDecoderBlock, TransformerEncoderBlock
from attention_zoo.pipelines.models.parts.activations import activation_of
from attention_zoo.pipelines.models.parts.lengths import expect_at_most
from attention_zoo.pipelines.models.parts.transformer_seq2seq import TransformerSequenceToSequence


@keras.saving.register_keras_serializable("attention_zoo")
class MarianTranslator(TransformerSequenceToSequence):
    """The Transformer of Vaswani et al. 2017 with another layout of the sinusoids, and a bias of the output.

    What differs from `TransformerTranslator`: all sines of a position come before its cosines; the inner activation is
    SiLU; the logits have a bias; padding is any id, and the target begins with it; encoder and decoder may differ in
    layers, heads and inner width.

    Args:
        vocabulary_size: V, of source and target.
        num_layers: Blocks of the encoder. Defaults to 6.
        num_decoder_layers: Blocks of the decoder. Defaults to 6.
        num_heads: Heads of the encoder. Defaults to 8.
        num_decoder_heads: Heads of the decoder. Defaults to 8.
        embedding_dim: D, the width of the whole model; a multiple of the numbers of heads. Defaults to 512.
        intermediate_dim: Width of the inner layer of the encoder's blocks. Defaults to 2048.
        decoder_intermediate_dim: Width of the inner layer of the decoder's blocks. Defaults to 2048.
        max_length: Largest number of tokens of a text. Sinusoids do not end; `max_tokens` says it to who reads texts.
            Defaults to 512.
        dropout: Share of embeddings and of sublayer outputs that are dropped in training. Defaults to 0.1.
        attention_dropout: Share of attention weights that are dropped in training. Defaults to 0.
        activation: Activation of the blocks' inner layer. Defaults to `"silu"`.
        scale: Whether embeddings are multiplied by sqrt(D). Defaults to `True`.
        pad_token: Id of padding. Defaults to `None`: the last id, V - 1.
        start_token: Id that the target begins with. Defaults to `None`: `pad_token`.
        end_token: Id that ends a source and a target. Defaults to 0.
        output_bias: Whether the logits have a bias, which is not trained. Defaults to `True`.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids; optional "source_mask", bool `(B, S)`, True where
            there is a token, by default where "source" is not `pad_token`. Padding of the target is not masked.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        As `TransformerTranslator`.

    Raises:
        ValueError: If `embedding_dim` is not a multiple of the heads.

    Example:

    >>> import keras
    >>> sizes = {"num_layers": 1, "num_decoder_layers": 2, "num_heads": 2, "num_decoder_heads": 2}
    >>> model = MarianTranslator(50, **sizes, embedding_dim=8, intermediate_dim=16, decoder_intermediate_dim=16)
    >>> tuple(model({"source": keras.ops.array([[5, 6, 0]]), "target": keras.ops.array([[49, 7]])}).shape)
    (1, 2, 50)
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers=6,
        num_decoder_layers=6,
        num_heads=8,
        num_decoder_heads=8,
        embedding_dim=512,
        intermediate_dim=2048,
        decoder_intermediate_dim=2048,
        max_length=512,
        dropout=0.1,
        attention_dropout=0.0,
        activation="silu",
        scale=True,
        pad_token=None,
        start_token=None,
        end_token=0,
        output_bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        pad_token = vocabulary_size - 1 if pad_token is None else pad_token
        self.options = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_decoder_layers": num_decoder_layers,
            "num_heads": num_heads,
            "num_decoder_heads": num_decoder_heads,
            "embedding_dim": embedding_dim,
            "intermediate_dim": intermediate_dim,
            "decoder_intermediate_dim": decoder_intermediate_dim,
            "max_length": max_length,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "scale": scale,
            "pad_token": pad_token,
            "start_token": pad_token if start_token is None else start_token,
            "end_token": end_token,
            "output_bias": output_bias,
        }
        self.embedding_dim, self.pad_token = embedding_dim, pad_token
        self.embedding = PositionalEmbedding(
            vocabulary_size,
            embedding_dim,
            scale=scale,
            mask_zero=False,
            dropout=dropout,
            interleaved=False,
            dtype=self.dtype_policy,
            name="embedding",
        )
        shared = {
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation_of(activation),
            "layer_norm_epsilon": 1e-5,
            "dtype": self.dtype_policy,
        }
        self.encoder_blocks = [
            TransformerEncoderBlock(num_heads, intermediate_dim, **shared, name=f"encoder_{number}")
            for number in range(num_layers)
        ]
        self.decoder_blocks = [
            TransformerDecoderBlock(num_decoder_heads, decoder_intermediate_dim, **shared, name=f"decoder_{number}")
            for number in range(num_decoder_layers)
        ]

    def build(self, input_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        super().build(input_shape)
        if self.options["output_bias"]:
            options = {"initializer": "zeros", "trainable": False, "dtype": "float32", "autocast": False}
            self.bias = self.add_weight(name="bias", shape=(self.options["vocabulary_size"],), **options)
        expect_at_most(self, self.max_tokens)

    @property
    def max_tokens(self):
        """The largest number of tokens of a text."""
        return self.options["max_length"]

    def source_mask(self, inputs):
        return inputs["source_mask"] if "source_mask" in inputs else ops.not_equal(inputs["source"], self.pad_token)

    def target_mask(self, inputs):
        """Returns `None`: the target begins with padding, and padding at its end is seen by nothing before it."""
        return None

    def logits(self, features, matrix=None):
        logits = super().logits(features, matrix)
        return logits + self.bias if self.options["output_bias"] else logits

    def get_config(self):
        return super().get_config() | self.options
