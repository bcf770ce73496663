"""Batches that a tf.data service prepares, on other machines than the one that trains."""

import socket

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError


def served(dataset: tf.data.Dataset, address: str) -> tf.data.Dataset:
    """Moves the preparation of batches to a tf.data service; with one worker their order is kept.

    Args:
        dataset: `tf.data.Dataset`.
        address: Address of the dispatcher, `grpc://HOST:PORT`.

    Returns:
        The dataset, prepared by the service.

    Raises:
        UserError: The address has another form, or no dispatcher answers there.
    """
    protocol, _, place = address.partition("://")
    if not place or not place.rpartition(":")[2].isdecimal():
        raise UserError(f"--data.service: expected grpc://HOST:PORT, received {address}")
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:  # TensorFlow would wait for ever and print nothing
        raise UserError(f"--data.service: expected a dispatcher at {address}; received: {error}") from None
    service = tf.data.experimental.service
    return dataset.apply(service.distribute(service.ShardingPolicy.OFF, service=f"{protocol}://{place}"))
