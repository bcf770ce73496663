"""Drives in memory: frames and steering, from a TFDS dataset or from a user's folders. Splits hold whole drives."""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.tfds import OPTIONS, SPLITS, check_splits, examples_of, prepared
from attention_zoo.pipelines.datasets.user_images import read_images
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_image
from attention_zoo.pipelines.engine.storage.files import digest

COLUMNS = ("timestamp", "frame", "steering")  # of a user's steering.csv
COUNTED = ("steering", "episode", "step")  # features of a dataset besides the frame
GAP = 5.0  # median intervals between frames; a new drive begins after a longer pause


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

    def __len__(self) -> int:
        return len(self.steering)


def read_drives(
    dataset: str, folder: str, size: tuple[int, int], strict: bool = False, dev: str = "", test: str = ""
) -> tuple[dict[str, list[Drive]], str]:
    """Reads all splits.

    Args:
        dataset: Name of a TFDS dataset with the features frame, steering, episode and step.
        folder: A user's folder that stands in for the dataset, with a folder for each drive: see `drives_in` and
            `read_folder`.
        size: (height, width) that the frames are brought to.
        strict: Whether faults in the folders are an error; otherwise the frames that have them are skipped and
            reported.
        dev: A user's folder with the drives of the validation split. Defaults to `""`: one of the others.
        test: A user's folder with the drives of the test split.

    Returns:
        A dict of "train", "validation" and "test" to lists of `Drive`, and the version of the data.

    Raises:
        UserError: The dataset lacks a split or a feature; there are fewer than three drives, one of them cannot be
            read, or they have faults and `strict` is true.
    """
    own = {split: Path(path) for split, path in (("validation", dev), ("test", test)) if path}
    dirt = Dirt(strict)
    folders = {path: split for split, root in own.items() for path in drives_of(root, dirt, OPTIONS[split])}
    if folder:
        folders |= drives_in(Path(folder), dirt, own)
    read = read_folders(list(folders), size, dirt)
    versions = [f"{one} SHA-256 {digest(one / 'steering.csv')}" for one in folders]
    drives = {split: [] for split in SPLITS}
    for split, parts in zip(folders.values(), read, strict=True):
        drives[split] += parts
    if not folder:
        drives_of_dataset, version = read_dataset(dataset, size, [split for split in SPLITS if split not in own])
        drives, versions = drives | drives_of_dataset, [version, *versions]
    return drives, ", ".join(versions) + (dirt.version() if folders else "")


def read_dataset(dataset: str, size: tuple[int, int], splits: Sequence[str]) -> tuple[dict[str, list[Drive]], str]:
    """Returns the drives of splits of a TFDS dataset, and its version, see `read_drives`."""
    builder = prepared(dataset)
    missing = {"frame", *COUNTED} - set(builder.info.features)  # pyright: ignore[reportArgumentType]
    if missing:
        raise UserError(
            f"--data.dataset: expected drives with frame, steering, episode and step; {dataset} has no {min(missing)}"
        )
    check_splits(builder, dataset)
    return {split: read_split(builder, split, size) for split in splits}, builder.info.full_name


def read_split(builder: tfds.core.DatasetBuilder, split: str, size: tuple[int, int]) -> list[Drive]:
    """Returns the drives of a split of a TFDS dataset, one for each episode, in the order of the steps."""
    fits = builder.info.features["frame"].shape == (
        *size,
        3,
    )  # then there is nothing to resize, which takes most of the time
    decoders = None if fits else {"frame": tfds.decode.SkipDecoding()}
    data = examples_of(builder, split, decoders=decoders)

    def resized(example: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
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


def drives_of(root: Path, dirt: Dirt, option: str = "--data.folder") -> list[Path]:
    """Returns a user's drives, the sub-folders with a `steering.csv`, in the order of their names.

    Args:
        root: The folder with all of them.
        dirt: `Dirt` that takes the other sub-folders.
        option: The option that names the folder, for the message. Defaults to `"--data.folder"`.
    """
    found = []
    for path in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []:
        if (path / "steering.csv").is_file():
            found.append(path)
        elif not path.name.startswith((".", "__MACOSX")):
            dirt.add("a folder without steering.csv", path)
    if not found and option != "--data.folder":
        raise UserError(f"{option}: expected a folder with drives, each a folder with steering.csv; received {root}")
    return found


def drives_in(folder: Path, dirt: Dirt, own: Collection[str] = ()) -> dict[Path, str]:
    """Finds a user's drives and their splits.

    They lie in the folders train, validation and test. Where these are not there, the last drive in the order of names
    is for test, the one before it for validation, and the others are for training.

    Args:
        folder: The folder with all of them.
        dirt: `Dirt` that takes sub-folders that are no drives.
        own: Splits that have drives elsewhere, and take none of these. Defaults to `()`.

    Returns:
        A dict of the folders of the drives to their splits.

    Raises:
        UserError: A split has no drive.
    """
    wanted = [split for split in SPLITS if split not in own]
    if all((folder / split).is_dir() for split in SPLITS):
        found = {path: split for split in wanted for path in drives_of(folder / split, dirt)}
        note = ""
    else:
        names, held_out = drives_of(folder, dirt), wanted[1:]
        last = len(names) - len(held_out)
        found = {path: "train" for path in names[: max(0, last)]} | dict(zip(names[last:], held_out, strict=False))
        note = ", ".join(f"{path.name} for {split}" for path, split in found.items() if split != "train")
    if set(found.values()) != set(wanted):
        raise UserError(
            f"--data.folder: expected {len(wanted)} drives at least in {folder}, each a folder with steering.csv, for "
            f"{', '.join(wanted)}; received {len(found)}"
        )
    if note:
        print(f"of {len(found):,} drives, {note}, the others for training")
    return found


def read_folders(folders: Sequence[Path], size: tuple[int, int], dirt: Dirt) -> list[list[Drive]]:
    """Reads a user's drives, and reports the faults of all of them together.

    A drive that cannot be read is an error, because its place in the order of names decides the split.
    """
    drives, errors = [], []
    for folder in folders:
        try:
            drives.append(read_folder(folder, size, dirt))
        except UserError as error:
            errors.append(str(error))
    dirt.report()
    if errors:
        raise UserError("\n".join(errors))
    return drives


def read_folder(folder: str | Path, size: tuple[int, int], dirt: Dirt) -> list[Drive]:
    """Reads one of the user's drives: `steering.csv`, and the images it names in `frames/`.

    The file is comma-separated and begins with the line `timestamp,frame,steering`: seconds that grow, the name of the
    image, and the angle of the steering, to the right above 0. After a pause of more than five usual intervals a new
    drive begins, also where the frames between were skipped.

    Args:
        folder: Its path.
        size: (height, width) that the frames are brought to.
        dirt: `Dirt` that takes the lines that are skipped.

    Returns:
        A list of `Drive`.

    Raises:
        UserError: `steering.csv` cannot be read or begins with another line, or fewer than two frames are left.
    """
    path = Path(folder) / "steering.csv"
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise UserError(
            f"--data.folder: expected {path} with {','.join(COLUMNS)}; received: {error.strerror}"
        ) from None
    if not lines or tuple(cell.strip() for cell in cells(lines[0])) != COLUMNS:
        received = lines[0].decode(errors="replace")[:80] if lines else "nothing"
        raise UserError(f"{path}: expected the first line {','.join(COLUMNS)}; received {received}")
    rows, files = [], []
    for number, line in enumerate(lines[1:], start=2):
        place = f"{path}, line {number}"
        row = read_row(line, place, rows[-1][0] if rows else -np.inf, dirt) if line.strip() else None
        if row:
            image = Path(folder) / "frames" / row[1]
            rows.append(row)
            files.append((f"{place}, {image}", image))
    read = [(rows[number], pixels) for number, _, pixels in read_images(files, dirt, size)]
    if len(read) < 2:
        raise UserError(f"{path}: expected two frames at least, received {len(read)}")
    times, steering = (np.array([row[column] for row, _ in read]) for column in (0, 2))
    images, steering, intervals = np.stack([pixels for _, pixels in read]), steering.astype("float32"), np.diff(times)
    begins = [0, *(np.nonzero(intervals > GAP * np.median(intervals))[0] + 1).tolist(), len(times)]
    return [Drive(f"{folder} from {times[a]:g} s", images[a:b], steering[a:b]) for a, b in zip(begins, begins[1:])]


def cells(line: bytes) -> list[str]:
    """Returns the cells of one line of a comma-separated file; what is not UTF-8 is replaced."""
    return next(csv.reader([line.decode(errors="replace")]), [])


def read_row(line: bytes, place: str, earlier: float, dirt: Dirt) -> tuple[float, str, float] | None:
    """Returns (time, name of the frame, angle) of one line; None if they are not there."""
    shown = line[:80].decode(errors="replace")
    try:
        time, name, angle = cells(line)
        time, angle = float(time), float(angle)
    except (ValueError, csv.Error):
        return dirt.add("a line other than two numbers around a file name", place, shown)
    if not np.isfinite([time, angle]).all():
        return dirt.add("numbers that are not finite", place, shown)
    if time <= earlier:
        return dirt.add("a timestamp that does not grow", place, shown)
    return time, name.strip(), angle


def balanced_clips(
    drives: Sequence[Drive], length: int, count: int, generator: np.random.Generator, bins: int = 15
) -> np.ndarray:
    """Draws clips so that all angles of the steering are about equally frequent, although most of a drive is straight.

    Args:
        drives: List of `Drive`.
        length: T, frames of a clip.
        count: Clips to draw, with replacement.
        generator: `numpy.random.Generator`.
        bins: Number of bins of equal width, from the smallest to the largest angle. The angle of its last frame
            decides the bin of a clip. All bins have the same weight, which their clips share, but no clip weighs more
            than ten times as much as one of the fullest bin.

    Returns:
        Integers `(count, 2)`: the number of a drive, and the first frame.

    Raises:
        UserError: No drive is as long as a clip.

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


def all_clips(drives: Sequence[Drive], length: int, stride: int) -> np.ndarray:
    """Returns the clips of all drives, as (drive, first frame) `(N, 2)`, `stride` frames apart."""
    starts = [(n, start) for n, drive in enumerate(drives) for start in range(0, len(drive) - length + 1, stride)]
    if not starts:
        longest = max(map(len, drives), default=0)
        raise UserError(f"--data.clip_frames: expected a drive of {length} frames at least; the longest has {longest}")
    return np.array(starts)
