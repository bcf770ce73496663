"""Where the replicas of a model run: one device, the GPUs of a machine, or the workers of a cluster."""

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.untuned import untuned

# TensorFlow raises these in a worker when another one is lost.
LOST_WORKER = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of a run. Call it before any other function of TensorFlow: a cluster is set up once.

    Args:
        name: "one"; "mirrored", a replica for each GPU (without GPUs two on the CPU, for trial); "multi_worker", the
            cluster of the environment variable `TF_CONFIG`, or of Slurm; "auto", the first of "multi_worker",
            "mirrored" and "one" that the machine has the workers or GPUs for.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        UserError: `TF_CONFIG` is missing, or TensorFlow expects another form.

    Example:

    >>> make_strategy("one").num_replicas_in_sync
    1
    """
    slurm_tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "0"))
    if name == "auto":
        in_cluster = len(workers()) > 1 or slurm_tasks > 1
        name = (
            "multi_worker" if in_cluster else "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"
        )
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        if not tf.config.list_physical_devices("GPU"):
            split_cpu()
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return mirrored(tuple(device.name for device in devices))
    if workers():
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    elif slurm_tasks:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
    else:
        raise UserError(
            "--training.strategy: multi_worker expects a cluster in TF_CONFIG, or Slurm; received neither (see deploy/)"
        )
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)


@functools.cache
def mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Returns the strategy of a process on these devices.

    All runs of a process share it: collectives of a second one have the keys of the first one's, and fail where the
    shapes of the models differ.
    """
    return tf.distribute.MirroredStrategy(devices)


def split_cpu() -> None:
    """Makes two logical devices of the CPU, unless TensorFlow has initialised its devices, which can't change then."""
    try:
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    except RuntimeError:
        pass


def workers() -> list[str]:
    """Returns the addresses of the workers that `TF_CONFIG` names; none if it is not set.

    Raises:
        UserError: TensorFlow expects another form of it.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return []
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        addresses = [*cluster.get("chief", []), *cluster["worker"]]
        own = cluster[task["type"]][int(task["index"])]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UserError(
            'TF_CONFIG: expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}; '
            f"received {text[:200]} ({type(error).__name__}: {error})"
        ) from None
    if own not in addresses:
        raise UserError(f"TF_CONFIG: expected a task of type chief or worker, received {task['type']}")
    return addresses


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process writes the run's files: the only one, or the first of a cluster."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict())


def shards(dataset: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Splits each global batch into the rows of this process's replicas, one after the other.

    Replica k of n takes the rows k, k + n, k + 2 n, ... Rows of a batch are sorted by length, so all replicas get a
    similar share of the work, and an example goes to the same replica in each run. A replica may get no rows.

    Args:
        dataset: Global batches; the first axis of every component is that of the examples.
        context: `tf.distribute.InputContext`.

    Returns:
        A `tf.data.Dataset` with as many elements for each global batch as this process has replicas.

    Example:

    >>> batches = tf.data.Dataset.from_tensors({"x": tf.range(5)})
    >>> context = tf.distribute.InputContext(num_input_pipelines=1, input_pipeline_id=0, num_replicas_in_sync=2)
    >>> [shard["x"].numpy().tolist() for shard in shards(batches, context)]
    [[0, 2, 4], [1, 3]]
    """
    total = context.num_replicas_in_sync
    if total == 1:
        return untuned(dataset)
    here = total // context.num_input_pipelines
    first = context.input_pipeline_id * here

    def cut(batch):
        replicas = tf.data.Dataset.range(first, first + here)
        return replicas.map(lambda replica: tf.nest.map_structure(lambda rows: rows[replica::total], batch))

    return untuned(dataset.flat_map(cut).prefetch(here))


def is_cluster(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether other processes take part."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Waits until every worker has called it: the others take a worker that ends early for a lost one."""
    if is_cluster(strategy):
        arrived = tf.function(strategy.run)(
            lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.constant(1))
        )
        strategy.experimental_local_results(arrived)[0].numpy()


@contextmanager
def watching_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns the loss of another worker into a `UserError` while the block runs."""
    try:
        yield
    except LOST_WORKER as error:
        if not is_cluster(strategy):
            raise
        raise UserError(
            "another worker is lost, so this one stops; start the same command again on all of them to continue "
            f"({type(error).__name__})"
        ) from None
