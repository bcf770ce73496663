"""Drives in memory: frames and steering, from a TFDS dataset or from one's own folders. A whole drive goes into a split."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.tfds import SPLITS, check_splits, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import check_image, decode_image
from attention_zoo.pipelines.engine.storage.files import digest

COLUMNS = ("timestamp", "frame", "steering")  # of one's own steering.csv
COUNTED = ("steering", "episode", "step")  # of a dataset, besides the frame
GAP = 5.0  # usual intervals between frames: after a longer pause a new drive begins


@dataclass
class Drive:
    """Frames without a pause between them.

    Args:
        name: For messages.
        frames: uint8 `(N, H, W, 3)`.
        steering: float32 `(N,)`, to the right above 0.
    """

    name: str
    frames: np.ndarray
    steering: np.ndarray

    def __len__(self):
        return len(self.steering)


def read_drives(dataset, folders, size):
    """Reads all splits.

    Args:
        dataset: Name of a TFDS dataset with the features frame, steering, episode and step.
        folders: Folders of one's own drives that stand in for it, one a drive: see `read_folder`. The last one is the
            test split, the one before it the validation split.
        size: (height, width) that the frames are brought to.

    Returns:
        A dict of "train", "validation" and "test" to lists of `Drive`, and the version of the data.

    Raises:
        UserError: the dataset lacks a split or a feature; there are fewer than three folders, or one is not as
            described.
    """
    if folders:
        if len(folders) < 3:
            raise UserError(
                f"data.folders: expected three drives at least, for training, validation and test; received {len(folders)}"
            )
        drives = [read_folder(folder, size) for folder in folders]
        version = ", ".join(f"{folder} SHA-256 {digest(Path(folder) / 'steering.csv')}" for folder in folders)
        train = [drive for parts in drives[:-2] for drive in parts]
        return {"train": train, "validation": drives[-2], "test": drives[-1]}, version
    builder = prepared(dataset)
    missing = {"frame", *COUNTED} - set(builder.info.features)
    if missing:
        raise UserError(
            f"data.dataset: expected drives with frame, steering, episode and step; {dataset} has no {min(missing)}"
        )
    check_splits(builder, dataset)
    return {split: read_split(builder, split, size) for split in SPLITS}, builder.info.full_name


def read_split(builder, split, size):
    """The drives of a split of a TFDS dataset, one for each episode, in the order of the steps."""
    fits = builder.info.features["frame"].shape == (
        *size,
        3,
    )  # then there is nothing to resize, which takes most of the time
    decoders = None if fits else {"frame": tfds.decode.SkipDecoding()}
    data = builder.as_dataset(split=split, decoders=decoders)

    def resized(example):
        frame = example["frame"] if fits else decode_image(example["frame"], size)
        return {name: example[name] for name in COUNTED} | {"frame": frame}

    batches = list(data.map(resized, num_parallel_calls=tf.data.AUTOTUNE).batch(256).as_numpy_iterator())
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in COUNTED}
    frames = np.concatenate([batch["frame"] for batch in batches])
    drives = []
    for episode in np.unique(columns["episode"]):
        (rows,) = np.nonzero(columns["episode"] == episode)
        rows = rows[np.argsort(columns["step"][rows], kind="stable")]
        drives.append(Drive(f"{split} {episode}", frames[rows], columns["steering"][rows].astype("float32")))
    return drives


def read_folder(folder, size):
    """Reads one of the user's drives: `steering.csv`, and the images it names in `frames/`.

    The file is comma-separated and begins with the line `timestamp,frame,steering`: seconds that grow, the name of the
    image, and
    the angle of the steering, to the right above 0. After a pause of more than five usual intervals a new drive begins.

    Args:
        folder: Its path.
        size: (height, width) that the frames are brought to.

    Returns:
        A list of `Drive`.

    Raises:
        UserError: a file is missing or is not as described; the message names the line.
    """
    path = Path(folder) / "steering.csv"
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UserError(f"data.folders: expected {path} with {','.join(COLUMNS)}; received: {reason}") from None
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        received = ",".join(rows[0]) if rows else "nothing"
        raise UserError(f"{path}: expected the first line {','.join(COLUMNS)}; received {received}")
    times, names, steering = [], [], []
    for number, row in enumerate(rows[1:], start=2):
        try:
            time, name, angle = row
            times.append(float(time))
            names.append(name.strip())
            steering.append(float(angle))
        except ValueError:
            raise UserError(
                f"{path}, line {number}: expected two numbers around a file name; received {','.join(row)}"
            ) from None
        if not np.isfinite([times[-1], steering[-1]]).all() or (len(times) > 1 and times[-1] <= times[-2]):
            raise UserError(
                f"{path}, line {number}: expected finite numbers, and timestamps that grow; received {','.join(row)}"
            )
    if len(times) < 2:
        raise UserError(f"{path}: expected two frames at least, received {len(times)}")
    frames = [read_frame(Path(folder) / "frames" / name, path) for name in names]
    encoded = tf.data.Dataset.from_tensor_slices(frames)
    decoded = encoded.map(lambda one: decode_image(one, size), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    images = np.stack(list(decoded.as_numpy_iterator()))
    intervals = np.diff(times)
    begins = [0, *(np.nonzero(intervals > GAP * np.median(intervals))[0] + 1).tolist(), len(times)]
    steering = np.float32(steering)
    return [Drive(f"{folder} from {times[a]:g} s", images[a:b], steering[a:b]) for a, b in zip(begins, begins[1:])]


def read_frame(path, source):
    """The bytes of a frame, which is looked at."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{source}: expected the image {path}; received: {error.strerror}") from None
    return check_image(content, path)


def balanced_clips(drives, length, count, generator, bins=15):
    """Draws clips so that all angles of the steering occur about as often: most of a drive goes straight on.

    Args:
        drives: List of `Drive`.
        length: T, frames of a clip.
        count: Clips to draw, with replacement.
        generator: `numpy.random.Generator`.
        bins: Of equal width, from the smallest to the largest angle; clips of one bin, by the angle of their last
            frame, share its weight. No clip weighs more than ten times as much as one of the fullest bin.

    Returns:
        Integers `(count, 2)`: the number of a drive, and the first frame.

    Raises:
        UserError: no drive is as long as a clip.

    Example:

    >>> drive = Drive("", np.zeros((9, 1, 1, 3), "uint8"), np.float32([0, 0, 0, 0, 0, 0, 0, 0, 0.3]))
    >>> clips = balanced_clips([drive], 2, 1000, np.random.default_rng(0))
    >>> round(float((clips[:, 1] == 7).mean()), 1)  # one of eight clips ends in the bend
    0.5
    """
    starts = all_clips(drives, length, stride=1)
    angles = np.array([drives[drive].steering[start + length - 1] for drive, start in starts])
    edges = np.linspace(angles.min(), angles.max(), bins + 1)[1:-1]
    numbers = np.digitize(angles, edges)
    counts = np.bincount(numbers, minlength=bins)
    weights = 1.0 / np.maximum(counts[numbers], counts.max() / 10)
    return starts[generator.choice(len(starts), count, p=weights / weights.sum())]


def all_clips(drives, length, stride):
    """The clips of all drives, as (drive, first frame) `(N, 2)`, `stride` frames apart."""
    starts = [(n, start) for n, drive in enumerate(drives) for start in range(0, len(drive) - length + 1, stride)]
    if not starts:
        longest = max(map(len, drives), default=0)
        raise UserError(f"data.clip_frames: expected a drive of {length} frames at least; the longest has {longest}")
    return np.array(starts)
