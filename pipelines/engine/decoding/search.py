"""Answers a model's inputs token by token: greedily, by sampling or by beam search.

Works with every model that has `encode`, `start` and `step`: recurrent or Transformer, of sentences or of images. All
of it runs in the graph, for a batch of any size, so that evaluation and serving call the same function.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.beam_search import beam_search
from attention_zoo.pipelines.engine.decoding.rules import Rules
from attention_zoo.pipelines.engine.decoding.sampling import sample
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import Ends
from attention_zoo.pipelines.engine.text.special_tokens import PAD


@tf.autograph.experimental.do_not_convert  # uses `tf.while_loop`: conversion would only slow down tracing
def decode(
    model: keras.Model,
    inputs: dict[str, tf.Tensor],
    settings: DecodingSettings,
    max_lengths: tf.Tensor | Sequence[int],
    ends: Ends = Ends(),
    rows: tf.Tensor | None = None,
    stopped: Callable[[tf.Tensor], tf.Tensor] | None = None,
    rules: Rules = Rules(),
) -> dict[str, tf.Tensor]:
    """Searches for the answers to a batch.

    The score of an answer Y to X is that of Wu et al. 2016 (equation 14):
    `log P(Y|X) / ((5 + |Y|) / 6) ** length_penalty + coverage_penalty * sum_s log(min(sum_t a_ts, 1))`, where |Y|
    counts the end of sentence and P is the model's probability without the temperature. An answer at its greatest
    length has to end. Padding, unknown and begin of sentence are never written. The coverage penalty applies to beams
    only.

    Args:
        model: Has `encode(inputs, training=False) -> memory`, `start(memory) -> state`, `step(token (B K,), state,
            memory) -> (logits (B K, V), state, scores)` and, for a coverage penalty, `alignment(scores) -> (B K, S)`.
            Memory and state are nests of batch-first Tensors. K hypotheses of a source have K consecutive rows of
            state, and one row of memory. `memory["shared"]` is a nest of Tensors that all sources share. Sources that
            are answered leave the batch. An axis of the state that grows from step to step starts with static size 0.
        inputs: Dict of Tensors for `encode`. Zeros in "source", if it is there, are padding, and need no coverage.
        settings: `DecodingSettings`.
        max_lengths: Greatest number of tokens of each answer, int32 `(B,)`.
        ends: `Ends` of the model's vocabulary. Defaults to those of the vocabularies of this project.
        rows: Numbers that decide the draws of each answer, int64 `(B,)`: an answer with the same number and seed is the
            same in whatever batch it stands. Defaults to `None`: the places in the batch.
        stopped: Function of the tokens written so far, int32 `(B, L)`, to bool `(B,)`: whether an answer is done,
            although it has not ended. Not for beams. Defaults to `None`.
        rules: `Rules` by which answers are scored and beams stop. Defaults to those of Wu et al.

    Returns:
        A dict of `tokens`, int32 `(B, N, L)` without BOS and EOS and filled up with 0; `lengths`, int32 `(B, N)`;
        `scores`, float32 `(B, N)`, best first. N is `n_best`, L the longest length. If there are fewer than N
        different answers, the rest have length 0 and score -inf.

    Raises:
        ValueError: A coverage penalty is asked for, and the model has no attention, or `stopped` is given for beams.
    """
    max_lengths = tf.convert_to_tensor(max_lengths, tf.int32)
    memory = model.encode(inputs, training=False)
    if settings.beam_size == 1:
        prompts = prompts_of(inputs, ends) if settings.repetition_penalty != 1 else None
        return sample(model, memory, max_lengths, settings, ends, rows, prompts, stopped, rules)
    if stopped is not None:
        raise ValueError("stopped: expected None for beams, received a function")
    source_mask = tf.not_equal(inputs["source"], PAD) if "source" in inputs else None
    return beam_search(model, memory, max_lengths, settings, source_mask, ends, rules)


def prompts_of(inputs: dict[str, tf.Tensor], ends: Ends) -> tf.Tensor | None:
    """Returns the tokens of prompts, int32 `(B, T)`, or `None` without prompts.

    In the place of padding stands the first token of the prompt, or `ends.begin` if it is empty.
    """
    if "tokens" not in inputs:
        return None
    tokens = tf.cast(inputs["tokens"], tf.int32)
    if "mask" not in inputs:
        return tokens
    mask = inputs["mask"]
    return tf.where(mask, tokens, tf.where(mask[:, :1], tokens[:, :1], ends.begin))
