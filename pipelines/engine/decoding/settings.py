"""The settings of decoding, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field

from attention_zoo.pipelines.engine.errors import check_ranges


@dataclass(frozen=True)
class DecodingSettings:
    """How an answer is searched for, token by token.

    Args:
        beam_size: Hypotheses that are followed at once; 1 follows a single one, greedily or by sampling.
        length_penalty: Exponent of the penalty that scores are divided by; 0 is none and favours short answers.
        coverage_penalty: Weight of the penalty on source tokens that received little attention; beams only.
        n_best: Answers to return, best first; at most `beam_size`.
        temperature: 0 takes the likeliest token; above 0, tokens are drawn, at 1 with the model's probabilities.
        top_k: Draw from this many likeliest tokens; 0 draws from all.
        top_p: Draw from the fewest likeliest tokens that together have this probability; 1 draws from all.
        repetition_penalty: Divides the logit of a token that was read or written before, or multiplies it if it is
            negative (Keskar et al. 2019, section 4.1); 1 is none. Only if beam_size is 1.
        seed: Seed of the draws: the same seed and input give the same answer.
    """

    beam_size: int = 1
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    n_best: int = 1
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 1

    def __post_init__(self):
        greedy = self.temperature == 0
        rules = {
            "beam_size": (self.beam_size >= 1, "at least 1"),
            "length_penalty": (self.length_penalty >= 0, "at least 0"),
            "coverage_penalty": (self.coverage_penalty >= 0, "at least 0"),
            "n_best": (1 <= self.n_best <= self.beam_size, f"between 1 and beam_size, {self.beam_size}"),
            "temperature": (greedy or self.temperature > 0 and self.beam_size == 1, "0, or above if beam_size is 1"),
            "top_k": (self.top_k >= 0, "at least 0"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "repetition_penalty": (
                self.repetition_penalty == 1 or self.repetition_penalty > 0 and self.beam_size == 1,
                "1, or above 0 if beam_size is 1",
            ),
        }
        check_ranges(self, rules)


@dataclass(frozen=True)
class WritingSettings(DecodingSettings):
    """How a text is continued, token by token.

    Args:
        max_tokens: Tokens to write at most. A prompt keeps its last tokens, as many as fit beside them.
        stop: Strings at whose first occurrence the writing stops; they are not part of the answer.
    """

    length_penalty: float = 0.0
    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 48
    stop: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__post_init__()
        rules = {"max_tokens": (self.max_tokens >= 1, "at least 1")}
        rules["stop"] = (
            "" not in self.stop and not (self.stop and self.beam_size > 1),
            "no empty strings, and no beams",
        )
        check_ranges(self, rules)
