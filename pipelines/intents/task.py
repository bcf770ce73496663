"""Intents and entities: from example sentences to a SavedModel that takes raw text, with DIET (Bunk et al. 2020).

    attention-zoo train intents                                   # commands for a smart home, in English
    attention-zoo train intents --data.files nlu.yml
    attention-zoo predict intents "turn on the lights in the kitchen" --attention attention.png

The file reads in the order in which a sentence travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `view`. `interpreter.py` has what turns raw text into answers.
"""

import json
from collections import Counter

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.baselines.crf import check_installed, crf_tags
from attention_zoo.pipelines.baselines.intents import tfidf_logistic_predictions
from attention_zoo.pipelines.datasets.intent_sets import read_utterances
from attention_zoo.pipelines.datasets.out_of_scope import read_out_of_scope
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.scores.entities import entity_scores
from attention_zoo.pipelines.engine.serving.asking import answer_in_batches, ask_rows, noted
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.tags import names_of
from attention_zoo.pipelines.engine.text.word_splitting import read_words
from attention_zoo.pipelines.engine.views import Spans
from attention_zoo.pipelines.intents.answers import line_of, spans_view
from attention_zoo.pipelines.intents.interpreter import Interpreter, WordFeatures
from attention_zoo.pipelines.intents.settings import IntentsConfig
from attention_zoo.pipelines.intents.targets import balanced_rows, best_threshold, synonyms_of, word_tags
from attention_zoo.pipelines.models.diet_classifier import DIETClassifier

BATCH = 128  # sentences that evaluation answers together
STRANGERS = 500  # texts out of scope, of each source and in each split


class Intents(Task):
    """Sentence in, intent and entities out; see `Task` for the order of the methods."""

    name = "intents"
    Config = IntentsConfig
    View = Spans
    answers_with = "intent"
    unit = "sentences"
    changeable_data_settings = ("strict", "out_of_scope")
    adapted_settings = ("data.buckets", "data.largest_ngram")
    say = staticmethod(line_of)
    view = staticmethod(spans_view)

    def load(self):
        """Reads the sentences of the three splits, and texts that are out of scope."""
        data = self.config.data
        if "entity_f1" in self.config.baselines.names:
            check_installed()
        self.found = read_utterances(data.dataset, data.files, data.dev, data.test, data.strict, data.limit)
        self.utterances, self.data_version = self.found.splits, self.found.version
        for split in SPLITS:
            count = len({row.intent for row in self.utterances[split]})
            print(describe_split(split, len(self.utterances[split]), f"sentences of {count:,} intents"))
        if data.files and data.out_of_scope and "data.out_of_scope" not in self.config.typed:
            sources = " ".join(data.out_of_scope)
            print(f"data.out_of_scope: {sources}, as in the preset; name others if your intents answer such texts")
        self.strangers = read_out_of_scope(data.out_of_scope, STRANGERS)

    def adapt(self):
        """Numbers intents and tags, and finds the words of all sentences as serving will find them."""
        if not self.folder.intents.is_file():
            train = self.utterances["train"]
            learned = {
                "intents": sorted({row.intent for row in train}),
                "entities": sorted({entity.type for row in train for entity in row.entities}),
                "synonyms": synonyms_of(train, *self.words_of("train")) | self.found.synonyms,
                "patterns": self.found.patterns,
            }
            atomic_write(self.folder.intents, json.dumps(learned, ensure_ascii=False, indent=1) + "\n")
        self.learned = json.loads(self.folder.intents.read_text(encoding="utf-8"))
        self.tags = names_of(self.learned["entities"])
        data, patterns = self.config.data, self.learned["patterns"]
        for name, pattern in patterns.items():
            try:
                tf.strings.regex_full_match("", pattern)
            except tf.errors.InvalidArgumentError as error:
                raise UserError(f"--data.files: expected a regular expression in {name}, {error.message}") from None
        self.features = WordFeatures(data.buckets, data.largest_ngram, patterns.values())
        words = {split: self.words_of(split)[0] for split in ("train", "validation")}
        forms = np.unique(np.concatenate([rows.flat_values.numpy().astype(bytes) for rows in words.values()]))
        self.table = self.features(tf.constant([b"", *forms.tolist()]))  # (W, F), row 0 is padding
        self.columns = {split: self.number(split, rows, forms) for split, rows in words.items()}

    @once
    def words_of(self, split):
        """Returns the words of a split's sentences and their offsets, see `read_words`."""
        return read_words(tf.constant([row.text for row in self.utterances[split]]), self.config.data.max_words)[:3]

    @once
    def tags_of(self, split):
        """Returns (words, tags): the true tag of each word of a split, two lists of lists of strings."""
        words, starts, ends = self.words_of(split)
        rows = zip(self.utterances[split], starts.to_list(), ends.to_list())
        known = set(self.learned["entities"])
        tags = [word_tags(*row, known) for row in rows]
        return [[word.decode("utf-8", "replace") for word in row] for row in words.to_list()], tags

    def number(self, split, words, forms):
        """Returns the columns of a split: the rows of its words in `table`, their tags, and the intents."""
        rows = np.searchsorted(forms, words.flat_values.numpy().astype(bytes)) + 1
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        tags = [numbers[tag] for row in self.tags_of(split)[1] for tag in row]
        intents = {name: number for number, name in enumerate(self.learned["intents"])}
        known = [[intents.get(row.intent, -1)] for row in self.utterances[split]]
        columns = {
            "forms": words.with_flat_values(tf.constant(rows, tf.int32)),
            "tags": words.with_flat_values(tf.constant(tags, tf.int32)),
            "intent": tf.RaggedTensor.from_tensor(tf.constant(known, tf.int32)),
        }
        if split == "train":  # a rare intent is in about every other batch
            batches = words.flat_values.shape[0] // self.config.training.batch_tokens
            again = balanced_rows(np.ravel(known), least=batches // 2)
            columns = {name: tf.gather(column, again) for name, column in columns.items()}
        return columns

    def preprocess(self, split, epoch):
        """Returns batches of sentences of like lengths; the training split in another order each epoch."""
        training = self.config.training
        order = {"seed": training.seed, "epoch": epoch, "shuffle": split == "train"}
        batches = token_batches(self.columns[split], training.batch_tokens, **order)
        return batches.map(lambda batch: batch | {"intent": batch["intent"][:, 0]}).prefetch(tf.data.AUTOTUNE)

    def build(self):
        """Returns the model, built by a call on one word."""
        options = vars(self.config.model)
        model = DIETClassifier(self.features.count, len(self.learned["intents"]), self.tags, **options)
        model({"features": tf.constant([[[1]]])})
        return model

    def loss(self, model, batch, training):
        """The sum of the losses that are on, summed over the sentences."""
        features = tf.gather(self.table, batch["forms"])  # (B, T, F), since dropout is another in each place
        inputs = {"features": tf.boolean_mask(features, tf.reduce_any(features != 0, axis=[0, 1]), axis=2)}
        losses = model.losses_of(inputs, model(inputs, training=training), batch)
        sums = {name: tf.reduce_sum(loss) for name, loss in losses.items()}
        total = tf.add_n(list(sums.values()))
        return total, tf.cast(tf.shape(batch["intent"])[0], tf.float32), {"loss": total} | sums

    @once
    def interpreter(self, model, threshold=0.0):
        """Returns what answers raw text with a model, in evaluation and in serving."""
        learned = self.learned
        options = (learned["intents"], learned["synonyms"], self.config.data.max_words, threshold)
        return Interpreter(model, self.features, *options)

    def scope_scores(self, model, texts):
        """Returns the greatest similarity of each text `(N,)`."""
        rows = answer_in_batches(self.interpreter(model).scope, texts, BATCH)
        return np.array([row["scores"] for row in rows], "float32")

    def threshold(self, model):
        """The similarity that divides the dev sentences and the dev texts out of scope best; without the latter, none.

        Returns:
            A number; a text is in scope if its greatest similarity is at least this.
        """
        if not self.strangers["validation"]:
            return float("-inf")
        inside = self.scope_scores(model, [row.text for row in self.utterances["validation"]])
        return best_threshold(inside, self.scope_scores(model, self.strangers["validation"]))

    def evaluate(self, model, split):
        """Intent accuracy, entity F1, and the share of sentences with all of it right, in percent."""
        rows, (_, truths) = self.utterances[split], self.tags_of(split)
        answers = list(answer_in_batches(self.interpreter(model).understand, [row.text for row in rows], BATCH))
        tags = [list(answer["tags"][: answer["word_counts"]]) for answer in answers]
        right = np.array([answer["intent"] == row.intent for answer, row in zip(answers, rows)])
        exact = right & np.array([truth == tag for truth, tag in zip(truths, tags)])
        scores = {"intent_accuracy": 100.0 * float(right.mean()), "exact_match": 100.0 * float(exact.mean())}
        if any(tag != "O" for truth in truths for tag in truth):
            scores["entity_f1"] = entity_scores(truths, tags)["f1"]
        if split == "test" and self.strangers["test"]:
            from sklearn.metrics import roc_auc_score

            threshold = self.threshold(model)
            inside, outside = (self.scope_scores(model, t) for t in ([r.text for r in rows], self.strangers["test"]))
            known = np.concatenate([np.ones_like(inside), np.zeros_like(outside)])
            scores["out_of_scope_auc"] = 100.0 * float(roc_auc_score(known, np.concatenate([inside, outside])))
            scores["in_scope_kept"] = 100.0 * float((inside >= threshold).mean())
            scores["out_of_scope_found"] = 100.0 * float((outside < threshold).mean())
        return scores

    def baselines(self):
        """Intent accuracy and entity F1 of the baselines in percent."""
        train, test, found = self.utterances["train"], self.utterances["test"], {}
        for name in self.config.baselines.names:
            if name == "intent_accuracy":
                texts, labels = zip(*((row.text, row.intent) for row in train))
                predictions = tfidf_logistic_predictions(texts, labels, [row.text for row in test])
                found[name] = 100.0 * float(np.mean([p == row.intent for p, row in zip(predictions, test)]))
            elif self.learned["entities"]:
                words, truths = self.tags_of("test")
                found[name] = entity_scores(truths, crf_tags(*self.tags_of("train"), words))["f1"]
        return found

    def signatures(self, model):
        """Returns what the SavedModel answers: intent and entities, and these with the attention."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        interpreter = self.interpreter(model, self.threshold(model))
        signatures = {"serving_default": (interpreter.understand, spec), "attention": (interpreter.attend, spec)}
        return [model, interpreter], signatures, {"text": tf.constant(self.samples()[:2])}

    def samples(self):
        """Returns a test sentence of each of the four most frequent intents, those with most entities."""
        rows = self.utterances["test"]
        best = {}
        for row in sorted(rows, key=lambda row: (-len(row.entities), len(row.text))):
            best.setdefault(row.intent, row.text)
        return [best[intent] for intent, _ in Counter(row.intent for row in rows).most_common(4)]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.samples()[0], picture="attention.png")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Understands texts: a dict each, as `Interpreter.understand` or, with attention, `attend` returns it."""
        return noted(inputs, ask_rows(served, attention, text=tf.constant(inputs)))
