"""The answer to a question, as a part of a text.

Shapes: B questions, T tokens, C tokens of a text.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.serving.asking import TAB, ask_pairs, noted
from attention_zoo.pipelines.engine.task import predict_command
from attention_zoo.pipelines.engine.text.word_splitting import code_point_offsets
from attention_zoo.pipelines.hub.abilities.ability import Ability

LONGEST = 30  # tokens of an answer, as in BERT's own evaluation on SQuAD
NEVER = -1e9  # logit of a token that is not of the text


class Answer(Ability):
    """Question and text in, the part of the text that answers it out, with an `AnswerFinder` (Devlin et al. 2019, 4.2).

    Every question gets an answer: models of SQuAD 2 that answer with nothing are asked for their best one, too.

    Args:
        model: An `AnswerFinder`.
        reader: A `TextReader` whose tokeniser is `WordPieces`, `BytePairs` or `SentencePieces`.
    """

    name = "answer"
    answers_with = "answer"
    reads_words = True

    def answer(self, outputs, inputs):
        """Returns the best answers, whole words as the texts have them.

        `answer`, its `start` and `end` in bytes, `code_point_start` and `code_point_end`, and its `confidence`: the
        probability of its first token among those of the text, times that of its last one; each `(B,)`.
        """
        text, words = inputs["text"], inputs["words"]
        columns = tf.ragged.range(words.columns.values, words.columns.values + words.sizes.values)
        tokens = words.columns.with_values(columns).merge_dims(1, 2)  # (B, None), of all words
        counts = tokens.row_lengths()
        dense = tf.pad(tokens.to_tensor(), [[0, 0], [0, 1]])  # (B, C), C is at least 1
        there = tf.sequence_mask(counts, tf.shape(dense)[1])
        logits = tf.where(there[..., None], tf.gather(outputs["logits"], dense, batch_dims=1), NEVER)
        begins, ends = tf.unstack(tf.nn.log_softmax(logits, axis=1), axis=2)  # (B, C)
        places = tf.range(tf.shape(dense)[1])
        length = places[None, :] - places[:, None] + 1  # (C, C), of the answer from one token to another
        scores = tf.where((length >= 1) & (length <= LONGEST), begins[:, :, None] + ends[:, None, :], 3 * NEVER)
        scores = tf.reshape(scores, [-1, tf.size(length)])
        best = tf.argmax(scores, axis=1, output_type=tf.int32)
        found = counts > 0

        def offset(offsets, place):
            """Returns the offsets `(B,)` of the words of tokens."""
            each = tf.pad(tf.repeat(offsets.values, words.sizes.values), [[0, 1]])  # of all tokens
            return tf.where(found, tf.gather(each, tokens.row_starts() + tf.cast(place, tf.int64)), 0)

        start, end = offset(words.starts, best // tf.size(places)), offset(words.ends, best % tf.size(places))
        points = code_point_offsets(text, tf.RaggedTensor.from_tensor(tf.stack([start, end], axis=1)))
        points = points.to_tensor(shape=[None, 2])
        answer = {
            "answer": tf.strings.substr(text, start, end - start),
            "start": start,
            "end": end,
            "code_point_start": points[:, 0],
            "code_point_end": points[:, 1],
            "confidence": tf.exp(tf.reduce_max(scores, axis=1)),
        }
        return answer, tf.where(found, "", "expected a context with words, received none")

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
