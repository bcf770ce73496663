"""Compares two sides in one process. They take turns in random order, and each side is timed twice.

The speed of a machine drifts by more than the differences to be measured. The sides therefore alternate, and their
medians are compared. Each side has a twin, a second series of timings of the same function. A difference between the
sides counts only if it is larger than the difference between twins.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

# One thread for every library, which reads these variables when it is imported.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}
# Return freed memory to the system, so that peak memory measures the program and not the allocator.
EXACT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "1"}
# The command that trains a small translator in a process of its own; settings follow.
TRAIN_DATES = (sys.executable, "-m", "attention_zoo.pipelines", "train", "translation", "--preset", "dates")


@dataclass
class Comparison:
    """Median seconds of both sides, their ratio, and the largest distance of a twins' ratio from 1."""

    ours: float
    peer: float
    ratio: float
    twin: float

    def figures(self, name):
        """Returns the ratio and the twins' spread under the flat names of a benchmark's JSON."""
        return {name: self.ratio, f"{name}/twin": self.twin}

    def __str__(self):
        verdict = "" if abs(self.ratio - 1) > self.twin else "  (no difference: within the twins' spread)"
        times = f"ours {self.ours * 1e3:9.1f} ms  peer {self.peer * 1e3:9.1f} ms"
        return f"{times}  ratio {self.ratio:.3f}  twins ±{self.twin:.3f}{verdict}"


def compare(ours, peer, repeats=7, clock=time.perf_counter, seed=0):
    """Times two functions without arguments. A round calls each of them twice, in random order.

    Args:
        ours: Function that returns when its work is done.
        peer: Another such function.
        repeats: Number of rounds. Medians over the rounds are compared. Defaults to `7`.
        clock: Function that returns seconds. Defaults to `time.perf_counter`; use `time.process_time` if other
            programs run on the machine.
        seed: Seed of the order. Defaults to `0`.

    Returns:
        A `Comparison`.
    """
    sides = {"ours": ours, "peer": peer, "ours twin": ours, "peer twin": peer}
    seconds = {name: [] for name in sides}
    order = random.Random(seed)
    for function in (ours, peer):  # the first call compiles, or warms the caches
        function()
    for _ in range(repeats):
        for name in order.sample(list(sides), len(sides)):
            began = clock()
            sides[name]()
            seconds[name].append(clock() - began)
    middle = {name: median(values) for name, values in seconds.items()}
    both = {side: median(seconds[side] + seconds[f"{side} twin"]) for side in ("ours", "peer")}
    twin = max(abs(middle[side] / middle[f"{side} twin"] - 1) for side in ("ours", "peer"))
    return Comparison(both["ours"], both["peer"], both["ours"] / both["peer"], twin)


def report(figures, name, comparison):
    """Prints a comparison and keeps its figures."""
    print(f"{name:28} {comparison}", flush=True)
    figures |= comparison.figures(name)


def rate(function, operations, repeats=7):
    """Returns the median number of operations per second of a function that does `operations` of them."""
    function()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return operations / median(seconds)


def peak_memory():
    """Returns the peak memory of this process in bytes, as the kernel counts it."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def in_a_process_of_its_own(script, *arguments):
    """Runs `python script arguments...` with one thread and exact memory.

    Returns:
        The JSON that the script printed in its last line, or None if it failed.
    """
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD | EXACT_MEMORY, capture_output=True, text=True)
    if done.returncode:
        print(f"failed: {' '.join(command)}\n{done.stderr[-800:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def parser_of(doc, quick, repeats=7, rounds="rounds of each comparison"):
    """Returns the parser of a benchmark's command line, with --quick, --json and --repeats.

    Args:
        doc: The script's docstring.
        quick: Help text of `--quick`.
        repeats: Default of `--repeats`. Defaults to `7`.
        rounds: Help text of `--repeats`. Defaults to `"rounds of each comparison"`.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--repeats", type=int, default=repeats, help=rounds)
    return parser


def write_figures(figures, path):
    """Writes the figures as JSON if `path` is not None."""
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n")


def on_one_core():
    """Starts this program again on one core, with one thread per library, unless it runs like that already."""
    if all(os.environ.get(name) == value for name, value in ONE_THREAD.items()):
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)
