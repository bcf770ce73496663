"""Compares padding and speed of our input pipeline with tf.data's padded batches, for sentences of unequal lengths.

    python benchmarks/input.py
    python benchmarks/input.py --quick --json input.json

Sentences have log-normal lengths with a median of 20 words. `input/padding` is the share of padding in our batches over
that of `padded_batch` with the same number of rows per batch. `input/sentences_per_s` is the time per sentence of an
epoch of cached tokens, ours over theirs, so below 1 is better. `input/tokenise` compares tokenising all sentences in
one call with one by one in `Dataset.map`. All run on one core with one thread per library.
"""

import sys

from measure import compare, on_one_core, parser_of, write_figures

BUDGET = 4096  # tokens a batch
VOCABULARY = 1000


def sentences(count):
    """Returns sentences of log-normal lengths from made-up words, of which the frequent ones are short."""
    import numpy as np

    generator = np.random.default_rng(0)
    letters = list("etaoinshrdlu")
    words = ["".join(generator.choice(letters, 2 + rank // 400)) for rank in range(3000)]
    lengths = np.clip(generator.lognormal(3.0, 0.8, count).astype(int), 1, 250)
    ranks = np.minimum(generator.zipf(1.3, lengths.sum()) - 1, len(words) - 1)
    chosen = iter([words[rank] for rank in ranks])
    return [" ".join(next(chosen) for _ in range(length)) for length in lengths]


def exhaust(dataset):
    """Reads a dataset to its end."""
    return int(dataset.reduce(0, lambda count, _: count + 1))


def report(figures, name, compared, count):
    figures |= compared.figures(name)
    rates = f"ours {count / compared.ours:9,.0f}/s  peer {count / compared.peer:9,.0f}/s"
    print(f"{name:24} {rates}  ratio {compared.ratio:.3f}  twins ±{compared.twin:.3f}", flush=True)
    figures[f"{name}/ours"] = count / compared.ours


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "10,000 sentences, three rounds")
    arguments = parser.parse_args()
    on_one_core()
    import tensorflow as tf

    from attention_zoo.pipelines.engine.text.batching import padding_share, token_batches
    from attention_zoo.pipelines.engine.text.subwords import Subwords, learn_sentencepiece

    count, repeats = (10_000, 3) if arguments.quick else (50_000, arguments.repeats)
    texts = sentences(count)
    subwords = Subwords(learn_sentencepiece(texts[:5000], VOCABULARY))
    every = tf.constant(texts)
    together = tf.function(subwords.tokenize, autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    tokens = together(every)
    one_by_one = tf.data.Dataset.from_tensor_slices(texts).map(lambda text: subwords.tokenize(text[None])[0])
    padded = tf.data.Dataset.from_tensor_slices(tokens).map(lambda row: {"source": row})
    figures = {}

    ours = padding_share(token_batches({"source": tokens}, BUDGET))
    rows = -(-count // ours["batches"])
    padded = padded.shuffle(8192, seed=0).padded_batch(rows, {"source": [None]}).prefetch(tf.data.AUTOTUNE)
    theirs = padding_share(padded)
    figures |= {"input/padding": ours["padding_share"] / theirs["padding_share"], "input/padding/twin": 0.0}
    figures["input/padding/ours"] = ours["padding_share"]
    shares = f"ours {ours['padding_share']:.1%}  peer {theirs['padding_share']:.1%}"
    print(
        f"{'input/padding':24} {shares}  ratio {figures['input/padding']:.3f}  (counted, {rows} rows a batch)",
        flush=True,
    )

    own = token_batches({"source": tokens}, BUDGET)
    compared = compare(lambda: exhaust(own), lambda: exhaust(padded), repeats)
    report(figures, "input/sentences_per_s", compared, count)
    compared = compare(lambda: together(every).flat_values.numpy(), lambda: exhaust(one_by_one), repeats)
    report(figures, "input/tokenise", compared, count)
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
