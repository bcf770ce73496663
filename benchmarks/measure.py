"""Side by side in one process: the sides take turns in random order, and each has a twin that says what a difference
means.

A machine's speed drifts by more than what is to be measured. So the sides alternate, medians are compared, and every
side is
timed twice, as itself and as its twin: how far the twins are apart is how far two sides may be apart and still be the
same.
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

# One thread for every library. They have to be told before they are imported.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}
# What is freed goes back to the system, for all sides: else a peak tells more of the allocator than of the program.
EXACT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "1"}


@dataclass
class Comparison:
    """Seconds of each side, medians; the ratio of the first to the second; and how far from 1 a ratio of twins came."""

    ours: float
    peer: float
    ratio: float
    twin: float

    def figures(self, name):
        """The two flat names of a benchmark's JSON."""
        return {name: self.ratio, f"{name}/twin": self.twin}

    def __str__(self):
        verdict = "" if abs(self.ratio - 1) > self.twin else "  (no difference: within the twins' spread)"
        times = f"ours {self.ours * 1e3:9.1f} ms  peer {self.peer * 1e3:9.1f} ms"
        return f"{times}  ratio {self.ratio:.3f}  twins ±{self.twin:.3f}{verdict}"


def compare(ours, peer, repeats=7, clock=time.perf_counter, seed=0):
    """Times two functions of no arguments, each twice a round and all four in random order.

    Args:
        ours, peer: Functions that have finished when they return.
        repeats: Rounds; their medians count.
        clock: `time.perf_counter`, or `time.process_time` where other programs run.
        seed: Of the order.

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


def rate(function, operations, repeats=7):
    """Operations a second, the median."""
    function()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return operations / median(seconds)


def peak_memory():
    """Bytes that this process has held at most, from the kernel's own count."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def in_a_process_of_its_own(script, *arguments):
    """Runs `python script arguments...`, with one thread and exact memory; the JSON of its last line, or None if it failed."""
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD | EXACT_MEMORY, capture_output=True, text=True)
    if done.returncode:
        print(f"failed: {' '.join(command)}\n{done.stderr[-800:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def parser_of(doc, quick, repeats=7, rounds="rounds of each comparison"):
    """The command line of a benchmark: --quick, --json and --repeats.

    Args:
        doc: The script's docstring.
        quick: What `--quick` does.
        repeats: Default of `--repeats`.
        rounds: What `--repeats` counts.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--repeats", type=int, default=repeats, help=rounds)
    return parser


def write_figures(figures, path):
    """Writes the figures as JSON, where a path was given."""
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n")


def on_one_core():
    """Starts this program again, bound to one core and with one thread a library, unless it is already."""
    if all(os.environ.get(name) == value for name, value in ONE_THREAD.items()):
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)
