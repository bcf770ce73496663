"""From a prompt to its continuation: a model, its byte pairs and the search. Evaluation and serving share it.

Shapes: B prompts, T tokens of a prompt, W tokens written, L layers, H heads.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.decoding.steps import Ends
from attention_zoo.pipelines.engine.serving.answers import keep_rows
from attention_zoo.pipelines.engine.text.blank import says_something

BEGIN = "<|begin|>"  # how the token that begins a text is shown


class Writer:
    """Continues raw text with a trained model.

    A prompt that says nothing (see `says_something`) gets an empty continuation, and changes no other row. Draws depend
    on the prompt and the seed, so a prompt gets the same continuation alone and in a batch.

    Args:
        model: A `GPT2Decoder`.
        pairs: `BytePairs`.
        decoding: `WritingSettings`.
        context: Tokens that the model sees at once.
        begins: Whether `ends.begin` comes before each prompt. Defaults to `True`.
        ends: `Ends` of the vocabulary. Defaults to those of the vocabularies of this project.
    """

    def __init__(self, model, pairs, decoding, context, begins=True, ends=Ends()):
        self.model = model
        self.pairs = pairs
        self.decoding = decoding
        self.begin = [ends.begin] if begins else []
        self.ends = ends
        self.room = context - len(self.begin) - decoding.max_tokens

    def read(self, text):
        """Returns the tokens of prompts, a RaggedTensor `(B, None)`, and which were cut."""
        tokens = self.pairs.tokenize(text)
        begin = tf.tile(tf.constant([self.begin], tf.int32), tf.stack([tf.shape(text)[0], 1]))
        return tf.concat([begin, tokens[:, -self.room :]], axis=1), tokens.row_lengths() > self.room

    def search(self, text):
        """Returns tokens of prompts, which were cut, what was written (see `decode`), and rows with content `(B,)`."""
        content = says_something(text)  # (B,)
        prompts, truncated = self.read(tf.where(content, text, ""))
        inputs = {"tokens": prompts.to_tensor(), "mask": mask_of(prompts)}
        found = decode(
            self.model,
            inputs,
            self.decoding,
            tf.where(content, self.decoding.max_tokens, 0),
            self.ends,
            rows=tf.strings.to_hash_bucket_fast(text, 2**62),
            stopped=self.stopped if self.decoding.stop else None,
        )
        return prompts, truncated & content, found, content

    def stopped(self, tokens):
        """Returns whether tokens written so far `(B, W)` have a string to stop at."""
        return tf.strings.regex_full_match(self.text_of(tokens), f"(?s).*{any_of(self.decoding.stop)}.*")

    def text_of(self, tokens):
        """Returns tokens `(B, W)` as text; a character of which only the first bytes are written is left out."""
        return tf.strings.unicode_transcode(self.pairs.detokenize(tokens), "UTF-8", "UTF-8", errors="ignore")

    def completion(self, found):
        """Returns what was written up to a string to stop at, `(B,)`."""
        text = self.text_of(found["tokens"][:, 0])
        if self.decoding.stop:
            text = tf.strings.regex_replace(text, f"(?s){any_of(self.decoding.stop)}.*", "")
        return text

    def answer(self, text, truncated, found, content):
        """Returns the outputs of `write`."""
        completion = self.completion(found)
        readable = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        answers = {
            "completed": tf.strings.join([readable, completion]),
            "completion": completion,
            "score": found["scores"][:, 0],
            "tokens_written": found["lengths"][:, 0],
            "truncated": truncated,
        }
        return keep_rows(content, answers) | {"error": tf.fill(tf.shape(text), "")}

    def write(self, text):
        """Returns continuations.

        Args:
            text: Strings `(B,)`; bytes that are not UTF-8 are read as they are.

        Returns:
            A dict: `completion`, what was written; `completed`, the prompt with it; `score`, the log-probability of the
            tokens written; `tokens_written`, their number; `truncated`, whether the beginning of the prompt was not
            read; `error`; each `(B,)`.
        """
        _, truncated, found, content = self.search(text)
        return self.answer(text, truncated, found, content)

    def attend(self, text):
        """Writes, then reads the attention in one pass over the prompt and what was written.

        Returns:
            The outputs of `write`, the `tokens` `(B, T + W)`, their number `token_counts` `(B,)`, and `attention`
            `(B, L, H, T + W, T + W)`, float32.
        """
        prompts, truncated, found, content = self.search(text)
        written = tf.RaggedTensor.from_tensor(found["tokens"][:, 0], lengths=found["lengths"][:, 0])
        tokens = tf.concat([prompts, tf.cast(written, tf.int32)], axis=1)
        mask = mask_of(tokens)
        dense = tokens.to_tensor()
        _, scores = self.model({"tokens": dense, "mask": mask}, training=False, return_attention_scores=True)
        weights = tf.stack(list(scores.values()), axis=1)
        seen = {
            "tokens": tf.where(dense == self.ends.begin, BEGIN, self.pairs.pieces(dense)),
            "token_counts": tf.cast(tokens.row_lengths(), tf.int32),
            "attention": tf.where(mask[:, None, None, :, None], weights, 0.0),
        }
        return self.answer(text, truncated, found, content) | keep_rows(content, seen)


def mask_of(rows):
    """Returns bool `(B, T)`: where rows of a RaggedTensor have values."""
    return tf.sequence_mask(rows.row_lengths())


def any_of(strings):
    """Returns the regular expression of any of some strings, in RE2's syntax.

    Example:

    >>> any_of(["a.", "\\n"])
    '(\\\\x{61}\\\\x{2e}|\\\\x{a})'
    """
    return "(" + "|".join("".join(f"\\x{{{ord(letter):x}}}" for letter in string) for string in strings) + ")"
