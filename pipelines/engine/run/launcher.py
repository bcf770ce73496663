"""Starts a cluster on one machine, to try it out: `attention-zoo train TASK --workers 2`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

GRACE = 30.0  # seconds in which the other workers can stop by themselves after one has failed


def run_workers(count: int, arguments: Sequence[str]) -> int:
    """Starts the workers of a run as processes of this machine, and waits for them.

    Each worker gets the cluster in `TF_CONFIG`, as the machines of a real cluster do. Worker 0, the chief, prints its
    progress; the others print errors only. SIGTERM and Ctrl-C are passed on to all workers.

    Args:
        count: Number of workers.
        arguments: The arguments after `attention-zoo train`.

    Returns:
        The exit code of the run: 0, or that of the first worker that failed.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = [start(index, addresses, arguments) for index in range(count)]
    before = signal.signal(signal.SIGTERM, lambda *_: stop(processes, signal.SIGTERM))
    try:
        return wait(processes)
    except KeyboardInterrupt:
        wait(processes)  # the terminal has sent it to them too
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        stop(processes, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Returns free ports of this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(index: int, addresses: Sequence[str], arguments: Sequence[str]) -> subprocess.Popen:
    """Starts one worker."""
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    environment = os.environ | {"TF_CONFIG": json.dumps(config)}
    output = None if index == 0 else subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-m", "attention_zoo.pipelines", "train", *arguments], env=environment, stdout=output
    )


def wait(processes: Sequence[subprocess.Popen]) -> int:
    """Waits until all workers have ended. If one fails, the others get `GRACE` seconds. Returns the exit code."""
    code, deadline = 0, None
    while None in [process.poll() for process in processes]:  # all are asked, each time
        failed = [process.returncode for process in processes if process.returncode]
        if failed and deadline is None:
            code, deadline = failed[0], time.monotonic() + GRACE
        if deadline and time.monotonic() > deadline:
            stop(processes, signal.SIGKILL)
        time.sleep(0.2)
    code = code or next((process.returncode for process in processes if process.returncode), 0)
    return code if code >= 0 else 128 - code  # the exit code of a shell for a process that a signal ended


def stop(processes: Sequence[subprocess.Popen], number: int) -> None:
    """Sends a signal to the workers that still run."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)
