"""Compares the search of a Transformer translator with CTranslate2, keras-hub's layers and transformers' `generate`.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --quick --json decoding.json

The model has 4 + 4 layers of width 256 and 8,000 subwords. It answers 128 sentences of 25 tokens with 30 tokens each,
on one core with one thread per library. CTranslate2 gets our weights, and its line says how many of its answers equal
ours, token for token. The other two have the same sizes and their own weights. A ratio is our time over the peer's:
below 1 is better. `/twin` is the spread of two timings of the same side.

`decode/unequal` has no peer. It answers verses of the Bible's test split at the lengths of their translations, sorted
by length and leaving the batch when they are done, and compares that with batches in the order of the book that wait
for their longest verse. `decode/leaving` sorts on both sides.
"""

import sys
import tempfile
from unittest import mock

from measure import compare, on_one_core, parser_of, write_figures

VOCABULARY, WIDTH, LAYERS, HEADS, INNER = 8000, 256, 4, 4, 1024
SENTENCES, SOURCE, ANSWER = 128, 25, 30
ALPHA = 0.6  # length penalty of the beam


def sources():
    """Returns token ids (128, 25). The last id of each row is the end of sentence."""
    import numpy as np

    tokens = np.random.default_rng(0).integers(4, VOCABULARY, (SENTENCES, SOURCE)).astype("int32")
    tokens[:, -1] = 3
    return tokens


def our_model(dtype=None):
    from peers import our_transformer

    return our_transformer(VOCABULARY, WIDTH, LAYERS, HEADS, INNER, dtype)


def ours(model, tokens, beams):
    """Returns a function without arguments that answers with ids (B, L)."""
    import tensorflow as tf

    from attention_zoo.pipelines.engine.decoding.search import decode
    from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings

    settings = DecodingSettings(beam_size=beams, length_penalty=ALPHA if beams > 1 else 0.0)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def search(source):
        return decode(model, {"source": source}, settings, tf.fill([tf.shape(source)[0]], ANSWER))["tokens"][:, 0]

    source = tf.constant(tokens)
    return lambda: search(source).numpy()


def ctranslate2_search(model, tokens, beams, compute_type="float32"):
    """Returns the same for CTranslate2, or None if it is missing."""
    try:
        import ctranslate2
    except ImportError:
        return None
    from peers import to_ctranslate2, tokens_of

    with tempfile.TemporaryDirectory() as directory:
        to_ctranslate2(model, directory)
        translator = ctranslate2.Translator(directory, inter_threads=1, intra_threads=1, compute_type=compute_type)
    names = tokens_of(VOCABULARY)
    numbers = {name: number for number, name in enumerate(names)}
    words = [[names[token] for token in row] for row in tokens]
    options = {"beam_size": beams, "max_decoding_length": ANSWER, "length_penalty": ALPHA if beams > 1 else 1.0}

    def search():
        results = translator.translate_batch(words, **options)
        return [[numbers[word] for word in result.hypotheses[0]] for result in results]

    return search


def keras_hub_search(tokens, jit=False):
    """Returns greedy search with layers, caches and sampler of keras-hub, or None if it is missing.

    With `jit` XLA compiles all of it for the shape of the tokens, as `generate` of keras-hub's models does.
    """
    try:
        import keras_hub
    except ImportError:
        return None
    import keras
    import tensorflow as tf
    from keras import ops

    embed = keras_hub.layers.TokenAndPositionEmbedding(VOCABULARY, 64, WIDTH)
    encoders = [keras_hub.layers.TransformerEncoder(INNER, HEADS) for _ in range(LAYERS)]
    decoders = [keras_hub.layers.TransformerDecoder(INNER, HEADS) for _ in range(LAYERS)]

    def logits_of(features):
        return ops.matmul(features, ops.transpose(embed.token_embedding.embeddings))

    @tf.function(autograph=False, jit_compile=jit)
    def search(source):
        encoded = embed(source)
        for layer in encoders:
            encoded = layer(encoded)
        batch, length = source.shape
        self_cache = ops.zeros((batch, LAYERS, 2, ANSWER + 1, HEADS, WIDTH // HEADS))
        cross_cache = ops.zeros((batch, LAYERS, 2, length, HEADS, WIDTH // HEADS))

        def step(token, self_cache, index, cross_cache, first):
            features, selves, crosses = embed(token, start_index=index), [], []
            for number, layer in enumerate(decoders):
                features, own, cross = layer(
                    features,
                    encoded,
                    self_attention_cache=self_cache[:, number],
                    self_attention_cache_update_index=index,
                    cross_attention_cache=cross_cache[:, number],
                    cross_attention_cache_update_index=0 if first else None,
                )
                selves.append(own)
                crosses.append(cross)
            return logits_of(features)[:, 0], ops.stack(selves, axis=1), ops.stack(crosses, axis=1)

        prompt = ops.full((batch, ANSWER + 1), 2, dtype="int32")
        _, self_cache, cross_cache = step(prompt[:, :1], self_cache, 0, cross_cache, True)

        def following(prompt, cache, index):
            index = index - 1
            logits, cache, _ = step(ops.slice(prompt, [0, index], [batch, 1]), cache, index, cross_cache, False)
            return logits, None, cache

        sampler = keras_hub.samplers.GreedySampler()
        return sampler(next=following, prompt=prompt, cache=self_cache, index=1, mask=ops.zeros_like(prompt, "bool"))

    source = tf.constant(tokens)
    keras.utils.set_random_seed(1)
    return lambda: search(source).numpy()


def transformers_search(tokens):
    """Returns greedy `generate` of a Marian model, or None if transformers or PyTorch is missing."""
    try:
        import torch
        import transformers
    except ImportError:
        return None
    torch.set_num_threads(1)
    torch.manual_seed(1)
    config = transformers.MarianConfig(
        vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, pad_token_id=0,
        encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=INNER, decoder_ffn_dim=INNER,
        decoder_start_token_id=2, bos_token_id=2, eos_token_id=3, forced_eos_token_id=None, scale_embedding=True,
    )  # fmt: skip
    model = transformers.MarianMTModel(config).eval()
    source = torch.tensor(tokens, dtype=torch.long)
    options = {"max_new_tokens": ANSWER, "min_new_tokens": ANSWER, "num_beams": 1, "do_sample": False}

    def search():
        with torch.inference_mode():
            return model.generate(source, attention_mask=torch.ones_like(source), **options).numpy()

    return search


def verses(count):
    """Returns token ids of `count` verses and the lengths of their translations, in the order of the book."""
    import tensorflow as tf

    from attention_zoo.pipelines.datasets.parallel import read_parallel
    from attention_zoo.pipelines.engine.text.special_tokens import EOS
    from attention_zoo.pipelines.engine.text.subwords import Subwords, learn_sentencepiece

    examples = read_parallel("bible_translation/en-fr", "", False, [], 0, 0)
    learnt_from = [*examples["validation"].source, *examples["validation"].target]
    subwords = Subwords(learn_sentencepiece(learnt_from, VOCABULARY // 2))
    source, target = (
        subwords.tokenize(tf.constant(texts[:count])) for texts in (examples["test"].source, examples["test"].target)
    )
    source = tf.concat([source, tf.fill([source.nrows(), 1], tf.constant(EOS, tf.int32))], axis=1)
    return source, tf.cast(target.row_lengths(), tf.int32)


def answer_all(model, source, lengths, in_order, leaving):
    """Returns a function without arguments that answers all sources in batches of 128."""
    import tensorflow as tf

    from attention_zoo.pipelines.engine.decoding import steps
    from attention_zoo.pipelines.engine.decoding.search import decode
    from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)]
    )
    def search(source, lengths):
        return decode(model, {"source": source}, DecodingSettings(), lengths)["tokens"]

    with mock.patch.object(steps, "LEAVING_SHARE", steps.LEAVING_SHARE if leaving else 1.0):
        search.get_concrete_function()
    order = tf.argsort(source.row_lengths(), stable=True) if in_order else tf.range(source.nrows())
    rows = [order[start : start + SENTENCES] for start in range(0, len(order), SENTENCES)]
    batches = [(tf.gather(source, some).to_tensor(), tf.gather(lengths, some)) for some in rows]
    return lambda: [search(*batch).numpy() for batch in batches]


def equal_answers(own, peer):
    """Returns the number of rows that are equal up to the padding."""
    return sum([token for token in row if token] == list(other) for row, other in zip(own.tolist(), peer, strict=True))


def report(figures, name, own, peer, repeats, goal, same=False):
    """Prints a line, and adds the figures."""
    if peer is None:
        return print(f"{name:26s} missing: the peer is not installed")
    compared = compare(own, peer, repeats)
    text = f"  {equal_answers(own(), peer())} of the answers are equal" if same else ""
    print(f"{name:26s} {compared}  goal {goal}{text}", flush=True)
    figures |= compared.figures(name)


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "three rounds of each comparison, 32 sentences")
    arguments = parser.parse_args()
    on_one_core()
    repeats = 3 if arguments.quick else arguments.repeats
    tokens = sources()[: 32 if arguments.quick else SENTENCES]
    figures, model, half = {}, our_model(), our_model("bfloat16")
    half.set_weights(model.get_weights())
    for name, which, rows, beams, goal, kind in (
        ("decode/greedy_ct2", model, tokens, 1, 0.90, "float32"),
        ("decode/one_ct2", model, tokens[:1], 1, 0.70, "float32"),
        ("decode/beam_ct2", model, tokens, 4, 1.05, "float32"),
        ("decode/greedy_bf16_ct2", half, tokens, 1, 0.67, "float32"),
        ("decode/beam_bf16_ct2", half, tokens, 4, 0.85, "float32"),
    ):
        peer = ctranslate2_search(model, rows, beams, kind)
        report(figures, name, ours(which, rows, beams), peer, repeats, goal, same=True)
    for name, jit, goal in (("decode/greedy_hub", False, 0.40), ("decode/greedy_hub_xla", True, 1.0)):
        report(figures, name, ours(model, tokens, 1), keras_hub_search(tokens, jit), repeats, goal)
    report(figures, "decode/greedy_transformers", ours(model, tokens, 1), transformers_search(tokens), repeats, 0.50)
    one = transformers_search(tokens[:1])
    report(figures, "decode/one_transformers", ours(model, tokens[:1], 1), one, repeats, 0.25)
    source, lengths = verses(256 if arguments.quick else 768)
    shrinking = answer_all(model, source, lengths, in_order=True, leaving=True)
    for name, in_order, goal in (("decode/unequal", False, 0.77), ("decode/leaving", True, 1.0)):
        report(
            figures, name, shrinking, answer_all(model, source, lengths, in_order, leaving=False), min(3, repeats), goal
        )
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
