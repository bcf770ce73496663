"""Scores of entities, against counts by hand."""

import pytest

from attention_zoo.pipelines.engine.scores.entities import entity_report, entity_scores


def test_an_entity_is_right_if_all_its_words_and_its_label_are():
    truths = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"]]
    answers = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O"]]  # one of three answers is one of three entities
    scores = entity_scores(truths, answers)
    assert {name: round(value, 2) for name, value in scores.items()} == {
        **{"f1": 33.33, "precision": 33.33, "recall": 33.33},
        **{"f1_LOC": 66.67, "f1_PER": 0.0},
    }


def test_bilou_and_bio_score_alike():
    truths = [["B-PER", "I-PER", "O", "B-LOC"]]
    assert entity_scores(truths, [["B-PER", "L-PER", "O", "U-LOC"]])["f1"] == 100.0


def test_a_report_has_a_row_for_each_label_even_without_answers():
    report = entity_report([["B-PER", "B-LOC"]], [["O", "O"]])
    assert set(report) == {"PER", "LOC", "micro avg"} and report["micro avg"]["support"] == 2


def test_sentences_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="as many tags"):
        entity_scores([["O"]], [["O", "O"]])
