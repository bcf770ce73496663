"""What a model is to answer: tags of words, values of entities, and which texts are out of scope."""

from collections import Counter, defaultdict

import numpy as np

from attention_zoo.pipelines.engine.text.tags import tags_of


def balanced_rows(intents, least):
    """Returns the rows of an epoch `(M,)`, in which rare intents come again, up to `least` rows each.

    Bunk et al. 2020 balance batches in this way, since in real data some intents have far more sentences than others.

    Args:
        intents: int array `(N,)`, the intent of each row.
        least: Rows that an intent has at least, as far as whole repetitions of all its rows reach; each comes once or
            more.

    Example:

    >>> balanced_rows(np.array([0, 1, 0, 0, 0]), least=2).tolist()
    [0, 1, 1, 2, 3, 4]
    """
    _, numbers, counts = np.unique(intents, return_inverse=True, return_counts=True)
    return np.repeat(np.arange(len(intents)), np.maximum(least // counts, 1)[numbers])


def byte_spans(utterance):
    """Yields (start, end, entity) of the entities of an utterance, in bytes.

    Example:

    >>> from attention_zoo.pipelines.datasets.utterances import utterance_of
    >>> utterance = utterance_of("à Rome", "fly", [{"start": 2, "end": 6, "entity": "city"}])
    >>> [span[:2] for span in byte_spans(utterance)]
    [(3, 7)]
    """
    for entity in utterance.entities:
        start = len(utterance.text[: entity.start].encode())
        yield start, start + len(utterance.text[entity.start : entity.end].encode()), entity


def word_spans(utterance, starts, ends):
    """Yields (first, end, entity): the words that an entity is in, even if it is only a part of a word.

    Args:
        utterance: An `Utterance`.
        starts: Offset in bytes of each of its words.
        ends: Offset in bytes after each of its words.
    """
    for start, end, entity in byte_spans(utterance):
        inside = [place for place, (first, last) in enumerate(zip(starts, ends)) if first < end and last > start]
        if inside:
            yield inside[0], inside[-1] + 1, entity


def word_tags(utterance, starts, ends, known):
    """Returns the tags of the words of an utterance in BIO2. A word with parts of two entities has the first one.

    Args:
        utterance: An `Utterance`.
        starts: Offset in bytes of each of its words.
        ends: Offset in bytes after each of its words.
        known: Types of entities that are tagged; the words of others are outside.

    Example:

    >>> from attention_zoo.pipelines.datasets.utterances import utterance_of
    >>> utterance = utterance_of("2h5m in Rome", "set", [{"start": 0, "end": 1, "entity": "hours"}])
    >>> word_tags(utterance, [0, 5, 8], [4, 7, 12], {"hours"})
    ['B-hours', 'O', 'O']
    """
    spans = [(first, end, entity.type) for first, end, entity in word_spans(utterance, starts, ends)]
    return tags_of([span for span in spans if span[2] in known], len(starts))


def synonyms_of(utterances, words, starts, ends):
    """Returns what the texts of entities stand for, where that is not the text: values by texts in lower case.

    The text is the one that serving finds, of whole words: "거실의" stands for "거실", "in the kitchen" for "kitchen".
    Of several values the most frequent one is taken.

    Args:
        utterances: N `Utterance`s.
        words, starts, ends: As `split_words` returns them for their texts.
    """
    values = defaultdict(Counter)
    for utterance, begins, stops in zip(utterances, starts.to_list(), ends.to_list()):
        text = utterance.text.encode()
        for first, end, entity in word_spans(utterance, begins, stops):
            found = text[begins[first] : stops[end - 1]].decode("utf-8", "replace")
            values[found.lower()][entity.value] += 1
    best = {text: counts.most_common(1)[0][0] for text, counts in values.items()}
    return {text: value for text, value in sorted(best.items()) if value.lower() != text}


def best_threshold(inside, outside):
    """Returns the number that divides two samples best: the mean of the shares on the right sides is the greatest.

    Args:
        inside: Numbers `(N,)` that should be at least the threshold.
        outside: Numbers `(M,)` that should be below it.

    Example:

    >>> best_threshold(np.array([2.0, 3.0, 9.0]), np.array([0.0, 1.0, 1.5]))
    1.75
    """
    candidates = np.unique(np.concatenate([inside, outside]))
    if len(candidates) < 2:
        return float(candidates[0])
    candidates = (candidates[:-1] + candidates[1:]) / 2
    kept = 1.0 - np.searchsorted(np.sort(inside), candidates) / len(inside)
    found = np.searchsorted(np.sort(outside), candidates) / len(outside)
    return float(candidates[np.argmax(kept + found)])
