"""Pairs of segments against a computation in NumPy, and what the papers say of them."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.segment_pairs import DRAWS, cut_segments, pair_segments, rows_of

END, ROOM, DOCUMENTS = 9, 12, 7
ENDS = np.arange(200) == END


def documents(sizes=(1, 2, 5, 13, 40, 61, 90)):
    """Documents whose tokens say which one they are of: 10 d to 10 d + 8, and 9, which ends a sentence."""
    random = np.random.default_rng(1)
    rows = [10 * number + random.integers(0, 9, size) for number, size in enumerate(sizes, 1)]
    for row in rows:
        row[random.random(len(row)) < 0.2] = END
    return [row.tolist() for row in rows]


def segments(short_seq_prob=0.0, rows=None, room=ROOM):
    rows = tf.ragged.constant(rows or documents(), dtype=tf.int32)
    return cut_segments(rows, ENDS, room, short_seq_prob, seed=3)


def pairs(found, objective, seed=0, repeat=40, room=ROOM):
    numbers = np.tile(np.arange(len(found.firsts)), repeat)
    draws = np.random.default_rng(seed).random((len(numbers), DRAWS)).astype("float32")
    made = pair_segments(found, tf.constant(numbers), tf.constant(draws), room, objective)
    return numbers, draws, made["first"].to_list(), made["second"].to_list(), made["changed"].numpy()


def by_hand(found, number, draws, objective, room=ROOM):
    """The same pair with Python's lists, a token taken away at a time."""
    bounds = found.sentences
    sentences = [found.stream[a:b].tolist() for a, b in zip(bounds[:-1], bounds[1:])]
    first, after = found.firsts[number], found.ends[number]
    cut = first + 1 + int(draws[0] * np.float32(after - first - 1))
    a, b = (sum(sentences[x:y], []) for x, y in ((first, cut), (cut, after)))
    changed = draws[1] < 0.5
    if objective == "nsp" and changed:
        document = np.searchsorted(found.documents, first, side="right")
        own = range(found.documents[document - 1], found.documents[document])
        others = [one for one in range(len(sentences)) if one not in own]
        place = others[int(draws[2] * np.float32(len(others)))]
        last = found.documents[np.searchsorted(found.documents, place, side="right")]
        wanted, b = max(found.targets[number] - len(a), 1), []
        while len(b) < wanted and place < last:
            b, place = b + sentences[place], place + 1
    sizes = [len(a), len(b)]
    while sum(sizes) > room:
        sizes[0 if sizes[0] > sizes[1] else 1] -= 1
    starts = [int(draw * np.float32(len(one) - size + 1)) for draw, one, size in zip(draws[3:], (a, b), sizes)]
    a, b = (one[start : start + size] for one, start, size in zip((a, b), starts, sizes))
    return (b, a, changed) if objective == "sop" and changed else (a, b, changed)


@pytest.mark.parametrize("objective", ["nsp", "sop"])
@pytest.mark.parametrize("short_seq_prob", [0.0, 0.5])
def test_pairs_equal_those_made_sentence_by_sentence(objective, short_seq_prob):
    found = segments(short_seq_prob)
    for number, draws, *pair in zip(*pairs(found, objective, repeat=12)):
        assert by_hand(found, number, draws, objective) == tuple(pair)


def test_half_of_the_pairs_of_nsp_are_of_two_documents_and_say_so():
    _, _, first, second, changed = pairs(segments(), "nsp", repeat=60)
    for a, b, label in zip(first, second, changed):
        of_a, of_b = ({token // 10 for token in one if token != END} for one in (a, b))
        assert len(of_a) <= 1 and len(of_b) <= 1
        if of_a and of_b:
            assert (of_a != of_b) == bool(label)
    assert 0.45 < changed.mean() < 0.55
    lengths = np.array([len(a) + len(b) for a, b in zip(first, second)])
    assert lengths.max() == ROOM and min(map(len, first)) > 0 and min(map(len, second)) > 0


def test_sop_swaps_the_halves_of_half_of_the_pairs():
    tokens = list(range(100, 160))
    found = segments(rows=[tokens, tokens[:7]])
    _, _, first, second, changed = pairs(found, "sop", repeat=80)
    for a, b, swapped in zip(first, second, changed):
        assert (a[0] > b[0]) == bool(swapped)
        assert a == list(range(a[0], a[0] + len(a))) and b == list(range(b[0], b[0] + len(b)))
    assert 0.45 < changed.mean() < 0.55


def test_the_longer_segment_is_truncated_on_both_sides():
    sentence, long = [1, 2, END], [*range(10, 16), *range(20, 29), END]
    found = cut_segments(tf.ragged.constant([sentence + long]), ENDS, 40, 0.0)._replace(targets=np.array([8]))
    _, _, first, second, _ = pairs(found, "sop", repeat=200, room=8)
    short = [pair for pair in zip(first, second) if [1, 2, END] in pair]
    assert short and {len(a) + len(b) for a, b in short} == {8}
    longer = {tuple(max(pair, key=len)) for pair in short}
    assert longer >= {tuple(long[:5]), tuple(long[-5:])}


def test_shares_of_short_pairs_and_no_token_is_lost():
    rows = [np.where(np.arange(6000) % 4 == 3, END, 11).tolist()] * 2
    lengths = rows_of(segments(0.3, rows, room=40), 40).row_lengths().numpy()
    assert 0.2 < (lengths < 38).mean() < 0.34
    found = segments(0.1)
    kept = [row for row in documents() if len(row) > 1]
    assert found.stream.tolist() == sum(kept, [])
    covered = sum(found.sentences[found.ends] - found.sentences[found.firsts])
    assert len(found.stream) - len(kept) * 2 <= covered <= len(found.stream)
    assert (found.ends - found.firsts >= 2).all() and len(found.documents) == len(kept) + 1
