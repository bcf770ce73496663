"""Asking a model many inputs traces it once."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.serving.asking import alternative_views, answer_in_batches
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.views import Alignment


def test_a_method_is_traced_once_however_often_a_split_is_answered():
    class Answerer:
        traces = 0

        def length(self, text):
            self.traces += 1
            return {"length": tf.strings.length(text)}

    class Holder:
        @once
        def answerer(self, model):
            return Answerer()

    task, model, other = Holder(), object(), object()
    for texts in (["a", "bc"], ["def"], ["a", "b", "c"]):
        answers = list(answer_in_batches(task.answerer(model).length, texts, batch_size=2))
        assert [answer["length"] for answer in answers] == [len(text) for text in texts]
    assert task.answerer(model).traces == 1
    assert task.answerer(other) is not task.answerer(model) and Holder().answerer(model) is not task.answerer(model)


class Says(Task):
    name = "says"

    @staticmethod
    def say(answer):
        return answer["text"]

    @staticmethod
    def view(answer):
        return Alignment([answer["input"]], [answer["text"]], answer["weights"])


def test_alternatives_are_the_other_answers_that_the_beam_found():
    def n_best_attention(text):
        weights = tf.reshape(tf.range(4.0), [1, 4, 1, 1, 1])
        scores = tf.constant([[-0.5, -1.0, -2.0, -np.inf]])
        return {
            "text": tf.constant([["un", "une", "uns", ""]]),
            "score": scores,
            "weights": weights,
            "error": tf.constant([""]),
        }

    served = SimpleNamespace(signatures={"n_best_attention": n_best_attention})
    views = alternative_views(Says, served, {"input": "a", "text": "une"}, 4)
    assert [view.title for view in views] == ["un (-0.50)", "uns (-2.00)"]
    assert [view.weights.item() for view in views] == [0, 2] and views[0].source == ["a"]
    assert [view.title for view in alternative_views(Says, served, {"input": "a", "text": "une"}, 2)] == ["un (-0.50)"]
    with pytest.raises(UserError, match="shows one answer"):
        alternative_views(Says, SimpleNamespace(signatures={}), {"input": "a", "text": "une"}, 2)
