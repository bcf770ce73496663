"""Steering: from the frames of a camera to the angle of the wheels, and to the regions that caused it (Kim and Canny
2017).

    attention-zoo train steering                         # records an expert in a racing game, learns, and drives
    attention-zoo predict steering track:7 --attention drive.gif
    attention-zoo predict steering frame1.png frame2.png --attention heat.png

The file reads in the order in which a drive travels: settings, `load`, `preprocess`, `build`, `loss`, `evaluate`,
`signatures`, `after_export`, `illustrate`.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.datasets.drives import all_clips, balanced_clips, read_drives
from attention_zoo.pipelines.datasets.tfds import SPLITS
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_images, read_image_file
from attention_zoo.pipelines.engine.pictures.heat_maps import draw_image_attention
from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.scores.causal_saliency import LATER, examine
from attention_zoo.pipelines.engine.serving.export import load_saved_model
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.trainer import Trainer
from attention_zoo.pipelines.steering.driving import describe, drive, write_gif
from attention_zoo.pipelines.steering.settings import SteeringConfig

WATCHED = 250  # decisions of a drive that the animation shows: ten seconds
EXAMINED = 480  # frames of the test split that are examined for causal regions


class Steering(Task):
    """Frames in, steering out; see `Task` for the order of the methods."""

    name = "steering"
    Config = SteeringConfig
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
        looked_at = tf.reduce_sum(scores["driver/spatial"], axis=1)  # Σ_t α_ti, (B, h, w)
        coverage = tf.reduce_sum(tf.square(1.0 - looked_at))
        frames = tf.cast(tf.size(batch["steering"]), tf.float32)
        return error + self.config.model.coverage * coverage, frames, {"loss": error, "coverage": coverage}

    def see(self, image_bytes):
        """Encoded frames (N,) -> pixels (N, H, W, 3)."""
        return decode_images(image_bytes, self.size)

    def evaluate(self, model, split):
        """Mean absolute error in rad along whole drives; on the test split also the baselines' and what is causal."""
        seen = [self.along(model, drive) for drive in self.drives[split]]
        truth = np.concatenate([drive.steering for drive in self.drives[split]])

        def error(answers):
            return float(np.abs(answers - truth).mean())

        scores = {"mae": error(np.concatenate([steering for steering, *_ in seen]))}
        if split != "test":
            return scores
        twin = self.without_attention()
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

    def without_attention(self):
        """The same network with uniform weights, trained in the same way; it is kept with the run, as its checkpoints."""
        folder = self.folder.twin
        twin = WithoutAttention(self.config, folder.path)
        twin.drives, twin._tensors = self.drives, getattr(self, "_tensors", {})
        folder.path.mkdir(exist_ok=True)
        model = twin.build()
        print(f"the same without attention, {model.count_params():,} parameters:")
        store = CheckpointStore(folder.checkpoints, self.config.training.keep_checkpoints)
        Trainer(twin, model, store, TrainingReporter(folder, unit=self.unit)).fit()
        return model

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
        """The steering at every frame of the clips (B, T) and the weights (B, T, h, w)."""
        shape = tf.shape(image_bytes)
        with tf.control_dependencies(
            [tf.debugging.assert_positive(shape[1], "image_bytes: expected one frame at least")]
        ):
            frames = self.see(tf.reshape(image_bytes, [-1]))
        frames = tf.reshape(frames, tf.concat([shape, tf.constant([*self.size, 3])], axis=0))
        steering, scores = model(frames, training=False, return_attention_scores=True)
        return {"steering": steering, "weights": scores["driver/spatial"]}

    def signatures(self, model):
        """Returns what the SavedModel answers: for clips, and for one frame after the other, with the state handed on."""
        units = model.units
        clips = {"image_bytes": tf.TensorSpec([None, None], tf.string)}
        one = {"image_bytes": tf.TensorSpec([None], tf.string)}
        state = {name: tf.TensorSpec([None, units], tf.float32) for name in ("hidden", "carry")}

        def start(image_bytes):
            hidden, carry = model.start(self.see(image_bytes))
            return {"hidden": tf.cast(hidden, tf.float32), "carry": tf.cast(carry, tf.float32)}

        def step(image_bytes, hidden, carry):
            steering, weights, (hidden, carry) = model.step(self.see(image_bytes), (hidden, carry))
            return {"steering": steering, "weights": weights, "hidden": hidden, "carry": carry}

        signatures = {
            "serving_default": (
                lambda image_bytes: {"steering": self.attend(model, image_bytes)["steering"][:, -1]},
                clips,
            ),
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
        settings = self.config.drive
        if not settings.tracks:
            return {}
        served, reports = tf.saved_model.load(str(exported)), []
        for number in range(settings.tracks):
            report, watched = drive(
                served, settings.first_seed + number, settings.max_decisions, 0 if number else WATCHED
            )
            reports.append(report)
            print(describe(report))
            if watched:
                print(f"picture: {write_gif(watched, self.folder.pictures / 'drive.gif')}")
        atomic_write(self.folder.drives, json.dumps(reports, indent=1) + "\n")
        tiles = [100 * report["tiles"] for report in reports]
        return {"drive/tiles_mean": float(np.mean(tiles)), "drive/tiles_min": float(min(tiles))}

    def illustrate(self, model, directory):
        """Draws where the model looks on a few test frames, straight on and in bends, and the curves of the run."""
        drive = max(self.drives["test"], key=len)
        steering, weights, _ = self.along(model, drive)
        rows = np.argsort(drive.steering)[np.linspace(0, len(drive) - 1, 5).astype(int)]
        pictures = []
        for number, row in enumerate(rows, start=1):
            seen = drive.frames[row], weights[row], steering[row]
            pictures.append(draw_watched([seen], directory / f"attention-{number}.png"))
        return [*pictures, self.draw_curves(directory)]

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
    def predict(inputs, model_directory, attention=None):
        """Drives tracks, or answers a clip of frames, with an exported SavedModel, and prints a line for each.

        Args:
            inputs: What `read_input` returned: tracks, or the frames of one clip in their order.
            model_directory: Folder of the task's exports; the newest version answers.
            attention: Where to draw the attention: to a GIF, of the first ten seconds of the first drive or of the
                clip; to a PNG, of the last frame of those.

        Returns:
            The exit code.
        """
        inputs, tracks = list(inputs), [one for one in inputs if isinstance(one, Track)]
        if tracks and len(tracks) < len(inputs):
            raise UserError("expected either tracks (track:SEED) or the frames of one clip, received both")
        served, watched = load_saved_model(model_directory, "steering"), []
        for track in tracks:
            watch = WATCHED if attention is not None and not watched else 0
            report, seen = drive(served, track.seed, watch=watch)
            print(describe(report))
            watched += seen
        if not tracks:
            watched = answer_clip(served, [file.image_bytes for file in inputs])
        if attention is not None:
            print(f"picture: {draw_watched(watched, Path(attention))}", file=sys.stderr)
        return 0


class WithoutAttention(Steering):
    """The baseline: everything the same but the weights, which are uniform."""

    network = models.UniformDriver


class Track(NamedTuple):
    """A track of the racing game."""

    seed: int


def answer_clip(served, files):
    """Prints the steering at each frame of a clip; returns what `write_gif` takes."""
    answers = served.signatures["attention"](image_bytes=tf.constant([files]))
    steering, weights = (answers[name][0].numpy() for name in ("steering", "weights"))
    for angle in steering:
        print(f"{angle:+.4f}")
    size = [8 * cells for cells in weights.shape[1:]]
    return list(zip(decode_images(tf.constant(files), size).numpy(), weights, steering))


def draw_watched(watched, path):
    """Draws frames under their attention: all of them as an animation, where the path ends in .gif, else the last one."""
    if path.suffix == ".gif":
        return write_gif(watched, path)
    frame, weights, steering = watched[-1]
    return draw_image_attention(frame, weights[None], [f"{steering:+.2f} rad"], path)
