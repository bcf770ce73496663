"""The names in a text, with their places.

Shapes: B texts, T tokens, W words, N entities, K tags, L layers, H heads.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.serving.answers import dense_columns
from attention_zoo.pipelines.engine.serving.entity_answers import marked, spans_view
from attention_zoo.pipelines.engine.task import predict_command
from attention_zoo.pipelines.engine.text.batching import with_a_column
from attention_zoo.pipelines.engine.text.tag_spans import entities_in_text
from attention_zoo.pipelines.engine.text.tags import is_tag
from attention_zoo.pipelines.engine.views import Spans
from attention_zoo.pipelines.hub.abilities.ability import Ability


class Entities(Ability):
    """Text in, entities with their places out, with a `TokenClassifier` (Devlin et al. 2019, section 5.3).

    The first piece of a word decides its tag. Labels are tags of BIO or BILOU, such as "B-PER"; one without a prefix,
    such as "PER", stands for "I-PER": words side by side with this label are one entity.

    Args:
        model: A `TokenClassifier`.
        reader: A `TextReader` whose tokeniser is `WordPieces`, `BytePairs` or `SentencePieces`.
    """

    name = "entities"
    answers_with = "words_read"  # named_entities and intents have all other outputs, too
    reads_words = True
    View = Spans
    say = staticmethod(marked)

    def __init__(self, model, reader):
        super().__init__(model, reader)
        self.tags = [label if is_tag(label) else f"I-{label}" for label in model.labels]

    def tagged(self, outputs, inputs):
        """Returns the best tags of words `(B, W)`, the probabilities of all `(B, W, K)`, and the columns `(B, W)`.

        W is at least 1: a text without words has a column that means nothing.
        """
        columns = with_a_column(inputs["words"].columns.to_tensor())  # (B, W), of the first pieces
        probabilities = tf.nn.softmax(tf.gather(outputs["logits"], columns, batch_dims=1))
        return tf.argmax(probabilities, axis=-1, output_type=tf.int32), probabilities, columns

    def answer(self, outputs, inputs):
        """Returns the entities of texts.

        `entities` as the texts have them, their `labels`, `starts` and `ends` in bytes, `code_point_starts` and
        `code_point_ends`, and `confidences`, the lowest probability of the tags of their words, each `(B, N)` and
        padded at the right; the number of entities, `counts`, and of words that were read, `words_read`, each `(B,)`.
        """
        text, words = inputs["text"], inputs["words"]
        tags, probabilities, _ = self.tagged(outputs, inputs)
        chosen = tf.reduce_max(probabilities, axis=-1)
        first, found = entities_in_text(text, words.starts, words.ends, tags, self.tags, chosen)
        numbers = {"counts": first.row_lengths(), "words_read": words.starts.row_lengths()}
        return dense_columns(first, found) | numbers, tf.fill(tf.shape(text), "")

    def seen(self, outputs, inputs):
        """Returns how the entities were found.

        `words` `(B, W)` as the texts have them, their number `word_counts` `(B,)`, the columns of their first pieces in
        the attention, `word_columns`, and their `tags`, `(B, W)`; `tag_names` `(B, K)`, and `marginals` `(B, W, K)`,
        the probability of each tag.
        """
        text, words = inputs["text"], inputs["words"]
        tags, probabilities, columns = self.tagged(outputs, inputs)
        count, width = words.starts.row_lengths(), tf.shape(tags)[1]
        begins, ends = (rows.to_tensor(shape=[None, None]) for rows in (words.starts, words.ends))
        begins, ends = (tf.pad(rows, [[0, 0], [0, width - tf.shape(rows)[1]]]) for rows in (begins, ends))
        there, names = tf.sequence_mask(count, width), tf.constant(self.tags)
        whole = tf.tile(text[:, None], tf.stack([1, width]))
        return {
            "words": tf.strings.substr(whole, begins, ends - begins),
            "word_counts": count,
            "word_columns": columns,
            "tags": tf.where(there, tf.gather(names, tags), ""),
            "tag_names": tf.tile(names[None], [tf.shape(text)[0], 1]),
            "marginals": tf.where(there[..., None], probabilities, 0.0),
        }

    def example(self):
        """Returns a text with names."""
        return "Peter Blackburn flew to Brussels."

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, self.example(), picture="entities.png")

    @staticmethod
    def view(answer):
        """Returns the `Spans` of an answer; words attend as their first pieces do in the last layer, by all heads."""
        columns = answer["word_columns"][: answer["word_counts"]]
        weights = np.asarray(answer["attention"])[-1].mean(axis=0)  # (T, T)
        return spans_view(answer | {"attention": weights[np.ix_(columns, columns)]})

    view_page = view
