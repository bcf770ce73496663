import ast
import re
from pathlib import Path

import pytest

PIPELINES = Path(__file__).parents[2] / "pipelines"
SECTIONS = "data|augmentation|model|training|decoding|drive|baseline|baselines|export"
WITHOUT_DASHES = re.compile(rf"(?<![\w.-])(?<!--)({SECTIONS})\.[a-z_]+")


def messages(source):
    """Yields (line, text) of the string literals in every `UserError(...)` of Python source."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "UserError":
            for node in ast.walk(call):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.lineno, node.value


@pytest.mark.parametrize("path", sorted(PIPELINES.rglob("*.py")), ids=lambda path: str(path.relative_to(PIPELINES)))
def test_error_on_a_setting_names_the_flag_to_type(path):
    bare = [(line, text) for line, text in messages(path.read_text(encoding="utf-8")) if WITHOUT_DASHES.search(text)]
    assert not bare


def test_setting_without_dashes_is_noticed():
    found = [text for _, text in messages('raise UserError(f"data.limit: expected 1, received {limit}")')]
    assert WITHOUT_DASHES.search(found[0]) and not WITHOUT_DASHES.search("--data.limit: expected 1")
