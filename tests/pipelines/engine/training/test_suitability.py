"""Settings that do not suit the data are reported before training."""

import pytest
from line_task import Line, run

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.training.suitability import unsuitable_settings


def test_settings_that_suit_are_not_mentioned():
    assert unsuitable_settings(TrainingSettings(epochs=12, warmup_steps=35, patience=11), batches=3) == []


@pytest.mark.parametrize(
    "settings, batches, expected",
    [
        ({"epochs": 12, "warmup_steps": 200}, 3, ("36 steps in all", "36 warm up", "--training.warmup_steps 3")),
        ({"batch_tokens": 4096}, 1, ("one batch holds the whole", "--training.batch_tokens", "512")),
        ({"epochs": 8, "patience": 8}, 5, ("8 evaluations in all", "--training.patience 2")),
        ({"epochs": 8, "patience": 3, "evaluate_every": 20}, 5, ("2 evaluations in all", "--training.patience 1")),
    ],
)
def test_a_setting_that_does_not_suit_is_named_with_a_value_that_does(settings, batches, expected):
    (line,) = unsuitable_settings(TrainingSettings(**settings), batches)
    assert "\n" not in line and all(words in line for words in expected)


def test_the_lines_are_printed_once_before_training(tmp_path, capsys):
    run(tmp_path, epochs=2, warmup_steps=200)
    out = capsys.readouterr().out
    assert out.count("8 steps in all") == 1 and out.index("8 steps in all") < out.index("epoch   1")


def test_a_split_smaller_than_a_batch_is_refused(tmp_path):
    class Tiny(Line):
        def preprocess(self, split, epoch):
            return super().preprocess(split, epoch).unbatch().take(5).batch(8, drop_remainder=True)

    with pytest.raises(UserError, match="smaller than one batch; set a lower --training.batch_tokens"):
        run(tmp_path, task=Tiny)
