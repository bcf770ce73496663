"""Translation: from parallel sentences to a SavedModel that takes raw text.

    attention-zoo train translation                      # English to French phrases, Bahdanau's attention
    attention-zoo train translation --preset transformer
    attention-zoo predict translation "3 hours ago" --attention alignment.png

The file reads in the order in which a sentence travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`translate`, `evaluate`, `signatures`, `ask`, `view`.
"""

import json
from dataclasses import replace

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.datasets.parallel import Examples, read_parallel
from attention_zoo.pipelines.datasets.parallel_files import read_aligned_files
from attention_zoo.pipelines.datasets.tfds import SPLITS
from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.curves import draw_scores_by_length
from attention_zoo.pipelines.engine.scores.alignment_error import (
    ErrorCounts,
    links_from_spans,
    links_from_weights,
    word_links,
)
from attention_zoo.pipelines.engine.scores.translations import scores_by_length, translation_scores
from attention_zoo.pipelines.engine.serving.answers import keep_rows
from attention_zoo.pipelines.engine.serving.asking import ask_rows
from attention_zoo.pipelines.engine.storage.files import atomic_write, digest
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.blank import says_something
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD, begin_rows, end_rows
from attention_zoo.pipelines.engine.text.subwords import Subwords, learn_sentencepiece
from attention_zoo.pipelines.engine.text.token_cache import cached_columns
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.translation.forced_weights import forced_weights
from attention_zoo.pipelines.translation.settings import TranslationConfig

LENGTH_EDGES = (5, 10, 15, 20, 25, 30, 40, 60)  # words of the source
EVALUATION_BATCH = 64  # sentences of like length translated together
N_BEST = 4

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
    changeable_data_settings = ("cache", "service", "alignment_files")
    lower_is_better = ("loss", "aer", "human_aer")

    def load(self):
        """Reads the sentence pairs of the three splits."""
        data = self.config.data
        self.examples = read_parallel(data.dataset, data.locale, data.reverse, data.files, data.max_words, data.limit)
        self.data_version, self.data_service = self.examples["train"].version, data.service
        for split in SPLITS:
            print(f"{split}: {len(self.examples[split]):,} sentence pairs")
        if data.alignment_files:
            pairs, self.human_links = read_aligned_files(data.alignment_files)
            self.examples["aligned"] = Examples(*map(list, zip(*pairs)))

    def adapt(self):
        """Learns the subwords from the training split, once a run."""
        data, path = self.config.data, self.folder.subwords
        if not path.is_file():
            sentences = [*self.examples["train"].source, *self.examples["train"].target]
            atomic_write(path, learn_sentencepiece(sentences, data.vocabulary_size, data.subwords))
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
        """Returns batches of like lengths, cut by the token budget; the training split in an order of its own each epoch."""
        training = self.config.training
        return token_batches(
            self.columns[split], training.batch_tokens, seed=training.seed, epoch=epoch, shuffle=split == "train"
        )

    def build(self):
        """Returns the model that `model.name` asks for, built by a call on one token."""
        options = dict(vars(self.config.model))
        name = options.pop("name")
        if options.get("window") == "none":
            options["window"] = None
        size = self.subwords.vocabulary_size
        model = MODELS[name](source_vocabulary_size=size, target_vocabulary_size=size, **options)
        model({"source": tf.constant([[EOS]]), "target": tf.constant([[BOS]])})
        if self.config.decoding.coverage_penalty and not model.attends:
            raise UserError(f"decoding.coverage_penalty: expected 0, since the model {name} has no attention")
        return model

    def loss(self, model, batch, training):
        """Cross-entropy of the next token under teacher forcing, summed over the tokens that are not padding."""
        logits = model({"source": batch["source"], "target": batch["target"]}, training=training)
        smoothing = self.config.training.label_smoothing if training else 0.0
        loss, nll, tokens = smoothed_cross_entropy(batch["labels"], logits, smoothing)
        return loss, tokens, {"loss": nll}

    def encode_text(self, text):
        """Turns raw sentences `(B,)` into token ids `(B, S)` ending in EOS, and says which were cut `(B,)`."""
        tokens, truncated = self.subwords.encode(text, self.config.data.max_tokens)
        source = tokens.to_tensor()  # (B, S)
        missing = tf.maximum(1 - tf.shape(source)[1], 0)  # an empty batch has no longest row, and models want a column
        return tf.pad(source, [[0, 0], [0, missing]]), truncated

    def search(self, model, text, settings):
        """Translates raw sentences. Evaluation and serving both come through here.

        A sentence that says nothing (see `says_something`) gets an empty translation of score 0, and changes no other
        row.

        Returns:
            The source ids `(B, S)`, what was cut `(B,)`, the hypotheses of `decode`, and which rows say something
            `(B,)`.
        """
        content = says_something(text)  # (B,)
        source, truncated = self.encode_text(tf.where(content, text, ""))
        lengths = tf.reduce_sum(tf.cast(source != PAD, tf.int32), axis=1)
        max_lengths = tf.where(content, tf.minimum(2 * lengths + 10, self.config.data.max_tokens), 1)
        found = decode(model, {"source": source}, settings, max_lengths)
        return source, truncated, keep_rows(content, found), content

    def translate(self, model, text):
        """Returns the best translation, its score, whether the source was cut, and the `error`, each `(B,)`."""
        _, truncated, found, _ = self.search(model, text, self.config.decoding)
        translation = self.subwords.detokenize(found["tokens"][:, 0], found["lengths"][:, 0])
        score = found["scores"][:, 0]
        return {
            "translation": translation,
            "score": score,
            "truncated": truncated,
            "error": tf.fill(tf.shape(text), ""),
        }

    def translate_n_best(self, model, text):
        """Returns the `(B, N)` best translations of the beam and their scores, best first, and the `error` `(B,)`."""
        decoding = self.config.decoding
        beams, places = max(N_BEST, decoding.beam_size), max(N_BEST, decoding.n_best)
        settings = replace(decoding, beam_size=beams, n_best=places, temperature=0.0)
        _, _, found, _ = self.search(model, text, settings)
        shape = tf.shape(found["lengths"])
        flat = tf.reshape(found["tokens"], [-1, tf.shape(found["tokens"])[-1]])
        translations = self.subwords.detokenize(flat, tf.reshape(found["lengths"], [-1]))
        translations, error = tf.reshape(translations, shape), tf.fill(tf.shape(text), "")
        return {"translations": translations, "scores": found["scores"], "error": error}

    def attend(self, model, text):
        """Translates, then reads the attention in one pass over source and translation.

        Returns:
            `translation`, `score`, `truncated` and `error` `(B,)`, `source_tokens` `(B, S)`, `target_tokens` `(B, T)`,
            `weights` `(B, T, S)`, the lengths of both, and for a Transformer `head_weights` `(B, layers, H, T, S)`. Lengths and
            weights are zero where the text says nothing.
        """
        source, truncated, found, content = self.search(model, text, self.config.decoding)
        tokens, lengths = found["tokens"][:, 0], found["lengths"][:, 0]
        column = tf.zeros([tf.shape(tokens)[0], 1], tf.int32)
        target = tf.concat([column + BOS, tokens], axis=1)  # (B, T)
        spoken = tf.concat([tokens, column], axis=1) + EOS * tf.one_hot(lengths, tf.shape(target)[1], dtype=tf.int32)
        _, scores = model({"source": source, "target": target}, training=False, return_attention_scores=True)
        read = {
            "source": source,
            "target": spoken,
            "weights": model.alignment(scores),
            "source_lengths": tf.reduce_sum(tf.cast(source != PAD, tf.int32), axis=1),
            "target_lengths": lengths + 1,
        }
        if (heads := model.head_alignments(scores)) is not None:
            read["head_weights"] = heads
        read = keep_rows(content, read)
        return {
            "translation": self.subwords.detokenize(tokens, lengths),
            "score": found["scores"][:, 0],
            "truncated": truncated,
            "source_tokens": self.subwords.pieces(read.pop("source")),
            "target_tokens": self.subwords.pieces(read.pop("target")),
            "error": tf.fill(tf.shape(text), ""),
            **read,
        }

    def evaluate(self, model, split):
        """BLEU, chrF and exact match of the translations, and the alignment error rate where the data has the truth."""
        examples = self.examples[split]
        spec = [tf.TensorSpec([None], tf.string)]
        translate = tf.function(lambda text: self.translate(model, text), input_signature=spec, autograph=False)
        order = np.argsort([len(sentence) for sentence in examples.source], kind="stable")  # like lengths together
        hypotheses = [""] * len(order)
        for start in range(0, len(order), EVALUATION_BATCH):
            rows = order[start : start + EVALUATION_BATCH]
            answers = translate(tf.constant([examples.source[row] for row in rows]))["translation"].numpy()
            for row, answer in zip(rows, answers):
                hypotheses[row] = answer.decode()
        language = examples.target_language
        scores = translation_scores(hypotheses, examples.target, language)
        if split == "test":
            lengths = [len(sentence.split()) for sentence in examples.source]
            by_length = scores_by_length(hypotheses, examples.target, lengths, LENGTH_EDGES, language)
            atomic_write(self.folder.test_by_length, json.dumps(by_length, indent=1) + "\n")
            rows = zip(examples.source, examples.target, hypotheses)
            atomic_write(self.folder.test_translations, "".join("\t".join(row) + "\n" for row in rows))
            for row in order[:: max(1, len(order) // 5)][:5]:
                print(f"  {examples.source[row]}\n    = {hypotheses[row]}\n    ({examples.target[row]})")
        if model.attends:
            scores |= self.alignment_scores(model, split) if examples.alignment is not None else {}
            scores |= self.human_alignment_scores(model) if split == "test" and "aligned" in self.examples else {}
        return scores

    def alignment_scores(self, model, split):
        """Alignment error rate of the forced reference, and the share of links that lie on the truth."""
        examples, counts = self.examples[split], ErrorCounts()
        for row, links, *offsets in self.forced_links(model, examples, self.tokens[split]):
            sure, possible = links_from_spans(examples.alignment[row], *offsets)
            known = {link[1] for link in possible}  # a target token without a gold span is not judged
            counts.add({link for link in links if link[1] in known}, sure, possible)
        return {"aer": counts.error_rate(), "alignment_precision": 100 * counts.precision()}

    def human_alignment_scores(self, model):
        """The same against the words that people linked in `data.alignment_files`."""
        examples, counts = self.examples["aligned"], ErrorCounts()
        for row, links, *offsets in self.forced_links(model, examples, self.encode_pairs("aligned")):
            counts.add(word_links(links, examples.source[row], examples.target[row], *offsets), *self.human_links[row])
        return {"human_aer": counts.error_rate(), "human_alignment_precision": 100 * counts.precision()}

    def forced_links(self, model, examples, tokens):
        """Yields row, the links between tokens under teacher forcing, and the offsets of source and target tokens."""
        texts = (examples.source, examples.target)
        for row, weights in forced_weights(model, self.teacher_forcing(tokens), EVALUATION_BATCH):
            source, target = (self.subwords.spans(sentences[row]) for sentences in texts)
            yield row, links_from_weights(weights[: len(target), : len(source) + 1]), source, target

    def signatures(self, model):
        """Returns what the SavedModel answers: the translation, its attention, and the n best."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        signatures = {
            "serving_default": (lambda text: self.translate(model, text), spec),
            "n_best": (lambda text: self.translate_n_best(model, text), spec),
        }
        if model.attends:
            signatures["attention"] = (lambda text: self.attend(model, text), spec)
        return [model, self.subwords], signatures, {"text": tf.constant(self.examples["test"].source[:2])}

    def samples(self):
        """Returns four test sentences of about twelve words."""
        sources = self.examples["test"].source
        return sorted(sources, key=lambda source: abs(len(source.split()) - 12))[:4]

    def illustrate(self, model, directory):
        """Draws the scores by length of the source."""
        by_length = {self.config.model.name: json.loads(self.folder.test_by_length.read_text())}
        return [draw_scores_by_length(by_length, directory / "bleu_by_length.png")]

    def next_command(self):
        """Returns the command a user will want next."""
        return f'attention-zoo predict translation "{self.examples["test"].source[0]}" --attention alignment.png'

    @staticmethod
    def ask(served, inputs, attention=False):
        """Translates sentences: a dict each, as `translate` or, with attention, as `attend` returns it."""
        answers = ask_rows(served, attention, text=tf.constant(inputs))
        for sentence, answer in zip(inputs, answers):
            if answer["truncated"]:
                answer["note"] = f"only the beginning was translated of: {sentence[:60]}..."
        return [{"input": sentence, **answer} for sentence, answer in zip(inputs, answers)]

    @staticmethod
    def say(answer):
        """Returns the translation."""
        return answer["translation"]

    @staticmethod
    def view(answer):
        """Returns the alignment; of a Transformer also that of each head in the last layer."""
        source, target = (list(answer[f"{side}_tokens"][: answer[f"{side}_lengths"]]) for side in ("source", "target"))
        if not source or not target:
            return None
        weights, names = answer["weights"][None], []
        if "head_weights" in answer:
            weights = np.concatenate([weights, answer["head_weights"][-1]])  # (1 + H, T, S)
            names = ["alignment", *(f"head {number}" for number in range(1, len(weights)))]
        return Alignment(
            source,
            target,
            weights[:, : len(target), : len(source)],
            names,
            title=f"{answer['input']} → {answer['translation']}",
            sides=("source", "translation"),
            join=any(len(piece.strip("▁")) > 1 for piece in target[:-1]),  # a model of characters aligns characters
        )
