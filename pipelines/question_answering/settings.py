"""The settings of a question answering run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.errors import UserError, check_ranges
from attention_zoo.pipelines.engine.settings import EncoderSettings, ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The questions, the texts and the answers.

    Args:
        dataset: A TFDS dataset with SQuAD's features, such as squad11 or squad/v1.1.
        files: Your own files instead, in SQuAD's JSON form of version 1.1 or 2; answers are parts of the contexts, and
            `answer_start` counts code points. Questions without an answer are left out.
        dev: Your own files of the validation split; without them a tenth of the contexts is taken.
        test: Your own files of the test split; without them a tenth of the contexts is taken.
        max_length: Tokens of a window, those of the question and the special ones included; longer texts are read in
            windows that overlap by half.
        vocabulary_size: Pieces of words that a model without `encoder` learns, about.
        limit: Training questions to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
        strict: Whether faults in your data end the run; otherwise questions that have them are reported and skipped.
    """

    dataset: str = "squad11"
    files: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    max_length: int = 256
    vocabulary_size: int = 8_000
    limit: int = 0
    strict: bool = False

    def __post_init__(self):
        least = {"max_length": 8, "vocabulary_size": 10}
        check_ranges(self, {name: (getattr(self, name) >= size, f"at least {size}") for name, size in least.items()})


@dataclass
class BaselineSettings:
    """Baselines to compare with.

    Args:
        names: sliding_window, the words that a question shares with the text (Richardson et al. 2013), which learns
            nothing; from_scratch, the same model without the weights of the encoder that it begins with.
    """

    names: list[Literal["sliding_window", "from_scratch"]] = field(
        default_factory=lambda: ["sliding_window", "from_scratch"]
    )


@dataclass
class QuestionAnsweringConfig(TaskConfig):
    """Settings of a question answering run.

    Args:
        data: The questions, the texts and the answers.
        model: A Transformer encoder with a layer for the first and the last token of an answer.
        training: How the weights are learned; a batch has windows times tokens of batch_tokens.
        baselines: Baselines to compare with.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: EncoderSettings = field(default_factory=EncoderSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)

    def __post_init__(self):
        super().__post_init__()
        if self.training.label_smoothing:
            raise UserError(
                "--training.label_smoothing: expected 0, since answers begin and end at one token; "
                f"received {self.training.label_smoothing}"
            )
