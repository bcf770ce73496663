"""Tasks are imported without visits of the garbage collector, which goes on afterwards."""

import gc

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
    gc.enable()
    assert loading.load("any:fail") is pytest.fail
    assert seen == [False] and gc.isenabled() and gc.get_freeze_count() > 0
    gc.disable()  # by the caller, who keeps it so
    assert loading.load("any:fail") is pytest.fail and not gc.isenabled()


def test_an_import_that_fails_leaves_the_collector_on():
    gc.enable()
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        loading.load("no_such_module:name")
    assert gc.isenabled()
