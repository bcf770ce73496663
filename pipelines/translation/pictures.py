"""What is known of sentence pairs: references and links, and views of the attention with them."""

import tensorflow as tf

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
