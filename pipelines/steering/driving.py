"""Closed loop: an exported model drives CarRacing-v3, and what happened on each track.

The model sees frames as PNG, as a client of a server would send them, and steers. Gas and brake follow the expert's
rule, which
knows the speed and the model's steering alone (`car_racing_expert.pedals`): nobody in the car reads the track.
"""

import io

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.datasets.builders.car_racing_expert import Race
from attention_zoo.pipelines.engine.storage.files import atomic_write

ZOOM = 2  # screen pixels of a frame's pixel
HEAT = 0.6  # of the map's color at its peak; the rest is the frame


def drive(served, seed, max_decisions=0, watch=0):
    """Has an exported model drive one track.

    Args:
        served: From `load_saved_model`, with the signatures `start` and `step`.
        seed: Integer, of the track.
        max_decisions: Ends the drive after so many decisions; 0 drives until the lap is over.
        watch: Keeps so many frames, the first ones, and where the model looked. Default 0.

    Returns:
        A dict, JSON-able: seed, tiles (share that was driven, in [0, 1]), return (the game's score), decisions (25 a
        second), and left_the_road: the decision, the tile and the place (x, y in metres) of each time.
        And the list of what was watched: (frame, weights (h, w), steering).
    """
    start, step = served.signatures["start"], served.signatures["step"]
    watched, state = [], None
    with Race(seed) as race:
        while not race.finished and (not max_decisions or race.decisions < max_decisions):
            image_bytes = tf.io.encode_png(race.frame)[None]
            state = start(image_bytes=image_bytes) if state is None else state
            answer = step(image_bytes=image_bytes, hidden=state["hidden"], carry=state["carry"])
            state, steering = answer, float(answer["steering"][0])
            if len(watched) < watch:
                watched.append((race.frame, answer["weights"][0].numpy(), steering))
            race.step(steering)
        report = {
            "seed": int(seed),
            "tiles": race.tiles,
            "return": round(race.total_reward, 1),
            "decisions": race.decisions,
        }
        return report | {"left_the_road": race.left}, watched


def describe(report):
    """A report in one line.

    Example:

    >>> left = [{"decision": 80, "tile": 35, "x": 1.5, "y": 2.0}]
    >>> describe({"seed": 7, "tiles": 0.12, "return": -20.0, "decisions": 155, "left_the_road": left})
    'track 7: 12.0% of the tiles, return -20, 155 decisions; left the road 1 times, first at decision 80, tile 35, x
    1.5, y 2.0'
    """
    line = f"track {report['seed']}: {100 * report['tiles']:.1f}% of the tiles, return {report['return']:.0f}"
    line += f", {report['decisions']} decisions"
    if not report["left_the_road"]:
        return f"{line}; never left the road"
    first = ", ".join(f"{name} {value}" for name, value in report["left_the_road"][0].items())
    return f"{line}; left the road {len(report['left_the_road'])} times, first at {first}"


def write_gif(watched, path, every=2, frames_per_second=12.5):
    """Writes a drive as an animation: the frame, and beside it the frame under the model's attention.

    Args:
        watched: List of (frame uint8 `(H, W, 3)`, weights `(h, w)`, steering in rad), as `drive` returns it.
        path: The GIF; missing folders are made.
        every: Shows every so-manieth frame.
        frames_per_second: Of the animation.

    Returns:
        The `Path`.

    Raises:
        ValueError: there is nothing to show.

    Example:

    >>> import tempfile
    >>> frame = np.zeros((84, 96, 3), "uint8")
    >>> write_gif([(frame, np.eye(11, 12), 0.1)] * 4, f"{tempfile.mkdtemp()}/drive.gif").name
    'drive.gif'
    """
    if not watched:
        raise ValueError("watched: expected frames, received none")
    images = [panels(*seen) for seen in watched[::every]]
    # One palette for all frames: colors do not flicker, and what stands still takes no room.
    sample = images[len(images) // 2].quantize(128)
    images = [image.quantize(palette=sample, dither=0) for image in images]
    content = io.BytesIO()
    options = {"duration": round(1000 / frames_per_second), "loop": 0, "optimize": True}
    images[0].save(content, format="GIF", save_all=True, append_images=images[1:], **options)
    return atomic_write(path, content.getvalue())


def panels(frame, weights, steering):
    """The frame and the frame under its heat map, side by side, with a bar that shows the steering: a Pillow image."""
    from matplotlib import colormaps
    from PIL import Image, ImageDraw

    height, width = frame.shape[:2]
    size = (ZOOM * width, ZOOM * height)
    picture = Image.fromarray(frame).resize(size, Image.Resampling.NEAREST)
    scaled = Image.fromarray(np.float32(weights / max(float(weights.max()), 1e-12)))
    heat = np.clip(np.asarray(scaled.resize(size, Image.Resampling.BILINEAR)), 0.0, 1.0)[..., None]  # (H, W, 1)
    colors = 255 * colormaps["inferno"](heat[..., 0])[..., :3]
    mixed = (1 - HEAT * heat) * np.asarray(picture, "float32") + HEAT * heat * colors
    both = Image.new("RGB", (2 * size[0], size[1]))
    both.paste(picture, (0, 0))
    both.paste(Image.fromarray(mixed.astype("uint8")), (size[0], 0))
    middle, length = size[0] // 2, int(steering / 0.4 * size[0] / 2)
    left, right = sorted((middle, middle + length))
    ImageDraw.Draw(both).rectangle((left, size[1] - 6, right, size[1] - 3), fill="white")
    return both
