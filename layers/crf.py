"""A linear-chain conditional random field: scores of tags, and of which tag follows which (Lafferty et al. 2001).

Notation: B batch, T positions, K tags.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.loop import loop

FORBIDDEN = -1.0e8  # score of what is forbidden: finite, so that a sum of a few stays a number
UNREACHABLE = -1.0e12  # score of the tags before the first position, and of the start after it; below all others


def tagging_constraints(tags):
    """Finds which tags may not follow one another in the schemes BIO (IOB2) and BILOU.

    Args:
        tags: List of names: "O", and a prefix of B, I, L, U, a hyphen and a type, such as "B-PER".

    Returns:
        A dict of the arguments of `ConditionalRandomField`: `forbidden_transitions`, `forbidden_starts` and
        `forbidden_ends`.

    Example:

    >>> from attention_zoo.layers.crf import tagging_constraints
    >>> tagging_constraints(["O", "B-PER", "I-PER"])
    {'forbidden_transitions': [[0, 2]], 'forbidden_starts': [2], 'forbidden_ends': []}
    """
    bilou = any(tag[0] in "LU" for tag in tags if "-" in tag)
    parts = [tag.split("-", 1) if "-" in tag else (tag, "") for tag in tags]

    def inside(before, after):  # what continues an entity needs a beginning of the same type
        return before[0] in "BI" and before[1] == after[1]

    def may_follow(before, after):
        if after[0] in "IL":
            return inside(before, after)
        return not (bilou and before[0] in "BI")  # an entity of BILOU has to be closed

    pairs = [[i, j] for i, before in enumerate(parts) for j, after in enumerate(parts) if not may_follow(before, after)]
    return {
        "forbidden_transitions": pairs,
        "forbidden_starts": [i for i, part in enumerate(parts) if part[0] in "IL"],
        "forbidden_ends": [i for i, part in enumerate(parts) if bilou and part[0] in "BI"],
    }


@keras.saving.register_keras_serializable("attention_zoo")
class ConditionalRandomField(keras.layers.Layer):
    """P(y | x) = exp(start(y_1) + Σ_t emission_t(y_t) + Σ_t transition(y_t, y_t+1) + end(y_T)) / Z(x).

    The emissions come from the layers before. The layer owns the weights `transitions` (K, K), `start` (K,) and `end`
    (K,), which start near zero. `call` returns the probability of each tag at each position; `log_likelihood` is what
    training maximises, and `decode` finds the most probable sequence.

    Everything is computed in float32 and in log space, by forward and backward messages. `log_likelihood` computes its
    gradient from the messages, too: the gradient of log Z is the expected count of each tag and transition. So the
    loops keep nothing for automatic differentiation, and no tensor has B T K K elements. It has no second derivative.

    Reference: Lafferty, McCallum and Pereira 2001, "Conditional Random Fields", sec. 3; on top of a network: Lample et
    al. 2016, "Neural Architectures for Named Entity Recognition", sec. 2.2, eq. 1 to 3, without the constraints.

    Args:
        num_tags: K, a positive integer.
        forbidden_transitions: List of pairs (tag, next tag) that cannot be. `tagging_constraints` finds those of BIO
            and BILOU. Defaults to none.
        forbidden_starts: List of tags that cannot be first. Defaults to none.
        forbidden_ends: List of tags that cannot be last. Defaults to none.

    Call arguments:
        inputs: (B, T, K), the emission scores of the tags.
        mask: Bool (B, T), True = a position of the sequence. Sequences are padded at their right; one may be empty.
            Defaults to `None`: the Keras mask of `inputs`, where it carries one.

    Returns:
        The marginal probabilities of the tags (B, T, K) in the compute dtype; zeros where the mask is False.

    Raises:
        ValueError: If `num_tags` is not a positive integer, a forbidden tag is not one of them, or the inputs do not
            have K features.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import ConditionalRandomField
    >>> crf = ConditionalRandomField(3, forbidden_transitions=[[0, 2]], forbidden_starts=[2])
    >>> emissions = keras.ops.array([[[1.0, 0.0, 5.0], [0.0, 0.0, 3.0]]])
    >>> crf(emissions).shape
    TensorShape([1, 2, 3])
    >>> tags, scores = crf.decode(emissions)
    >>> print(tags.numpy())
    [[1 2]]
    """

    def __init__(self, num_tags, forbidden_transitions=None, forbidden_starts=None, forbidden_ends=None, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("num_tags", num_tags)
        self.supports_masking = True
        self.num_tags = num_tags
        self.forbidden_transitions = [list(pair) for pair in forbidden_transitions or []]
        self.forbidden_starts = list(forbidden_starts or [])
        self.forbidden_ends = list(forbidden_ends or [])
        tags = [*self.forbidden_starts, *self.forbidden_ends, *(tag for p in self.forbidden_transitions for tag in p)]
        if not all(0 <= tag < num_tags for tag in tags) or any(len(pair) != 2 for pair in self.forbidden_transitions):
            raise ValueError(
                f"ConditionalRandomField: forbidden tags must be integers from 0 to {num_tags - 1}, and transitions "
                f"pairs of them. Received: forbidden_transitions={forbidden_transitions}, "
                f"forbidden_starts={forbidden_starts}, forbidden_ends={forbidden_ends}"
            )

    def build(self, input_shape):
        if len(input_shape) != 3 or input_shape[-1] != self.num_tags:
            raise ValueError(
                f"ConditionalRandomField: `inputs` must have the shape (B, T, {self.num_tags}), a score for each tag. "
                f"Received: inputs of shape {input_shape}"
            )
        tags = self.num_tags
        for name, shape in (("transitions", (tags, tags)), ("start", (tags,)), ("end", (tags,))):
            initializer = keras.initializers.RandomUniform(-0.1, 0.1)
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer=initializer))

    def call(self, inputs, mask=None):
        emissions, mask = self._prepare(inputs, mask)
        transitions, start, end = self._scores()
        forward, backward = _messages_of_both_directions(emissions, transitions, start, end, mask)
        # At each position the sum over the tags is log Z. Softmax divides by that sum as it was rounded there, so that
        # no probability is above 1 in a long sequence, whose log Z has more digits before the point than after it.
        marginals = ops.softmax(forward + emissions + backward, axis=-1)  # (B, T, K)
        return ops.cast(ops.where(mask[..., None], marginals, 0.0), self.compute_dtype)

    def log_likelihood(self, inputs, tags, mask=None):
        """Computes log P(tags | inputs), which is never above zero.

        Args:
            inputs: (B, T, K).
            tags: Integers (B, T); what they are where the mask is False does not matter.
            mask: As in `call`. Defaults to `None`, which is no padding.

        Returns:
            float32 (B,); 0 for an empty sequence.
        """
        emissions, mask = self._prepare(inputs, mask)
        transitions, start, end = self._scores()
        fixed = [ops.stop_gradient(scores) for scores in (emissions, transitions, start, end)]
        forward = _messages(fixed[0], _with_start(*fixed[1:3]), mask) + fixed[0]  # (B, T, K)
        log_z = self._log_z(forward, fixed[3], mask)  # (B,)
        backward, pairs = self._backward(fixed[0], fixed[1], fixed[3], mask, forward - log_z[:, None, None])
        marginals = ops.where(mask[..., None], ops.exp(forward + backward - log_z[:, None, None]), 0.0)

        gold = ops.one_hot(ops.where(mask, ops.cast(tags, "int32"), -1), self.num_tags, dtype="float32")  # (B, T, K)
        gold_pairs = ops.matmul(ops.swapaxes(gold[:, :-1], 1, 2), gold[:, 1:])  # (B, K, K)
        last = ops.cast(_last(mask), "float32")[..., None]  # (B, T, 1)

        def score(counts, pair_counts, emissions, transitions, start, end):
            return (
                ops.sum(counts * emissions, axis=(1, 2))
                + ops.sum(pair_counts * transitions, axis=(1, 2))
                + ops.sum(counts[:, 0] * start, axis=-1)
                + ops.sum(counts * last * end, axis=(1, 2))
            )

        value = ops.minimum(score(gold, gold_pairs, *fixed) - log_z, 0.0)
        # The observed counts minus the expected ones are the gradient; the value of this sum does not matter.
        slope = score(gold - marginals, gold_pairs - pairs, emissions, transitions, start, end)
        return ops.stop_gradient(value) + slope - ops.stop_gradient(slope)

    def decode(self, inputs, mask=None):
        """Finds the most probable sequence of tags, by Viterbi's algorithm.

        Args:
            inputs: (B, T, K).
            mask: As in `call`. Defaults to `None`, which is no padding.

        Returns:
            (tags, scores): int32 (B, T), 0 where the mask is False; and the unnormalised log-probability of the
            sequence, float32 (B,), 0 for an empty one.
        """
        emissions, mask = self._prepare(inputs, mask)
        transitions, start, end = self._scores()
        transitions = _with_start(transitions, start)

        def forward(inputs, best):
            emission, seen = inputs[:, :-1], inputs[:, -1:] > 0
            scores = best[:, :, None] + transitions  # (B, K + 1, K + 1)
            best = ops.where(seen, ops.max(scores, axis=1) + emission, best)
            return (ops.argmax(scores, axis=1),), best

        sequence = _steps(emissions, mask)
        origins, best = loop(forward, sequence, _before_the_start(emissions), return_state=True)  # (B, T, K + 1)
        final = best + ops.pad(end, [[0, 1]], constant_values=UNREACHABLE)
        tag = ops.cast(ops.argmax(final, axis=-1), "float32")[:, None]  # (B, 1), after the last position

        def back(inputs, tag):
            chosen = ops.one_hot(ops.cast(tag[:, 0], "int32"), self.num_tags + 1, dtype="float32")
            origin = ops.sum(inputs[:, :-1] * chosen, axis=-1, keepdims=True)
            return (tag,), ops.where(inputs[:, -1:] > 0, origin, tag)

        reverse = ops.flip(ops.concatenate([origins, sequence[..., -1:]], axis=-1), axis=1)
        tags = ops.cast(ops.flip(loop(back, reverse, tag), axis=1)[..., 0], "int32")
        return ops.where(mask, tags, 0), ops.where(ops.any(mask, axis=1), ops.max(final, axis=-1), 0.0)

    def _prepare(self, inputs, mask):
        emissions = ops.cast(inputs, "float32")
        mask = ops.ones_like(emissions[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool")
        return emissions, mask

    def _scores(self):
        """`transitions`, `start` and `end` in float32, with the constraints."""
        tags = range(self.num_tags)
        transitions = [[FORBIDDEN * ([i, j] in self.forbidden_transitions) for j in tags] for i in tags]
        start = [FORBIDDEN * (tag in self.forbidden_starts) for tag in tags]
        end = [FORBIDDEN * (tag in self.forbidden_ends) for tag in tags]
        weights = zip((self.transitions, self.start, self.end), (transitions, start, end))
        return [ops.cast(weight, "float32") + ops.convert_to_tensor(bar, "float32") for weight, bar in weights]

    def _log_z(self, forward, end, mask):
        """log Z (B,) from the forward messages with their emissions; 0 for an empty sequence."""
        at_end = ops.where(_last(mask)[..., None], forward, 0.0)  # (B, T, K), one position is left
        return ops.where(ops.any(mask, axis=1), ops.logsumexp(ops.sum(at_end, axis=1) + end, axis=-1), 0.0)

    def _backward(self, emissions, transitions, end, mask, forward):
        """Messages from the right (B, T, K) and, by those from the left, the expected pairs (B, K, K)."""
        tags, last = self.num_tags, _last(mask)

        def step(inputs, state):
            (after, pairs), emission, forward = state, inputs[:, :tags], inputs[:, tags : 2 * tags]
            seen, is_last = inputs[:, -2:-1] > 0, inputs[:, -1:] > 0
            scores = transitions + after[:, None, :]  # (B, K, K), of this tag and the next
            message = ops.where(is_last, end, _log_sum_exp(scores, axis=-1))
            counted = ops.reshape(ops.exp(ops.minimum(forward[:, :, None] + scores, 0.0)), (-1, tags * tags))
            pairs = pairs + ops.where(ops.logical_and(seen, ops.logical_not(is_last)), counted, 0.0)
            return (message,), (ops.where(seen, message + emission, after), pairs)

        marks = ops.cast(ops.stack([mask, last], axis=-1), "float32")
        sequence = ops.flip(ops.concatenate([emissions, forward, marks], axis=-1), axis=1)
        start = (ops.zeros_like(emissions[:, 0]), ops.tile(ops.zeros_like(emissions[:, 0]), (1, tags)))
        messages, (_, pairs) = loop(step, sequence, start, return_state=True)
        return ops.flip(messages, axis=1), ops.reshape(pairs, (-1, tags, tags))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_tags": self.num_tags,
            "forbidden_transitions": self.forbidden_transitions,
            "forbidden_starts": self.forbidden_starts,
            "forbidden_ends": self.forbidden_ends,
        }


def _last(mask):
    """Which position is the last one of its sequence, bool (B, T)."""
    after = ops.pad(ops.cast(mask, "int32"), [[0, 0], [0, 1]])[:, 1:]
    return ops.logical_and(mask, after == 0)


def _log_sum_exp(scores, axis):
    """`ops.logsumexp` of finite scores, which needs fewer operations: they are what a step of a loop costs."""
    greatest = ops.max(scores, axis=axis, keepdims=True)
    return ops.squeeze(ops.log(ops.sum(ops.exp(scores - greatest), axis=axis, keepdims=True)) + greatest, axis=axis)


def _with_start(transitions, start):
    """Transitions (K + 1, K + 1) of which tag K stands for the start: a sequence leaves it and never comes back."""
    return ops.pad(ops.concatenate([transitions, start[None]], axis=0), [[0, 0], [0, 1]], constant_values=UNREACHABLE)


def _before_the_start(emissions):
    """The scores of the tags (B, K + 1) before the first position: all sequences are at the start."""
    nothing = ops.zeros_like(emissions[:, 0])
    return ops.concatenate([nothing + UNREACHABLE, nothing[:, :1]], axis=-1)


def _steps(emissions, mask):
    """What a step of a loop reads (B, T, K + 2): the emissions, 0 for the start, and whether the position is seen."""
    mask = ops.cast(mask, "float32")[..., None]
    return ops.concatenate([emissions, ops.zeros_like(mask), mask], axis=-1)


def _messages(emissions, transitions, mask):
    """The log of the summed scores of all ways to each tag (B, T, K), without the emission of its own position.

    Args:
        emissions: (B, T, K).
        transitions: `_with_start`, (K + 1, K + 1), or (B, K + 1, K + 1) where each row has its own.
        mask: Bool (B, T), with the padding on either side.
    """

    def step(inputs, before):
        emission, seen = inputs[:, :-1], inputs[:, -1:] > 0
        scores = before[:, :, None] + transitions  # (B, K + 1, K + 1)
        message = _log_sum_exp(scores, axis=1)
        return (message,), ops.where(seen, message + emission, before)

    return loop(step, _steps(emissions, mask), _before_the_start(emissions))[..., :-1]


def _messages_of_both_directions(emissions, transitions, start, end, mask):
    """The messages from the left and from the right, two of (B, T, K).

    The rows of both directions go through one loop together: for a few short sequences, the number of steps is what a
    loop takes its time for.
    """

    def both(values):
        return ops.concatenate([values, ops.flip(values, axis=1)], axis=0)  # (2B, ...)

    ways = ops.stack([_with_start(transitions, start), _with_start(ops.swapaxes(transitions, 0, 1), end)])
    of_rows = ops.repeat(ways, ops.shape(emissions)[0], axis=0)  # (2B, K + 1, K + 1)
    forward, backward = ops.split(_messages(both(emissions), of_rows, both(mask)), 2, axis=0)
    return forward, ops.flip(backward, axis=1)
