"""What is to be seen of a translation: views of its attention, with the links that are known."""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.alignment_error import links_from_spans, token_links
from attention_zoo.pipelines.engine.views import Alignment


def truth_of(examples, row, subwords):
    """Returns what is known of a pair.

    Args:
        examples: The `Examples` of a split.
        row: Number of the pair.
        subwords: `Subwords`, of both languages.

    Returns:
        A dict: "reference", the given translation, and where the data has alignments "links", pairs of a source token
        and a token of "reference_tokens".
    """
    source, target = examples.source[row], examples.target[row]
    truth = {"reference": target}
    if examples.alignment is not None:
        _, possible = links_from_spans(examples.alignment[row], subwords.spans(source), subwords.spans(target))
        pieces = subwords.pieces(subwords.tokenize(tf.constant([target])))
        truth |= {"links": possible, "reference_tokens": [piece.decode() for piece in pieces[0].numpy()]}
    return truth


def alignment_of(answer):
    """Returns the view of an answer: its alignment, and of a Transformer also that of each head in the last layer.

    Links of `truth_of` belong to the reference, so they are shown only if the translation has the same tokens.
    """
    source, target = (list(answer[f"{side}_tokens"][: answer[f"{side}_lengths"]]) for side in ("source", "target"))
    if not source or not target:
        return None
    weights, names = answer["weights"][None], []
    if "head_weights" in answer:
        weights = np.concatenate([weights, answer["head_weights"][-1]])  # (1 + H, T, S)
        names = ["alignment", *(f"head {number}" for number in range(1, len(weights)))]
    title = f"{answer['input']} → {answer['translation']}"
    if answer.get("reference", answer["translation"]) != answer["translation"]:
        title += f" (reference: {answer['reference']})"
    return Alignment(
        source,
        target,
        weights[:, : len(target), : len(source)],
        names,
        title=title,
        sides=("source", "translation"),
        join=any(len(piece.strip("▁")) > 1 for piece in target[:-1]),  # a model of characters aligns characters
        links=sorted(answer.get("links", ())) if answer.get("reference_tokens") == target[:-1] else [],
    )


def heads_of(answer):
    """Returns the view of all heads of a Transformer, a row for each layer; `None` where there is nothing to see."""
    if "head_weights" not in answer:
        raise UserError("--heads: expected a Transformer, received a model whose attention has no heads")
    view = alignment_of(answer)
    if view is None:
        return None
    layers, heads, _, _ = answer["head_weights"].shape
    weights = answer["head_weights"].reshape(layers * heads, *answer["head_weights"].shape[2:])
    names = [f"layer {layer}, head {head}" for layer in range(1, layers + 1) for head in range(1, heads + 1)]
    shown = weights[:, : len(view.target), : len(view.source)]
    return replace(view, weights=shown, names=names, columns=heads)


def linked_views(weights, examples, links, subwords):
    """Yields views of the attention on pairs whose words people linked, under teacher forcing.

    Args:
        weights: Row numbers and weights `(T, S)`, as `forced_weights` yields them.
        examples: The sentence pairs.
        links: For each pair the sets of sure and of possible links between words.
        subwords: `Subwords`, of both languages.
    """
    for row, one in weights:
        texts = examples.source[row], examples.target[row]
        source, target = (
            [piece.decode() for piece in subwords.pieces(subwords.tokenize(tf.constant([text])))[0].numpy()]
            for text in texts
        )
        yield Alignment(
            source,
            target,
            one[None, : len(target), : len(source)],
            title=" → ".join(texts),
            sides=("source", "reference"),
            links=sorted(token_links(set.union(*links[row]), *texts, *map(subwords.spans, texts))),
        )
