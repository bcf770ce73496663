"""Tasks are imported without visits of the garbage collector, which goes on afterwards."""

import gc
import json
import sys

import pytest

from attention_zoo.pipelines.commands import loading


@pytest.fixture(autouse=True)
def collector():
    before = gc.isenabled()
    yield
    gc.enable() if before else gc.disable()


def test_nothing_is_collected_while_a_task_is_imported(monkeypatch):
    seen = []
    monkeypatch.setattr(loading, "import_module", lambda name: seen.append(gc.isenabled()) or pytest)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    gc.enable()
    assert loading.load("any:fail") is pytest.fail
    assert seen == [False] and gc.isenabled() and gc.get_freeze_count() > 0
    gc.disable()  # by the caller, who keeps it so
    assert loading.load("any:fail") is pytest.fail and not gc.isenabled()


def test_nothing_is_frozen_after_tensorflow_is_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", pytest)
    gc.enable()
    frozen = gc.get_freeze_count()
    assert loading.load("json:loads") is json.loads
    assert gc.isenabled() and gc.get_freeze_count() == frozen


def test_an_import_that_fails_leaves_the_collector_on(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    gc.enable()
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        loading.load("no_such_module:name")
    assert gc.isenabled()
