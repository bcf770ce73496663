"""Reads a user's image files and finds those that cannot be decoded."""

import collections
import functools
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.engine.images.image_files import decode_each_image

BATCH = 16  # files that one thread decodes at a time
PATIENCE = 5.0  # seconds after which the user is told how long it will take
NO_IMAGE = "image_bytes: expected a JPEG, PNG, GIF or BMP image"


def read_images(
    files: Sequence[tuple[str | Path, Path]], dirt: Dirt, size: tuple[int, int] = (8, 8)
) -> Iterator[tuple[int, bytes, np.ndarray]]:
    """Reads and decodes image files, on all cores, and leaves out those that cannot be decoded.

    Every file is decoded as a whole, by the function that training uses: the head of a file that is cut off or
    damaged tells nothing of it.

    Args:
        files: List of (place, path): what the report calls a file, and its path.
        dirt: `Dirt` that takes the faults.
        size: (height, width) of the pixels. The default is the fastest, for callers that only check.

    Yields:
        (number, content, pixels) of each file that can be decoded, in the order of `files`: its place in the list
        from 0, its bytes, and uint8 `(height, width, 3)`.
    """

    def contents() -> Iterator[tuple[int, bytes]]:
        for number, (place, path) in enumerate(files):
            content = read_content(place, path, dirt)
            if content:
                yield number, content

    def decoded(batch: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, np.ndarray, bytes]]:
        numbers, images = zip(*batch)
        return zip(numbers, images, *(part.numpy() for part in decode(tf.constant(images))))

    decode, read = decoder(tuple(size)), contents()
    batches = iter(lambda: list(itertools.islice(read, BATCH)), [])
    start, told = time.monotonic(), False
    for number, content, pixels, error in itertools.chain.from_iterable(ahead(decoded, batches)):
        seconds = time.monotonic() - start
        if not told and seconds > PATIENCE:
            left = seconds / (number + 1) * (len(files) - number - 1)
            print(f"checking {len(files):,} images, {number + 1:,} of them done; the others take about {left:,.0f} s")
            told = True
        if error:
            message = error.decode()
            kind = "no image inside" if message.startswith(NO_IMAGE) else "an image that cannot be decoded"
            dirt.add(kind, files[number][0], message.removeprefix("image_bytes: "))
        else:
            yield number, content, pixels


def ahead(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yields `function(item)` for each item, in order; a thread a core computes ahead.

    For functions of TensorFlow on images: the iterator of a `tf.data.Dataset` would prepare them anew each time, which
    takes half a second.
    """
    cores, results = os.cpu_count() or 1, collections.deque()
    with ThreadPoolExecutor(cores) as threads:
        for item in items:
            results.append(threads.submit(function, item))
            if len(results) > cores:
                yield results.popleft().result()
        while results:
            yield results.popleft().result()


@functools.lru_cache
def decoder(size: tuple[int, int]) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns `decode_each_image` for one size, traced once: tracing takes as long as decoding hundreds of images."""
    spec = [tf.TensorSpec([None], tf.string)]
    return tf.function(lambda contents: decode_each_image(contents, size), input_signature=spec, autograph=False)


def read_content(place: str | Path, path: Path, dirt: Dirt) -> bytes:
    """Returns the bytes of a file, b"" where there are none or it cannot be read."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        dirt.add("a missing file", place)
        return b""
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        dirt.add("a file that cannot be read", place, getattr(error, "strerror", None) or str(error))
        return b""
    if not content:
        dirt.add("an empty file", place)
    return content
