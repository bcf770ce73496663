"""Document classification: from labelled texts to a SavedModel that takes raw text and shows what it read.

    attention-zoo train document_classification                     # five classes of BBC News
    attention-zoo train document_classification --data.files reviews.csv
    attention-zoo predict document_classification article.txt --attention attention.png

The file reads in the order in which a document travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `classifier.py` has what turns raw text into answers.
"""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.baselines.texts import tfidf_svm_predictions
from attention_zoo.pipelines.datasets.labelled_texts import read_labelled_texts
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.datasets.vector_files import vector_size
from attention_zoo.pipelines.document_classification.answers import (
    Document,
    answers_on,
    deletion,
    pointing,
    view_of,
)
from attention_zoo.pipelines.document_classification.classifier import DocumentClassifier
from attention_zoo.pipelines.document_classification.settings import DocumentClassificationConfig
from attention_zoo.pipelines.document_classification.vectors import keep_vectors, with_vectors
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.scores.answer_lists import confusion_of, keep_answers, right_answers, spread_line
from attention_zoo.pipelines.engine.scores.classification import classification_scores
from attention_zoo.pipelines.engine.serving.asking import ask_rows, noted
from attention_zoo.pipelines.engine.settings import describe_change
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.labels import keep_labels
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.text.document_batching import document_batches
from attention_zoo.pipelines.engine.text.document_reader import FIRST, DocumentReader, choose_words, count_words
from attention_zoo.pipelines.engine.training.losses import classification_loss
from attention_zoo.pipelines.engine.views import ConfusionMatrix, ShadedText
from attention_zoo.pipelines.models import HierarchicalAttentionNetwork


class DocumentClassification(Task):
    """Document in, class out; see `Task` for the order of the methods."""

    name = "document_classification"
    Config = DocumentClassificationConfig
    View = ShadedText
    unit = "documents"
    reads = "text"
    answers_with = "label"
    changeable_data_settings = ("strict",)
    sized_settings = ("model.embedding_dim",)
    adapted_settings = ("data.vocabulary_size", "data.min_count", "data.max_words")
    read_input = staticmethod(Document.read)
    view = staticmethod(view_of)

    def load(self):
        """Reads the texts of the three splits."""
        data = self.config.data
        options = (data.dataset, data.files, data.dev, data.test, data.columns, data.limit, data.strict)
        self.texts = read_labelled_texts(*options)
        self.labels = self.texts["train"].names
        self.data_version = self.texts["train"].version
        for split in SPLITS:
            print(describe_split(split, len(self.texts[split]), f"texts of {len(self.labels):,} classes"))

    def size_to_data(self, typed):
        """Gives the embeddings the size of the vectors that they begin with."""
        model = self.config.model
        if not model.vectors:
            return []
        before, size = model.embedding_dim, vector_size(model.vectors)
        if "model.embedding_dim" in typed and before != size:
            raise UserError(f"--model.embedding_dim: expected {size}, that of {model.vectors}; received {before}")
        model.embedding_dim = size
        return describe_change("model.embedding_dim", before, size, f"the size of the vectors in {model.vectors}")

    def adapt(self):
        """Counts the words of the training split, once a run, and numbers those of all texts."""
        data, path = self.config.data, self.folder.words
        keep_labels(self.folder.labels, self.labels)
        if not path.is_file():
            counts = count_words(self.texts["train"].texts, data.max_words)
            atomic_write(path, "\n".join(choose_words(counts, data.vocabulary_size, data.min_count)))
        words = path.read_text(encoding="utf-8").split("\n")
        self.reader = DocumentReader(words, data.max_words, data.max_sentences)
        keep_vectors(self.folder.word_vectors, self.config.model.vectors, words, data.strict)
        self.columns = {split: self.encode(split) for split in ("train", "validation")}

    def encode(self, split):
        """Numbers the words of a split, and leaves out texts without words."""
        texts = self.texts[split]
        documents = self.reader.read_all(texts.texts)
        kept = documents.row_lengths().numpy() > 0
        if not kept.all():
            print(f"{split}: {int((~kept).sum()):,} texts without a word are left out")
        if not kept.any():
            raise UserError(f"--data.dataset, --data.files: expected texts with words, received none for {split}")
        return tf.ragged.boolean_mask(documents, kept), texts.labels[kept]

    def preprocess(self, split, epoch):
        """Returns batches of documents with like numbers of sentences and words, the training split in a new order."""
        training = self.config.training
        order = {"seed": training.seed, "epoch": epoch, "shuffle": split == "train"}
        return document_batches(*self.columns[split], training.batch_tokens, **order)

    def build(self):
        """Returns the model, built, whose embeddings begin with the vectors that the user named."""
        options = dict(vars(self.config.model))
        options.pop("vectors")
        model = HierarchicalAttentionNetwork(self.reader.vocabulary_size, len(self.labels), **options)
        model(tf.ones([1, 1, 1], tf.int32))
        if self.folder.word_vectors.is_file():
            (embeddings,) = model.embedding.weights
            embeddings.assign(with_vectors(embeddings, self.folder.word_vectors, FIRST))
        return model

    def loss(self, model, batch, training):
        """Cross-entropy of the classes, smoothed in training, summed over the documents."""
        logits = model(batch["documents"], training=training)
        smoothing = self.config.training.label_smoothing if training else 0.0
        return classification_loss(batch["labels"], logits, smoothing)

    def evaluate(self, model, split):
        """Accuracy and macro F1 in percent, and on the test split what the attention is worth."""
        texts = self.texts[split]
        found = answers_on(DocumentClassifier(model, self.reader, self.labels), texts)
        scores = classification_scores(texts.labels, found["number"])
        if split == "test":
            names = ([self.labels[number] for number in numbers] for numbers in (texts.labels, found["number"]))
            keep_answers(self.folder.test_answers, *names, found["probability"])
            if self.config.model.pooling == "attention":
                scores |= deletion(found) | pointing(found, texts.spans)
        return scores

    def baselines(self):
        """Accuracies of the baselines in percent, and their distance from the run with its interval, printed."""
        found, right = {}, right_answers(self.folder.test_answers)
        train, test = self.texts["train"], self.texts["test"]
        for name in self.config.baselines.names:
            if name == "svm":
                print("baseline: svm")
                other = tfidf_svm_predictions(train.texts, train.labels, test.texts) == test.labels
            elif self.config.model.pooling == "mean":
                continue
            else:
                config = replace(self.config, model=replace(self.config.model, pooling="mean"))
                twin, model, _ = train_twin(self, "the same with the mean in place of attention", config=config)
                twin.evaluate(model, "test")
                other = right_answers(twin.folder.test_answers)
            found[name] = 100.0 * float(np.mean(other))
            print(spread_line(name, right, other))
        return found

    def signatures(self, model):
        """Returns what the SavedModel answers: the class, and the class with the attention."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        classifier = DocumentClassifier(model, self.reader, self.labels)
        signatures = {"serving_default": (classifier.classify, spec), "attention": (classifier.attend, spec)}
        return [model, self.reader], signatures, {"text": tf.constant(self.texts["test"].texts[:2])}

    def samples(self):
        """Returns the first four texts of the test split."""
        return [Document(f"document {number}", text) for number, text in enumerate(self.texts["test"].texts[:4], 1)]

    def truths(self):
        """Returns the classes of `samples`, and the parts that decide them, where they are known."""
        test = self.texts["test"]
        spans = test.spans or [np.zeros((0, 2), int)] * len(test)
        return [{"truth": self.labels[label], "spans": known} for label, known in zip(test.labels[:4], spans)]

    def illustrate(self, model, directory):
        """Draws which classes of the test split were taken for which, and keeps a text for the next command."""
        atomic_write(self.folder.example_text, self.texts["test"].texts[0])
        counts = confusion_of(self.folder.test_answers, self.labels)
        title = f"test: {np.trace(counts):,} of {counts.sum():,} right"
        return [draw(ConfusionMatrix(self.labels, counts, title), directory / "confusion.png")]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.folder.example_text, picture="attention.png")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Classifies documents: a dict each, as `DocumentClassifier.classify` or, with attention, `attend` gives it."""
        answers = ask_rows(served, attention, text=tf.constant([one.text for one in inputs]))
        rows = [{"text": one.text, **answer} for one, answer in zip(inputs, answers)]
        return noted([one.name for one in inputs], rows)

    @staticmethod
    def say(answer):
        """Returns the document, its class, and how probable that is; of text without words an empty line."""
        return f"{answer['input']}\t{answer['label']}\t{answer['probabilities'][0]:.3f}" if answer["label"] else ""
