"""Runs the generic layer test, that of compiled steps and that of recordings on the other Keras backends.

`pip install -e ".[backends]" && pytest -m backends`
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = ("test_contract.py", "test_compiled_steps.py", "test_record.py")


@pytest.mark.backends
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_layer_keeps_the_contract_on(backend):
    paths = [Path(__file__).with_name(name) for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "", *map(str, paths)]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=paths[0].parents[2])
    assert run.returncode == 0, run.stdout[-6000:]
    assert " passed" in run.stdout
