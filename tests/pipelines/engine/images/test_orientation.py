"""Images stand upright as Pillow's `exif_transpose` turns them, in every function that decodes."""

import io
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image, ImageOps

from attention_zoo.pipelines.engine.images.formats import FORMATS
from attention_zoo.pipelines.engine.images.image_files import (
    decode_each_image,
    decode_image,
    decode_images,
    shown_image,
)
from attention_zoo.pipelines.engine.images.orientation import MAX_BLOCKS, orientation_of
from attention_zoo.pipelines.engine.serving.export import export_saved_model

HEIGHT, WIDTH = 16, 24
y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
IMAGE = Image.fromarray(np.stack([255 * y / HEIGHT, 255 * x / WIDTH, 0 * x + 90], axis=-1).astype("uint8"))
ORIENTATIONS = range(1, 9)
SAVING = {"JPEG": {"quality": 98, "subsampling": 0}, "PNG": {}}


def tiff(orientation, order="<"):
    """A TIFF file, as Pillow writes it, with an orientation between two other tags."""
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Software] = "a program with a long name"
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    assert content[:2] == {"<": b"II", ">": b"MM"}[order]
    return content


def image_file(kind, exif=None):
    """The image as a file, with the content of an EXIF block."""
    buffer = io.BytesIO()
    options = {} if exif is None else {"exif": b"Exif\0\0" + exif}
    IMAGE.save(buffer, kind, **SAVING[kind], **options)
    return buffer.getvalue()


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def chunk(name, content):
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def after_start(image_bytes, more):
    """A JPEG with more bytes after its first two."""
    return image_bytes[:2] + more + image_bytes[2:]


def upright(image_bytes):
    """The pixels as Pillow turns them."""
    with Image.open(io.BytesIO(image_bytes)) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


@tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.string)], autograph=False)
def orientation_in_graph(kind, image_bytes):
    return orientation_of(kind, image_bytes)


def read(image_bytes):
    """The orientation as a graph reads it."""
    return int(orientation_in_graph(FORMATS.index(format_name(image_bytes)), image_bytes))


def format_name(image_bytes):
    return "JPEG" if image_bytes.startswith(b"\xff\xd8") else "PNG"


def assert_same(pixels, expected, kind):
    np.testing.assert_allclose(pixels.astype(int), expected.astype(int), atol={"JPEG": 3, "PNG": 0}[kind])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A SavedModel that does nothing but decode to `(HEIGHT, WIDTH)`."""
    model = keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), keras.layers.Rescaling(1.0)])

    def answer(image_bytes):
        images, error = decode_each_image(image_bytes, (HEIGHT, WIDTH))
        return {"pixels": model(images), "error": error}

    signatures = {"serving_default": (answer, {"image_bytes": tf.TensorSpec([None], tf.string)})}
    return export_saved_model(tmp_path_factory.mktemp("export") / "decode", [model], signatures)


@pytest.mark.parametrize("kind", SAVING)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_image_stands_as_pillow_turns_it(kind, order, orientation):
    image_bytes = image_file(kind, tiff(orientation, order))
    expected = upright(image_bytes)
    assert expected.shape == ((HEIGHT, WIDTH, 3) if orientation < 5 else (WIDTH, HEIGHT, 3))
    assert_same(decode_image(tf.constant(image_bytes), expected.shape[:2]).numpy(), expected, kind)
    assert_same(shown_image(image_bytes), expected, kind)
    assert read(image_bytes) == orientation


@pytest.mark.parametrize("size", [(7, 5), (5, 7), (60, 40), (1, 9)])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_resizing_a_turned_image_equals_resizing_the_upright_one(size, orientation):
    image_bytes = image_file("PNG", tiff(orientation))
    buffer = io.BytesIO()
    Image.fromarray(upright(image_bytes)).save(buffer, "PNG")
    expected = decode_image(tf.constant(buffer.getvalue()), size).numpy()
    # One level: the sums of the weighted pixels are rounded in another order.
    np.testing.assert_allclose(decode_image(tf.constant(image_bytes), size).numpy().astype(int), expected, atol=1)


def test_a_large_turned_jpeg_keeps_the_details_that_the_upright_size_needs():
    lines = np.zeros((64, 1024, 3), "uint8")
    lines[::2] = 255  # of the upright image every second column is white
    buffer = io.BytesIO()
    Image.fromarray(lines).save(buffer, "JPEG", quality=98, exif=b"Exif\0\0" + tiff(6))
    decoded = decode_image(tf.constant(buffer.getvalue()), (32, 512)).numpy()[:, ::-1].astype(int)
    assert decoded[:, 4::16].min() > 215 and decoded[:, 12::16].max() < 40


@pytest.mark.parametrize("kind", SAVING)
def test_a_batch_of_all_orientations_is_decoded_as_its_files_alone(kind, served, session_run):
    files = [image_file(kind, tiff(orientation)) for orientation in ORIENTATIONS] + [image_file(kind)]
    alone = np.stack([decode_image(tf.constant(one), (HEIGHT, WIDTH)) for one in files])
    assert len(np.unique(alone[:-1], axis=0)) == 8
    np.testing.assert_array_equal(decode_images(tf.constant(files), (HEIGHT, WIDTH)), alone)
    images, errors = decode_each_image(tf.constant(files), (HEIGHT, WIDTH))
    np.testing.assert_array_equal(images, alone)
    assert errors.numpy().tolist() == [b""] * 9
    answer = session_run(served, "serving_default", {"image_bytes": files})
    np.testing.assert_array_equal(answer["pixels"], alone)
    assert answer["error"].tolist() == [b""] * 9


def test_orientation_is_applied_in_an_input_pipeline():
    files = [image_file("JPEG", tiff(orientation)) for orientation in ORIENTATIONS]
    dataset = tf.data.Dataset.from_tensor_slices(files).map(lambda one: decode_image(one, (9, 6))).batch(8)
    assert dataset.element_spec.shape == (None, 9, 6, 3)
    np.testing.assert_array_equal(next(iter(dataset)), decode_images(tf.constant(files), (9, 6)))


JPEG, EXIF = image_file("JPEG"), segment(0xE1, b"Exif\0\0" + tiff(6))
PNG = image_file("PNG")
END = PNG.index(b"IEND") - 4
OTHERS = segment(0xE0, b"JFIF\0" + bytes(9)) + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
ELSEWHERE = {
    "after other segments": after_start(JPEG, OTHERS + segment(0xFE, b"a comment") + EXIF),
    "after 64 KiB segments": after_start(JPEG, 3 * segment(0xE2, b"ICC_PROFILE\0" + bytes(65000)) + EXIF),
    "after fill bytes": after_start(JPEG, b"\xff\xff\xff" + EXIF),
    "after tables": JPEG[: JPEG.index(b"\xff\xc0")] + EXIF + JPEG[JPEG.index(b"\xff\xc0") :],
    "after a comment that looks like it": after_start(JPEG, segment(0xFE, segment(0xE1, b"Exif\0\0" + tiff(3))) + EXIF),
    "before another one": after_start(JPEG, EXIF + segment(0xE1, b"Exif\0\0" + tiff(3))),
    "after the pixels of a PNG": PNG[:END] + chunk(b"eXIf", tiff(6)) + PNG[END:],
    "after a text of a PNG": PNG[:END] + chunk(b"tEXt", b"a\0eXIf" + tiff(3)) + chunk(b"eXIf", tiff(6)) + PNG[END:],
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_exif_is_found_where_pillow_finds_it(place):
    expected = upright(ELSEWHERE[place])
    assert expected.shape == (WIDTH, HEIGHT, 3)
    decoded = decode_image(tf.constant(ELSEWHERE[place]), expected.shape[:2]).numpy()
    assert_same(decoded, expected, format_name(ELSEWHERE[place]))
    assert read(ELSEWHERE[place]) == 6


SIX = tiff(6)
MALFORMED = {
    "nothing": b"",
    "no TIFF": b"hello" + SIX[5:],
    "a BigTIFF": b"II\x2b\0" + SIX[4:],
    "the wrong byte order": b"MM\0*" + SIX[4:],
    "a head alone": SIX[:8],
    "a head cut off": SIX[:5],
    "no entries": SIX[:8] + b"\0\0" + SIX[10:],
    "a directory cut off": SIX[: SIX.index(b"\x12\x01\x03\0") + 9],
    "a directory beyond the end": SIX[:4] + (5000).to_bytes(4, "little") + SIX[8:],
    "a directory before the start": SIX[:4] + b"\xff\xff\xff\xff" + SIX[8:],
    "a directory in the head": SIX[:4] + bytes(4) + SIX[8:],
    "orientation 0": tiff(0),
    "orientation 9": tiff(9),
    "orientation 262": tiff(0x106),
    "no orientation": SIX.replace(b"\x12\x01\x03\0", b"\x13\x01\x03\0"),
    "text as orientation": SIX.replace(b"\x12\x01\x03\0", b"\x12\x01\x02\0"),
    "two orientations in one": SIX.replace(b"\x12\x01\x03\0\1\0", b"\x12\x01\x03\0\2\0"),
}


@pytest.mark.parametrize("kind", SAVING)
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_exif_is_ignored(name, kind):
    if kind == "JPEG":
        image_bytes = after_start(JPEG, segment(0xE1, b"Exif\0\0" + MALFORMED[name]))
    else:
        image_bytes = PNG[:END] + chunk(b"eXIf", MALFORMED[name]) + PNG[END:]
    assert read(image_bytes) == 1
    images, error = decode_each_image(tf.constant([image_bytes]), (HEIGHT, WIDTH))
    assert error.numpy().tolist() == [b""]
    assert_same(images[0].numpy(), np.array(IMAGE), kind)


def test_a_directory_with_more_entries_claimed_than_there_are_is_read_to_its_end():
    assert read(after_start(JPEG, segment(0xE1, b"Exif\0\0" + SIX[:8] + b"\xff\xff" + SIX[10:]))) == 6


@pytest.mark.parametrize("end", range(2, 130, 9))
@pytest.mark.parametrize("file", ["JPEG", "PNG"])
def test_a_file_cut_off_in_its_exif_has_an_error_and_no_crash(file, end):
    image_bytes = image_file(file, tiff(6, ">"))
    start = image_bytes.index(b"Exif" if file == "JPEG" else b"eXIf") - 8
    _, error = decode_each_image(tf.constant([image_bytes[: start + end]]), (HEIGHT, WIDTH))
    assert b"cut off" in error.numpy()[0]
    assert read(image_bytes[: start + end]) in (1, 6)


def test_segments_that_never_end_are_given_up():
    endless = b"\xff\xd8" + segment(0xFE, b"") * (MAX_BLOCKS + 5) + EXIF
    assert read(endless) == 1


def test_gif_and_bmp_have_no_orientation():
    for kind in ("GIF", "BMP"):
        buffer = io.BytesIO()
        IMAGE.save(buffer, kind)
        assert int(orientation_of(tf.constant(FORMATS.index(kind)), tf.constant(buffer.getvalue() + EXIF))) == 1
