"""GPT-2's objective: the next token from all before it. Byte pairs, packed rows, bits per byte, continuations."""

import json

import tensorflow as tf

from attention_zoo.pipelines.baselines.compression import lzma_bits, unigram_bits
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.scores.perplexity import language_scores
from attention_zoo.pipelines.engine.serving.sharing import sharing
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.text.byte_pairs import BytePairs, learn_byte_pairs
from attention_zoo.pipelines.engine.text.packing import packed_batches
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.hub.abilities.writer import Writer
from attention_zoo.pipelines.language_modeling.reading import nats_of, strings_of, tokenise
from attention_zoo.pipelines.models.gpt2 import GPT2Decoder

FIRST_PIECE = EOS + 1  # byte pairs are numbered after the special tokens


class Causal:
    """What the task asks of a model that predicts the next token; `LanguageModeling` has the order of the methods.

    Args:
        config: `LanguageModelingConfig`.
        folder: `RunFolder`.
    """

    def __init__(self, config, folder):
        self.config, self.folder = config, folder

    def adapt(self, texts):
        """Learns the byte pairs from the training split, once a run, and tokenises all splits."""
        folder, data, self.texts = self.folder, self.config.data, texts
        if not (folder.pieces.is_file() and folder.merges.is_file()):
            typed = "data.vocabulary_size" in self.config.typed
            pieces, merges = learn_byte_pairs(strings_of(texts["train"]), data.vocabulary_size, adjust=not typed)
            numbered = {piece: number + FIRST_PIECE for piece, number in pieces.items()}
            atomic_write(folder.merges, "\n".join(merges))
            atomic_write(folder.pieces, json.dumps(numbered, ensure_ascii=False))
        pieces = json.loads(folder.pieces.read_text(encoding="utf-8"))
        merges = folder.merges.read_text(encoding="utf-8").split("\n")
        self.pairs = BytePairs(pieces, [pair for pair in merges if pair])
        self.corpora = {split: tokenise(one.texts, self.pairs) for split, one in texts.items()}
        return {split: (len(corpus.stream), corpus.text_bytes) for split, corpus in self.corpora.items()}

    def batches(self, split, rows, seed, epoch):
        """Returns batches of packed rows; those of the training split are cut and shuffled anew each epoch."""
        context = self.config.model.context
        return packed_batches(self.corpora[split].stream, context, rows, seed, epoch, shuffle=split == "train")

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

    def baselines(self, names):
        """Bits per byte of the frequencies of the tokens, and of a compressor."""
        train, test, found = self.corpora["train"], self.corpora["test"], {}
        if "unigram" in names:
            found["unigram"] = unigram_bits(train.stream, test.stream, self.pairs.vocabulary_size)
        if "lzma" in names:
            texts = (b"\n".join(self.texts[split].texts.as_numpy_iterator()) for split in ("train", "test"))
            found["lzma"] = lzma_bits(*texts)
        return {name: bits / test.text_bytes for name, bits in found.items()}

    @once
    def writer(self, model):
        """Returns what continues prompts with a model."""
        return Writer(model, self.pairs, self.config.decoding, self.config.model.context)

    def signatures(self, model, samples):
        """Returns what the SavedModel answers: the continuation, and the continuation with the attention."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        writer = sharing(self.writer(model), "search")
        signatures = {"serving_default": (writer.write, spec), "attention": (writer.attend, spec)}
        return [model, self.pairs], signatures, {"text": tf.constant(samples)}

    def sample(self, line, whole):
        """Returns a line of the test split as a prompt: its first half if it is a whole text, which has no next line.

        Example:

        >>> Causal(config=None, folder=None).sample("The cat sat on the mat.", whole=True)
        'The cat sat'
        """
        return line[: len(line) // 2 + 1].rsplit(" ", 1)[0] if whole else line
