"""The answer to a question, as a part of a text.

Shapes: B questions, N windows of their texts, T tokens of a window.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.serving.asking import TAB, ask_pairs, noted
from attention_zoo.pipelines.engine.task import predict_command
from attention_zoo.pipelines.engine.text.word_splitting import code_point_offsets
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.windows import read_windows

LONGEST = 30  # tokens of an answer, as in BERT's own evaluation on SQuAD
NEVER = -1e9  # logit of a token that is not of the text


class Answer(Ability):
    """Question and text in, the part of the text that answers it out, with an `AnswerFinder` (Devlin et al. 2019, 4.2).

    A text that is too long is read in windows that overlap by half; the answer whose logits have the largest sum is
    taken, as in BERT's own evaluation on SQuAD, and the signature `attention` has the attention of its window. Every
    question gets an answer: models of SQuAD 2 that answer with nothing are asked for their best one, too.

    Args:
        model: An `AnswerFinder`.
        reader: A `TextReader` whose tokeniser is `WordPieces`, `BytePairs` or `SentencePieces`.
    """

    name = "answer"
    answers_with = "answer"
    reads_words = True

    def read(self, text, pair=None):
        """Returns the `Windows` of questions `(B,)` and texts `(B,)`."""
        return read_windows(self.reader, text, pair)

    def _respond(self, text, pair, return_attention_scores=False):
        windows = self._read(text, pair)
        outputs = self.model(windows.inputs, training=False, return_attention_scores=return_attention_scores)
        outputs, scores = outputs if return_attention_scores else (outputs, {})
        answer, error, window = self.answer(outputs, windows, pair)
        answer, speaks = self._kept(answer | {"truncated": windows.truncated}, error, text, pair)
        inputs, scores = (
            {name: tf.gather(values, window) for name, values in table.items()} for table in (windows.inputs, scores)
        )
        return answer, speaks, outputs, inputs, scores

    def answer(self, outputs, inputs, text):
        """Returns the best answers, whole words as the texts have them.

        Args:
            outputs: Of the model.
            inputs: The `Windows` of the texts.
            text: The texts `(B,)`.

        Returns:
            A dict of `answer`, its `start` and `end` in bytes, `code_point_start` and `code_point_end`, and its
            `confidence`: the probability of its first token among those of the text in its window, times that of its
            last one; each `(B,)`. Then the errors `(B,)`, and the number of the window of each answer, int64 `(B,)`.
        """
        starts, ends = (tf.pad(part.to_tensor(), [[0, 0], [0, 1]]) for part in (inputs.starts, inputs.ends))
        width = tf.shape(starts)[1]  # C, the tokens of the longest text of a window, and 1
        there = tf.sequence_mask(inputs.starts.row_lengths(), width) & (ends > starts)  # (N, C)
        columns = inputs.columns[:, None] + tf.range(tf.cast(width, tf.int64))
        columns = tf.minimum(columns, tf.shape(outputs["logits"], tf.int64)[1] - 1)  # the others are not there
        logits = tf.where(there[..., None], tf.gather(outputs["logits"], columns, batch_dims=1), NEVER)  # (N, C, 2)
        lasts = tf.range(width)[:, None] + tf.range(LONGEST)  # (C, LONGEST), of answers by their first token
        reach = tf.pad(logits[..., 1], [[0, 0], [0, LONGEST]], constant_values=NEVER)
        sums = tf.reshape(logits[..., :1] + tf.gather(reach, lasts, axis=1), [-1, width * LONGEST])
        best = tf.argmax(sums, axis=1, output_type=tf.int32)  # (N,)
        of_texts = inputs.of_texts.with_values(tf.reduce_max(sums, axis=1)).to_tensor(3 * NEVER, shape=[None, None])
        of_texts = tf.pad(of_texts, [[0, 0], [0, 1]], constant_values=3 * NEVER)
        window = inputs.of_texts.row_starts() + tf.argmax(of_texts, axis=1)  # (B,)
        first = tf.gather(best, window) // LONGEST
        last = tf.minimum(first + tf.gather(best, window) % LONGEST, width - 1)
        found = tf.gather(tf.reduce_any(there, axis=1), window)
        of_windows = (starts, ends, *tf.unstack(tf.nn.log_softmax(logits, axis=1), axis=2))
        places = zip((tf.gather(part, window) for part in of_windows), (first, last, first, last))
        start, end, *shares = (tf.gather(part, place, batch_dims=1) for part, place in places)
        start, end = tf.where(found, start, 0), tf.where(found, end, 0)
        points = code_point_offsets(text, tf.RaggedTensor.from_tensor(tf.stack([start, end], axis=1)))
        points = points.to_tensor(shape=[None, 2])
        answer = {
            "answer": tf.strings.substr(text, start, end - start),
            "start": start,
            "end": end,
            "code_point_start": points[:, 0],
            "code_point_end": points[:, 1],
            "confidence": tf.exp(tf.add_n(shares)),
        }
        return answer, tf.where(found, "", "expected a context with words, received none"), window

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without attention."""
        names = ("question", "context")
        specs = {name: tf.TensorSpec([None], tf.string, name=name) for name in names}
        signatures = {
            "serving_default": (lambda question, context: self.respond(question, context), specs),
            "attention": (lambda question, context: self.attend(question, context), specs),
        }
        warm_up = dict(zip(names, ([part] for part in self.example().split(TAB))))
        return [model, self.reader], signatures, warm_up

    def example(self):
        """Returns a question and a text, with a tab between them."""
        return TAB.join(["Where did Peter fly to?", "Peter Blackburn flew to Brussels."])

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.example(), picture="attention.png")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Answers lines of a question, a tab and a text: a dict each, as `respond` or, with attention, `attend`."""
        return noted(inputs, ask_pairs(served, attention, inputs, names=("question", "context")))

    @staticmethod
    def say(answer):
        """Returns the answer and its confidence."""
        return f"{' '.join(answer['answer'].split())} {answer['confidence']:.3f}" if answer["answer"] else ""
