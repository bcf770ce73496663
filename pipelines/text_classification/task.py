"""Text classification: from labelled texts to a SavedModel that takes raw text and returns its class, or a number.

    attention-zoo train text_classification                             # five classes of BBC News, from scratch
    attention-zoo train text_classification --model.encoder FOLDER      # fine-tunes an encoder of the Hub
    attention-zoo train text_classification --data.files stars.csv --data.labels numbers
    attention-zoo predict text_classification "Shares fell on Monday." --attention attention.png

The file reads in the order in which a text travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `encoder.py` has how the encoder learns, and `targets.py` what
differs between classes and numbers.
"""

import copy

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.datasets.labelled_texts import few_a_class, read_labelled_texts
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.serving.asking import TAB, answer_by_length, line_of
from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.storage.labels import keep_labels
from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.engine.task import predict_command
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.blank import says_something
from attention_zoo.pipelines.engine.training.schedules import BIASES_AND_NORMS
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.encoder_task import EncoderTask
from attention_zoo.pipelines.hub.encoders import has_weights, load_encoder, reader_of
from attention_zoo.pipelines.hub.run_encoders import find_tokenizer, is_kept, keep_start
from attention_zoo.pipelines.models import SequenceClassifier
from attention_zoo.pipelines.text_classification.answers import ask, say
from attention_zoo.pipelines.text_classification.encoder import layer_factors, limit_learning, size_to_few_texts
from attention_zoo.pipelines.text_classification.linear_probe import begin_as_probe
from attention_zoo.pipelines.text_classification.settings import TextClassificationConfig
from attention_zoo.pipelines.text_classification.targets import TARGETS

TOGETHER = 32  # texts that are read, or answered, at once
SHOWN = 24  # words of a text that a picture shows


def with_content(texts):
    """Returns the texts of a split that say something, both of a pair."""
    columns = [column for column in (texts.texts, texts.seconds) if column]
    return texts.take(np.flatnonzero(tf.reduce_all([says_something(column) for column in columns], axis=0)))


class TextClassification(EncoderTask):
    """Text in, class or number out; see `Task` for the order of the methods."""

    name = "text_classification"
    Config = TextClassificationConfig
    View = Alignment
    unit = "texts"
    answers_with = ("classes", "number")
    changeable_data_settings = ("strict",)
    adapted_settings = ("data.labels", "data.vocabulary_size", "data.max_length")
    sized_settings = ("data.max_length", "model.frozen")
    undecayed = BIASES_AND_NORMS
    ask = staticmethod(ask)
    say = staticmethod(say)
    view = staticmethod(Ability.view)
    view_heads = staticmethod(Ability.view_heads)
    view_page = staticmethod(Ability.view_page)

    def load(self):
        """Reads the texts of the three splits, and keeps a few labelled ones for training if the settings say so."""
        self.check_encoder()
        data = self.config.data
        options = (data.dataset, data.files, data.dev, data.test, data.columns, data.limit, data.strict)
        sets = read_labelled_texts(*options, pairs=True, labels=data.labels)
        self.texts = {split: with_content(texts) for split, texts in sets.items()}
        self.pairs = sets["train"].seconds is not None
        if data.labels_per_class:
            self.texts["train"] = few_a_class(self.texts["train"], data.labels_per_class, self.config.training.seed)
        self.labels, self.data_version = sets["train"].names, sets["train"].version
        if empty := [split for split in SPLITS if not len(self.texts[split])]:
            raise UserError(f"--data.dataset, --data.files: expected texts with words, received none for {empty[0]}")
        self.targets = TARGETS[data.labels](self.texts)
        for split in SPLITS:
            texts = self.texts[split]
            print(describe_split(split, len(texts), self.targets.things(texts)))

    def size_to_data(self, typed):
        """Reads more of the texts, and learns a linear probe, where a given encoder gets few of them."""
        if not self.pretrained:
            return []
        folder = self.folder.encoder if is_kept(self.folder) else find_tokenizer(self.config.model.encoder)
        return size_to_few_texts(self.config, len(self.texts["train"]), reader_of(folder).max_tokens, typed)

    def adapt(self):
        """Keeps the encoder and its tokeniser in the run's folder, and tokenises the texts."""
        data, model = self.config.data, self.config.model
        sizes, pooler = (data.vocabulary_size, data.max_length), model.pooling == "first"
        keep_start(self.folder, model, self.lines("train"), *sizes, pooler)
        keep_labels(self.folder.labels, self.labels)
        self.encoder, self.reader = self.folder.encoder, reader_of(self.folder.encoder)
        self.reader.max_tokens = data.max_length
        self.begins_with_weights = has_weights(self.encoder)
        self.columns = {split: self.tokenize(self.texts[split]) for split in ("train", "validation")}

    def tokenize(self, texts):
        """Returns the columns of a split: its tokens and segments from 1, since 0 is padding, and its labels."""
        rows = []
        for start in counted(range(0, len(texts), TOGETHER)):
            columns = (texts.texts, texts.seconds) if self.pairs else (texts.texts,)
            inputs = self.reader(*(tf.constant(column[start : start + TOGETHER]) for column in columns))
            lengths = tf.math.count_nonzero(inputs["mask"], axis=1)
            ids = {name: inputs[name] + 1 for name in ("tokens", "segments")}
            rows.append({name: tf.RaggedTensor.from_tensor(one, lengths) for name, one in ids.items()})
        columns = {name: tf.concat([row[name] for row in rows], axis=0) for name in rows[0]}
        return columns | {"labels": tf.RaggedTensor.from_tensor(texts.labels[:, None])}

    def preprocess(self, split, epoch):
        """Returns batches of texts with like lengths, the training split in an order of its own each epoch."""
        settings = self.config.training
        order = {"seed": settings.seed, "epoch": epoch, "shuffle": split == "train"}
        batches = token_batches(self.columns[split], settings.batch_tokens, **order)
        return batches.map(lambda batch: {**batch, "labels": batch["labels"][:, 0]})

    def build(self):
        """Returns the model, built, whose encoder has the weights that it begins with."""
        settings = self.config.model
        encoder = load_encoder(self.encoder, weights=self.begins_with_weights)
        hidden = "tanh" if settings.pooling == "first" and encoder.pooler is None else None
        options = {"hidden_activation": hidden, "dropout": settings.dropout, "pooling": settings.pooling}
        model = SequenceClassifier(encoder, self.labels, **options)
        model({"tokens": tf.ones([1, 2], tf.int32)})
        self.targets.begin(model)
        if self.config.training.linear_probe and self.begins_with_weights:
            batches, fit = self.preprocess("train", 0), self.targets.fit_probe
            begin_as_probe(model, self.folder.linear_probe, batches, self.inputs_of, fit)
        limit_learning(encoder, settings.frozen, settings.lora_rank)
        return model

    def rate_factors(self, model):
        """Returns the factors of `training.layer_decay`, and those that the labels ask for."""
        settings, blocks = self.config.training, len(model.encoder.blocks)
        factors = layer_factors(variables_by_path(model), blocks, settings.layer_decay)
        return factors | self.targets.rate_factors(settings.optimizer)

    def inputs_of(self, batch):
        """Returns the inputs of the model."""
        mask = batch["tokens"] > 0
        tokens, segments = tf.where(mask, batch["tokens"] - 1, self.reader.pad), tf.maximum(batch["segments"] - 1, 0)
        return {"tokens": tokens, "mask": mask, "segments": segments}

    def loss(self, model, batch, training):
        """Cross-entropy of the classes, smoothed in training, or squared errors of the numbers, over the texts."""
        logits = model(self.inputs_of(batch), training=training)["logits"]
        return self.targets.loss(batch["labels"], logits, self.config.training.label_smoothing if training else 0.0)

    @once
    def classifier(self, model):
        """Returns what answers raw text with a model, in evaluation and in serving."""
        return self.targets.Answers(model, self.reader, self.pairs)

    def lines(self, split, count=None):
        """Returns the texts of a split as `predict` takes them, those of a pair on one line."""
        texts = self.texts[split]
        columns = [column[:count] for column in (texts.texts, texts.seconds) if column]
        return [line_of(parts) for parts in zip(*columns)]

    def evaluate(self, model, split):
        """Accuracy and macro F1 of classes in percent, or correlations of numbers times 100."""
        labels = self.texts[split].labels
        answers = answer_by_length(self.classifier(model).respond_to_lines, self.lines(split), TOGETHER)
        if split == "test":
            self.targets.keep(self.folder.test_answers, labels, answers)
        return self.targets.scores(labels, answers)

    def baselines(self):
        """Scores of the baselines, accuracies or correlations, and their distance from the run, printed."""
        found, path = {}, self.folder.test_answers
        for name in self.config.baselines.names:
            if name == "tfidf":
                others = self.targets.tfidf(self.lines("train"), self.texts["train"].labels, self.lines("test"))
            elif self.begins_with_weights:
                others = self.from_scratch()
            else:
                continue
            found[name] = self.targets.compare(name, path, others)
        return found

    def from_scratch(self):
        """Trains the same model without the weights that it begins with; returns its answers to the test split."""
        config = copy.deepcopy(self.config)
        config.model.frozen, config.model.lora_rank, config.training.layer_decay = False, 0, 1.0
        note = "the same without the weights of the encoder, to compare with"
        twin, model, _ = train_twin(self, note, self.folder.from_scratch, config=config, begins_with_weights=False)
        twin.evaluate(model, "test")
        return self.targets.kept(twin.folder.test_answers)[1]

    def signatures(self, model):
        """Returns what the SavedModel answers: the class or number, with and without attention of layers and heads."""
        columns = [line.split(TAB) for line in self.samples()[:2]]
        warm_up = {name: tf.constant(texts) for name, texts in zip(("text", "pair"), zip(*columns))}
        return [model, self.reader], self.classifier(model).signatures(model), warm_up

    def samples(self):
        """Returns the beginnings of the first four texts of the test split."""
        lines = self.lines("test", count=4)
        return [TAB.join(" ".join(text.split()[:SHOWN]) for text in line.split(TAB)) for line in lines]

    def truths(self):
        """Returns the classes, or numbers, of `samples`."""
        return [{"truth": truth} for truth in self.targets.as_answers(self.texts["test"].labels[:4])]

    def illustrate(self, model, directory):
        """Draws the answers to the test split against the truth."""
        return [self.targets.draw(self.folder.test_answers, directory)]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.samples()[0], picture="attention.png")
