"""Image files of every kind are read, or refused in one clear line, in the graph that a server runs."""

import io
import re
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import (
    MAX_PIXELS,
    check_image,
    decode_each_image,
    decode_image,
    decode_images,
    read_image_file,
)
from attention_zoo.pipelines.engine.pictures.heat_maps import draw_heat_maps
from attention_zoo.pipelines.engine.serving.answers import empty_where
from attention_zoo.pipelines.engine.serving.export import export_saved_model
from attention_zoo.pipelines.engine.views import HeatMaps

SIZE = (12, 20)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth(height=12, width=20):
    """Slow gradients, which JPEG keeps."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * y / height, 255 * x / width, 0 * x + 90], axis=-1).astype("uint8")


IMAGE = smooth()
COLOR = Image.fromarray(IMAGE)
GREY = IMAGE[..., 1]
FEW = {count: COLOR.quantize(count) for count in (2, 4, 16)}  # palettes of 1, 2 and 4 bits
GOOD = {
    "jpeg": (encoded(COLOR, "JPEG", quality=98, subsampling=0), IMAGE, 4),
    "progressive jpeg": (encoded(COLOR, "JPEG", quality=98, subsampling=0, progressive=True), IMAGE, 4),
    "grey jpeg": (encoded(Image.fromarray(GREY), "JPEG", quality=98), np.stack([GREY] * 3, -1), 4),
    "cmyk jpeg": (encoded(COLOR.convert("CMYK"), "JPEG", quality=98), IMAGE, 8),
    "jpeg with notes after it": (encoded(COLOR, "JPEG", quality=98, subsampling=0) + b"notes" * 99, IMAGE, 4),
    "png": (encoded(COLOR, "PNG"), IMAGE, 0),
    "grey png": (encoded(Image.fromarray(GREY), "PNG"), np.stack([GREY] * 3, -1), 0),
    "16-bit png": (encoded(Image.fromarray(GREY.astype("uint16") * 257), "PNG"), np.stack([GREY] * 3, -1), 0),
    "palette png": (encoded(COLOR.quantize(256), "PNG"), np.array(COLOR.quantize(256).convert("RGB")), 0),
    "gif": (encoded(COLOR.quantize(256), "GIF"), np.array(COLOR.quantize(256).convert("RGB")), 0),
    "bmp": (encoded(COLOR, "BMP"), IMAGE, 0),
    "grey bmp": (encoded(Image.fromarray(GREY), "BMP"), np.stack([GREY] * 3, -1), 0),
    **{f"{n} color png": (encoded(few, "PNG"), np.array(few.convert("RGB")), 0) for n, few in FEW.items()},
    **{f"{n} color bmp": (encoded(few, "BMP"), np.array(few.convert("RGB")), 0) for n, few in FEW.items()},
    "32-bit bmp": (encoded(COLOR.convert("RGBA"), "BMP"), IMAGE, 0),
}


def png_of_size(height, width):
    """The head of a PNG that claims a size, and its end, with next to nothing between."""

    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def gif_with_a_small_screen(width, height):
    """A GIF whose only frame is larger than the screen that its head speaks of."""
    content = bytearray(encoded(Image.new("P", (width, height)), "GIF"))
    content[6:10] = bytes([1, 0, 1, 0])
    return bytes(content)


BAD = {
    "text": (b"hello, world", "expected a JPEG, PNG, GIF or BMP image, received 12 bytes that begin with 68 65 6c 6c"),
    "nothing": (b"", "expected a JPEG, PNG, GIF or BMP image, received 0 bytes"),
    "webp": (encoded(COLOR, "WEBP"), "expected a JPEG, PNG, GIF or BMP image"),
    "truncated jpeg": (GOOD["jpeg"][0][:-60], "expected a whole JPEG image, received one that is cut off after"),
    "truncated png": (GOOD["png"][0][:-30], "expected a whole PNG image, received one that is cut off after"),
    "truncated gif": (GOOD["gif"][0][:400], "GIF"),
    "truncated bmp": (GOOD["bmp"][0][:-30], "(?i)bmp"),
    "1-bit bmp": (encoded(COLOR.convert("1"), "BMP"), "expected a BMP of 8, 24 or 32 bits a pixel, received 1"),
    "a gif bomb": (gif_with_a_small_screen(9000, 9000), f"1 to {MAX_PIXELS:,} pixels, received 9000 x 9000"),
    "a bomb": (png_of_size(30_000, 30_000), f"1 to {MAX_PIXELS:,} pixels, received 30000 x 30000"),
    "a size beyond int32": (png_of_size(2**31 - 1, 2**31 - 1), "pixels, received"),
    "a PNG without pixels": (png_of_size(4, 4), "PNG"),
}


@pytest.fixture(scope="module")
def graph():
    return tf.function(
        lambda one: decode_image(one, SIZE), input_signature=[tf.TensorSpec([], tf.string)], autograph=False
    )


SPEC = {"image_bytes": tf.TensorSpec([None], tf.string)}


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """A SavedModel that does nothing but decode."""
    model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Rescaling(1.0)])
    answer = {"serving_default": (lambda image_bytes: {"pixels": model(decode_images(image_bytes, SIZE))}, SPEC)}
    return export_saved_model(tmp_path_factory.mktemp("export") / "decode", [model], answer)


@pytest.fixture(scope="module")
def saved_model_of_rows(tmp_path_factory):
    """A SavedModel that decodes every file of a batch on its own, as the tasks on images do."""
    model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Rescaling(1.0)])

    def answer(image_bytes):
        images, error = decode_each_image(image_bytes, SIZE)
        return empty_where(error, {"pixels": model(images)})

    return export_saved_model(tmp_path_factory.mktemp("export") / "rows", [model], {"serving_default": (answer, SPEC)})


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_image_is_read(name, graph):
    image_bytes, expected, tolerance = GOOD[name]
    decoded = graph(image_bytes)
    assert decoded.dtype == tf.uint8 and decoded.shape == (*SIZE, 3)
    np.testing.assert_allclose(decoded.numpy().astype(int), expected.astype(int), atol=tolerance)
    np.testing.assert_array_equal(decode_image(tf.constant(image_bytes), SIZE), decoded)
    assert check_image(image_bytes, name) is image_bytes


@pytest.mark.parametrize("name", BAD)
def test_everything_else_is_refused_in_one_clear_line(name, graph):
    image_bytes, message = BAD[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        graph(image_bytes)
    with pytest.raises(UserError, match="photo.x: expected a JPEG, PNG, GIF or BMP image.*received") as caught:
        check_image(image_bytes, "photo.x")
    assert "\n" not in str(caught.value)


def test_a_file_is_read_by_its_name(tmp_path):
    (tmp_path / "a b.png").write_bytes(GOOD["png"][0])
    assert read_image_file(str(tmp_path / "a b.png")) == (str(tmp_path / "a b.png"), GOOD["png"][0])
    for name in ("none.png", ".", "a\0b"):
        with pytest.raises(UserError, match="expected an image file, received: "):
            read_image_file(str(tmp_path / name))


def test_what_is_transparent_becomes_white(graph):
    pixels = np.zeros((*SIZE, 4), "uint8")
    pixels[:, :10] = [200, 0, 100, 255]
    pixels[:, 10:15] = [200, 0, 100, 51]  # a fifth of it, over white
    decoded = graph(encoded(Image.fromarray(pixels), "PNG")).numpy()
    assert decoded[0, 0].tolist() == [200, 0, 100]
    assert decoded[0, 12].tolist() == [244, 204, 224]
    assert decoded[0, 19].tolist() == [255, 255, 255]


def test_of_an_animation_the_first_frame_is_read(graph):
    first, second = Image.new("RGB", SIZE[::-1], (255, 0, 0)), Image.new("RGB", SIZE[::-1], (0, 0, 255))
    animation = encoded(first, "GIF", save_all=True, append_images=[second, first])
    assert (graph(animation).numpy() == [255, 0, 0]).all()


def test_one_pixel_fills_the_image(graph):
    assert (graph(encoded(Image.new("RGB", (1, 1), (7, 8, 9)), "PNG")).numpy() == [7, 8, 9]).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_twenty_megapixels_are_read(kind, graph):
    large = Image.fromarray(smooth(120, 200)).resize((5477, 3652))
    decoded = graph(encoded(large, kind)).numpy().astype(int)
    expected = smooth(120, 200).reshape(12, 10, 20, 10, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(decoded, expected, atol=4)


def test_shrinking_averages_so_that_fine_patterns_become_grey(graph):
    board = np.indices((96, 160)).sum(axis=0) % 2 * np.uint8(255)
    decoded = graph(encoded(Image.fromarray(board.astype("uint8")), "PNG")).numpy()
    assert np.abs(decoded[2:-2, 2:-2].astype(int) - 127.5).max() < 10


def test_an_exported_model_decodes_under_the_session_loader(saved_model, session_run):
    names = ["jpeg", "png", "gif", "bmp", "cmyk jpeg", "16-bit png"]
    served = session_run(saved_model, "serving_default", {"image_bytes": [GOOD[name][0] for name in names]})["pixels"]
    for pixels, name in zip(served, names):
        np.testing.assert_allclose(pixels, GOOD[name][1], atol=max(1, GOOD[name][2]))
    empty = session_run(saved_model, "serving_default", {"image_bytes": np.array([], object)})
    assert empty["pixels"].shape == (0, *SIZE, 3)


@pytest.mark.parametrize("name", BAD)
def test_an_exported_model_refuses_with_the_same_words(name, saved_model, session_run):
    with pytest.raises(tf.errors.InvalidArgumentError, match=BAD[name][1]):
        session_run(saved_model, "serving_default", {"image_bytes": [GOOD["png"][0], BAD[name][0]]})


@pytest.fixture(scope="module")
def pixels_alone(saved_model_of_rows, session_run):
    """The pixels of two good files, each asked alone."""
    answers = [
        session_run(saved_model_of_rows, "serving_default", {"image_bytes": [GOOD[name][0]]})
        for name in ("jpeg", "palette png")
    ]
    return np.concatenate([answer["pixels"] for answer in answers])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_of_an_exported_model_has_an_error(name, saved_model_of_rows, pixels_alone, session_run):
    files = [GOOD["jpeg"][0], BAD[name][0], GOOD["palette png"][0]]
    answer = session_run(saved_model_of_rows, "serving_default", {"image_bytes": files})
    assert re.search(BAD[name][1], answer["error"][1].decode())
    assert (answer["pixels"][1] == 0).all()
    assert answer["error"][[0, 2]].tolist() == [b"", b""]
    np.testing.assert_array_equal(answer["pixels"][[0, 2]], pixels_alone)


def test_decoding_works_in_an_input_pipeline():
    files = [GOOD["jpeg"][0], GOOD["png"][0]]
    dataset = tf.data.Dataset.from_tensor_slices(files).map(lambda one: decode_image(one, SIZE)).batch(2)
    assert dataset.element_spec.shape == (None, *SIZE, 3)
    batch = next(iter(dataset)).numpy()
    np.testing.assert_array_equal(batch, decode_images(tf.constant(files), SIZE))
    np.testing.assert_array_equal(batch[1], IMAGE)


def test_a_picture_shows_the_map_over_the_image(tmp_path):
    weights = np.zeros((2, 4, 4))
    weights[0, 0, 0] = weights[1, 3, 3] = 1.0
    path = draw_heat_maps(
        HeatMaps(np.full((32, 32, 3), 128, "uint8"), weights, ["a $cat", "犬"], title="two"), tmp_path / "a.png"
    )
    picture = np.array(Image.open(path).convert("L")).astype(int)
    left, right = picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]
    assert not np.array_equal(left, right)


@pytest.mark.parametrize(
    "image, weights, message",
    [
        (np.zeros((4, 4)), np.zeros((1, 2, 2)), "image: expected shape"),
        (np.zeros((4, 4, 3)), np.zeros((2, 2, 2)), "maps: expected shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(image, weights, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        draw_heat_maps(HeatMaps(image, weights, ["one"]), tmp_path / "a.png")
