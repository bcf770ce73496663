"""Question answering: where the answer begins, and the pieces of the question and of the text."""

import numpy as np

from attention_zoo.pipelines.question_answering.windows import among_text, answer_windows
from explained.examples import SelfAttentionExamples, TokenExamples


class QuestionAnsweringExamples(TokenExamples, SelfAttentionExamples):
    """Pieces of questions and texts without the special tokens, and the piece with which the model begins an answer."""

    def __init__(self, task, model, count, like=None):
        self.raw = task.questions["test"].rows[:count] if like is None else like.raw
        columns, _ = answer_windows(task.reader, self.raw)
        batch = {name: rows.to_tensor() for name, rows in columns.items()}
        self.inputs = {name: values.numpy() for name, values in task.inputs_of(batch).items()}
        self.inputs["places"] = batch["places"].numpy()
        self.model, self.embedding = model, model.encoder.embeddings.token_embedding
        special = [*task.reader.before, *task.reader.between, *task.reader.after]
        mask = self.inputs["mask"] & ~np.isin(self.inputs["tokens"], special)
        super().__init__(self.inputs["tokens"], mask, like)
        self.inputs["answers"] = self.answers

    def given(self, features, inputs):
        """Returns what the model reads."""
        return {name: inputs[name] for name in ("tokens", "mask", "segments")}

    def logits(self, outputs, inputs):
        """Returns the logits of the tokens of the text as beginnings of the answer."""
        return among_text(outputs["logits"], inputs["places"])[..., 0]

    def pooled(self, maps, inputs):
        """Returns the row of the piece with which the answer begins."""
        return maps[np.arange(len(maps)), inputs["answers"].numpy()]
