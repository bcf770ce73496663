"""Compares padding and speed of our input pipeline with those of tf.data's, for sentences of unequal lengths.

    python benchmarks/input.py
    python benchmarks/input.py --quick --json input.json

Sentences have log-normal lengths with a median of 20 words. `input/padding` is the share of padding in our batches over
that of `padded_batch` with the same number of rows per batch, and `input/padding_buckets` over that of
`bucket_by_sequence_length`, with buckets of 8 lengths and as many rows each as our tokens a batch allow.
`input/sentences_per_s` and `input/sentences_per_s_buckets` are the time per sentence of an epoch of cached tokens, ours
over theirs, so below 1 is better. `input/tokenise` compares tokenising all sentences in
one call with one by one in `Dataset.map`. All run on one core with one thread per library.
"""

import sys

from measure import compare, on_one_core, parser_of, write_figures

BUDGET = 4096  # tokens a batch
BUCKETS = range(8, 256, 8)  # lengths from which on a sentence belongs to the next bucket
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

    own = token_batches({"source": tokens}, BUDGET)
    ours = padding_share(own)
    figures["input/padding/ours"] = ours["padding_share"]
    shuffled, batches = padded.shuffle(8192, seed=0), ours["batches"]
    limits = [*BUCKETS, BUCKETS[-1] + BUCKETS.step]  # the longest sentence of each bucket
    buckets = shuffled.bucket_by_sequence_length(
        lambda row: tf.size(row["source"]), list(BUCKETS), [max(1, BUDGET // limit) for limit in limits]
    )
    for end, peer in (("", shuffled.padded_batch(-(-count // batches), {"source": [None]})), ("_buckets", buckets)):
        peer = peer.prefetch(tf.data.AUTOTUNE)
        theirs, name = padding_share(peer), f"input/padding{end}"
        figures |= {name: ours["padding_share"] / theirs["padding_share"], f"{name}/twin": 0.0}
        shares = f"ours {ours['padding_share']:.1%} of {batches:,}  peer {theirs['padding_share']:.1%}"
        print(f"{name:24} {shares} of {theirs['batches']:,} batches  ratio {figures[name]:.3f}  (counted)", flush=True)
        compared = compare(lambda: exhaust(own), lambda peer=peer: exhaust(peer), repeats)
        report(figures, f"input/sentences_per_s{end}", compared, count)
    compared = compare(lambda: together(every).flat_values.numpy(), lambda: exhaust(one_by_one), repeats)
    report(figures, "input/tokenise", compared, count)
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
