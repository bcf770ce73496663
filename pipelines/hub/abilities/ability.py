"""What the abilities share: signatures on raw text, and the attention of every layer and head.

Shapes: B texts, T tokens, L layers, H heads.
"""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.serving.answers import keep_rows
from attention_zoo.pipelines.engine.serving.asking import TAB, ask_rows, noted
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.blank import says_something
from attention_zoo.pipelines.engine.views import Alignment, LayeredHeads
from attention_zoo.pipelines.hub.tokenizers import known_reader


class Ability(Task):
    """A task without training: a model answers raw text with what it learned elsewhere.

    A text without content gets empty values and no error, and so does a pair of which one text has none.

    `attention-zoo load` exports its `signatures`; `attention-zoo predict` asks what was exported.

    Args:
        model: A model of the Hub, called with the inputs of `reader`.
        reader: A `TextReader`.

    Attributes:
        can_embed: Whether the model has an encoder of texts, which can also be exported as `Embed`.
        reads_words: Whether `answer` also gets the `words` of the `text` that was read last, see
            `TextReader.read_words`.
    """

    View = Alignment
    can_embed = True
    reads_words = False

    def __init__(self, model, reader):
        self.model = model
        self.reader = reader
        self._read = tf.function(self.read, autograph=False, reduce_retracing=True)  # one graph for all signatures

    @classmethod
    def of_folder(cls, folder, model):
        """Returns the ability of a model that `from_pretrained` has read from a folder.

        Raises:
            UserError: The folder has no tokeniser that is known here, or the model or the tokeniser cannot do that.
        """
        return cls(model, known_reader(folder, model.tokenizer))

    def read(self, text, pair=None):
        """Returns what the reader makes of texts `(B,)`, or of pairs of texts."""
        return (self.reader.read_words if self.reads_words else self.reader.read)(text, pair)

    def answer(self, outputs, inputs):
        """Returns the answers to texts: a dict of tensors, each `(B, ...)`, and the errors `(B,)`."""
        raise NotImplementedError

    def seen(self, outputs, inputs):
        """Returns what the signature `attention` has of the model's outputs and inputs beside the attention."""
        return {}

    def respond(self, text, pair=None):
        """Returns the answers to texts `(B,)`, or to pairs of texts, whether each was `truncated`, and its `error`."""
        return self._respond(text, pair)[0]

    def respond_to_lines(self, lines):
        """Returns what `respond` does for pairs of texts, each pair a line `(B,)` with a tab between the two."""
        parts = tf.strings.split(lines, TAB).to_tensor(shape=[None, 2])  # (B, 2)
        return self.respond(parts[:, 0], parts[:, 1])

    def attend(self, text, pair=None):
        """Returns the answers of `respond`, and what they come from.

        `tokens`, `(B, T)`, their number `token_counts`, and `attention` `(B, L, H, T, T)`, float32.
        """
        answer, speaks, outputs, inputs, scores = self._respond(text, pair, return_attention_scores=True)
        weights = tf.stack(list(scores.values()), axis=1)
        visible = inputs["mask"][:, None, None, :, None]  # what padding attends to says nothing
        seen = {
            "tokens": tf.where(inputs["mask"], self.reader.pieces(inputs["tokens"]), ""),
            "token_counts": tf.reduce_sum(tf.cast(inputs["mask"], tf.int32), axis=1),
            "attention": tf.where(visible, weights, 0.0),
        }
        return answer | keep_rows(speaks, seen | self.seen(outputs, inputs))

    def _respond(self, text, pair, return_attention_scores=False):
        if self.reads_words:
            inputs, truncated, words = self._read(text, pair)
            found = {"words": words, "text": text if pair is None else pair}
        else:
            (inputs, truncated), found = self._read(text, pair), {}
        outputs = self.model(inputs, training=False, return_attention_scores=return_attention_scores)
        outputs, scores = outputs if return_attention_scores else (outputs, {})
        answer, error = self.answer(outputs, inputs | found)
        answer, speaks = self._kept(answer | {"truncated": truncated}, error, text, pair)
        return answer, speaks, outputs, inputs | found, scores

    def _kept(self, answer, error, text, pair):
        """Returns answers and errors without those of rows that say nothing, and which rows speak, bool `(B,)`."""
        speaks = says_something(text) if pair is None else says_something(text) & says_something(pair)
        error = tf.where(speaks, error, "")
        return keep_rows(speaks & tf.equal(error, ""), answer) | {"error": error}, speaks

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without attention."""
        spec = {"text": tf.TensorSpec([None], tf.string, name="text")}
        signatures = {"serving_default": (self.respond, spec), "attention": (self.attend, spec)}
        return [model, self.reader], signatures, {"text": [self.example()]}

    def describe(self):
        """Returns what the model is, in one line."""
        options = getattr(self.model, "encoder", self.model).options
        return (
            f"{self.model.count_params():,} parameters, {options['num_layers']} layers of {options['num_heads']} "
            f"heads, {options['vocabulary_size']:,} tokens, texts of at most {self.reader.max_tokens} tokens"
        )

    def example(self):
        """Returns a text that the model can answer."""
        return "The cat sat on the mat."

    def next_command(self):
        """Returns the command a user will want next."""
        return f'attention-zoo predict {self.name} "{self.example()}" --attention attention.png'

    @staticmethod
    def ask(served, inputs, attention=False):
        """Answers texts: a dict each, as `respond` or, with attention, `attend` returns it."""
        return noted(inputs, ask_rows(served, attention, text=tf.constant(inputs)))

    @staticmethod
    def view(answer):
        """Returns the mean attention of the heads of each layer."""
        view = Ability.view_heads(answer)
        if view is None:
            return None
        names = [f"layer {number}" for number in range(1, len(view.weights) + 1)]
        return replace(view.alignment, weights=view.weights.mean(axis=1), names=names)

    @staticmethod
    def view_heads(answer):
        """Returns the attention of every head of every layer."""
        count = answer["token_counts"]
        if answer.get("error") or not count:
            return None
        weights = np.asarray(answer["attention"])[:, :, :count, :count]  # (L, H, T, T)
        return LayeredHeads([str(token) for token in answer["tokens"][:count]], weights, answer["input"])

    @staticmethod
    def view_page(answer):
        """Returns the attention of every head: a page has room for all of them."""
        return Ability.view_heads(answer)
