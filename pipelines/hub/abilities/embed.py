"""One vector a text, whose dot products say how alike texts are.

Shapes: B texts, D features.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.folder import read_optional_json
from attention_zoo.pipelines.hub.tokenizers import known_reader

POOLING = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
}
"""Settings of sentence-transformers' 1_Pooling/config.json, and `SentenceEncoder`'s names."""

SHOWN = 5  # numbers of a vector that are printed


class Embed(Ability):
    """Text in, vector out, with a model whose outputs have an "embedding", such as `SentenceEncoder`.

    A text without content gets zeros.
    """

    name = "embed"
    answers_with = "embedding"

    @classmethod
    def of_folder(cls, folder, model):
        """Returns the ability of an encoder, or of that of a model with a head; see `Ability.of_folder`."""
        reader = known_reader(folder, model.tokenizer)
        sentences = sentence_encoder(folder, getattr(model, "encoder", model))
        sentences(reader(tf.constant([""])))  # builds it
        return cls(sentences, reader)

    def answer(self, outputs, inputs):
        """Returns the `embedding` `(B, D)`, float32."""
        return {"embedding": outputs["embedding"]}, tf.fill(tf.shape(outputs["embedding"])[:1], "")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Embeds texts; of several, each answer also has its `similarity` to the first, from -1 to 1."""
        answers = Ability.ask(served, inputs, attention)
        if len(answers) > 1:
            vectors = np.array([answer["embedding"] for answer in answers])
            lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
            similarities = vectors @ vectors[0] / (lengths * lengths[0])
            answers = [answer | {"similarity": float(s)} for answer, s in zip(answers, similarities)]
        return answers

    @staticmethod
    def say(answer):
        """Returns the similarity to the first text, or the first numbers of the vector."""
        if "similarity" in answer:
            return f"{answer['similarity']:.3f}\t{answer['input']}"
        vector = answer["embedding"]
        return f"{' '.join(f'{number:.4f}' for number in vector[:SHOWN])} ... ({len(vector)} numbers; --json has all)"

    def next_command(self):
        """Returns the command a user will want next."""
        return f'attention-zoo predict {self.name} "A cat sleeps." "A kitten naps." "Shares fell on Monday."'


def sentence_encoder(folder, encoder):
    """Returns the `SentenceEncoder` that a folder describes as sentence-transformers does.

    modules.json lists the steps after the encoder. A folder without it gets the mean of the states, normalised.

    Raises:
        UserError: A step is of a kind that is not known here.
    """
    from attention_zoo.pipelines.models import SentenceEncoder  # here, since `predict` needs no models

    modules = read_optional_json(folder / "modules.json")
    if modules is None:
        return SentenceEncoder(encoder)
    kinds = {module["type"].rpartition(".")[2]: module for module in modules}
    unknown = sorted(set(kinds) - {"Transformer", "Pooling", "Normalize"})
    pooling = Path(kinds.get("Pooling", {}).get("path", "1_Pooling")).name  # in the folder, whatever the file says
    settings = read_optional_json(folder / pooling / "config.json") or {}
    chosen = [name for name, value in settings.items() if name.startswith("pooling_mode_") and value is True]
    if unknown or len(chosen) != 1 or chosen[0] not in POOLING:
        expected = f"Transformer, Pooling by one of {', '.join(POOLING)}, and Normalize"
        raise UserError(f"{folder}/modules.json: expected {expected}; received {', '.join(unknown + chosen)}")
    return SentenceEncoder(encoder, POOLING[chosen[0]], normalize="Normalize" in kinds)
