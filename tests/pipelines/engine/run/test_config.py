import re
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import Run, changed, dump, parse, read


@dataclass
class Data:
    """The text.

    Args:
        files: Two files, side
            by side.
        locale: A language, 100% of it.
        limit: Pairs to take.
    """

    files: list[str] = field(default_factory=list)
    locale: str = "fr"
    limit: int = 0


@dataclass
class Training:
    """How the weights are learned.

    Args:
        rate: Peak of the schedule.
        optimizer: The update rule.
        jit: Compile the step.
        patience: Evaluations without gain; null waits forever.
    """

    rate: float = 1e-3
    optimizer: Literal["adam", "sgd"] = "adam"
    jit: bool = False
    patience: int | None = 3

    def __post_init__(self):
        if self.rate < 0:
            raise UserError(f"rate: expected at least 0, received {self.rate}")


@dataclass
class Config:
    """Settings of a run.

    Args:
        data: The text.
        training: The learning.
    """

    data: Data = field(default_factory=lambda: Data(limit=7))
    training: Training = field(default_factory=Training)


@pytest.fixture
def run(tmp_path):
    """`run(argv, preset="", file="")`: parses with the YAML of the preset "small" and, where given, of `--config`."""

    def parsed(argv=(), preset="", file=None):
        presets = {"small": tmp_path / "small.yaml", "large": tmp_path / "large.yaml"}
        presets["small"].write_text(preset)
        presets["large"].write_text("data: {limit: 1000}")
        argv = list(argv)
        if file is not None:
            (tmp_path / "mine.yaml").write_text(file)
            argv += ["--config", str(tmp_path / "mine.yaml")]
        return parse(Config, argv, presets, "small", "zoo train x", "Does x.")

    return parsed


def test_without_arguments_the_defaults_hold(run):
    assert run() == Run(Config(), "small", "small")
    assert run().config.data.limit == 7, "the default of the section, not of its class"


def test_preset_then_file_then_command_line(run):
    preset = "training: {rate: 1e-2, optimizer: sgd, patience: null}\ndata: {locale: de}"
    assert run(preset=preset).config == Config(Data(limit=7, locale="de"), Training(0.01, "sgd", False, None))
    found = run(["--training.rate", "3"], preset, file="training:\n  rate: 2\n  patience: 9\n").config
    assert found == Config(Data(limit=7, locale="de"), Training(3.0, "sgd", False, 9))
    assert isinstance(found.training.rate, float)


def test_typed_names_what_the_user_wrote_and_not_what_the_preset_holds(run):
    preset, file = "training: {rate: 1e-2}\ndata: {limit: 5}", "training: {jit: true}\n"
    config = run(["--data-locale", "de", "--data.limit", "7"], preset, file).config
    assert config.typed == {"data.locale", "data.limit", "training.jit"}
    assert run(preset=preset).config.typed == frozenset()
    assert "typed" not in dump(config)


def test_another_preset_and_a_name(run):
    assert run(["--preset", "large"]) == Run(Config(data=Data(limit=1000)), "large", "large")
    words = ["--preset=large", "--name=mine", "--workers", "2", "--start-from", "first"]
    assert run(words)[1:] == ("large", "mine", 2, "first")


@pytest.mark.parametrize("count", ["0", "-1", "two", "1.5"])
def test_workers_are_counted_from_one(run, count):
    with pytest.raises(UserError, match=f"--workers: expected a whole number, at least 1; received {count}"):
        run([f"--workers={count}"])


@pytest.mark.parametrize(
    "argv, expected",
    [
        (["--data.files", "a.en", "a.fr", "--data.limit", "3"], Data(["a.en", "a.fr"], limit=3)),
        (["--data.files=a"], Data(["a"], limit=7)),
        (["--data.files", "123", "no"], Data(["123", "no"], limit=7)),
        (["--data.files", "a", "--data.files"], Data([], limit=7)),
        (["--data.locale", "no"], Data(locale="no", limit=7)),
        (["--data.locale", "null"], Data(locale="null", limit=7)),
        (["--data.locale="], Data(locale="", limit=7)),
        (["--data.locale=a=b"], Data(locale="a=b", limit=7)),
        (["--data.limit", "-1"], Data(limit=-1)),
    ],
)
def test_words_of_the_command_line_get_the_type_of_the_field(run, argv, expected):
    assert run(argv).config.data == expected


@pytest.mark.parametrize("word, expected", [("true", True), ("false", False)])
def test_switches(run, word, expected):
    assert run(["--training.jit", word]).config.training.jit is expected


WRONG_NAMES = [
    ("training.rte", "training.rate"),
    ("rate", "training.rate"),
    ("Training.Rate", "training.rate"),
    ("trainin.optimiser", "training.optimizer"),
]


@pytest.mark.parametrize("wrong, nearest", WRONG_NAMES)
def test_unknown_name_is_answered_with_the_nearest_valid_one(run, wrong, nearest):
    with pytest.raises(UserError) as caught:
        run([f"--{wrong}", "1"])
    assert str(caught.value) == f"--{wrong}: no such option; did you mean --{nearest}?"
    section, _, option = wrong.rpartition(".")
    text = yaml.safe_dump({section: {option: 1}} if section else {option: 1})
    for arguments in ({"preset": text}, {"file": text}):
        with pytest.raises(UserError) as caught:
            run(**arguments)
        assert f".yaml: {wrong}: no such setting; did you mean {nearest}?" in str(caught.value)


WRONG_VALUES = [
    ("data.limit", "many", "expected a whole number, received 'many'"),
    ("data.limit", "1.5", "expected a whole number, received"),
    ("data.limit", "true", "expected a whole number, received"),
    ("data.limit", "null", "expected a whole number, received"),
    ("training.rate", "fast", "expected a number, received 'fast'"),
    ("training.rate", "false", "expected a number, received"),
    ("training.jit", "maybe", "expected true or false, received 'maybe'"),
    ("training.jit", "1", "expected true or false, received"),
    ("training.patience", "long", "expected a whole number or null, received 'long'"),
    ("training.optimizer", "adm", "expected one of adam, sgd, received 'adm'; did you mean adam?"),
    ("training.rate", "-1", "expected at least 0, received -1"),
]


@pytest.mark.parametrize("name, value, message", WRONG_VALUES)
def test_a_wrong_type_is_refused_in_one_line_on_the_command_line_and_in_files(run, name, value, message):
    section, option = name.split(".")
    for arguments in ({"argv": [f"--{name}={value}"]}, {"file": f"{section}: {{{option}: {value}}}"}):
        with pytest.raises(UserError) as caught:
            run(**arguments)
        assert f"{name}: {message}" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("data: {locale: no}", "data.locale: expected a text, received False"),
        ("data: {files: a}", r"data.files: expected one or more texts, as --data.files A B, received 'a'"),
        ("data: {files: [a, 1]}", r"data.files: expected one or more texts, as --data.files A B, received \['a', 1\]"),
        ("data: {locale: {a: 1}}", "data.locale: expected a text, received {'a': 1}"),
        ("training: 5", "training: expected a section with settings, received 5"),
        ("traning: {}", "traning: no such setting; did you mean training?"),
        ("- 1", "expected sections with settings"),
        ("a: [", "not YAML"),
        ("training: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(run, text, message):
    with pytest.raises(UserError, match=message) as caught:
        run(file=text)
    assert "mine.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_an_empty_section_changes_nothing(run):
    assert run(file="training:\n  # rate: 3\n").config == Config()


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--data.limit"], "--data.limit: expected a value, received none"),
        (["--data.limit", "--training.jit", "true"], "--data.limit: expected a value"),
        (["--training", "5"], "--training: expected one of its settings"),
        (["--zzz", "5"], "--zzz: no such option$"),
        (["stray"], "received stray$"),
        (["-preset", "small"], "received -preset; did you mean --preset?"),
        (["--print-confg"], "did you mean --print-config?"),
        (["--preset", "smal"], "--preset: expected one of large, small; received smal; did you mean small?"),
        (["--config", "none.yaml"], "none.yaml: cannot be read: No such file"),
    ],
)
def test_a_command_line_that_cannot_be_used_is_refused_in_one_line(run, argv, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")) as caught:
        run(argv)
    assert "\n" not in str(caught.value)


def test_help_lists_every_setting_with_its_reason_and_the_value_of_the_preset(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for argv in (["--help"], ["-h", "--preset", "small"]):
        with pytest.raises(SystemExit) as caught:
            run(argv, preset="training: {rate: 0.25}")
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        for text in (
            "usage: zoo train x",
            "Does x.",
            "--preset NAME",
            "small",
            "--print-config",
            "How the weights are learned.",
            "Two files, side by side: one or more texts (default: none)",
            "A language, 100% of it: a text (default: fr)",
            "Pairs to take: a whole number (default: 7)",
            "Peak of the schedule: a number (default: 0.25)",
            "The update rule: one of adam, sgd (default: adam)",
            "Evaluations without gain; null waits forever: a whole number or null (default: 3)",
        ):
            assert text in shown


def test_the_printed_settings_repeat_the_run(run, capsys, tmp_path):
    argv = [
        "--data.files",
        "no",
        "1e3",
        "ä: b",
        "--training.rate",
        "1e-7",
        "--training.patience",
        "null",
        "--data.locale",
        "no",
    ]
    expected = run(argv).config
    with pytest.raises(SystemExit):
        run([*argv, "--print-config"])
    text = capsys.readouterr().out
    assert text == dump(expected)
    assert run(file=text, preset="training: {optimizer: sgd, jit: true}").config == expected
    (tmp_path / "config.yaml").write_text("# versions\n" + text)
    assert read(Config, tmp_path / "config.yaml") == expected


def test_defaults_are_not_shared_between_runs(run):
    run().config.data.files.append("x")
    assert run().config == Config() == replace(Config())


def test_dashes_may_stand_for_dots_and_underscores(run):
    assert run(["--data-files", "train.en", "train.fr"]).config.data.files == ["train.en", "train.fr"]


REFUSED = {"": "expected a setting of training", "training": "", "training.jit": "no other step"}


def test_changed_settings_have_their_type_and_the_others_stay():
    config = Config(Data(locale="de"), Training(rate=0.5))
    assert changed(config, ["--training.patience", "4"], REFUSED) == replace(
        config, training=replace(config.training, patience=4)
    )
    assert changed(config, [], REFUSED) == config


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--data.locale", "de"], "--data.locale: expected a setting of training"),
        (["--name", "x"], "--name: expected a setting of training"),
        (["--training.jit", "true"], "--training.jit: no other step"),
        (["--training.patience", "x"], "--training.patience: expected a whole number or null, received 'x'"),
        (["--training.rate=-1"], "--training.rate: expected at least 0, received -1.0"),
        (["--training.rat", "1"], "did you mean --training.rate?"),
    ],
)
def test_a_change_that_is_not_possible_is_refused_with_its_reason(argv, message):
    with pytest.raises(UserError, match=re.escape(message)):
        changed(Config(), argv, REFUSED)
