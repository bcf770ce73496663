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
from attention_zoo.pipelines.engine.serving.asking import ask_rows
from attention_zoo.pipelines.engine.storage.files import atomic_write, digest
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.subwords import BOS, EOS, Subwords, learn_sentencepiece
from attention_zoo.pipelines.engine.text.token_cache import kept_columns
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.engine.views import Alignment
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
        made_from = str((digest(path), self.data_version, data.max_tokens, data.max_words, data.limit, data.reverse))
        self.columns = kept_columns(self.folder.tokens, made_from, self.encode) if data.cache else self.encode()

    def encode(self):
        """Tokenises all splits."""
        return {split: self.encode_pairs(split) for split in SPLITS}

    def encode_pairs(self, split, all_rows=False):
        """Tokenises a split once: what the model reads (source), is given (target) and must say (labels).

        Pairs that are too long to train on are left out, unless all rows are asked for.
        """
        source, target = (
            self.subwords.tokenize(tf.constant(texts))
            for texts in (self.examples[split].source, self.examples[split].target)
        )
        limit = self.config.data.max_tokens - 1
        fits = (source.row_lengths() <= limit) & (target.row_lengths() <= limit)
        left_out = int(tf.reduce_sum(tf.cast(~fits, tf.int32)))
        if split in ("train", "validation") and left_out and not all_rows:
            print(f"{split}: {left_out:,} pairs above data.max_tokens={limit + 1} are left out")
            source, target = tf.ragged.boolean_mask(source, fits), tf.ragged.boolean_mask(target, fits)
        bos, eos = (tf.fill([source.nrows(), 1], tf.constant(token, tf.int32)) for token in (BOS, EOS))
        return {
            "source": tf.concat([source[:, :limit], eos], axis=1),
            "target": tf.concat([bos, target], axis=1),
            "labels": tf.concat([target, eos], axis=1),
        }

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
        tokens = self.subwords.tokenize(text)
        limit = self.config.data.max_tokens - 1
        truncated = tokens.row_lengths() > limit
        eos = tf.fill([tokens.nrows(), 1], tf.constant(EOS, tf.int32))
        source = tf.concat([tokens[:, :limit], eos], axis=1).to_tensor()  # (B, S)
        missing = tf.maximum(1 - tf.shape(source)[1], 0)  # an empty batch has no longest row, and models want a column
        return tf.pad(source, [[0, 0], [0, missing]]), truncated

    def search(self, model, text, settings):
        """Translates raw sentences. Evaluation and serving both come through here.

        Returns:
            The source ids `(B, S)`, what was cut `(B,)`, and the hypotheses of `decode`.
        """
        source, truncated = self.encode_text(text)
        lengths = tf.reduce_sum(tf.cast(source != 0, tf.int32), axis=1)
        max_lengths = tf.minimum(2 * lengths + 10, self.config.data.max_tokens)
        return source, truncated, decode(model, {"source": source}, settings, max_lengths)

    def translate(self, model, text):
        """Returns the best translation, its score and whether the source was cut, each `(B,)`."""
        _, truncated, found = self.search(model, text, self.config.decoding)
        translation = self.subwords.detokenize(found["tokens"][:, 0], found["lengths"][:, 0])
        return {"translation": translation, "score": found["scores"][:, 0], "truncated": truncated}

    def translate_n_best(self, model, text):
        """Returns the `(B, N)` best translations of the beam and their scores, best first."""
        decoding = self.config.decoding
        beams, places = max(N_BEST, decoding.beam_size), max(N_BEST, decoding.n_best)
        settings = replace(decoding, beam_size=beams, n_best=places, temperature=0.0)
        _, _, found = self.search(model, text, settings)
        shape = tf.shape(found["lengths"])
        flat = tf.reshape(found["tokens"], [-1, tf.shape(found["tokens"])[-1]])
        translations = self.subwords.detokenize(flat, tf.reshape(found["lengths"], [-1]))
        return {"translations": tf.reshape(translations, shape), "scores": found["scores"]}

    def attend(self, model, text):
        """Translates, then reads the attention in one pass over source and translation.

        Returns:
            `translation`, `score` and `truncated` `(B,)`, `source_tokens` `(B, S)`, `target_tokens` `(B, T)`, `weights`
            `(B, T, S)`, the lengths of both, and for a Transformer `head_weights` `(B, layers, H, T, S)`.
        """
        source, truncated, found = self.search(model, text, self.config.decoding)
        tokens, lengths = found["tokens"][:, 0], found["lengths"][:, 0]
        column = tf.zeros([tf.shape(tokens)[0], 1], tf.int32)
        target = tf.concat([column + BOS, tokens], axis=1)  # (B, T)
        spoken = tf.concat([tokens, column], axis=1) + EOS * tf.one_hot(lengths, tf.shape(target)[1], dtype=tf.int32)
        _, scores = model({"source": source, "target": target}, training=False, return_attention_scores=True)
        answer = {
            "translation": self.subwords.detokenize(tokens, lengths),
            "score": found["scores"][:, 0],
            "truncated": truncated,
            "source_tokens": self.subwords.pieces(source),
            "target_tokens": self.subwords.pieces(spoken),
            "weights": model.alignment(scores),
            "source_lengths": tf.reduce_sum(tf.cast(source != 0, tf.int32), axis=1),
            "target_lengths": lengths + 1,
        }
        if (heads := model.head_alignments(scores)) is not None:
            answer["head_weights"] = heads
        return answer

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
        for row, links, *offsets in self.forced_links(model, examples, self.encode_pairs(split, all_rows=True)):
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

    def forced_links(self, model, examples, columns):
        """Yields row, the links between tokens under teacher forcing, and the offsets of source and target tokens."""
        spec = tf.TensorSpec([None, None], tf.int32)

        @tf.function(input_signature=[spec, spec], autograph=False)
        def align(source, target):
            inputs = {"source": source, "target": target}
            return model.alignment(model(inputs, training=False, return_attention_scores=True)[1])

        for start in range(0, len(examples), EVALUATION_BATCH):
            rows = slice(start, start + EVALUATION_BATCH)
            weights = align(columns["source"][rows].to_tensor(), columns["target"][rows].to_tensor()).numpy()
            for row, alignment in zip(range(start, start + len(weights)), weights):
                source, target = (self.subwords.spans(texts[row]) for texts in (examples.source, examples.target))
                yield row, links_from_weights(alignment[: len(target), : len(source) + 1]), source, target

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
