"""Builds our translator, and the same model in other libraries with our weights, for the benchmarks."""

from pathlib import Path

import numpy as np


def our_transformer(vocabulary_size, width, layers, heads, inner, dtype=None):
    """Returns our Transformer, without dropout, with weights drawn from a fixed seed."""
    import keras

    from attention_zoo.pipelines.models import TransformerTranslator

    keras.utils.set_random_seed(1)
    sizes = {"embedding_dim": width, "num_layers": layers, "num_heads": heads, "intermediate_dim": inner}
    model = TransformerTranslator(vocabulary_size, vocabulary_size, **sizes, dropout=0.0, dtype=dtype)
    model.build()
    return model


def tokens_of(vocabulary_size):
    """Returns names of the ids for CTranslate2: our padding, unknown, begin and end of sentence are 0 to 3."""
    return ["<pad>", "<unk>", "<s>", "</s>", *(f"t{number}" for number in range(4, vocabulary_size))]


def to_ctranslate2(model, directory, max_length=512):
    """Writes a post-norm `TransformerTranslator` as a CTranslate2 model of the same weights, float32.

    Args:
        model: The translator.
        directory: Folder to write; `ctranslate2.Translator(directory)` reads it.
        max_length: Positions to tabulate.
    """
    import ctranslate2
    from keras import ops

    from attention_zoo.layers import SinusoidalEncoding

    def linear(spec, *denses):
        """Dense layers side by side, as one matrix (outputs, inputs)."""
        width = denses[0].bias.shape
        inputs = int(np.prod(denses[0].kernel.shape)) // int(np.prod(width))
        spec.weight = np.concatenate([np.reshape(dense.kernel.numpy(), (inputs, -1)).T for dense in denses])
        spec.bias = np.concatenate([np.ravel(dense.bias.numpy()) for dense in denses])

    def norm(spec, layer):
        spec.gamma, spec.beta = layer.gamma.numpy(), layer.beta.numpy()

    def feed_forward(spec, block):
        linear(spec.linear_0, block.feed_forward_in)
        linear(spec.linear_1, block.feed_forward_out)
        norm(spec.layer_norm, block.feed_forward_norm)

    def self_attention(spec, attention, layer_norm):
        linear(spec.linear[0], attention.query_dense, attention.key_dense, attention.value_dense)
        linear(spec.linear[1], attention.output_dense)
        norm(spec.layer_norm, layer_norm)

    spec = ctranslate2.specs.TransformerSpec.from_config(
        model.num_layers, model.num_heads, pre_norm=False, activation=ctranslate2.specs.Activation.RELU, ffn_glu=False
    )
    embeddings = model.embedding.token_embedding.embeddings.numpy()  # (V, D)
    positions = ops.convert_to_numpy(SinusoidalEncoding()(ops.zeros((1, max_length, model.embedding_dim))))[0]
    for part in (spec.encoder, spec.decoder):
        (part.embeddings[0] if part is spec.encoder else part.embeddings).weight = embeddings
        part.position_encodings.encodings = positions
    spec.decoder.projection.weight = embeddings
    for part, block in zip(spec.encoder.layer, model.encoder_blocks, strict=True):
        self_attention(part.self_attention, block.self_attention, block.self_attention_norm)
        feed_forward(part.ffn, block)
    for part, block in zip(spec.decoder.layer, model.decoder_blocks, strict=True):
        self_attention(part.self_attention, block.self_attention, block.self_attention_norm)
        cross = block.cross_attention
        linear(part.attention.linear[0], cross.query_dense)
        linear(part.attention.linear[1], cross.key_dense, cross.value_dense)
        linear(part.attention.linear[2], cross.output_dense)
        norm(part.attention.layer_norm, block.cross_attention_norm)
        feed_forward(part.ffn, block)
    tokens = tokens_of(model.target_vocabulary_size)
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.layer_norm_epsilon = 1e-6
    spec.config.decoder_start_token = "<s>"
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.validate()
    Path(directory).mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
