"""How scores of answers are compared and when a beam stops: what implementations of beam search do differently.

Shapes: B sentences, K living hypotheses, N finished ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.steps import length_penalty


def power_of_length(lengths: tf.Tensor, alpha: float) -> tf.Tensor:
    """Returns the divisor `length ** alpha` of transformers' scores. Lengths count the end of sentence.

    Example:

    >>> power_of_length(tf.constant([1, 4]), 0.5).numpy().tolist()
    [1.0, 2.0]
    """
    return tf.cast(lengths, tf.float32) ** alpha


@dataclass(frozen=True)
class Rules:
    """The rules of a search. The defaults are those of Wu et al. 2016, with a stop that never changes the result.

    Args:
        divisor: Function of lengths and the exponent `length_penalty` to what the log-probability is divided by.
            Defaults to `length_penalty`, that of Wu et al.
        stop: When a beam is done: "safe", when no living hypothesis can beat the worst of the N finished ones;
            "unbeaten", when none beats it at the present length; "full", also when there are N finished ones. Defaults
            to "safe".
        limit: How an answer ends at its greatest length: "scored", with the probability that the model gives to the
            end; "free", with probability 1; "cut", without an end, which its length does not count then. Defaults to
            "scored".
        renormalise: Whether the other tokens share the probability of `Ends.barred`. Defaults to `False`.
    """

    divisor: Callable[[tf.Tensor, float], tf.Tensor] = length_penalty
    stop: Literal["safe", "unbeaten", "full"] = "safe"
    limit: Literal["scored", "free", "cut"] = "scored"
    renormalise: bool = False

    def lengths(self, step: tf.Tensor, must_end: tf.Tensor) -> tf.Tensor:
        """Returns the lengths of answers that end after so many tokens, int32 `(B,)`.

        Args:
            step: Number of tokens.
            must_end: Whether that is the greatest number, bool `(B,)`.

        Example:

        >>> Rules(limit="cut").lengths(4, tf.constant([False, True])).numpy().tolist()
        [5, 4]
        """
        return step + tf.where(must_end & (self.limit == "cut"), 0, 1)

    def is_done(
        self, scores: tf.Tensor, finished: tf.Tensor, length: tf.Tensor, max_lengths: tf.Tensor, alpha: float
    ) -> tf.Tensor:
        """Returns which sentences have no living hypothesis that goes on, bool `(B,)`.

        Args:
            scores: Log-probabilities of the living hypotheses, `(B, K)`.
            finished: Scores of the finished ones, `(B, N)`, best first, minus infinity where there is none.
            length: Length of the living hypotheses.
            max_lengths: Greatest number of tokens of each answer, without its end, `(B,)`.
            alpha: The exponent of `divisor`.

        Example:

        >>> living, finished = tf.constant([[-3.0]]), tf.constant([[-2.0]])
        >>> [bool(Rules(stop=s).is_done(living, finished, 1, tf.constant([13]), 1.0)) for s in ("safe", "unbeaten")]
        [False, True]
        """
        lengths = max_lengths + 1 if self.stop == "safe" else length
        bound = tf.reduce_max(scores, axis=1) / self.divisor(lengths, alpha)
        done = bound <= finished[:, -1]
        return done | (finished[:, -1] > -float("inf")) if self.stop == "full" else done
