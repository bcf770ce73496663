"""Compares our skip-gram with gensim's: words of text per second, and WordSim-353 of the vectors.

    python benchmarks/word_embeddings.py
    python benchmarks/word_embeddings.py --quick --json word_embeddings.json

Both train 100 features with a window of 5, 5 negatives, min_count 5 and subsampling above 1e-3 on the newsgroups, with
one worker on one core. `vectors/time` is our CPU time for an epoch over gensim's, so below 1 is better; it includes the
batches from numbered words (gensim: from lists of words), and neither the vocabulary nor checkpoints nor the dev split.
`vectors/wordsim` and `vectors/wordsim_gensim` are Spearman's correlations times 100 after five epochs of both.
"""

import tempfile
import time

from measure import compare, on_one_core, parser_of, write_figures

EPOCHS = 5


def our_task(limit):
    """Returns the task with the default preset's settings, its data at hand."""
    from attention_zoo.pipelines.engine.settings import TrainingSettings
    from attention_zoo.pipelines.word_embeddings.settings import DataSettings, ModelSettings, WordEmbeddingsConfig
    from attention_zoo.pipelines.word_embeddings.task import WordEmbeddings

    training = TrainingSettings(
        epochs=EPOCHS, batch_tokens=1024, optimizer="sgd", learning_rate=0.025, schedule="linear", clip_norm=0.0
    )
    config = WordEmbeddingsConfig(DataSettings(limit=limit), ModelSettings(), training)
    task = WordEmbeddings(config, tempfile.mkdtemp())
    task.load()
    task.adapt()
    return task


class Ours:
    """Trains with the update of the training loop.

    Args:
        task: From `our_task`.
    """

    def __init__(self, task):
        import keras
        import tensorflow as tf

        from attention_zoo.pipelines.engine.training.schedules import make_optimizer
        from attention_zoo.pipelines.engine.training.updates import Update

        self.task, self.settings = task, task.config.training
        keras.utils.set_random_seed(1)
        self.model = task.build()
        self.optimizer = make_optimizer(self.settings)
        self.optimizer.build(self.model.trainable_variables)
        spec = task.preprocess("train", 0).element_spec
        self.update = Update(task, self.model, self.optimizer, tf.distribute.get_strategy(), {}, spec)

    def epoch(self, number=0):
        """Trains one epoch."""
        from attention_zoo.pipelines.engine.training.schedules import learning_rate

        batches = self.task.preprocess("train", number)
        count = int(batches.cardinality())
        for step, batch in enumerate(batches):
            rate = learning_rate(self.settings, step + 1, number + step / count, EPOCHS)
            self.optimizer.learning_rate.assign(rate)
            self.update(batch, 0.0, 0.0)


def gensim_model(texts):
    """Returns gensim's model with its vocabulary, untrained."""
    from gensim.models import Word2Vec

    model = Word2Vec(vector_size=100, window=5, negative=5, min_count=5, sample=1e-3, sg=1, workers=1, seed=1)
    model.build_vocab(texts)
    return model


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "4,000 messages, three rounds, no WordSim-353", repeats=3)
    arguments = parser.parse_args()
    on_one_core()
    import numpy as np

    from attention_zoo.pipelines.word_embeddings.corpus import split_all

    task = our_task(4000 if arguments.quick else 0)
    rows = (words for batch in split_all(task.texts["train"].texts) for words in batch.numpy())
    texts = [[word.decode() for word in words] for words in rows]
    figures, count = {}, task.corpora["train"].read
    try:
        peer = gensim_model(texts)
    except ImportError:
        print("gensim is not installed (pip install 'attention-zoo[vectors]'): nothing to compare with")
        write_figures(figures, arguments.json)
        return
    ours = Ours(task)
    one_epoch = {"total_examples": len(texts), "epochs": 1, "start_alpha": 0.025, "end_alpha": 0.02}
    compared = compare(ours.epoch, lambda: peer.train(texts, **one_epoch), arguments.repeats, clock=time.process_time)
    figures |= compared.figures("vectors/time") | {"vectors/words_per_s": count / compared.ours}
    rates = f"ours {count / compared.ours:9,.0f} words/s  peer {count / compared.peer:9,.0f} words/s"
    print(f"{'vectors/time':24} {rates}  ratio {compared.ratio:.3f}  twins ±{compared.twin:.3f}", flush=True)
    if not arguments.quick:
        ours, peer = Ours(task), gensim_model(texts)
        for number in range(EPOCHS):
            ours.epoch(number)
        peer.train(texts, total_examples=len(texts), epochs=EPOCHS)
        for name, words, vectors in (
            ("vectors/wordsim", task.words, np.array(ours.model.words)),
            ("vectors/wordsim_gensim", peer.wv.index_to_key, peer.wv.vectors),
        ):
            scores = task.scores(words, vectors)
            figures[name] = scores["wordsim"]
            print(f"{name:24} {scores['wordsim']:.1f} of {scores['wordsim_known']:.0f}% of the pairs", flush=True)
            print(f"{'':24} analogies {scores['analogies']:.1f} of {scores['analogies_known']:.0f}%", flush=True)
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
