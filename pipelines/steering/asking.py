"""What an exported model can be asked: to drive tracks of the game, or to steer at the frames of a clip."""

import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_images, read_image_file
from attention_zoo.pipelines.engine.scores.causal_saliency import regions_of
from attention_zoo.pipelines.engine.serving.asking import ask_rows
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.engine.views import Frames
from attention_zoo.pipelines.steering.driving import drive

WATCHED = 250  # decisions of a drive that the animation shows: ten seconds
EXAMINED = 40  # frames of a clip or of a drive whose regions are painted over, evenly spaced
LARGEST_STEERING = 0.4  # rad


class Track(NamedTuple):
    """A track of the racing game."""

    seed: int


def read_track_or_image(argument):
    """Returns the `Track` that "track:SEED" names, or the `ImageFile` of that name."""
    kind, _, seed = argument.partition(":")
    if kind == "track" and seed.isascii() and seed.isdecimal() and int(seed) < 2**31:
        return Track(int(seed))
    return read_image_file(argument)


def ask_tracks_or_clip(served, inputs, attention=False):
    """Drives tracks, or answers the frames of one clip in their order; `Task.ask` of steering.

    Yields:
        A dict for each track, with attention its first ten seconds, as `frames`, `weights`, `steering` and `regions`
        (see `examine_clip`); or one dict for the clip.

    Raises:
        UserError: There are tracks and frames.
    """
    tracks = [one for one in inputs if isinstance(one, Track)]
    if not tracks:
        yield ask_clip(served, inputs, attention)
        return
    if len(tracks) < len(inputs):
        raise UserError("expected either tracks (track:SEED) or the frames of one clip, received both")
    for track in tracks:
        report, watched = drive(served, track.seed, watch=WATCHED * attention)
        seen = dict(zip(("frames", "weights", "steering"), watched))
        if seen:
            with stage("painting over the attended regions", sys.stderr):
                seen["regions"] = examine_clip(served, seen["frames"], seen["weights"])
        yield {"input": f"track:{track.seed}", **report, **seen}


def ask_clip(served, files, attention=False):
    """Returns the steering at each frame of a clip, in a dict.

    "frames" are `(T, H, W, 3)`, "weights" `(T, h, w)` and "steering" `(T,)`, and with attention "regions" is what
    `examine_clip` returns; or "error" says why there is no answer.
    """
    (answer,) = ask_rows(served, True, image_bytes=tf.constant([[file.image_bytes for file in files]]))
    if answer["error"]:
        return {"input": " ".join(file.name for file in files), "error": answer["error"]}
    size = [8 * cells for cells in answer["weights"].shape[1:]]
    frames = decode_images(tf.constant([file.image_bytes for file in files]), size).numpy()
    seen = {"frames": frames, **answer}
    if attention:
        seen["regions"] = examine_clip(served, frames, answer["weights"])
    return {"input": " ".join(file.name for file in files), **seen}


def examine_clip(served, frames, weights):
    """Returns for each frame of a clip its attended regions, and which of them are causal; see `regions_of`.

    Of a longer clip `EXAMINED` frames are examined, evenly spaced; the others have `None`.

    Args:
        served: Has the signatures `start` and `step`.
        frames: uint8 array `(T, H, W, 3)`, of the size that the model reads.
        weights: Attention `(T, h, w)`.
    """
    start, step = served.signatures["start"], served.signatures["step"]
    regions, generator, every = [None] * len(frames), np.random.default_rng(0), -(-len(frames) // EXAMINED)
    state = start(image_bytes=tf.io.encode_png(frames[0])[None])
    for row in range(len(frames)):
        before = {name: state[name].numpy() for name in ("hidden", "carry")}

        def steer(copies, before=before):
            states = {name: tf.constant(np.repeat(value, len(copies), axis=0)) for name, value in before.items()}
            images = tf.constant([tf.io.encode_png(copy).numpy() for copy in copies])
            return step(image_bytes=images, **states)["steering"].numpy()

        if row % every == 0:
            regions[row] = regions_of(steer, frames[row], weights[row], generator)
        state = step(image_bytes=tf.io.encode_png(frames[row])[None], **{n: tf.constant(v) for n, v in before.items()})
    return regions


def frames_of(frames, weights, steering, truths=None, regions=()):
    """Returns the view of frames `(N, H, W, 3)`, weights `(N, h, w)`, steering `(N,)`, and what else is known."""
    return Frames(frames, weights, steering, LARGEST_STEERING, "rad", truths, regions=list(regions))
