import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.alignment_error import (
    ErrorCounts,
    alignment_error_rate,
    links_from_spans,
    links_from_weights,
    parse_pharaoh,
    read_pharaoh,
)


@pytest.mark.parametrize(
    "predicted, sure, possible, expected",
    [
        ({(0, 0), (1, 1)}, {(0, 0), (1, 1)}, {(0, 0), (1, 1)}, 0.0),
        ({(0, 1)}, {(0, 0)}, {(0, 0)}, 1.0),
        ({(0, 0), (1, 1), (2, 2)}, {(0, 0)}, {(0, 0), (1, 1)}, 1 - (1 + 2) / (3 + 1)),
        ({(0, 0)}, {(0, 0)}, set(), 0.0),  # what is sure is possible
        ({(1, 1)}, set(), {(1, 1), (1, 2)}, 0.0),  # a possible link is no error, a missing possible one neither
        (set(), {(0, 0)}, {(0, 0)}, 1.0),
        (set(), set(), set(), 0.0),
    ],
)
def test_the_rate_is_that_of_the_equation(predicted, sure, possible, expected):
    assert alignment_error_rate([predicted], [sure], [possible]) == pytest.approx(expected)


def test_a_corpus_is_summed_and_not_averaged():
    # 1 of 1 right, and 0 of 3: (1 + 1 + 0) / (1 + 1 + 3 + 1)
    predicted = [{(0, 0)}, {(0, 0), (1, 0), (2, 0)}]
    sure = [{(0, 0)}, {(5, 5)}]
    assert alignment_error_rate(predicted, sure, sure) == pytest.approx(1 - 2 / 6)
    counts = ErrorCounts()
    for pair in zip(predicted, sure, sure):
        counts.add(*pair)
    assert counts.precision() == 1 / 4 and counts.recall() == 1 / 2


def test_corpora_of_different_size_are_refused():
    with pytest.raises(UserError, match="predicted: expected as many sentences"):
        alignment_error_rate([set()], [], [])


def test_pharaoh_lines_are_read(tmp_path):
    assert parse_pharaoh("0-0 1-2 2?3\t4p10") == ({(0, 0), (1, 2)}, {(0, 0), (1, 2), (2, 3), (4, 10)})
    path = tmp_path / "gold.txt"
    for end in ("", "\n"):
        path.write_text(f"0-0\n\n1?1{end}")
        assert read_pharaoh(path) == [({(0, 0)}, {(0, 0)}), (set(), set()), (set(), {(1, 1)})]


@pytest.mark.parametrize("word", ["0", "0-", "a-b", "0--1", "-1-0", "0-0,1-1", "1-²"])
def test_what_is_no_link_is_named_with_its_line(tmp_path, word):
    (tmp_path / "gold.txt").write_text(f"0-0\n0-1 {word}\n")
    with pytest.raises(UserError, match="gold.txt, line 2: expected links") as caught:
        read_pharaoh(tmp_path / "gold.txt")
    assert repr(word) in str(caught.value)


def offsets(*tokens, gap=1):
    found, start = [], 0
    for token in tokens:
        found.append((start, start + len(token)))
        start += len(token) + gap
    return found


def test_inner_spans_win_over_those_that_enclose_them():
    source, target = offsets("in", "3", "hours"), offsets("dans", "3", "heures")
    whole, number, unit = (0, 10, 0, 13), (3, 4, 5, 6), (5, 10, 7, 13)
    sure, possible = links_from_spans([whole, number, unit], source, target)
    assert possible == sure == {(0, 0), (1, 1), (2, 2)}
    assert links_from_spans([unit, whole, number], source, target) == (sure, possible), "their order says nothing"


def test_all_tokens_of_a_pair_are_possible_and_one_to_one_is_sure():
    source, target = offsets("hours", "ago"), offsets("il", "y", "a", "heures")
    sure, possible = links_from_spans([(0, 5, 7, 13), (6, 9, 0, 6)], source, target)
    assert sure == {(0, 3)}
    assert possible == {(0, 3), (1, 0), (1, 1), (1, 2)}


def test_a_span_with_two_counterparts_is_linked_with_both():
    sure, possible = links_from_spans([(0, 3, 0, 3), (0, 3, 8, 11)], [(0, 3)], [(0, 3), (4, 7), (8, 11)])
    assert sure == possible == {(0, 0), (0, 2)}


def test_a_token_across_two_spans_belongs_to_both_and_an_empty_one_to_none():
    sure, possible = links_from_spans([(0, 1, 0, 1), (1, 3, 2, 4)], [(0, 0), (0, 3)], [(0, 1), (1, 1), (2, 4)])
    assert sure == possible == {(1, 0), (1, 2)}


def test_tokens_outside_all_spans_have_no_links():
    assert links_from_spans([(0, 1, 0, 1)], [(0, 1), (2, 3)], [(0, 1), (2, 3)])[1] == {(0, 0)}
    assert links_from_spans([], [(0, 1)], [(0, 1)]) == (set(), set())


def test_every_target_token_is_linked_with_its_heaviest_source_token():
    weights = np.random.default_rng(0).random((5, 7)).astype("float32")
    assert links_from_weights(weights) == {(int(s), t) for t, s in enumerate(weights.argmax(axis=1))}
    assert all(type(number) is int for link in links_from_weights(weights) for number in link)
    assert links_from_weights(np.zeros((2, 0))) == links_from_weights(np.zeros((0, 3))) == set()
