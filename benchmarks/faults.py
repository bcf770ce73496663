"""Injects faults into a run, such as kills, damaged files and a full disk, and counts those it survives without loss.

    python benchmarks/faults.py                      # 20 kills and the rest, about 10 minutes
    python benchmarks/faults.py --quick --json faults.json

A run survives a fault if the program reports it in one line, where it can, and if the same command, given again, ends
with the weights of an undisturbed run, bit for bit.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import TRAIN_DATES

from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

EPOCHS = 12
COMMAND = [
    *TRAIN_DATES,
    *("--data.limit", "400"),
    *("--model.embedding_dim", "16", "--model.units", "16", "--model.dropout", "0.1", "--training.batch_tokens", "256"),
    *("--training.epochs", str(EPOCHS), "--training.checkpoint_every", "2", "--training.keep_checkpoints", "4"),
]


class Run:
    """A run in its own folder."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True)
        self.folder = directory / "runs" / "translation" / "dates"
        self.store = CheckpointStore(RunFolder(self.folder).checkpoints)

    def start(self, *flags, **environment):
        return subprocess.Popen(
            [*COMMAND, *flags],
            cwd=self.directory,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, *flags):
        """Runs to the end. Returns the exit code and the output."""
        process = self.start(*flags)
        output = process.communicate()[0]
        return process.returncode, output

    def newest(self):
        """Returns the newest step that has a record."""
        return max(self.store.steps(), default=0)

    def until(self, process, step):
        """Waits for a checkpoint of this step, or for the end."""
        while process.poll() is None and self.newest() < step:
            time.sleep(0.01)

    def weights(self):
        return self.store.load(self.store.newest())[0]


def gap(left, right):
    """Returns the greatest difference between the variables of two runs, or infinity if their names differ."""
    if set(left) != set(right) or any(left[name].shape != right[name].shape for name in left):
        return float("inf")
    return max(
        float(np.max(np.abs(left[name].astype("float64") - right[name].astype("float64")), initial=0.0))
        for name in left
    )


def killed(run, rng, kills, steps):
    """Sends SIGKILL at random steps."""
    for number in range(kills):
        process = run.start()
        left = steps - run.newest()
        run.until(process, run.newest() + rng.randint(1, max(1, 2 * left // (kills - number + 1))))
        time.sleep(rng.random() * 0.1)
        process.kill()
        process.communicate()
    code, output = run.finish()
    return code == 0, output


def terminated(run, rng, steps):
    """Sends SIGTERM: the run must write a checkpoint of that step, and repeat no step."""
    process = run.start()
    run.until(process, rng.randint(2, steps // 2))
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]
    message = re.search(r"stopped at step ([\d,]+)", output)
    kept = message is not None and process.returncode == 143 and run.newest() == int(message[1].replace(",", ""))
    code, output = run.finish()
    return kept and code == 0, output


def damaged(damage):
    """Stops a run and damages its newest checkpoint: the run must name it and use the one before."""

    def fault(run, rng, steps):
        process = run.start()
        run.until(process, rng.randint(steps // 3, steps // 2))
        process.kill()
        process.communicate()
        newest = run.newest()
        (path,) = run.store.directory.glob(f"step-{newest:08d}-*.safetensors")
        path.write_bytes(damage(path.read_bytes(), rng))
        code, output = run.finish()
        return code == 0 and f"step {newest} is passed over" in output and path.name in output, output

    return fault


def truncate(data, rng):
    return data[: rng.randrange(len(data))]


def flip(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def full_disk(run, rng, steps):
    """Fills the disk: the run must keep the old checkpoints and say how much to free. Needs to mount a tmpfs."""
    checkpoints = run.store.directory
    checkpoints.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", checkpoints], check=True, capture_output=True)
    try:
        filler = checkpoints / "somebody-elses-file"
        process = run.start()
        run.until(process, 4)
        filler.write_bytes(b"0" * (os.statvfs(checkpoints).f_bavail * os.statvfs(checkpoints).f_frsize))
        output = process.communicate()[0]
        there = run.newest()
        reported = (
            process.returncode == 2 and "no room for the checkpoint" in output and run.store.newest() == there > 0
        )
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=64M", checkpoints], check=True, capture_output=True)
        code, output = run.finish()
        return reported and code == 0, output, run.weights()
    finally:
        subprocess.run(["umount", checkpoints], check=False)


def twice(run, rng, steps):
    """Gives the command twice: the second must be refused with one line, and not disturb the first."""
    first = run.start()
    run.until(first, 2)
    code, output = run.finish()
    refused = code == 2 and "is in use by another process" in output
    first.communicate()
    return refused and first.returncode == 0, output


def lost_worker(run, rng, steps):
    """Kills one of two workers: the other must stop by itself, and the same command must continue."""
    process = run.start("--workers", "2")
    run.until(process, rng.randint(4, steps // 2))
    if process.poll() is None:
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(children[1]), signal.SIGKILL)
    output = process.communicate()[0]
    stopped = process.returncode not in (0, None) and "another worker is lost" in output
    code, output = run.finish("--workers", "2")
    return stopped and code == 0, output


def main():
    """Prints one line per fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 kills rather than 20")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--seed", type=int, default=0, help="of the steps and bits (default: 0)")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    kills = 3 if arguments.quick else 20
    faults = {
        f"SIGKILL at {kills} random steps": lambda run, rng, steps: killed(run, rng, kills, steps),
        "SIGTERM": terminated,
        "newest checkpoint truncated": damaged(truncate),
        "a bit of the newest checkpoint flipped": damaged(flip),
        "disk full while saving": full_disk,
        "the same command twice at once": twice,
        "one of two workers killed": lost_worker,
    }
    figures = {"faults/tried": 0, "faults/survived": 0, "faults/not_tried": 0, "faults/resume_weights_max_gap": 0.0}
    with tempfile.TemporaryDirectory() as directory:
        whole = Run(Path(directory) / "whole")
        code, output = whole.finish()
        if code:
            sys.exit(output)
        expected, steps = whole.weights(), whole.newest()
        both = Run(
            Path(directory) / "both"
        )  # dropout draws for each worker's share of a batch: other masks than those of one
        code, output = both.finish("--workers", "2")
        if code:
            sys.exit(output)
        print(f"runs of {steps} steps that nothing happens to, alone and by two workers: done", flush=True)
        for number, (name, fault) in enumerate(faults.items()):
            run = Run(Path(directory) / str(number))
            try:
                survived, output, *weights = fault(run, rng, steps)
            except (PermissionError, subprocess.CalledProcessError) as error:
                figures["faults/not_tried"] += 1
                print(f"{name}: not tried ({error})")
                continue
            difference = gap(
                weights[0] if weights else run.weights(), both.weights() if fault is lost_worker else expected
            )
            survived = survived and difference == 0.0
            figures["faults/tried"] += 1
            figures["faults/survived"] += survived
            figures["faults/resume_weights_max_gap"] = max(figures["faults/resume_weights_max_gap"], difference)
            print(f"{name}: {'survived' if survived else 'LOST'}, weights differ by {difference:.1e}", flush=True)
            if not survived:
                print(output[-2000:])
    print(f"survived / tried: {figures['faults/survived']} / {figures['faults/tried']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
