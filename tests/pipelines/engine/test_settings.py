"""Settings that no model can have are refused when they are read, before any data."""

from dataclasses import dataclass, field

import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import parse
from attention_zoo.pipelines.engine.settings import TaskConfig


@dataclass
class Model:
    """The model.

    Args:
        hidden_dim: Width.
        num_layers: Blocks.
        num_heads: Heads.
        attention_dropout: Share of weights set to zero.
    """

    hidden_dim: int = 16
    num_layers: int = 2
    num_heads: int = 4
    attention_dropout: float = 0.0


@dataclass
class Config(TaskConfig):
    """Settings.

    Args:
        model: The model.
    """

    model: Model = field(default_factory=Model)


def parsed(tmp_path, *argv):
    (tmp_path / "small.yaml").write_text("")
    return parse(Config, argv, {"small": tmp_path / "small.yaml"}, "small", "zoo").config


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("num_heads", "3", "expected a divisor of hidden_dim, 16, received 3"),
        ("num_heads", "0", "expected at least 1, received 0"),
        ("num_layers", "0", "expected at least 1, received 0"),
        ("hidden_dim", "-4", "expected at least 1, received -4"),
        ("attention_dropout", "1.0", "expected at least 0 and below 1, received 1.0"),
    ],
)
def test_an_impossible_model_is_refused_when_settings_are_read(tmp_path, name, value, expected):
    with pytest.raises(UserError) as caught:
        parsed(tmp_path, f"--model.{name}={value}")
    assert str(caught.value) == f"--model.{name}: {expected}"


def test_sizes_that_fit_together_are_accepted(tmp_path):
    assert parsed(tmp_path, "--model.hidden_dim", "12", "--model.num_heads", "3").model.num_heads == 3


def test_settings_without_a_model_are_accepted():
    assert TaskConfig().typed == frozenset()
