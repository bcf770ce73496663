"""`attention-zoo gallery`: draws what its table names, from exports and from the pictures of runs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusal import refused

from attention_zoo.pipelines.engine.serving.record import VersionRecord, record_files


@pytest.fixture
def table(toy):
    """A table of two pictures, the export of one run as a candidate, and a picture that another run has drawn."""
    record = VersionRecord("toy", "runs/toy/small", "small", "words 1.0", "2026-11-28 17:20", "")
    version = Path("saved_models/toy.candidate/1")
    for file, text in record_files(record, "").items():
        (version / "assets.extra" / file).parent.mkdir(parents=True, exist_ok=True)
        (version / "assets.extra" / file).write_text(text)
    (version / "saved_model.pb").touch()
    Path("runs/toy/large/pictures").mkdir(parents=True)
    Image.effect_noise((64, 64), 9).convert("RGB").save("runs/toy/large/pictures/map.png")
    path = Path("docs/gallery.yaml")
    path.parent.mkdir()
    path.write_text(
        "asked.png: {task: toy, run: small, inputs: [one two], options: [--pieces]}\n"
        "maps/copied.png: {task: toy, run: large, drawn: map.png}\n"
        "refused.svg: {task: toy, inputs: ['3']}\n"
    )
    return path


def test_gallery_draws_the_pictures_of_a_table(toy, table, capsys):
    assert toy.run("gallery", "asked.png", "maps/copied.png") == 0
    assert toy.calls == [("ask", ("served", Path("saved_models/toy.candidate/1")), ["one two"], True)]
    copied, drawn = (Image.open(path) for path in ("docs/maps/copied.png", "runs/toy/large/pictures/map.png"))
    assert copied.mode == Image.open("docs/asked.png").mode == "P"  # small: a palette
    np.testing.assert_array_equal(copied.convert("RGB"), drawn)
    assert "docs/maps/copied.png: copied from runs/toy/large/pictures/map.png" in capsys.readouterr().out


def test_all_pictures_are_drawn_and_one_without_an_answer_fails(toy, table):
    assert toy.run("gallery", "--table", str(table)) == 1
    assert Path("docs/asked.png").is_file() and not Path("docs/refused.svg").exists()
    asked = [(version, inputs) for _, (_, version), inputs, _ in toy.calls]
    assert asked[1] == (Path("saved_models/toy/1"), ["3"])  # without a run the newest version that is served


@pytest.mark.parametrize(
    "row, said",
    [
        ("a.png: {task: toy, run: small}", "received run, task"),
        ("a.png: {task: toy, drawn: map.png}", "or task, run and drawn"),
        ("a.png: {task: toy, inputs: [x], run: small, drawn: map.png}", "received drawn, inputs, run, task"),
        ("a.png: {task: toy, inputs: [x], sice: 3}", "received inputs, sice, task"),
        ("a.png: {task: toy, inputs: [x], run: none}", "no version of runs/toy/none"),
        ("a.png: {task: toy, run: small, drawn: map.png}", "expected runs/toy/small/pictures/map.png"),
        ("[a.png]", "expected a line `PICTURE:"),
        ("a.png: {", "gallery.yaml: while parsing"),
    ],
)
def test_a_table_that_cannot_be_drawn_says_why(toy, table, capsys, row, said):
    table.write_text(row)
    assert said in refused(toy, capsys, "gallery")


def test_gallery_names_the_nearest_picture_and_a_missing_table(toy, table, capsys):
    assert "did you mean asked.png" in refused(toy, capsys, "gallery", "askd.png")
    assert "--table: expected a file, received none.yaml" in refused(toy, capsys, "gallery", "--table", "none.yaml")
