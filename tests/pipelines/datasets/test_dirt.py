"""The report of what a reader of users' files leaves out."""

import pytest

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.engine.errors import UserError


def test_a_report_names_ten_faults_of_a_kind_and_counts_the_others():
    dirt = Dirt()
    for number in range(1, 1235):
        dirt.add("no JSON", f"a.jsonl, line {number}", "received {")
    dirt.add("empty file", "b.png")
    lines = dirt.report().splitlines()
    assert len(dirt) == 1235
    assert lines[0] == "skipped 1,234 with no JSON:" and lines[10] == "  a.jsonl, line 10: received {"
    assert lines[11:] == ["  and 1,224 more", "skipped 1 with empty file:", "  b.png"]


def test_strict_refuses_with_the_whole_report():
    assert Dirt(strict=True).report() == Dirt().report() == ""
    dirt = Dirt(strict=True)
    dirt.add("empty file", "b.png")
    dirt.add("no JSON", "a.jsonl, line 3")
    with pytest.raises(UserError, match="(?s)data.strict: .* received 2:.*b.png.*a.jsonl, line 3"):
        dirt.report()
