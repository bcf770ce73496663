"""Scenes: places of things, and sentences about them.

A scene has one to four different things. The sentences depend only on the places of the things, so all of them are
true, and a model has to see where the things are to write them:

    one          "a key at the top left", and two other ways to write it
    two          "a dog left of a key", right of, above, below
    three, four  "from left to right a dog, a key and a red heart", and from right, top and bottom
"""

import hashlib
import random
from collections.abc import Sequence
from typing import NamedTuple

CANVAS = 96  # pixels
SIZES = (24, 28, 32, 36)  # pixels, side of a thing
APART = 7  # least pixels between the centres of two things on each axis, so that left and above are visible
COUNTS = {1: 15, 2: 30, 3: 30, 4: 25}  # weights of the number of things

THIRDS = (("top left", "top", "top right"), ("left", "center", "right"), ("bottom left", "bottom", "bottom right"))
ALONE = (("", " at the {place}"), ("there is ", " at the {place}"), ("at the {place} there is ", ""))
PAIRS = ((0, "left of", "right of"), (1, "above", "below"))  # axis, relation of the first to the second and back
ORDERS = ((0, "from left to right", "from right to left"), (1, "from top to bottom", "from bottom to top"))


class Placed(NamedTuple):
    """A thing on the canvas: its name, and the square that it is drawn in."""

    name: str
    left: int
    top: int
    size: int

    def center(self, axis: int) -> float:
        """Returns the centre on the horizontal axis (0) or the vertical one (1)."""
        return (self.left, self.top)[axis] + self.size / 2


class Sentence(NamedTuple):
    """A sentence and its mentions: (first word, last word + 1, number of the thing), words as in `split_words`."""

    text: str
    mentions: tuple[tuple[int, int, int], ...]


def split_of(names: Sequence[str]) -> str:
    """Returns the split of a combination of things: one in 12 is for validation, one in 12 for test.

    Scenes of one thing are for training, so that every thing of a tested combination occurs in training.

    Example:

    >>> split_of(["dog"]), split_of(["dog", "key", "bus"]) == split_of(["bus", "key", "dog"])
    ('train', True)
    """
    if len(names) == 1:
        return "train"
    key = hashlib.blake2b(" + ".join(sorted(names)).encode(), digest_size=8).digest()
    return {0: "validation", 1: "test"}.get(int.from_bytes(key, "big") % 12, "train")


def compose(names: Sequence[str], sizes: dict[str, int], seed: int = 0) -> dict[str, list[list[Placed]]]:
    """Composes the scenes of every split; the same ones for the same arguments.

    Args:
        names: Names of the things, at least four.
        sizes: Number of scenes of "train", "validation" and "test".
        seed: Seed of the sampling.

    Returns:
        A dict of splits to lists of scenes, each a list of `Placed`.

    Example:

    >>> scenes = compose(["dog", "key", "bus", "egg", "sun"], {"train": 4, "validation": 1, "test": 1})
    >>> [len(scenes[split]) for split in ("train", "validation", "test")]
    [4, 1, 1]
    """
    rng = random.Random(seed)
    scenes = {split: [] for split in sizes}
    while any(len(scenes[split]) < size for split, size in sizes.items()):
        (count,) = rng.choices(list(COUNTS), COUNTS.values())
        chosen = rng.sample(names, count)
        split = split_of(chosen)
        if len(scenes[split]) < sizes[split]:
            scenes[split].append(place(chosen, rng))
    return scenes


def place(names: Sequence[str], rng: random.Random, tries: int = 40) -> list[Placed]:
    """Places things on the canvas, so that no two overlap and any two are apart on both axes."""
    placed = []
    while len(placed) < len(names):
        for _ in range(tries):
            size = rng.choice(SIZES)
            thing = Placed(names[len(placed)], rng.randint(0, CANVAS - size), rng.randint(0, CANVAS - size), size)
            if all(separate(thing, other) for other in placed):
                placed.append(thing)
                break
        else:  # the things placed so far leave no room: start again
            placed = []
    return placed


def separate(one: Placed, other: Placed) -> bool:
    """Returns whether two things do not touch, and their centres are apart on both axes."""
    across, down = (abs(one.center(axis) - other.center(axis)) for axis in (0, 1))
    reach = (one.size + other.size) / 2
    return max(across, down) >= reach and min(across, down) >= APART


def sentences(scene: Sequence[Placed]) -> list[Sentence]:
    """Returns the sentences of a scene: three about one thing, four about several things.

    Example:

    >>> for sentence in sentences([Placed("green apple", 0, 0, 24), Placed("dog", 60, 30, 24)]):
    ...     print(sentence)
    Sentence(text='a green apple left of a dog', mentions=((1, 3, 0), (6, 7, 1)))
    Sentence(text='a dog right of a green apple', mentions=((1, 2, 1), (5, 7, 0)))
    Sentence(text='a green apple above a dog', mentions=((1, 3, 0), (5, 6, 1)))
    Sentence(text='a dog below a green apple', mentions=((1, 2, 1), (4, 6, 0)))
    """
    if len(scene) == 1:
        row, column = (min(2, int(3 * scene[0].center(axis) / CANVAS)) for axis in (1, 0))
        where = THIRDS[row][column]
        return [say(scene, [before.format(place=where), 0, after.format(place=where)]) for before, after in ALONE]
    said = []
    for axis, *words in PAIRS if len(scene) == 2 else ORDERS:
        order = sorted(range(len(scene)), key=lambda number: scene[number].center(axis))
        for phrase, numbers in zip(words, (order, order[::-1])):
            if len(scene) == 2:
                said.append(say(scene, [numbers[0], f" {phrase} ", numbers[1]]))
            else:
                listed = [part for number in numbers[:-1] for part in (number, ", ")][:-1]
                said.append(say(scene, [f"{phrase} ", *listed, " and ", numbers[-1]]))
    return said


def say(scene: Sequence[Placed], parts: Sequence[int | str]) -> Sentence:
    """Joins words and things, which are given by their numbers, to a sentence."""
    text, words, mentions = "", 0, []
    for part in parts:
        if isinstance(part, int):
            name = scene[part].name
            article = (
                "an" if name[0] in "aeiou" else "a"
            )  # right for the names of emoji_scenes, not for "unicorn" and "hour"
            mentions.append((words + 1, words + 1 + len(name.split()), part))
            part = f"{article} {name}"
        text += part
        words += len(part.replace(",", " ,").split())
    return Sentence(text, tuple(mentions))
