"""Encoders whose logits are known: a linear function of the token alone."""

import json

import keras
import numpy as np

from attention_zoo.pipelines.engine.text.sentence_pieces import unigram_model
from attention_zoo.pipelines.hub import to_pretrained
from attention_zoo.pipelines.models import XLNetEncoder


def write_known(folder, encoder_class, head, names, table, max_length=24, **options):
    """Writes a folder whose model has, for each token, the logits of a table, times about 10.

    Args:
        folder: `Path` of the folder.
        encoder_class: `BertEncoder` or a relative.
        head: Function of an encoder to a model with a layer `classes`.
        names: The N tokens, in the order of their ids.
        table: Dict of tokens to the K logits of each; all others have zeros.
        max_length: Positions. Defaults to 24.
        **options: Of the encoder.
    """
    size = len(names)
    sizes = {"num_layers": 2, "num_heads": 1, "hidden_dim": size, "intermediate_dim": 4, "max_length": max_length}
    model = head(encoder_class(size, **sizes, **options, name="encoder"))
    model({"tokens": np.ones((1, 2), "int32")})
    for weight in model.weights:  # blocks add nothing to what they are given
        if not weight.path.endswith("gamma"):
            weight.assign(np.zeros(weight.shape))
        if weight.path.endswith("tokens/embeddings"):
            weight.assign(np.eye(size))
        if weight.path.endswith("classes/kernel"):
            rows = [table.get(name, [0.0] * weight.shape[1]) for name in names]
            weight.assign(10 * np.array(rows, "float32") / np.sqrt(size))
    to_pretrained(model, folder)
    return folder


def write_word_pieces(folder, names, **settings):
    """Writes the tokeniser of a BERT."""
    (folder / "vocab.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True} | settings))
    return folder


def write_byte_pairs(folder, names, merges=()):
    """Writes the tokeniser of a RoBERTa."""
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    return folder


def write_xlnet(folder, words, sentence_pieces=False, head=lambda encoder: encoder, **options):
    """Writes the folder of a tiny XLNet with random weights.

    Args:
        folder: `Path` of the folder.
        words: Tokens beside the special ones.
        sentence_pieces: Whether its tokeniser is that of the authors, with "<cls>" at the end; otherwise it is that of
            a run of language modeling. Defaults to `False`.
        head: Function of the encoder to the model. Defaults to the encoder itself.
        **options: Of the encoder.
    """
    keras.utils.set_random_seed(2)
    specials = "<unk> <cls> <sep> <pad> <mask>" if sentence_pieces else "[PAD] [UNK] [CLS] [SEP] [MASK]"
    names = [*specials.split(), *words]
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
    own = {"pad_token": 3 if sentence_pieces else 0, "text_token": "last" if sentence_pieces else "first"}
    model = head(XLNetEncoder(len(names), **sizes | own | options, name="encoder"))
    model({"tokens": np.ones((1, 2), "int32")})
    for weights in model.trainable_weights:
        weights.assign_add(np.random.default_rng(1).normal(0, 0.3, weights.shape))
    to_pretrained(model, folder)
    if not sentence_pieces:
        return write_word_pieces(folder, names, tokenizer_class="BertTokenizer", model_max_length=30)
    pieces = [(piece, 0.0) for piece in names[:5]] + [(f"▁{word}", -float(len(word))) for word in words]
    (folder / "spiece.model").write_bytes(unigram_model(pieces, unknown=0))
    return folder
