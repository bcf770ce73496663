"""Translation: from parallel sentences to a SavedModel that takes raw text.

    attention-zoo train translation                      # English to French phrases, Bahdanau's attention
    attention-zoo train translation --preset transformer
    attention-zoo predict translation "3 hours ago" --attention alignment.png

The file reads in the order in which a sentence travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `signatures`, `ask`, `view`. `translator.py` has what turns raw text into answers.
"""

import json

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.datasets.parallel import Examples, read_parallel
from attention_zoo.pipelines.datasets.parallel_files import read_aligned_files
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.pictures.curves import draw_scores_by_length
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.scores.translations import scores_by_length, translation_scores
from attention_zoo.pipelines.engine.serving.asking import answer_by_length, ask_rows, noted
from attention_zoo.pipelines.engine.serving.sharing import sharing
from attention_zoo.pipelines.engine.serving.translation_answers import alignment_of, heads_of
from attention_zoo.pipelines.engine.storage.files import atomic_write, digest
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, begin_rows, end_rows
from attention_zoo.pipelines.engine.text.subwords import Subwords, learn_sentencepiece
from attention_zoo.pipelines.engine.text.token_cache import cached_columns
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.engine.training.sizing import dropout_for
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.models.parts.lengths import expect_at_most
from attention_zoo.pipelines.translation.alignments import forced_links, forced_weights, human_scores, span_scores
from attention_zoo.pipelines.translation.pictures import linked_views, truth_of
from attention_zoo.pipelines.translation.settings import TranslationConfig
from attention_zoo.pipelines.translation.translator import Translator

LENGTH_EDGES = (5, 10, 15, 20, 25, 30, 40, 60)  # words of the source
EVALUATION_BATCH = 64  # sentences of like length translated together

MODELS = {
    "rnn": models.RecurrentEncoderDecoder,
    "seq2seq": models.StackedSeq2Seq,
    "bahdanau": models.BahdanauTranslator,
    "luong": models.LuongTranslator,
    "transformer": models.TransformerTranslator,
}


class Translation(Task):
    """Sentence in, sentence out; see `Task` for the order of the methods."""

    name = "translation"
    Config = TranslationConfig
    View = Alignment
    answers_with = "translation"
    changeable_data_settings = ("cache", "service", "alignment_files", "strict")
    sized_settings = ("model.dropout",)
    adapted_settings = ("data.vocabulary_size", "data.subwords")
    lower_is_better = ("loss", "aer", "human_aer")
    view = staticmethod(alignment_of)
    view_heads = staticmethod(heads_of)

    def load(self):
        """Reads the sentence pairs of the three splits."""
        data = self.config.data
        self.examples = read_parallel(
            *(data.dataset, data.locale, data.reverse, data.files, data.max_words, data.limit, data.strict),
            *(data.dev, data.test),
        )
        self.data_version, self.data_service = self.examples["train"].version, data.service
        for split in SPLITS:
            print(describe_split(split, len(self.examples[split]), "sentence pairs"))
        if data.alignment_files:
            pairs, self.human_links = read_aligned_files(data.alignment_files)
            self.examples["aligned"] = Examples(*map(list, zip(*pairs)))

    def size_to_data(self, typed):
        """Gives the model dropout where a user has few pairs."""
        return dropout_for(self.config.model, len(self.examples["train"]), typed) if self.config.data.files else []

    def adapt(self):
        """Learns the subwords from the training split, once a run."""
        data, path = self.config.data, self.folder.subwords
        if not path.is_file():
            sentences = [*self.examples["train"].source, *self.examples["train"].target]
            typed = "data.vocabulary_size" in self.config.typed
            atomic_write(path, learn_sentencepiece(sentences, data.vocabulary_size, data.subwords, adjust=not typed))
        self.subwords = Subwords(path.read_bytes())
        made_from = str((digest(path), self.data_version, data.max_words, data.limit, data.reverse))
        self.tokens = cached_columns(self.folder.tokens, made_from, self.encode) if data.cache else self.encode()
        self.columns = {split: self.training_columns(split) for split in ("train", "validation")}

    def encode(self):
        """Tokenises every pair of all splits, once."""
        return {split: self.encode_pairs(split) for split in SPLITS}

    def encode_pairs(self, split):
        """Tokenises a split: `source` and `target`, int32 RaggedTensors `(N, None)` without BOS and EOS."""
        sides = {"source": self.examples[split].source, "target": self.examples[split].target}
        return {side: self.subwords.tokenize(tf.constant(texts)) for side, texts in sides.items()}

    def teacher_forcing(self, tokens):
        """Returns what the model reads (source), is given (target) and must say (labels) of tokenised pairs."""
        source, target = tokens["source"], tokens["target"]
        return {
            "source": end_rows(source, self.config.data.max_tokens),
            "target": begin_rows(target),
            "labels": end_rows(target),
        }

    def training_columns(self, split):
        """Returns the `teacher_forcing` columns of a split, without the pairs that are too long to train on."""
        tokens, limit = self.tokens[split], self.config.data.max_tokens - 1
        fits = (tokens["source"].row_lengths() <= limit) & (tokens["target"].row_lengths() <= limit)  # (N,)
        left_out = int(tf.reduce_sum(tf.cast(~fits, tf.int32)))
        if left_out:
            print(f"{split}: {left_out:,} pairs above data.max_tokens={limit + 1} are left out")
            tokens = {side: tf.ragged.boolean_mask(rows, fits) for side, rows in tokens.items()}
        return self.teacher_forcing(tokens)

    def preprocess(self, split, epoch):
        """Returns batches of like lengths, cut by the token budget; the training split shuffled anew each epoch."""
        training = self.config.training
        return token_batches(
            self.columns[split], training.batch_tokens, seed=training.seed, epoch=epoch, shuffle=split == "train"
        )

    def build(self):
        """Returns the model that `model.name` asks for, built by a call on one token."""
        options = {name: None if value == "none" else value for name, value in vars(self.config.model).items()}
        name = options.pop("name")
        size = self.subwords.vocabulary_size
        model = MODELS[name](source_vocabulary_size=size, target_vocabulary_size=size, **options)
        model({"source": tf.constant([[EOS]]), "target": tf.constant([[BOS]])})
        expect_at_most(model, self.config.data.max_tokens)
        if self.config.decoding.coverage_penalty and not model.attends:
            raise UserError(f"--decoding.coverage_penalty: expected 0, since the model {name} has no attention")
        return model

    def loss(self, model, batch, training):
        """Cross-entropy of the next token under teacher forcing, summed over the tokens that are not padding."""
        logits = model({"source": batch["source"], "target": batch["target"]}, training=training)
        smoothing = self.config.training.label_smoothing if training else 0.0
        loss, nll, tokens = smoothed_cross_entropy(batch["labels"], logits, smoothing)
        return loss, tokens, {"loss": nll}

    @once
    def translator(self, model):
        """Returns what answers raw text with a model, in evaluation and in serving."""
        return Translator(model, self.subwords, self.config.decoding, self.config.data.max_tokens)

    def evaluate(self, model, split):
        """BLEU, chrF and exact match of the translations, and alignment error rates where the data has the truth."""
        examples = self.examples[split]
        answers = answer_by_length(self.translator(model).translate, examples.source, EVALUATION_BATCH)
        hypotheses = [answer["translation"] for answer in answers]
        scores = translation_scores(hypotheses, examples.target, examples.target_language)
        if split == "test":
            self.keep_translations(examples, hypotheses)
            order = np.argsort([len(sentence) for sentence in examples.source], kind="stable")
            for row in order[:: max(1, len(order) // 5)][:5]:
                print(f"  {examples.source[row]}\n    = {hypotheses[row]}\n    ({examples.target[row]})")
        if model.attends and examples.alignment is not None:
            scores |= span_scores(self.forced_links(model, examples, self.tokens[split]), examples.alignment)
        if model.attends and split == "test" and "aligned" in self.examples:
            aligned = self.examples["aligned"]
            links = self.forced_links(model, aligned, self.encode_pairs("aligned"))
            scores |= human_scores(links, aligned, self.human_links)
        return scores

    def keep_translations(self, examples, hypotheses):
        """Writes the translations beside source and reference, and the scores by length of the source."""
        lengths = [len(sentence.split()) for sentence in examples.source]
        language = examples.target_language
        by_length = scores_by_length(hypotheses, examples.target, lengths, LENGTH_EDGES, language)
        atomic_write(self.folder.test_by_length, json.dumps(by_length, indent=1) + "\n")
        rows = zip(examples.source, examples.target, hypotheses)
        atomic_write(self.folder.test_translations, "".join("\t".join(row) + "\n" for row in rows))

    def forced_links(self, model, examples, tokens):
        """Yields the links between tokens under teacher forcing, see `alignments.forced_links`."""

        def offsets(row):
            return [self.subwords.spans(sentences[row]) for sentences in (examples.source, examples.target)]

        return forced_links(model, self.teacher_forcing(tokens), offsets, EVALUATION_BATCH)

    def signatures(self, model):
        """Returns what the SavedModel answers: the translation, the n best, and the attention of both."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        translator = sharing(self.translator(model), "search")
        signatures = {"serving_default": (translator.translate, spec), "n_best": (translator.translate_n_best, spec)}
        if model.attends:
            signatures |= {"attention": (translator.attend, spec), "n_best_attention": (translator.attend_n_best, spec)}
        return [model, self.subwords], signatures, {"text": tf.constant(self.examples["test"].source[:2])}

    def sample_rows(self):
        """Numbers of four test sentences of about twelve words."""
        sources = self.examples["test"].source
        return sorted(range(len(sources)), key=lambda row: abs(len(sources[row].split()) - 12))[:4]

    def samples(self):
        """Returns the source sentences of `sample_rows`."""
        return [self.examples["test"].source[row] for row in self.sample_rows()]

    def truths(self):
        """Returns the references of `samples`, and which tokens are linked, where the data says so."""
        return [truth_of(self.examples["test"], row, self.subwords) for row in self.sample_rows()]

    def illustrate(self, model, directory):
        """Draws the scores by length of the source, and the attention on four pairs whose words people linked."""
        by_length = {self.config.model.name: json.loads(self.folder.test_by_length.read_text())}
        pictures = [draw_scores_by_length(by_length, directory / "bleu_by_length.png")]
        if model.attends and "aligned" in self.examples:
            tokens = {side: rows[:4] for side, rows in self.encode_pairs("aligned").items()}
            weights = forced_weights(model, self.teacher_forcing(tokens), EVALUATION_BATCH)
            views = linked_views(weights, self.examples["aligned"], self.human_links, self.subwords)
            pictures += [draw(view, directory / f"linked-{number}.png") for number, view in enumerate(views, 1)]
        return pictures

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.examples["test"].source[0], picture="alignment.png")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Translates sentences: a dict each, as `Translator.translate` or, with attention, `attend` returns it."""
        answers = ask_rows(served, attention, text=tf.constant(inputs))
        return noted(inputs, answers, "the beginning was translated")

    @staticmethod
    def say(answer):
        """Returns the translation."""
        return answer["translation"]
