"""Steering: the angle at a frame, and the locations of the frame.

The score is minus the distance, in rad, from the angle with the whole frame: areas are in hundredths of a rad.
"""

import numpy as np
import tensorflow as tf

from explained.examples import CellExamples


class SteeringExamples(CellExamples):
    """Locations of the last frame of clips of the test drives, and the angle there."""

    def __init__(self, task, model, count, like=None):
        if like is None:
            length, drives = task.config.data.clip_frames, task.drives["test"]
            ends = [(drive, end) for drive in drives for end in range(length, len(drive) + 1)]
            chosen = [ends[row] for row in np.linspace(0, len(ends) - 1, count).astype(int)]
            self.clips = np.stack([drive.frames[end - length : end] for drive, end in chosen])  # (N, T, H, W, 3)
        else:
            self.clips = like.clips
        self.images = self.clips[:, -1].astype("float32")
        self.model, self.inputs, self.grid = model, {}, model.grid
        self.before = tf.function(self.state_of, autograph=False, reduce_retracing=True)
        super().__init__(self.grid, np.ones((len(self.images), self.grid[0] * self.grid[1]), bool), like)

    def state_of(self, frames):
        """Returns the state (hidden, carry) after frames `(B, T, H, W, 3)`."""
        seen = self.model.see(frames)
        return self.model.drive(seen, self.model.first_state(seen[:, 0]))[2]

    def read(self):
        """Also drives to the last frame: the state there is an input."""
        super().read()
        states = [self.before(tf.constant(self.clips[rows, :-1])) for rows in self.batches]
        self.inputs = {
            name: np.concatenate([np.asarray(state) for state in column])
            for name, column in zip(("hidden", "carry"), zip(*states))
        }

    def call(self, features, inputs):
        """Returns the angles `(B,)`."""
        return self.model.step(features, (inputs["hidden"], inputs["carry"]))[0]

    def answers_in(self, logits):
        """Returns the angles."""
        return np.asarray(logits)

    def target(self, logits, answers):
        """Returns the angles."""
        return logits

    def score(self, logits, answers):
        """Returns minus the distance from the angles with the whole frame."""
        return -abs(logits - answers)

    def attend(self, features, inputs, answers):
        """Returns the weights of the locations."""
        weights = self.model.step(features, (inputs["hidden"], inputs["carry"]))[1].numpy()
        return {"attention": weights.reshape(len(weights), -1)}

    def gradients(self, features, inputs, answers):
        """Integrated gradients without their sign: a location matters whichever way it turns the wheel."""
        found = super().gradients(features, inputs, answers)
        return found | {"integrated gradients": abs(found["integrated gradients"])}
