"""Steering: from the frames of a camera to the angle of the wheels, and to the regions that caused it (Kim and Canny
2017).

    attention-zoo train steering                         # records an expert in a racing game, learns, and drives
    attention-zoo predict steering track:7 --attention drive.gif
    attention-zoo predict steering frame1.png frame2.png --attention heat.png

The file reads in the order in which a drive travels: settings, `load`, `preprocess`, `build`, `loss`, `evaluate`,
`signatures`, `after_export`, `ask`, `view`.
"""

import json
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.datasets.drives import all_clips, balanced_clips, read_drives
from attention_zoo.pipelines.datasets.tfds import SPLITS
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_each_image, decode_images, read_image_file
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.scores.causal_saliency import LATER, examine
from attention_zoo.pipelines.engine.serving.answers import empty_where, first_error
from attention_zoo.pipelines.engine.serving.asking import ask_rows
from attention_zoo.pipelines.engine.serving.export import load_saved_model
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.views import Frames
from attention_zoo.pipelines.steering.driving import describe, drive
from attention_zoo.pipelines.steering.settings import SteeringConfig

WATCHED = 250  # decisions of a drive that the animation shows: ten seconds
LARGEST_STEERING = 0.4  # rad
EXAMINED = 480  # frames of the test split that are examined for causal regions


class Steering(Task):
    """Frames in, steering out; see `Task` for the order of the methods."""

    name = "steering"
    Config = SteeringConfig
    View = Frames
    answers_with = "steering"
    asked_together = None  # the frames of one clip
    unit = "frames"
    lower_is_better = ("loss", "mae")
    network = models.AttentiveDriver

    @property
    def size(self):
        """(height, width) of a frame."""
        return self.config.data.height, self.config.data.width

    def load(self):
        """Reads the drives of the three splits; the first time, the expert has to drive them."""
        data = self.config.data
        self.drives, self.data_version = read_drives(data.dataset, data.folders, self.size)
        for split in SPLITS:
            steering = np.concatenate([drive.steering for drive in self.drives[split]])
            print(
                f"{split}: {len(self.drives[split])} drives, {len(steering):,} frames, steering {steering.std():.3f} (std)"
            )

    def adapt(self):
        """Learns the constant answer that is best on the training split: the median."""
        self.constant = float(np.median(np.concatenate([drive.steering for drive in self.drives["train"]])))

    def preprocess(self, split, epoch):
        """Returns batches of clips: for training a drive's worth drawn evenly over the steering, else one after the other."""
        data, training, drives = self.config.data, self.config.training, self.drives[split]
        length, rows = data.clip_frames, max(1, training.batch_tokens // data.clip_frames)
        if split == "train":
            generator = np.random.default_rng([training.seed, epoch])
            count = max(1, sum(map(len, drives)) // length)
            clips = balanced_clips(drives, length, count, generator)
            mirrored = generator.integers(2, size=count) * int(data.flip)
        else:
            clips = all_clips(drives, length, stride=length)
            mirrored = np.zeros(len(clips), int)
        begins = np.cumsum([0, *map(len, drives)])[clips[:, 0]] + clips[:, 1]
        frames, steering = self.tensors(split)

        def clip(begin, mirror):
            images, angles = frames[begin : begin + length], steering[begin : begin + length]
            images = tf.where(mirror, images[:, :, ::-1], images)
            images, angles = tf.ensure_shape(images, (length, *self.size, 3)), tf.ensure_shape(angles, (length,))
            return {"frames": images, "steering": tf.where(mirror, -angles, angles)}

        dataset = tf.data.Dataset.from_tensor_slices((begins, mirrored.astype(bool)))
        dataset = dataset.map(clip, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return dataset.batch(rows).prefetch(tf.data.AUTOTUNE)

    def tensors(self, split):
        """All frames and all steering of a split, drive after drive."""
        self._tensors = getattr(self, "_tensors", {})
        if split not in self._tensors:
            drives = self.drives[split]
            with tf.device("CPU"):
                self._tensors[split] = [
                    tf.concat([getattr(d, name) for d in drives], 0) for name in ("frames", "steering")
                ]
        return self._tensors[split]

    def build(self):
        """Returns the network, built by a call on one frame."""
        settings = self.config.model
        model = self.network(*self.size, units=settings.units, dropout=settings.dropout)
        model(tf.zeros((1, 1, *self.size, 3), tf.uint8))
        return model

    def loss(self, model, batch, training):
        """Σ_t |u_t - û_t| + λ Σ_i (1 - Σ_t α_ti)² over the clips; a frame weighs one."""
        steering, scores = model(batch["frames"], training=training, return_attention_scores=True)
        error = tf.reduce_sum(tf.abs(steering - batch["steering"]))
        looked_at = tf.reduce_sum(model.alignment(scores), axis=1)  # Σ_t α_ti, (B, h, w)
        coverage = tf.reduce_sum(tf.square(1.0 - looked_at))
        frames = tf.cast(tf.size(batch["steering"]), tf.float32)
        return error + self.config.model.coverage * coverage, frames, {"loss": error, "coverage": coverage}

    def evaluate(self, model, split):
        """Mean absolute error in rad along whole drives; on the test split also the baselines' and what is causal."""
        seen = [self.along(model, drive) for drive in self.drives[split]]
        truth = np.concatenate([drive.steering for drive in self.drives[split]])

        def error(answers):
            return float(np.abs(answers - truth).mean())

        scores = {"mae": error(np.concatenate([steering for steering, *_ in seen]))}
        if split != "test":
            return scores
        _, twin, _ = train_twin(self, "the same without attention, to compare with", network=models.UniformDriver)
        answers = np.concatenate([self.along(twin, drive)[0] for drive in self.drives[split]])
        scores |= {"baseline/constant_mae": error(self.constant), "baseline/no_attention_mae": error(answers)}
        return scores | {f"causal/{name}": value for name, value in self.causal_saliency(model, seen).items()}

    def along(self, model, drive):
        """Drives along with the expert, the state carried from the first frame to the last.

        Returns:
            Steering `(N,)`, weights `(N, h, w)`, and the state (hidden, carry) before each frame, `(N, 2, U)`.
        """
        spec = tf.TensorSpec((1, *self.size, 3), tf.uint8)
        state = model.start(drive.frames[:1])
        state_spec = tf.TensorSpec((1, model.units), state[0].dtype)
        step = tf.function(model.step, input_signature=[spec, (state_spec, state_spec)], autograph=False)
        results = []
        for frame in drive.frames:
            before = state
            steering, weights, state = step(
                tf.constant(frame[None]), tuple(tf.cast(part, state_spec.dtype) for part in state)
            )
            results.append((steering[0], weights[0], tf.concat(before, axis=0)))
        return [np.stack([np.asarray(value) for value in column]) for column in zip(*results)]

    def causal_saliency(self, model, seen):
        """The second stage on frames of the test split, see `causal_saliency.examine`."""
        frames, truths, states, weights = [], [], [], []
        total = sum(len(drive) for drive in self.drives["test"])
        for test_drive, (_, alphas, before) in zip(self.drives["test"], seen):
            for row in range(LATER, len(test_drive) - LATER, max(1, total // EXAMINED)):
                pair = [row, row + LATER]
                frames.append(test_drive.frames[pair])
                truths.append(test_drive.steering[pair])
                states.append(before[pair])
                weights.append(alphas[row])

        @tf.function(reduce_retracing=True, autograph=False)
        def answers(images, state):
            count = tf.shape(images)[0]
            return model.step(images, tuple(tf.repeat(part[None], count, axis=0) for part in tf.unstack(state)))[0]

        def predict(images, state):
            return answers(tf.constant(images), tf.constant(state)).numpy()

        return examine(predict, frames, truths, states, weights)

    def attend(self, model, image_bytes):
        """The steering at every frame of the clips (B, T), the weights (B, T, h, w), and the `error` of each clip (B,)."""
        shape = tf.shape(image_bytes)
        with tf.control_dependencies(
            [tf.debugging.assert_positive(shape[1], "image_bytes: expected one frame at least")]
        ):
            frames, errors = decode_each_image(tf.reshape(image_bytes, [-1]), self.size)
        frames = tf.reshape(frames, tf.concat([shape, tf.constant([*self.size, 3])], axis=0))
        steering, scores = model(frames, training=False, return_attention_scores=True)
        error = first_error(tf.reshape(errors, shape), "frame")
        return empty_where(error, {"steering": steering, "weights": model.alignment(scores)})

    def signatures(self, model):
        """Returns what the SavedModel answers: for clips, and for one frame after the other, with the state handed on."""
        units = model.units
        clips = {"image_bytes": tf.TensorSpec([None, None], tf.string)}
        one = {"image_bytes": tf.TensorSpec([None], tf.string)}
        state = {name: tf.TensorSpec([None, units], tf.float32) for name in ("hidden", "carry")}

        def start(image_bytes):
            frames, error = decode_each_image(image_bytes, self.size)
            hidden, carry = model.start(frames)
            return empty_where(error, {"hidden": tf.cast(hidden, tf.float32), "carry": tf.cast(carry, tf.float32)})

        def step(image_bytes, hidden, carry):
            frames, error = decode_each_image(image_bytes, self.size)
            steering, weights, (hidden, carry) = model.step(frames, (hidden, carry))
            return empty_where(error, {"steering": steering, "weights": weights, "hidden": hidden, "carry": carry})

        def serving_default(image_bytes):
            answer = self.attend(model, image_bytes)
            return {"steering": answer["steering"][:, -1], "error": answer["error"]}

        signatures = {
            "serving_default": (serving_default, clips),
            "attention": (lambda image_bytes: self.attend(model, image_bytes), clips),
            "start": (start, one),
            "step": (step, one | state),
        }
        frame = tf.io.encode_png(self.drives["test"][0].frames[0])
        warm_up = {"image_bytes": tf.fill([1, self.config.data.clip_frames], frame)}
        warm_up |= {"start/image_bytes": frame[None], "step/image_bytes": frame[None]}
        return [model], signatures, warm_up | {name: tf.zeros([1, units]) for name in state}

    def after_export(self, exported):
        """Has the exported model drive tracks that nobody saw: `drives.json`, an animation, and the tiles in percent."""
        settings, reports = self.config.drive, []
        if not settings.tracks:
            return {}
        served = load_saved_model(exported.parent)
        for seed in range(settings.first_seed, settings.first_seed + settings.tracks):
            report, watched = drive(served, seed, settings.max_decisions, 0 if reports else WATCHED)
            reports.append(report)
            print(describe(report))
            if watched:
                print(f"picture: {draw(frames_of(*watched), self.folder.pictures / 'drive.gif')}")
        atomic_write(self.folder.drives, json.dumps(reports, indent=1) + "\n")
        tiles = [100 * report["tiles"] for report in reports]
        return {"drive/tiles_mean": float(np.mean(tiles)), "drive/tiles_min": float(min(tiles))}

    def illustrate(self, model, directory):
        """Draws where the model looks on a few test frames, straight on and in bends."""
        longest = max(self.drives["test"], key=len)
        steering, weights, _ = self.along(model, longest)
        rows = np.argsort(longest.steering)[np.linspace(0, len(longest) - 1, 5).astype(int)]
        return [
            draw(
                frames_of(longest.frames[[row]], weights[[row]], steering[[row]]), directory / f"attention-{number}.png"
            )
            for number, row in enumerate(rows, start=1)
        ]

    def next_command(self):
        """Returns the command a user will want next."""
        return f"attention-zoo predict steering track:{self.config.drive.first_seed + 100} --attention drive.gif"

    @staticmethod
    def read_input(argument):
        """`track:SEED` is a track of the game to drive, everything else the file of a frame."""
        kind, _, seed = argument.partition(":")
        if kind == "track" and seed.isascii() and seed.isdecimal() and int(seed) < 2**31:
            return Track(int(seed))
        return read_image_file(argument)

    @staticmethod
    def ask(served, inputs, attention=False):
        """Drives tracks, or answers the frames of one clip in their order: a dict for each track, or one for the clip.

        With attention the answer to a track has its first ten seconds, as `frames`, `weights` and `steering`.
        """
        tracks = [one for one in inputs if isinstance(one, Track)]
        if not tracks:
            yield ask_clip(served, inputs)
            return
        if len(tracks) < len(inputs):
            raise UserError("expected either tracks (track:SEED) or the frames of one clip, received both")
        for track in tracks:
            report, watched = drive(served, track.seed, watch=WATCHED * attention)
            seen = dict(zip(("frames", "weights", "steering"), watched))
            yield {"input": f"track:{track.seed}", **report, **seen}

    @staticmethod
    def say(answer):
        """Returns the report of a drive, or the steering at each frame of a clip, in rad."""
        if "tiles" in answer:
            return describe(answer)
        return "\n".join(f"{angle:+.4f}" for angle in answer["steering"])

    @staticmethod
    def view(answer):
        """Returns the frames, and where the model looked."""
        return frames_of(answer["frames"], answer["weights"], answer["steering"])


class Track(NamedTuple):
    """A track of the racing game."""

    seed: int


def ask_clip(served, files):
    """Asks for the steering at each frame of a clip: frames `(T, H, W, 3)`, weights `(T, h, w)`, steering `(T,)`."""
    (answer,) = ask_rows(served, True, image_bytes=tf.constant([[file.image_bytes for file in files]]))
    if answer["error"]:
        return {"input": " ".join(file.name for file in files), "error": answer["error"]}
    size = [8 * cells for cells in answer["weights"].shape[1:]]
    frames = decode_images(tf.constant([file.image_bytes for file in files]), size).numpy()
    return {"input": " ".join(file.name for file in files), "frames": frames, **answer}


def frames_of(frames, weights, steering):
    """Returns the view of frames `(N, H, W, 3)`, weights `(N, h, w)` and steering `(N,)`."""
    return Frames(frames, weights, steering, limit=LARGEST_STEERING, unit="rad")
