"""What translation does besides what the end-to-end test of all tasks asks for."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.datasets.parallel import read_parallel
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import parse, read
from attention_zoo.pipelines.engine.run.options import models_of
from attention_zoo.pipelines.engine.serving.products import ConstantProducts
from attention_zoo.pipelines.engine.serving.record import read_record
from attention_zoo.pipelines.engine.serving.versions import load_saved_model
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.text.subwords import Subwords
from attention_zoo.pipelines.registry import TASKS
from attention_zoo.pipelines.translation.alignments import human_scores, span_scores
from attention_zoo.pipelines.translation.settings import DataSettings, ModelSettings, TranslationConfig
from attention_zoo.pipelines.translation.task import Translation

MODELS = {
    "rnn": {"units": 8},
    "seq2seq": {"units": 8, "num_layers": 2},
    "bahdanau": {"units": 8},
    "luong": {"units": 8, "score": "concat", "window": "predictive", "window_size": 2},
    "transformer": {"num_layers": 1, "num_heads": 2, "intermediate_dim": 16},
}


@pytest.fixture(scope="module")
def text_files(tiny_data):
    return tiny_data("translation")["files"]


def tiny(text_files, directory, name="bahdanau", **training):
    return TranslationConfig(
        data=DataSettings(files=text_files, vocabulary_size=36, max_tokens=32),
        model=models_of(ModelSettings)[name](embedding_dim=8, **MODELS[name]),
        training=TrainingSettings(**{"epochs": 1, "batch_tokens": 512, **training}),
        decoding=DecodingSettings(),
        export=ExportSettings(directory=str(directory / "saved_models")),
    )


@pytest.fixture
def finished(finished_run):
    return finished_run("translation")


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run that a test may write to, and the settings of a run that would go on with it."""
    run = shutil.copytree(finished.run, tmp_path / "run")
    return run, read(TranslationConfig, run / "config.yaml")


def test_the_session_loader_serves_all_signatures(finished, session_run):
    version = finished.version
    text = ["one red cat", "", "two"]
    best = session_run(version, "serving_default", {"text": text})
    assert best["translation"].shape == best["score"].shape == best["truncated"].shape == (3,)
    many = session_run(version, "n_best", {"text": text})
    assert many["translations"].shape == many["scores"].shape == (3, 4)
    assert (np.diff(many["scores"], axis=1) <= 0).all()
    seen = session_run(version, "attention", {"text": text})
    batch, target, source = seen["weights"].shape
    assert seen["source_tokens"].shape == (batch, source) and seen["target_tokens"].shape == (batch, target)
    assert seen["target_lengths"][1] == seen["source_lengths"][1] == 0  # the empty text
    for row, (t, s) in enumerate(zip(seen["target_lengths"], seen["source_lengths"])):
        if row == 1:
            continue
        np.testing.assert_allclose(seen["weights"][row, :t, :s].sum(axis=-1), 1.0, atol=1e-5)
        assert seen["source_tokens"][row, s - 1] == seen["target_tokens"][row, t - 1] == b"</s>"
    np.testing.assert_array_equal(seen["translation"], best["translation"])


def test_the_attention_of_the_n_best_is_that_of_each(finished, session_run):
    text = ["one red cat", "dog"]
    answers = {name: session_run(finished.version, name, {"text": text}) for name in ("n_best", "n_best_attention")}
    many, seen = answers.values()
    np.testing.assert_array_equal(seen["translation"], many["translations"])
    np.testing.assert_allclose(seen["score"], many["scores"], atol=1e-6)
    assert seen["weights"].shape[:2] == seen["source_tokens"].shape[:2] == (2, 4)
    for row, place in np.argwhere(np.isfinite(seen["score"])):
        t, s = (seen[f"{side}_lengths"][row, place] for side in ("target", "source"))
        np.testing.assert_allclose(seen["weights"][row, place, :t, :s].sum(axis=-1), 1.0, atol=1e-5)
        pieces = b"".join(seen["target_tokens"][row, place, : t - 1]).replace("▁".encode(), b" ").strip()
        assert pieces == seen["translation"][row, place] and seen["target_tokens"][row, place, t - 1] == b"</s>"


BLANK = ["", "  \t", "\u200b", "\u00a0\ufeff\u00ad", b"\x00\x01", b"\xff\xfe"]


@pytest.mark.parametrize("signature", ["serving_default", "n_best", "attention", "n_best_attention"])
def test_text_that_says_nothing_is_answered_with_nothing(finished, session_run, c_api_run, signature):
    version = finished.version
    text = ["one red cat", *BLANK, "dog"]
    for run in (session_run, c_api_run):
        answer = run(version, signature, {"text": text})
        for name in ("translation", "translations", "error"):
            assert all(value == b"" for value in np.ravel(answer.get(name, np.array([b""] * 8))[1:-1]))
        for name in set(answer) - {"translation", "translations", "error", "source_tokens", "target_tokens"}:
            assert not answer[name][1:-1].any(), name
        assert answer["error"].shape == (8,) and not answer["error"].any()


@pytest.mark.parametrize("signature", ["serving_default", "n_best", "attention", "n_best_attention"])
def test_rows_beside_blank_text_are_answered_as_alone(finished, session_run, signature):
    version = finished.version
    alone = session_run(version, signature, {"text": ["one red cat", "dog"]})
    beside = session_run(version, signature, {"text": ["one red cat", *BLANK, "dog"]})
    for name, value in alone.items():
        received = beside[name][[0, -1]]
        if value.dtype == object or value.dtype.kind in "bi":
            np.testing.assert_array_equal(received, value, err_msg=name)
        else:
            np.testing.assert_allclose(received, value, atol=1e-6, err_msg=name)
    assert session_run(version, signature, {"text": BLANK})["error"].shape == (len(BLANK),)


@pytest.mark.parametrize("name", MODELS)
def test_every_system_trains_scores_draws_and_exports(name, finished, text_files, tmp_path, session_run):
    if name == read(TranslationConfig, finished.run / "config.yaml").model.name:  # it is trained already
        metrics, version = RunFolder(finished.run).read_metrics(), finished.version
    else:
        config = tiny(text_files, tmp_path, name)
        metrics = experiment.train(Translation, config, tmp_path / "run", preset=name)
        version = tmp_path / "saved_models" / "translation" / "1"
    assert metrics["parameters"] > 0 and np.isfinite(metrics["dev/loss"]) and 0 <= metrics["test/bleu"] <= 100
    assert session_run(version, "serving_default", {"text": ["one dog"]})["translation"].shape == (1,)
    signatures = tf.saved_model.load(version).signatures
    assert ("attention" in signatures) == (name not in ("rnn", "seq2seq"))
    if name == "transformer":
        assert session_run(version, "attention", {"text": ["one dog"]})["head_weights"].shape[1:3] == (1, 2)


def test_attention_is_scored_against_the_words_that_people_aligned(text_files, tmp_path):
    for name, text in (
        ("source", "red cat\nbig dog\n"),
        ("target", "chat rouge\ngros chien\n"),
        ("links", "0-1 1-0\n0-0 1?1\n"),
    ):
        (tmp_path / name).write_text(text)
    config = tiny(text_files, tmp_path)
    config.data.alignment_files = [str(tmp_path / name) for name in ("source", "target", "links")]
    task, model = experiment.prepare(Translation, config, tmp_path / "run")
    metrics = task.evaluate(model, "test")
    assert 0 <= metrics["human_aer"] <= 1 and 0 <= metrics["human_alignment_precision"] <= 100
    pictures = task.illustrate(model, tmp_path)
    assert [path.name for path in pictures] == ["bleu_by_length.png", "linked-1.png", "linked-2.png"]

    examples = task.examples["aligned"]
    words = [[m.span() for m in re.finditer(r"\S+", text)] for text in (*examples.source, *examples.target)]
    links = [  # tokens that are words, and attention that follows the people
        (row, possible, words[row], words[2 + row]) for row, (_, possible) in enumerate(task.human_links)
    ]
    perfect = {"human_aer": 0.0, "human_alignment_precision": 100.0}
    assert human_scores(links, examples, task.human_links) == perfect


def test_an_option_belongs_to_the_model_that_has_it(tmp_path):
    def parsed(*argv):
        return parse(TranslationConfig, argv, presets_of("translation"), "bahdanau", "train translation").config.model

    with pytest.raises(UserError) as caught:
        parsed("--model.num_heads", "2")
    assert str(caught.value) == "--model.num_heads: the model bahdanau has no such option; transformer has"
    chosen = parsed("--model.name", "transformer", "--model.num_heads", "2")
    assert (chosen.name, chosen.embedding_dim, chosen.num_heads) == ("transformer", 96, 2), "96 is the preset's"
    assert not hasattr(chosen, "units"), "the preset's option of the other model is dropped"


def test_the_settings_of_an_earlier_run_are_read_and_one_line_says_so(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("model: {name: transformer, units: 9, layers: 2, heads: 8, feed_forward: 7}")
    model = read(TranslationConfig, tmp_path / "config.yaml").model
    assert (model.name, model.num_layers, model.num_heads, model.intermediate_dim) == ("transformer", 2, 8, 7)
    assert capsys.readouterr().err.count("\n") == 1


def test_an_int8_export_says_its_scores_and_keeps_them(copied, tmp_path, session_run, capsys):
    run, _ = copied
    kept = [run / name for name in ("metrics.json", "test_translations.tsv", "test_by_length.json")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in kept]
    changes = ["--export.precision", "int8", "--export.directory", str(tmp_path / "exports")]
    version = experiment.export(Translation, run, changes)
    lines = capsys.readouterr().out.splitlines()
    if ConstantProducts("int8").precision == "int8":
        (told,) = [line for line in lines if line.startswith("int8 on the test split: ")]
        assert re.search(r"bleu [\d.]+ \([\d.]+ as trained\)", told)
        assert "int8/bleu" in read_record(version).scores
        assert list(run.glob("evaluations/export.precision-int8-*/test_translations.tsv"))
    assert any(re.fullmatch(rf"SavedModel: {version} \([\d,]+ operations, [\d,]+ MB\)", line) for line in lines)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in kept] == before
    answers = session_run(version, "serving_default", {"text": ["one red cat", ""]})
    assert answers["translation"].shape == (2,) and answers["translation"][1] == b""


def test_what_was_cut_is_said(finished, session_run, capsys):
    text = ["one two " * 5000, "two"]
    for signature in ("serving_default", "attention"):
        assert session_run(finished.version, signature, {"text": text})["truncated"].tolist() == [True, False]
    assert main(TASKS, argv=["predict", "translation", *text, "--model", str(finished.version.parent)]) == 0
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert note.startswith("note: only the beginning was translated of: one two one")


def test_the_head_of_the_settings_says_what_they_were_run_with(finished):
    head = (finished.run / "config.yaml").read_text().splitlines()
    assert "TensorFlow" in head[0] and any("Data: " in line and "SHA-256" in line for line in head)


def test_a_folder_with_another_model_is_refused(copied):
    run, config = copied
    config.model = models_of(ModelSettings)["luong"](embedding_dim=8, **MODELS["luong"])
    with pytest.raises(UserError, match="holds a run with --model.name 'bahdanau', received 'luong'"):
        experiment.train(Translation, config, run, preset="luong")


def test_a_finished_run_is_not_relabelled_with_settings_it_was_not_trained_with(copied):
    run, config = copied
    before = (run / "config.yaml").read_text()
    config.training.learning_rate = 0.5
    with pytest.raises(UserError, match="holds a finished run with --training.learning_rate 0.001, received 0.5"):
        experiment.train(Translation, config, run, preset="bahdanau")
    assert (run / "config.yaml").read_text() == before


def test_a_run_on_other_text_starts_from_a_finished_one(finished, text_files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    other = [str(tmp_path / Path(path).name) for path in text_files]
    for path, copy in zip(text_files, other):
        lines = Path(path).read_text().splitlines()
        Path(copy).write_text("\n".join(lines[: len(lines) // 2]) + "\n")
    config = tiny(other, tmp_path)
    source = RunFolder(finished.run)
    metrics = experiment.train(Translation, config, tmp_path / "run", preset="bahdanau", start_from=source)
    assert (tmp_path / "run" / "subwords.model").read_bytes() == source.subwords.read_bytes()
    first = re.search(r"starts from .*: (\d+) of (\d+) weights\n", capsys.readouterr().out.replace("\n ", " "))
    assert first and first[1] == first[2]
    fresh = experiment.train(Translation, tiny(other, tmp_path), tmp_path / "fresh", preset="bahdanau")
    assert metrics["dev/loss"] < fresh["dev/loss"]


def test_data_that_changed_under_its_name_is_refused(copied):
    run, config = copied
    head = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub(r"(# Data: .*?SHA-256 )\w{4}", r"\g<1>0000", head, count=1))
    with pytest.raises(UserError, match="holds a run on .*SHA-256 0000.*, received .*SHA-256"):
        experiment.train(Translation, config, run, preset="bahdanau")


def test_a_coverage_penalty_without_attention_is_refused_before_training(text_files, tmp_path):
    config = tiny(text_files, tmp_path, "rnn")
    config.decoding = DecodingSettings(beam_size=2, coverage_penalty=0.2)
    with pytest.raises(
        UserError, match="--decoding.coverage_penalty: expected 0, since the model rnn has no attention"
    ):
        experiment.train(Translation, config, tmp_path / "run", preset="rnn")


def test_own_files_can_be_reversed(text_files):
    forth, back = (read_parallel("", files=text_files, reverse=reverse) for reverse in (False, True))
    words = {
        name: {word for text in getattr(forth["train"], name) for word in text.split()} for name in ("source", "target")
    }
    assert {word for sentence in back["test"].source for word in sentence.split()} <= words["target"]
    assert {word for sentence in back["test"].target for word in sentence.split()} <= words["source"]
    assert not words["source"] & words["target"]


def test_alignments_are_scored_row_by_row_also_where_long_pairs_do_not_train(text_files, tmp_path):
    config = tiny(text_files, tmp_path)
    task, _ = experiment.prepare(Translation, config, tmp_path / "run")
    config.data.max_tokens = 6
    kept, whole = task.training_columns("validation"), task.teacher_forcing(task.tokens["validation"])
    assert kept["source"].nrows() < whole["source"].nrows() == len(task.examples["validation"])
    assert int(tf.reduce_max(whole["source"].row_lengths())) == 6


def test_a_split_is_tokenised_once_also_where_its_alignment_is_scored(text_files, tmp_path, monkeypatch):
    texts = []
    tokenize = Subwords.tokenize
    monkeypatch.setattr(Subwords, "tokenize", lambda self, text: texts.append(text) or tokenize(self, text))
    task, model = experiment.prepare(Translation, tiny(text_files, tmp_path), tmp_path / "run")
    assert len(texts) == 6  # two sides of three splits
    task.examples["test"].alignment = [[(0, 1, 0, 1)]] * len(task.examples["test"])
    links = task.forced_links(model, task.examples["test"], task.tokens["test"])
    assert 0 <= span_scores(links, task.examples["test"].alignment)["aer"] <= 1
    assert len(texts) == 6


def test_a_model_that_answers_something_else_is_named(finished):
    with pytest.raises(
        UserError,
        match="expected a model that answers with caption, received one with error, score, translation, truncated",
    ):
        load_saved_model(finished.version.parent, "caption")


def test_a_vocabulary_from_a_preset_is_reduced_to_the_text_and_a_typed_one_refused(text_files, tmp_path, capsys):
    config = tiny(text_files, tmp_path)
    config.data.vocabulary_size, config.data.subwords = 2000, "bpe"
    task, model = experiment.prepare(Translation, config, tmp_path / "run")
    size = task.subwords.vocabulary_size
    assert f"data.vocabulary_size: {size} instead of 2,000" in capsys.readouterr().out
    again, continued = experiment.prepare(Translation, config, tmp_path / "run")
    assert again.subwords.vocabulary_size == size and continued.count_params() == model.count_params()
    assert "vocabulary_size" not in capsys.readouterr().out
    config.typed = frozenset({"data.vocabulary_size"})
    with pytest.raises(UserError, match=f"--data.vocabulary_size: expected at most {size}, .* received 2000"):
        experiment.prepare(Translation, config, tmp_path / "typed")
