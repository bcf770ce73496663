"""Training settings are sized to small data where nobody typed them."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.training.sizing import dropout_for, size_to_data


def sized(rows, typed=(), longest=1, known_length=True, enough=(), **settings):
    """Sizes settings to so many rows of `longest` tokens; returns the changed settings, and the lines."""
    training = TrainingSettings(**{"epochs": 2, "batch_tokens": 800, "warmup_steps": 200, **settings})

    def make_epoch():
        if longest > training.batch_tokens:
            raise UserError("too long")
        batches = tf.data.Dataset.range(rows).batch(max(1, training.batch_tokens // longest))
        return batches if known_length else batches.filter(lambda batch: True)

    lines = size_to_data(training, typed, make_epoch, *enough)
    before = TrainingSettings(**{"epochs": 2, "batch_tokens": 800, "warmup_steps": 200, **settings})
    return {name: value for name, value in vars(training).items() if value != vars(before)[name]}, lines


@pytest.mark.parametrize("known_length", [True, False])
def test_settings_stay_where_the_data_is_large_enough(known_length):
    assert sized(400_000, known_length=known_length) == ({}, [])


@pytest.mark.parametrize("known_length", [True, False])
def test_small_data_gets_smaller_batches_and_more_epochs(known_length):
    changed, lines = sized(300, known_length=known_length)
    assert changed == {"batch_tokens": 25, "epochs": 50, "evaluate_every": 40}
    assert lines == [
        "training.batch_tokens: 25 instead of 800, for 12 batches in an epoch instead of 1",
        "training.epochs: 50 instead of 2, for 600 steps instead of 24",
        "training.evaluate_every: 40 instead of 0, since an epoch has 12 steps",
    ]


def test_a_task_says_how_many_steps_and_batches_are_enough():
    changed, _ = sized(1600, enough=(800, 1))
    assert changed == {"epochs": 400, "evaluate_every": 40}


def test_evaluations_stay_where_the_user_chose_them_or_an_epoch_is_long():
    assert "evaluate_every" not in sized(300, typed=("training.evaluate_every",))[0]
    assert sized(300, evaluate_every=5)[0] == {"batch_tokens": 25, "epochs": 50}
    assert sized(40 * 800, warmup_steps=0)[0] == {"epochs": 15}


def test_what_the_user_typed_stays():
    assert sized(300, typed=("training.epochs", "training.evaluate_every"))[0] == {
        "batch_tokens": 25,
        "warmup_steps": 2,
    }
    assert sized(300, typed=("training.batch_tokens",))[0] == {"epochs": 600, "evaluate_every": 40}
    every = ("training.batch_tokens", "training.epochs", "training.evaluate_every")
    assert sized(300, typed=every)[0] == {"warmup_steps": 0}
    assert sized(300, typed=(*every, "training.warmup_steps"))[0] == {}


def test_a_quick_look_stays_quick():
    assert sized(300, typed=("data.limit",))[0] == {"warmup_steps": 0}


def test_a_warm_up_longer_than_half_of_the_run_becomes_a_tenth():
    assert sized(400_000, warmup_steps=900) == (
        {"warmup_steps": 100},
        ["training.warmup_steps: 100 instead of 900, a tenth of the steps"],
    )


def test_a_batch_keeps_room_for_the_longest_example():
    changed, _ = sized(40, longest=500)
    assert changed.get("batch_tokens", 800) >= 500
    assert sized(300, longest=100)[0] == {
        "epochs": 16,
        "evaluate_every": 40,
    }  # batches of eight rows have none to spare


def test_few_examples_get_dropout_unless_the_user_wrote_it():
    def raised(dropout, examples, typed=()):
        model = SimpleNamespace(dropout=dropout)
        return model, dropout_for(model, examples, typed)

    model, (line,) = raised(0.0, 1500)
    assert model.dropout == 0.2
    assert line == "model.dropout: 0.2 instead of 0.0, since 1,500 examples are easily learned by heart"
    for dropout, examples, typed in (
        *((0.0, 1500, ["model.dropout"]), (0.0, 100, ["data.limit"]), (0.0, 20_000, ()), (0.5, 1500, ())),
    ):
        model, lines = raised(dropout, examples, typed)
        assert model.dropout == dropout and lines == []
