"""Every file of a run has one name, which is written in one module."""

import ast
import re
from pathlib import Path

import pytest

from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[4]
NAMES = {
    value.name
    for name, attribute in vars(RunFolder).items()
    if isinstance(attribute, property)
    for value in [Path(getattr(RunFolder("run"), name))]
    if re.search(r"\.(json|csv|yaml|tsv|model|txt)$", value.name) or value.name == "checkpoints"
}


@pytest.mark.parametrize("path", sorted(ROOT.glob("pipelines/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_writes_the_name_of_a_run_file(path):
    if path.name == "run_folder.py":
        return
    strings = {n.value for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Constant)}
    assert {"config.yaml", "metrics.json", "checkpoints"} <= NAMES
    assert not strings & NAMES


def test_an_empty_folder_has_no_metrics_history_or_losses(tmp_path):
    folder = RunFolder(tmp_path)
    assert (folder.read_metrics(), folder.read_history(), folder.read_losses()) == ({}, [], [])
    assert not list(tmp_path.iterdir())
    assert Path(folder) == tmp_path and str(folder) == str(tmp_path)
