"""The same run on one device, on two mirrored ones and on two workers; and what happens when a worker goes."""

import json
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from commands import Started
from distributed_run import train_all
from shared import shared_folder

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.launcher import free_ports
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.training import distribution
from attention_zoo.pipelines.engine.training.data_service import served
from attention_zoo.pipelines.engine.training.distribution import (
    is_chief,
    make_strategy,
    shards,
    watching_workers,
    workers,
)

ONE_DEVICE = {
    "bahdanau": ("bahdanau", {}),
    "transformer": ("transformer", {}),
    "next_words": ("next_words", {}),
    "accumulated": ("next_words", {"accumulate": 3}),
}
MIRRORED = {
    "bahdanau": ("bahdanau", {}),
    "transformer": ("transformer", {}),
    "accumulated": ("next_words", {"accumulate": 3, "ema": 0.9}),
    "mixed_float16": ("transformer", {"precision": "mixed_float16"}),
    "mixed_bfloat16": ("transformer_of_any_length", {"precision": "mixed_bfloat16"}),
}


def start(*runs, cluster="", killed_after=0):
    """Starts a process with runs, each (folder, model, training settings); it is killed after so many steps."""
    return Started(train_all, runs, cluster, killed_after)


def start_cluster(*runs, killed_after=(0, 0)):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    clusters = [json.dumps({"cluster": {"worker": addresses}, "task": task}) for task in tasks]
    return [start(*runs, cluster=text, killed_after=steps) for text, steps in zip(clusters, killed_after)]


def finish(process, code=0):
    """Waits for the end; returns what was printed."""
    done = process.finish(300)
    output = done.stdout + done.stderr
    assert done.returncode == code, output[-3000:]
    return output


def losses(folder, worker=0):
    return json.loads((folder / f"losses-{worker}.json").read_text())


@pytest.fixture(scope="session")
def one_device(tmp_path_factory):
    """Losses and metrics of the runs of `ONE_DEVICE`."""
    return run_all(tmp_path_factory, "one-device", ONE_DEVICE)


@pytest.fixture(scope="session")
def mirrored(tmp_path_factory):
    """Losses and metrics of the runs of `MIRRORED`, which one process does after each other on two devices."""
    runs = {name: (model, {"strategy": "mirrored", **settings}) for name, (model, settings) in MIRRORED.items()}
    return run_all(tmp_path_factory, "mirrored", runs)


def run_all(tmp_path_factory, kind, runs):
    """Returns losses and metrics by name of runs `{name: (model, settings)}`, made once for all processes of tests."""

    def fill(folder):
        finish(start(*[(folder / name, model, settings) for name, (model, settings) in runs.items()]))

    folder = shared_folder(tmp_path_factory, kind, fill)
    return {name: losses(folder / name) for name in runs}


@pytest.mark.parametrize("model", ["bahdanau", "transformer"])
def test_one_device_and_two_mirrored_ones_report_the_same_losses(model, mirrored, one_device):
    one, two = one_device[model], mirrored[model]
    assert len(one["losses"]) > 20 and one["losses"][-1] < one["losses"][0]
    np.testing.assert_allclose(two["losses"], one["losses"], atol=1e-5)
    for name in ("dev/loss", "dev/accuracy"):
        np.testing.assert_allclose(two["metrics"][name], one["metrics"][name], atol=1e-5)


def test_two_workers_report_the_losses_of_one_device(tmp_path, one_device):
    for worker in start_cluster(*[(tmp_path / model, model, {}) for model in ("bahdanau", "transformer")]):
        finish(worker)
    for model in ("bahdanau", "transformer"):
        one = one_device[model]
        for index in range(2):  # both report the global figures
            np.testing.assert_allclose(losses(tmp_path / model, index)["losses"], one["losses"], atol=1e-5)
        worker = losses(tmp_path / model)["metrics"]
        np.testing.assert_allclose(worker["dev/accuracy"], one["metrics"]["dev/accuracy"], atol=1e-5)


def test_accumulation_makes_the_same_updates(one_device):
    np.testing.assert_allclose(one_device["accumulated"]["losses"], one_device["next_words"]["losses"], atol=1e-5)


def test_two_replicas_accumulate_and_score_a_moving_average(mirrored, one_device):
    plain, both = one_device["next_words"], mirrored["accumulated"]
    np.testing.assert_allclose(both["losses"], plain["losses"], atol=1e-5)
    assert abs(both["metrics"]["dev/loss"] - plain["metrics"]["dev/loss"]) > 1e-3


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_low_precision_learns_as_well_on_two_replicas(precision, mirrored, one_device):
    low, expected = mirrored[precision]["losses"], one_device["transformer"]["losses"]
    np.testing.assert_allclose(low[0], expected[0], atol=0.01)
    np.testing.assert_allclose(np.mean(low[-12:]), np.mean(expected[-12:]), atol=0.05)


def test_killed_worker_stops_the_other_and_the_same_command_continues(tmp_path, one_device):
    whole = one_device["next_words"]
    directory = tmp_path / "cluster"
    run = (directory, "next_words", {"checkpoint_every": 2})
    processes = start_cluster(run, killed_after=(0, 5))  # when the other has written a checkpoint
    finish(processes[1], -signal.SIGKILL)
    assert list((directory / "checkpoints").glob("step-*.json"))
    assert "another worker is lost" in finish(processes[0], 1)
    for process in start_cluster(run):
        finish(process)
    later = losses(directory)["losses"]
    assert 0 < len(later) < len(whole["losses"])
    np.testing.assert_allclose(later, whole["losses"][-len(later) :], atol=1e-5)


def test_sigterm_writes_a_checkpoint_and_the_run_continues_from_it(tmp_path, one_device):
    whole = one_device["next_words"]
    run = (tmp_path / "stopped", "next_words", {})
    process = start(run)
    while "batches an epoch" not in process.printed()[0] and process.process.is_alive():
        time.sleep(0.02)
    process.process.terminate()
    output = finish(process, 1)
    assert "Preempted" in output and "a checkpoint is written" in output
    step = CheckpointStore(tmp_path / "stopped" / "checkpoints").newest()
    finish(start(run))
    rest = losses(tmp_path / "stopped")["losses"]
    assert 0 < len(rest) == len(whole["losses"]) - step
    assert rest == whole["losses"][step:]


def test_rows_go_to_the_replicas_in_turn_and_none_is_lost():
    batches = tf.data.Dataset.from_tensor_slices(tf.range(21)).batch(5).map(lambda rows: {"x": rows})
    for pipelines, replicas in ((1, 3), (2, 4), (4, 4)):
        seen = []
        for pipeline in range(pipelines):
            context = tf.distribute.InputContext(pipelines, pipeline, replicas)
            here = [shard["x"].numpy().tolist() for shard in shards(batches, context)]
            assert len(here) == 5 * replicas // pipelines
            seen += [row for shard in here for row in shard]
        assert sorted(seen) == list(range(21))


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_end_of_an_epoch_does_not_wait_for_a_tuner(replicas):
    batches = tf.data.Dataset.range(4).batch(2)
    assert not shards(batches, tf.distribute.InputContext(1, 0, replicas)).options().autotune.enabled


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": 3, "task": 4}',
    ],
)
def test_a_cluster_that_cannot_be_understood_is_one_clear_error(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG: expected"):
        workers()


def test_a_cluster_is_asked_for_and_there_is_none(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    assert workers() == []
    with pytest.raises(UserError, match="multi_worker expects a cluster in TF_CONFIG"):
        make_strategy("multi_worker")


def test_auto_is_one_device_where_there_is_no_more_and_its_process_is_the_chief(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    strategy = make_strategy("auto")
    assert strategy.num_replicas_in_sync == 1 and is_chief(strategy)


def test_an_error_without_a_cluster_is_not_blamed_on_a_worker(monkeypatch):
    strategy = tf.distribute.get_strategy()
    with pytest.raises(tf.errors.UnavailableError), watching_workers(strategy):
        raise tf.errors.UnavailableError(None, None, "a disk")
    monkeypatch.setattr(distribution, "is_cluster", lambda strategy: True)
    with pytest.raises(UserError, match="another worker is lost"), watching_workers(strategy):
        raise tf.errors.UnavailableError(None, None, "a peer")


def test_a_data_service_with_one_worker_gives_the_batches_in_their_order():
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address.partition("://")[2]))
    rows = tf.ragged.constant([[i] * (i % 7 + 1) for i in range(200)], dtype=tf.int32)
    for epoch in range(2):
        batches = token_batches({"source": rows}, 40, seed=1, epoch=epoch, window=50)
        expected = [batch["source"].numpy().tolist() for batch in batches]
        assert [batch["source"].numpy().tolist() for batch in served(batches, address)] == expected
        assert [batch["source"].numpy().tolist() for batch in served(batches, address).skip(3)] == expected[3:]
    del worker


def test_a_data_service_that_nobody_runs_is_one_clear_error():
    with pytest.raises(
        UserError, match=r"--data.service: expected a dispatcher at grpc://127.0.0.1:\d+; received: .*refused"
    ):
        served(tf.data.Dataset.range(3), f"grpc://127.0.0.1:{free_ports(1)[0]}")


@pytest.mark.parametrize("address", ["localhost", "grpc://localhost", "localhost:5000", "grpc://"])
def test_an_address_that_is_none_is_one_clear_error(address):
    with pytest.raises(UserError, match="--data.service: expected grpc://HOST:PORT, received"):
        served(tf.data.Dataset.range(3), address)
