"""Laps of a scripted expert in gymnasium's CarRacing-v3: the frames of the camera and the steering of the expert.

Each lap has its own track, and whole laps go into a split. The wheels are disturbed while the steering of the expert is
recorded, so all splits hold recoveries; see `car_racing_expert`. Nothing is downloaded: the laps are driven on all
cores of this machine, in two or three minutes.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.car_racing_expert import FRAME_SIZE, make_environment, record
from attention_zoo.pipelines.engine.stages import counted

TRACKS = {"train": range(1000, 1016), "validation": range(2000, 2003), "test": range(3000, 3004)}  # seeds
NOISE = 0.1  # rad, standard deviation of the disturbance
AHEAD = 4  # laps of each process that may wait to be written; a lap takes 20 MB

_DESCRIPTION = """\
Frames of CarRacing-v3 at 25 a second, 84 rows of 96 pixels: the lowest 12 rows, which show the instruments, are cut
off. `steering` is the angle of the front wheels in rad, to the right above 0, that the expert chose at this frame;
`speed` is in m/s, `episode` the seed of the track, `step` the number of the frame in its lap. Frames are stored lap by
lap, in order."""

_CITATION = """\
@article{towers2024gymnasium,
  title = {Gymnasium: A Standard Interface for Reinforcement Learning Environments},
  author = {Towers, Mark and others},
  journal = {arXiv:2407.17032},
  year = {2024}
}"""


class CarRacing(DefaultDatasetBuilder):
    """`tfds.load("car_racing")`: {"frame", "steering", "speed", "episode", "step"}, 23 laps, about 17,000 frames.

    The first use drives the laps. Raises `UserError` without the extra `driving` (gymnasium with Box2D).
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "16 laps for training, 3 for validation, 4 for the test."}
    PREPARATION = "2 or 3 minutes"

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "frame": tfds.features.Image(shape=(*FRAME_SIZE, 3), encoding_format="png"),
                    "steering": tfds.features.Scalar(np.float32),
                    "speed": tfds.features.Scalar(np.float32),
                    "episode": tfds.features.Scalar(np.int32),
                    "step": tfds.features.Scalar(np.int32),
                }
            ),
            supervised_keys=("frame", "steering"),
            homepage="https://gymnasium.farama.org/environments/box2d/car_racing/",
            citation=_CITATION,
            license="MIT",
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        make_environment().close()  # raises UserError if the simulator is not installed
        return {split: self._generate_examples(seeds) for split, seeds in TRACKS.items()}

    def _generate_examples(self, seeds: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        number = 0
        for seed, lap in counted(laps(seeds), len(seeds)):
            for step, frame in enumerate(lap["frames"]):
                columns = {name: lap[name][step] for name in ("steering", "speed")}
                yield number, {"frame": frame, **columns, "episode": seed, "step": step}
                number += 1


def laps(seeds: Sequence[int], noise: float = NOISE, max_decisions: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (seed, lap) in the order of the seeds; `record` runs in as many processes as there are cores."""
    processes = max(
        1, min(len(seeds), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    )
    # Not forked: TensorFlow's threads do not survive that.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = []
        for seed in seeds:
            waiting.append((seed, pool.submit(record, seed, noise=noise, max_decisions=max_decisions)))
            if len(waiting) >= AHEAD * processes:
                seed, lap = waiting.pop(0)
                yield seed, lap.result()
        for seed, lap in waiting:
            yield seed, lap.result()
