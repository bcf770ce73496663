"""The objective of BERT, RoBERTa and ALBERT: hidden tokens from both of their sides. WordPieces, masks, a Hub folder.

Shapes: B rows, T tokens, M hidden tokens.
"""

import json
import math

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.baselines.compression import unigram_bits
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.text.learned_pieces import learn_pieces
from attention_zoo.pipelines.engine.text.masking import CHOSEN, DRAWS, PADDING, mask_tokens
from attention_zoo.pipelines.engine.text.row_draws import draws_of_rows
from attention_zoo.pipelines.engine.text.wordpieces import CONTINUES, SPECIALS, WordPieces
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.hub.abilities.fill_mask import FillMask
from attention_zoo.pipelines.hub.pretrained import to_pretrained
from attention_zoo.pipelines.hub.text_reader import TextReader
from attention_zoo.pipelines.language_modeling.reading import TOGETHER, chunks_of, strings_of

PAD, UNK, FIRST, LAST, MASK = range(len(SPECIALS))
SEEDS_APART = 10_007  # so many masks of a row have seeds that no other seed of a run has
ENCODERS = {"bert": models.BertEncoder, "roberta": models.RobertaEncoder, "albert": models.AlbertEncoder}


class Cloze(FillMask):
    """`FillMask` that also returns the text with its hidden tokens, `completed`."""

    def answer(self, outputs, inputs):
        """Returns the answers of `FillMask`, and `completed`, `(B,)`, without the special tokens."""
        answer, error = super().answer(outputs, inputs)
        tokens, pieces = inputs["tokens"], self.reader.tokenizer
        logits = outputs["logits"][:, :, len(SPECIALS) :]
        best = len(SPECIALS) + tf.argmax(logits, axis=-1, output_type=tf.int32)
        filled = tf.where(tokens == MASK, best, tokens)
        kept = tf.ragged.boolean_mask(filled, inputs["mask"] & (filled != FIRST) & (filled != LAST))
        return answer | {"completed": pieces.detokenize(kept)}, error


class Masked:
    """What the task asks of a model that predicts hidden tokens; `LanguageModeling` has the order of the methods.

    Args:
        config: `LanguageModelingConfig`.
        folder: `RunFolder`.

    Attributes:
        specials: Special tokens of a row.
        accuracy: Name of the share of predicted tokens that are right.
        Model: Class of the model.
    """

    specials = 2
    accuracy = "mlm_accuracy"
    Model = models.MaskedLanguageModel

    def __init__(self, config, folder):
        self.config, self.folder, self.options = config, folder, config.model

    def adapt(self, texts):
        """Learns the WordPieces from the training split, once a run, and cuts the documents of all splits into rows."""
        data, path = self.config.data, self.folder.word_pieces
        if not path.is_file():
            atomic_write(path, "\n".join(learn_pieces(strings_of(texts["train"]), data.vocabulary_size)))
        vocabulary = path.read_text(encoding="utf-8").split("\n")
        self.vocabulary, self.pieces = vocabulary, WordPieces(vocabulary)
        self.starts = tf.constant([not piece.startswith(CONTINUES) for piece in vocabulary])
        self.rows, sizes = {}, {}
        for split, one in texts.items():
            batches = one.texts.batch(TOGETHER).map(
                lambda text: (self.pieces.tokenize(text), tf.reduce_sum(tf.strings.length(text)))
            )
            documents, lengths = zip(*((tokens, int(size)) for tokens, size in batches.prefetch(1)))
            rows = self.cut(split, tf.concat(documents, axis=0))
            sizes[split] = int(tf.size(rows.flat_values)), sum(lengths)
            ends = [tf.fill([rows.nrows(), 1], tf.constant(token, tf.int32)) for token in (FIRST, LAST)]
            self.rows[split] = tf.concat([ends[0], rows, ends[1]], axis=1)
        return sizes

    def cut(self, split, documents):
        """Returns the rows of a split, without special tokens, that its documents are cut into."""
        return chunks_of(documents, self.options.context - self.specials)

    def batches(self, split, rows, seed, epoch):
        """Returns batches of masked rows of like lengths.

        The masks of a row depend on the seed, the row and the number of the mask: with static masks (BERT) those of
        the training split take turns, with dynamic ones (`masks` 0) each epoch has its own. Other splits have one.
        """
        train, masks = split == "train", self.options.masks
        variant = 0 if not train else epoch if masks == 0 else epoch % masks

        def change(batch):
            numbers = tf.cast(batch["numbers"][:, 0], tf.int64)
            return self.hide(split, batch["tokens"], numbers, seed * SEEDS_APART + variant)

        return self.numbered_batches(split, rows, seed, epoch, change)

    def hide(self, split, tokens, numbers, seed):
        """Hides tokens of rows `(B, T)`; the draws depend on the seed and the numbers of the rows `(B,)`."""
        shape, options = tf.shape(tokens), self.options
        draws = draws_of_rows(seed, numbers, shape[1] * DRAWS)
        starts = tf.gather(self.starts, tokens) if options.whole_words else None
        draws = tf.reshape(draws, [shape[0], shape[1], DRAWS])
        limits = (MASK, len(SPECIALS), self.pieces.vocabulary_size)
        return mask_tokens(tokens, draws, *limits, options.masked_share, starts, options.longest)

    def numbered_batches(self, split, rows, seed, epoch, change):
        """Returns batches of rows of like lengths, changed by a function of their "tokens" and "numbers".

        Args:
            split: Name of the split; the training split is shuffled.
            rows: Rows of the greatest length in a batch.
            seed: Seed of the run.
            epoch: Number of the epoch.
            change: Function of a batch; `numbers` `(B, 1)` are those of its rows in the split.
        """
        numbers = tf.RaggedTensor.from_tensor(tf.range(self.rows[split].nrows(), dtype=tf.int32)[:, None])
        columns, budget = {"tokens": self.rows[split], "numbers": numbers}, rows * self.options.context
        batches = token_batches(columns, budget, seed=seed, epoch=epoch, shuffle=split == "train")
        return batches.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(8)

    def build(self):
        """Returns the model, built by a call on two tokens."""
        options = dict(vars(self.options))
        name = options.pop("name")
        for ours in ("masked_share", "masks", "whole_words", "longest", "pairs", "short_seq_prob"):
            options.pop(ours)
        # RoBERTa counts positions from the one after padding.
        options |= {"max_length": options.pop("context") + (name == "roberta"), "pad_token": PAD}
        encoder = ENCODERS[name](self.pieces.vocabulary_size, **options, name="encoder")
        model = self.Model(encoder)
        model({"tokens": tf.constant([[FIRST, LAST]])})
        return model

    def outputs(self, model, batch, training):
        """Returns what the encoder makes of a batch."""
        return model.encoder({"tokens": batch["tokens"], "mask": batch["roles"] != PADDING}, training=training)

    def predictions(self, model, outputs, batch):
        """Returns logits `(M, V)` and tokens `(M,)` of what was chosen; other places need no logits."""
        chosen = batch["roles"] == CHOSEN
        states = tf.boolean_mask(outputs["states"], chosen)
        return model.predictions(states, embeddings=model.encoder.embeddings), tf.boolean_mask(batch["labels"], chosen)

    def sums(self, model, outputs, batch, smoothing=0.0):
        """Returns sums over a batch: the loss, the same without smoothing, nats, and all predicted and right tokens."""
        logits, labels = self.predictions(model, outputs, batch)
        loss, nats, count = smoothed_cross_entropy(labels[None], logits[None], smoothing)
        right = tf.reduce_sum(tf.cast(tf.argmax(logits, -1, tf.int32) == labels, tf.float32))
        return {"loss": loss, "unsmoothed": nats, "nats": nats, "right": right, "count": count}

    def loss(self, model, batch, training):
        """Cross-entropy of the chosen tokens, summed."""
        smoothing = self.config.training.label_smoothing if training else 0.0
        sums = self.sums(model, self.outputs(model, batch, training), batch, smoothing)
        return sums["loss"], sums["count"], {"loss": sums["unsmoothed"]}

    def evaluate(self, model, split):
        """Scores a split; on test, writes the folder for the Hub."""
        context = self.options.context
        batches = self.batches(split, max(1, self.config.training.batch_tokens // context), seed=1, epoch=0)
        score = tf.function(
            lambda batch: self.sums(model, self.outputs(model, batch, training=False), batch),
            input_signature=[batches.element_spec],
            autograph=False,
        )
        found = [score(batch) for batch in batches]
        if split == "test" and self.folder.checkpoints.is_dir():  # not an evaluation on other data
            self.write_hub(model)
        return self.scores({name: sum(float(sums[name]) for sums in found) for name in found[0]})

    def scores(self, sums):
        """Perplexity of the chosen tokens, and how many of them are right in percent."""
        perplexity = math.exp(min(sums["nats"] / sums["count"], 700.0))
        return {"perplexity": perplexity, self.accuracy: 100.0 * sums["right"] / sums["count"]}

    def write_hub(self, model):
        """Writes the model and its WordPieces as a folder of the Hugging Face Hub."""
        folder = self.folder.hub
        to_pretrained(model, folder)
        settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": self.options.context}
        settings |= dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIALS))
        atomic_write(folder / "tokenizer_config.json", json.dumps(settings, indent=1))
        atomic_write(folder / "vocab.txt", self.folder.word_pieces.read_bytes() + b"\n")
        print(f"encoder: {folder}")

    def baselines(self, names):
        """Perplexity of the frequencies of the tokens."""
        if "unigram" not in names:
            return {}
        train, test = (rows[:, 1:-1].flat_values.numpy() for rows in (self.rows["train"], self.rows["test"]))
        bits = unigram_bits(train, test, self.pieces.vocabulary_size)
        most = np.bincount(train).argmax()
        return {"unigram_perplexity": 2 ** (bits / len(test)), "unigram_accuracy": 100.0 * np.mean(test == most)}

    def cloze(self, model):
        """Returns the ability that fills in hidden tokens."""
        reader = TextReader(self.pieces, [FIRST], [LAST], [LAST], PAD, self.options.context, MASK)
        return Cloze(model, reader)

    def signatures(self, model, samples):
        """Returns what the SavedModel answers: the best tokens for hidden ones, and these with the attention."""
        trackables, signatures, _ = self.cloze(model).signatures(model)
        return trackables, signatures, {"text": tf.constant(samples)}

    def sample(self, line, whole):
        """Returns a line of the test split as an input: its middle word is hidden."""
        words = line.split()
        words[len(words) // 2] = SPECIALS[MASK]
        return " ".join(words)
