"""Steering: from the frames of a camera to the angle of the wheels, and to the regions that caused it (Kim and Canny
2017).

    attention-zoo train steering                         # records an expert in a racing game, learns, and drives
    attention-zoo predict steering track:7 --attention drive.gif
    attention-zoo predict steering frame1.png frame2.png --attention heat.png

The file reads in the order in which a drive travels: settings, `load`, `preprocess`, `build`, `loss`, `evaluate`,
`baselines`, `signatures`, `after_export`, `ask`, `view`.
"""

import json

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.datasets.drives import all_clips, balanced_clips, read_drives
from attention_zoo.pipelines.datasets.tfds import SPLITS, describe_split
from attention_zoo.pipelines.engine.images.image_files import decode_each_image
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.run.twin import train_twin
from attention_zoo.pipelines.engine.serving.answers import empty_where, first_error
from attention_zoo.pipelines.engine.serving.versions import load_saved_model
from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.engine.views import Frames
from attention_zoo.pipelines.steering.asking import WATCHED, ask_tracks_or_clip, frames_of, read_track_or_image
from attention_zoo.pipelines.steering.driving import describe, drive
from attention_zoo.pipelines.steering.replay import causal_saliency, replay_drive
from attention_zoo.pipelines.steering.settings import SteeringConfig


class Steering(Task):
    """Frames in, steering out; see `Task` for the order of the methods."""

    name = "steering"
    Config = SteeringConfig
    View = Frames
    answers_with = "steering"
    asked_together = None  # the frames of one clip
    unit = "frames"
    changeable_data_settings = ("strict",)
    lower_is_better = ("loss", "mae")
    network = models.AttentiveDriver
    read_input = staticmethod(read_track_or_image)
    ask = staticmethod(ask_tracks_or_clip)

    @property
    def size(self):
        """(height, width) of a frame."""
        return self.config.data.height, self.config.data.width

    def load(self):
        """Reads the drives of the three splits; the first time, the expert has to drive them."""
        data = self.config.data
        self.drives, self.data_version = read_drives(
            *(data.dataset, data.folder, self.size, data.strict, data.dev, data.test)
        )
        for split in SPLITS:
            steering = np.concatenate([drive.steering for drive in self.drives[split]])
            things = f"frames of {len(self.drives[split])} drives, steering {steering.std():.3f} (standard deviation)"
            print(describe_split(split, len(steering), things))

    def adapt(self):
        """Learns the constant answer that is best on the training split: the median."""
        self.constant = float(np.median(np.concatenate([drive.steering for drive in self.drives["train"]])))

    def preprocess(self, split, epoch):
        """Returns batches of clips: one after the other, those for training drawn evenly over the steering."""
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
        """Mean absolute error in rad along whole drives; on the test split also what is causal."""
        replays = [replay_drive(model, drive) for drive in counted(self.drives[split])]
        scores = {"mae": self.error(np.concatenate([steering for steering, *_ in replays]), split)}
        if split != "test":
            return scores
        saliency = causal_saliency(model, self.drives[split], replays)
        return scores | {f"causal/{name}": value for name, value in saliency.items()}

    def error(self, answers, split):
        """Mean absolute error of answers along the drives of a split, in rad."""
        return float(np.abs(answers - np.concatenate([drive.steering for drive in self.drives[split]])).mean())

    def baselines(self):
        """Errors of a constant answer, and of the network without attention, trained beside the run."""
        _, twin, _ = train_twin(self, "the same without attention, to compare with", network=models.UniformDriver)
        answers = np.concatenate([replay_drive(twin, drive)[0] for drive in counted(self.drives["test"])])
        return {"constant_mae": self.error(self.constant, "test"), "no_attention_mae": self.error(answers, "test")}

    def attend(self, model, image_bytes):
        """Returns `steering` `(B, T)` at each frame of clips, `weights` `(B, T, h, w)`, and `error` `(B,)`."""
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
        """Returns what the SavedModel answers: clips, and one frame after the other, with the state handed on."""
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
        """Has the exported model drive new tracks: writes `drives.json` and an animation, returns tiles in percent."""
        settings, reports = self.config.drive, []
        if not settings.tracks:
            return {}
        served = load_saved_model(exported.parent)
        for seed in counted(range(settings.first_seed, settings.first_seed + settings.tracks)):
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
        steering, weights, _ = replay_drive(model, longest)
        rows = np.argsort(longest.steering)[np.linspace(0, len(longest) - 1, 5).astype(int)]
        views = (
            frames_of(longest.frames[[row]], weights[[row]], steering[[row]], longest.steering[[row]]) for row in rows
        )
        return [draw(view, directory / f"attention-{number}.png") for number, view in enumerate(views, start=1)]

    def next_command(self):
        """Returns the command a user will want next."""
        return predict_command(self.name, f"track:{self.config.drive.first_seed + 100}", picture="drive.gif")

    @staticmethod
    def say(answer):
        """Returns the report of a drive, or the steering at each frame of a clip, in rad."""
        if "tiles" in answer:
            return describe(answer)
        return "\n".join(f"{angle:+.4f}" for angle in answer["steering"])

    @staticmethod
    def view(answer):
        """Returns the frames, and where the model looked."""
        seen = {name: answer[name] for name in ("frames", "weights", "steering")}
        return frames_of(**seen, regions=answer.get("regions", ()))
