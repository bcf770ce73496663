"""A cluster of processes: none is waited for that has nobody left to work with."""

import subprocess
import sys
import time

import pytest

from attention_zoo.pipelines.engine.run import launcher

LIVES = "import time; time.sleep(60)"


@pytest.mark.parametrize(
    "codes", [("raise SystemExit(3)", LIVES), (LIVES, "raise SystemExit(3)")], ids=["chief", "worker"]
)
def test_where_one_process_fails_the_other_gets_some_time_and_no_more(codes, monkeypatch):
    monkeypatch.setattr(launcher, "GRACE", 0.5)
    processes = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    began = time.monotonic()
    assert launcher.wait(processes) == 3
    assert time.monotonic() - began < 30 and all(process.returncode is not None for process in processes)
