"""The settings of a steering run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field

from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The drives.

    Args:
        dataset: A TFDS dataset of drives with the features frame, steering, episode and step.
        folder: Your own drives instead of a dataset: FOLDER/DRIVE/steering.csv with lines of timestamp,frame,steering,
            and FOLDER/DRIVE/frames/ with the images. In the order of their names, the last drive is for test, the one
            before it for validation, the others for training; or FOLDER/{train,validation,test}/DRIVE/.
        dev: Your own drives for the dev split, DEV/DRIVE/; otherwise one of the others.
        test: Your own drives for the test split, TEST/DRIVE/.
        strict: Whether faults in your data end the run; otherwise lines and files that have them are reported and
            skipped.
        height: Height that every frame is resized to, in pixels.
        width: Width that every frame is resized to.
        clip_frames: Consecutive frames that the recurrent network learns from at once; `training.batch_tokens` counts
            frames.
        flip: Mirror half of the training clips, and their steering.
    """

    dataset: str = "car_racing"
    folder: str = ""
    dev: str = ""
    test: str = ""
    strict: bool = False
    height: int = 84
    width: int = 96
    clip_frames: int = 20
    flip: bool = True


@dataclass
class ModelSettings:
    """The network of Kim and Canny 2017.

    Args:
        units: Size of the recurrent state, and of the hidden layers of attention and output.
        dropout: Share of the output's hidden features set to zero in training.
        coverage: λ, the weight of Σ_i (1 - Σ_t α_ti)², which is 0 where each location gets a total weight of 1 in a
            clip.
    """

    units: int = 64
    dropout: float = 0.0
    coverage: float = 0.001


@dataclass
class DriveSettings:
    """Closed-loop drives of the exported model.

    Args:
        tracks: Number of unseen tracks of the racing game that it drives; 0 is none.
        first_seed: Seed of the first track; the next tracks have the next seeds.
        max_decisions: Decisions after which a drive ends, 25 a second; 0 ends with the lap.
    """

    tracks: int = 6
    first_seed: int = 4000
    max_decisions: int = 0


@dataclass
class SteeringConfig(TaskConfig):
    """Settings of a steering run.

    Args:
        data: The drives.
        model: The network.
        training: How the weights are learned.
        drive: Closed-loop drives of the exported model.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    drive: DriveSettings = field(default_factory=DriveSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
