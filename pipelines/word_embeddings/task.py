"""Word embeddings: from raw text to a SavedModel that gives the vectors of words, their neighbours, and analogies.

    attention-zoo train word_embeddings                       # 4.8 million words of newsgroups
    attention-zoo train word_embeddings --data.files novels.txt letters.txt
    attention-zoo predict word_embeddings computer "king - man + woman"

The file reads in the order in which a word travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `corpus.py` has the windows, `vectors.py` the answers.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.baselines.word_vectors import gensim_vectors
from attention_zoo.pipelines.datasets.plain_texts import read_texts
from attention_zoo.pipelines.datasets.tfds import TINY, describe_split
from attention_zoo.pipelines.datasets.word_pairs import read_analogies, read_similarities
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.scores.word_vectors import analogy_scores, similarity_scores
from attention_zoo.pipelines.engine.serving.asking import noted, rows_of
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.views import PointMap
from attention_zoo.pipelines.models.skip_gram import SkipGram, negative_sampling_loss
from attention_zoo.pipelines.word_embeddings.corpus import (
    CENTRES,
    WindowBatches,
    count_words,
    empty_batches,
    number_words,
    split_all,
    table_of_weights,
)
from attention_zoo.pipelines.word_embeddings.files import write_projector, write_word2vec
from attention_zoo.pipelines.word_embeddings.maps import map_of_answer, map_of_words
from attention_zoo.pipelines.word_embeddings.other_runs import embeddings_of
from attention_zoo.pipelines.word_embeddings.settings import WordEmbeddingsConfig
from attention_zoo.pipelines.word_embeddings.vectors import Vectors


class WordEmbeddings(Task):
    """Text in, vectors out; see `Task` for the order of the methods."""

    name = "word_embeddings"
    Config = WordEmbeddingsConfig
    View = PointMap
    answers_with = "sentence"
    unit = "pairs"
    changeable_data_settings = ("strict", "similarities", "analogies")
    view = staticmethod(map_of_answer)

    def load(self):
        """Finds the texts of both splits, and what people say of pairs of words."""
        data = self.config.data
        self.taken, self.texts = None, {}
        if data.from_run:
            *self.taken, weight = embeddings_of(data.from_run)
            self.data_version = f"{weight} of {data.from_run}"
        else:
            splits = (data.train_split, data.validation_split)
            self.texts = read_texts(data.dataset, splits, data.files, data.limit, data.strict, data.dev)
            self.data_version = self.texts["train"].version
        for split, one in self.texts.items():
            print(describe_split(split, len(one.texts), "texts"))
        self.similarities = [] if data.similarities == "none" else read_similarities(data.similarities)
        self.analogies = [] if data.analogies == "none" else read_analogies(data.analogies)

    def adapt(self):
        """Learns the vocabulary from the training split, once a run, and numbers the words of both splits."""
        data, path = self.config.data, self.folder.words
        if self.taken:
            self.words = self.taken[0]
            atomic_write(path, "\n".join(self.words))
            print(f"{len(self.words):,} words with the vectors {self.data_version}")
            self.report_known()
            return
        if not path.is_file():
            atomic_write(path, "\n".join(count_words(self.texts["train"].texts, data.min_count, data.vocabulary_size)))
        self.words = path.read_text(encoding="utf-8").split("\n")
        self.batches = None
        self.corpora = {split: number_words(one.texts, self.words) for split, one in self.texts.items()}
        for split, corpus in self.corpora.items():
            print(f"{split}: {corpus.read:,} words, {len(corpus.ids):,} of them among the {len(self.words):,} known")
        self.report_known()

    def report_known(self):
        """Says where the vocabulary has few of the words that people compared."""
        words = set(self.words)
        for name, rows in (("similarities", self.similarities), ("analogies", self.analogies)):
            known = sum(words.issuperset(word for word in row if isinstance(word, str)) for row in rows)
            if rows and known < TINY:
                so = "scores on so few vary by chance, or are left out"
                print(f"data.{name}: the words of {known:,} of {len(rows):,} are known; {so}")

    def preprocess(self, split, epoch):
        """Returns batches of text and negatives; the training split in another order and thinned anew each epoch."""
        training, model = self.config.training, self.config.model
        rows = training.batch_tokens // CENTRES
        if not rows:
            raise UserError(f"--training.batch_tokens: expected at least {CENTRES}, received {training.batch_tokens}")
        if self.taken:
            return empty_batches(model.window, model.shared_negatives)
        options = (model.window, self.config.data.subsample, model.shared_negatives, rows)
        if self.batches is None or self.batches.options != options:
            counts = np.bincount(self.corpora["train"].ids, minlength=len(self.words)).astype("float64")
            self.batches = WindowBatches(counts, *options)
        return self.batches.epoch(self.corpora[split], training.seed, epoch, shuffle=split == "train")

    def build(self):
        """Returns the model."""
        size = self.taken[1].shape[1] if self.taken else self.config.model.embedding_dim
        model = SkipGram(len(self.words), size, self.config.model.window)
        model.build()
        if self.taken:
            model.words.assign(self.taken[1])
        return model

    def loss(self, model, batch, training):
        """The loss of negative sampling, summed over the pairs of a word and a context."""
        options = self.config.model
        logits = model({"text": batch["text"], "negatives": batch["negatives"]}, training=training)
        table = tf.constant(table_of_weights(options.window, options.negatives, options.shared_negatives))
        windows = batch["left"] * (options.window + 1) + batch["right"]  # (B, L)
        weights = tf.gather(table, windows * CENTRES + tf.range(CENTRES))  # (B, L, T + K)
        pairs = tf.cast(tf.reduce_sum(batch["left"] + batch["right"]), tf.float32)
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        loss = scale_gradient(
            negative_sampling_loss(weights, logits), pairs * replicas
        )  # the trainer divides it by all pairs
        return loss, pairs, {"loss": loss}

    def evaluate(self, model, split):
        """Writes the vectors for other programs, and returns their agreement with people and right analogies."""
        if split != "test":
            return {}
        vectors, folder = np.array(model.words), self.folder
        print(f"vectors: {write_word2vec(folder.vectors, self.words, vectors)}")
        print(f"vectors: {write_word2vec(folder.binary_vectors, self.words, vectors, binary=True)}")
        write_projector(folder.projector, self.words, vectors)
        print(f"for TensorBoard's projector: tensorboard --logdir {folder.projector}")
        return self.scores(self.words, vectors)

    def scores(self, words, vectors):
        """Returns the scores of vectors `(V, D)`."""
        ids, scores = {word: row for row, word in enumerate(words)}, {}
        if self.similarities:
            scores |= similarity_scores(ids, vectors, self.similarities)
        if self.analogies:
            scores |= analogy_scores(ids, vectors, self.analogies)
        return scores

    def baselines(self):
        """Scores of gensim's vectors."""
        config = self.config
        if "gensim" not in config.baselines.names or self.taken:
            return {}
        print("baseline: gensim")
        texts = [words.tolist() for rows in split_all(self.texts["train"].texts) for words in rows.numpy()]
        texts = [[word.decode() for word in words] for words in texts]
        sizes = (config.model.embedding_dim, config.model.window, config.model.negatives)
        options = (config.data.min_count, config.data.subsample, config.training.epochs, config.training.learning_rate)
        try:
            return self.scores(*gensim_vectors(texts, *sizes, *options, seed=config.training.seed))
        except UserError as error:
            print(f"baseline left out: {error}")
            return {}

    def signatures(self, model):
        """Returns what the SavedModel answers: vectors, neighbours, sums of words, and the vectors to draw them."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        vectors = Vectors(self.words, np.array(model.words))
        functions = {"serving_default": vectors.embed, "neighbours": vectors.neighbours}
        functions |= {"analogy": vectors.analogy, "attention": vectors.attend}
        signatures = {name: (function, spec) for name, function in functions.items()}
        return [vectors], signatures, {"text": tf.constant(self.samples()[:2])}

    def samples(self):
        """Returns four frequent words, of the pairs that people compared if they are known."""
        compared = {word for pair in self.similarities for word in pair[:2]}
        telling = [word for word in self.words[self.config.picture.skip :] if word in compared]
        return [*telling, *self.words][:4]

    def illustrate(self, model, directory):
        """Draws the map of frequent words."""
        view = map_of_words(self.words, np.array(model.words), self.config.picture, self.config.training.seed)
        return [draw(view, directory / "words.png")]

    def next_command(self):
        """Returns the command a user will want next; its sum is the known analogy of the most frequent words."""
        rank = {word: place for place, word in enumerate(self.words)}
        known = [words for words in self.analogies if all(word in rank for word in words)]
        example, *_ = self.samples()
        if not known:
            return predict_command(self.name, example)
        first, second, third, _ = min(known, key=lambda words: max(rank[word] for word in words))
        return predict_command(self.name, example, f"{second} - {first} + {third}")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Returns the neighbours of each word, or of a sum such as "king - man + woman"."""
        rows = rows_of(served.signatures["attention" if attention else "analogy"](text=tf.constant(inputs)))
        answers = noted(inputs, rows)
        for answer in answers:
            if answer["unknown"] and not answer["error"]:
                cut = f"{answer['note']}; " if "note" in answer else ""
                answer["note"] = f"{cut}not in the vocabulary: {answer['unknown']}"
        return answers

    @staticmethod
    def say(answer):
        """Returns the neighbours with their cosines; of text without words an empty line."""
        pairs = zip(answer["neighbours"], answer["cosines"])
        found = ", ".join(f"{word} {cosine:.2f}" for word, cosine in pairs if word)
        return f"{answer['input']}\t{found}" if found else ""


@tf.custom_gradient
def scale_gradient(loss, factor):
    """Returns the loss as it is; its gradient is multiplied by a factor."""
    return loss, lambda upstream: (upstream * factor, None)
