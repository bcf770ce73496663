"""Language modeling: from raw text to a SavedModel that continues a prompt.

    attention-zoo train language_modeling                     # Shakespeare, a small GPT-2
    attention-zoo train language_modeling --data.files poems.txt letters.txt
    attention-zoo predict language_modeling "Enter Romeo and" --attention attention.png

The file reads in the order in which a text travels: settings, `load`, `adapt`, `preprocess`, `build`, `loss`,
`evaluate`, `baselines`, `signatures`, `ask`, `say`, `view`. `writer.py` has what turns a prompt into its continuation.
"""

import json
import shlex

import tensorflow as tf

from attention_zoo.pipelines.baselines.compression import lzma_bits, unigram_bits
from attention_zoo.pipelines.datasets.plain_texts import read_texts
from attention_zoo.pipelines.datasets.tfds import describe_split
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.scores.perplexity import language_scores
from attention_zoo.pipelines.engine.serving.asking import ask_rows
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.byte_pairs import BytePairs, learn_byte_pairs
from attention_zoo.pipelines.engine.text.packing import packed_batches
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.language_modeling.reading import nats_of, tokenise
from attention_zoo.pipelines.language_modeling.settings import LanguageModelingConfig
from attention_zoo.pipelines.language_modeling.writer import Writer
from attention_zoo.pipelines.models.gpt2 import GPT2Decoder

FIRST_PIECE = EOS + 1  # byte pairs are numbered after the special tokens


class LanguageModeling(Task):
    """Text in, its continuation out; see `Task` for the order of the methods."""

    name = "language_modeling"
    Config = LanguageModelingConfig
    View = Alignment
    answers_with = "completion"
    changeable_data_settings = ("strict",)
    adapted_settings = ("data.vocabulary_size",)
    undecayed = ("bias", "gamma", "beta")  # gamma and beta are those of normalisations

    def load(self):
        """Finds the texts of the three splits."""
        data = self.config.data
        splits = (data.train_split, data.validation_split, data.test_split)
        self.texts = read_texts(data.dataset, splits, data.files, data.limit, data.strict)
        self.data_version = self.texts["train"].version

    def strings(self, split):
        """Yields the texts of a split as bytes."""
        return self.texts[split].texts.as_numpy_iterator()

    def adapt(self):
        """Learns the byte pairs from the training split, once a run, and tokenises all splits."""
        folder, data = self.folder, self.config.data
        if not (folder.pieces.is_file() and folder.merges.is_file()):
            texts = (text.decode("utf-8", "replace") for text in self.strings("train"))
            typed = "data.vocabulary_size" in self.config.typed
            pieces, merges = learn_byte_pairs(texts, data.vocabulary_size, adjust=not typed)
            numbered = {piece: number + FIRST_PIECE for piece, number in pieces.items()}
            atomic_write(folder.merges, "\n".join(merges))
            atomic_write(folder.pieces, json.dumps(numbered, ensure_ascii=False))
        pieces = json.loads(folder.pieces.read_text(encoding="utf-8"))
        merges = folder.merges.read_text(encoding="utf-8").split("\n")
        self.pairs = BytePairs(pieces, [pair for pair in merges if pair])
        self.corpora = {split: tokenise(one.texts, self.pairs) for split, one in self.texts.items()}
        for split, corpus in self.corpora.items():
            texts = describe_split(split, int((corpus.stream == EOS).sum()), "texts").split(";")[0]
            print(f"{texts}, {len(corpus.stream):,} tokens of {corpus.text_bytes / len(corpus.stream):.2f} bytes")

    def preprocess(self, split, epoch):
        """Returns batches of packed rows; those of the training split are cut and shuffled anew each epoch."""
        training, context = self.config.training, self.config.model.context
        rows = training.batch_tokens // context
        if not rows:
            raise UserError(
                f"--training.batch_tokens: expected at least --model.context, {context}; "
                f"received {training.batch_tokens}"
            )
        stream = self.corpora[split].stream
        return packed_batches(stream, context, rows, training.seed, epoch, shuffle=split == "train")

    def build(self):
        """Returns the model."""
        options = dict(vars(self.config.model))
        options.pop("name")
        model = GPT2Decoder(self.pairs.vocabulary_size, max_length=options.pop("context"), **options)
        model({"tokens": tf.constant([[BOS]])})
        return model

    def loss(self, model, batch, training):
        """Cross-entropy of the next token, summed over the tokens that are not padding."""
        inputs = {name: batch[name] for name in ("tokens", "segments")}
        smoothing = self.config.training.label_smoothing if training else 0.0
        logits = model(inputs, training=training)["logits"]
        loss, nats, tokens = smoothed_cross_entropy(batch["labels"], logits, smoothing)
        return loss, tokens, {"loss": nats}

    def evaluate(self, model, split):
        """Perplexity of a token, and bits for each byte of the text."""
        corpus = self.corpora[split]
        return language_scores(*nats_of(model, corpus.stream, self.config.model.context), corpus.text_bytes)

    def baselines(self):
        """Bits per byte of the frequencies of the tokens, and of a compressor."""
        train, test, found = self.corpora["train"], self.corpora["test"], {}
        for name in self.config.baselines.names:
            if name == "unigram":
                bits = unigram_bits(train.stream, test.stream, self.pairs.vocabulary_size)
            else:
                bits = lzma_bits(*(b"\n".join(self.strings(split)) for split in ("train", "test")))
            found[name] = bits / test.text_bytes
        return found

    @once
    def writer(self, model):
        """Returns what continues prompts with a model."""
        return Writer(model, self.pairs, self.config.decoding, self.config.model.context)

    def signatures(self, model):
        """Returns what the SavedModel answers: the continuation, and the continuation with the attention."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        writer = self.writer(model)
        signatures = {"serving_default": (writer.write, spec), "attention": (writer.attend, spec)}
        return [model, self.pairs], signatures, {"text": tf.constant(self.samples()[:2])}

    def samples(self):
        """Returns four lines of the test split, of which each has about forty characters."""
        lines = {line.strip() for text in self.strings("test") for line in text.decode("utf-8", "replace").split("\n")}
        return sorted(sorted(lines), key=lambda line: abs(len(line) - 40))[:4]

    def next_command(self):
        """Returns the command a user will want next."""
        return f"attention-zoo predict {self.name} {shlex.quote(self.samples()[0])} --attention attention.png"

    @staticmethod
    def ask(served, inputs, attention=False):
        """Continues prompts: a dict each, as `Writer.write` or, with attention, `attend` returns it."""
        answers = ask_rows(served, attention, text=tf.constant(inputs))
        for prompt, answer in zip(inputs, answers):
            if answer["truncated"]:
                answer["note"] = f"only the end was read of: {prompt[:60]}..."
        return [{"input": prompt, **answer} for prompt, answer in zip(inputs, answers)]

    @staticmethod
    def say(answer):
        """Returns the prompt with its continuation in one line; a slash stands for the end of a line."""
        return " / ".join(line.strip() for line in answer["text"].splitlines() if line.strip())

    @staticmethod
    def view(answer):
        """Returns the mean attention of the heads of each layer."""
        return Ability.view(shown(answer))

    @staticmethod
    def view_heads(answer):
        """Returns the attention of every head of every layer."""
        return Ability.view_heads(shown(answer))


def shown(answer):
    """Returns an answer whose tokens can stand beside a picture: the ends of lines are visible."""
    return answer | {"tokens": [str(token).replace("\n", "\\n") for token in answer["tokens"]]}
