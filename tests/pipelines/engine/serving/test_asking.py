"""Asking a model many inputs traces it once."""

import tensorflow as tf

from attention_zoo.pipelines.engine.once import once
from attention_zoo.pipelines.engine.serving.asking import answer_in_batches


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
