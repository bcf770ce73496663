"""Lets the tests of this folder import `line_task`: pytest's importlib mode does not put the folder on sys.path."""

import importlib.util
import sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("line_task", Path(__file__).with_name("line_task.py"))
sys.modules["line_task"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
