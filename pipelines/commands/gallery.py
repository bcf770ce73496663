"""`attention-zoo gallery`: draws the pictures of the book again, from trained runs."""

import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from attention_zoo.pipelines.commands.arguments import Parser, near
from attention_zoo.pipelines.commands.ask import predict
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.versions import CANDIDATE, complete_versions, version_folder
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.registry import Entry

LONGEST = 1_400  # pixels of a side of a picture


@dataclass(frozen=True)
class Picture:
    """A row of the table: where a picture comes from.

    Args:
        task: The task, or an ability of `attention-zoo load`.
        run: Name of the run in runs/TASK. Defaults to `""`, which takes the newest version.
        inputs: What its export is asked, as `predict --attention` is; the first answer is the picture. Defaults to
            `()`.
        options: Further options of `predict`. Defaults to `()`.
        drawn: Name of a picture that the run itself has drawn, in its folder `pictures`, in place of `inputs`.
            Defaults to `""`.
    """

    task: str
    run: str = ""
    inputs: Sequence[str] = ()
    options: Sequence[str] = ()
    drawn: str = ""


def gallery(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`gallery [NAME ...] [--table FILE]`

    Returns:
        The exit code: 0, or 1 where an input could not be answered.
    """
    parser = Parser(
        prog="attention-zoo gallery",
        description="Draws pictures from the runs in runs/ and their exports in saved_models/. A table says for each "
        "picture its task and run, and what the export is asked. The pictures go beside the table.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="pictures of the table to draw (default: all)")
    parser.add_argument("--table", metavar="FILE", type=Path, default=Path("docs/gallery.yaml"), help="the table")
    arguments = parser.parse_args(argv)
    table = read_table(arguments.table)
    for name in arguments.names:
        if name not in table:
            raise UserError(f"gallery: expected pictures of {arguments.table}; received {name}{near(name, table)}")
    codes = []
    for name in arguments.names or table:
        path = arguments.table.parent / name
        codes.append(draw(tasks, table[name], path))
        if codes[-1] == 0 and path.suffix == ".png":
            shrink(path)
    return max(codes, default=0)


def draw(tasks: Mapping[str, Entry], picture: Picture, path: Path) -> int:
    """Draws one picture into a file. Returns the exit code of `predict`."""
    if picture.drawn:
        drawn = Path("runs") / picture.task / picture.run / "pictures" / picture.drawn
        if not drawn.is_file():
            raise UserError(f"{path.name}: expected {drawn}, which `attention-zoo train {picture.task}` draws")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn, path)
        print(f"{path}: copied from {drawn}")
        return 0
    chosen = ["--model", str(version_of(picture)), "--attention", str(path)]
    return predict(tasks, [picture.task, *picture.options, *chosen, "--", *picture.inputs])


def shrink(path: Path) -> None:
    """Makes a PNG small, since a book keeps its pictures: `LONGEST` pixels a side at most, a palette of 256 colors."""
    from PIL import Image

    content = io.BytesIO()
    with Image.open(path) as image:
        colors = image.convert("RGB")
        colors.thumbnail((LONGEST, LONGEST))
        colors.quantize(256, dither=Image.Dither.NONE).save(content, format="PNG", optimize=True)
    atomic_write(path, content.getvalue())


def version_of(picture: Picture) -> Path:
    """Returns the newest version of the picture's run, whether or not that version is served.

    Raises:
        UserError: There is none.
    """
    exports, run = Path("saved_models") / picture.task, f"runs/{picture.task}/{picture.run}" if picture.run else ""
    try:
        return version_folder(exports, run)
    except UserError:
        if not picture.run or not complete_versions(candidates := exports.with_name(exports.name + CANDIDATE)):
            raise
        return version_folder(candidates, run)


def read_table(path: Path) -> dict[str, Picture]:
    """Reads the table: a YAML mapping of the file of each picture to what `Picture` holds.

    Raises:
        UserError: There is no such file, or a row has a name too many or too few.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "gallery.yaml")
    >>> _ = path.write_text("dates.png: {task: translation, run: dates, inputs: ['May 2, 2044']}")
    >>> read_table(path)["dates.png"].inputs
    ['May 2, 2044']
    """
    if not path.is_file():
        raise UserError(f"--table: expected a file, received {path}")
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(rows, dict):
        raise UserError(f"{path}: expected a line `PICTURE: {{task: ..., run: ..., inputs: [...]}}` for each picture")
    return {str(name): _picture(f"{path}: {name}", row) for name, row in rows.items()}


def _picture(place: str, row: Any) -> Picture:
    known = {field.name: field for field in fields(Picture)}
    names = set(row) if isinstance(row, dict) else set()
    one_source = ("inputs" in names) != ("drawn" in names) and names >= ({"run"} if "drawn" in names else set())
    if "task" not in names or names - set(known) or not one_source:
        raise UserError(
            f"{place}: expected task, inputs and perhaps run and options, or task, run and drawn; "
            f"received {', '.join(sorted(map(str, names))) or row}"
        )
    texts = {name: [str(text) for text in row[name]] for name in ("inputs", "options") if name in row}
    return Picture(**row | texts)
