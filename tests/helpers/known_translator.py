"""A tiny folder of MarianMT: random weights, pieces learned from a few sentences, and a vocabulary of its own."""

import io
import json

import keras
import numpy as np
import sentencepiece

from attention_zoo.pipelines.hub import to_pretrained
from attention_zoo.pipelines.models import MarianTranslator

SENTENCES = ["the cat sat on the mat", "a dog and a cat ran", "the house is red", "three green cats sleep"]
SIZES = {"num_layers": 2, "num_decoder_layers": 1, "num_heads": 2, "num_decoder_heads": 4}
WIDTHS = {"embedding_dim": 16, "intermediate_dim": 24, "decoder_intermediate_dim": 32, "max_length": 24}
GENERATION = {"num_beams": 3, "max_length": 12, "forced_eos_token_id": 0, "renormalize_logits": True}


def write_tokenizer(folder):
    """Writes source.spm, target.spm, vocab.json and tokenizer_config.json; returns the vocabulary."""
    model = io.BytesIO()
    options = {"vocab_size": 36, "model_type": "unigram", "hard_vocab_limit": False, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(SENTENCES * 5), model_writer=model, **options)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [processor.id_to_piece(number) for number in range(3, processor.get_piece_size())]
    missing = pieces.pop(-3)  # in the model and not in the vocabulary: "<unk>"
    names = ["</s>", "<unk>", *reversed(pieces), "日", ">>fra<<", ">>deu<<", "<pad>"]
    assert missing not in names
    vocabulary = {name: number for number, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    settings = {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "fr"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return vocabulary


def write_translator(folder, seed=1, end_bias=0.0, **settings):
    """Writes a folder whose generation_config.json has `settings`; returns it.

    A larger `end_bias` gives translations that end before their limit.
    """
    vocabulary = write_tokenizer(folder)
    keras.utils.set_random_seed(seed)
    model = MarianTranslator(len(vocabulary), **SIZES, **WIDTHS)
    model({"source": np.ones((1, 2), "int32"), "target": np.ones((1, 2), "int32")})
    random = np.random.default_rng(seed)
    for weights in model.weights:
        weights.assign_add(random.normal(0, 0.4, weights.shape))
    model.bias.assign_add(end_bias * (np.arange(len(vocabulary)) == 0))
    to_pretrained(model, folder)
    pad = vocabulary["<pad>"]
    ids = {"bad_words_ids": [[pad]], "decoder_start_token_id": pad, "pad_token_id": pad, "eos_token_id": 0}
    kept = {name: value for name, value in (ids | GENERATION | settings).items() if value is not None}
    (folder / "generation_config.json").write_text(json.dumps(kept))
    return folder
