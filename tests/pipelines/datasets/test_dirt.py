"""The report of the faults in a user's files."""

import pytest

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.engine.errors import UserError


def test_a_report_names_ten_faults_of_a_kind_and_counts_the_others(capsys):
    dirt = Dirt()
    for number in range(1, 1235):
        dirt.add("broken JSON", f"a.jsonl, line {number}", "received {")
    dirt.add("an empty file", "b.png")
    dirt.report()
    lines = capsys.readouterr().out.splitlines()
    assert len(dirt) == 1235
    assert lines[0] == "skipped 1,234 with broken JSON:" and lines[10] == "  a.jsonl, line 10: received {"
    assert lines[11:] == ["  and 1,224 more", "skipped 1 with an empty file:", "  b.png"]


def test_strict_refuses_with_the_whole_report(capsys):
    Dirt().report()
    Dirt(strict=True).report()
    dirt = Dirt(strict=True)
    dirt.add("an empty file", "b.png")
    dirt.add("broken JSON", "a.jsonl, line 3")
    with pytest.raises(UserError, match="(?s)--data.strict: expected no faults, received 2\n.*b.png.*a.jsonl, line 3"):
        dirt.report()
    assert capsys.readouterr().out == ""
