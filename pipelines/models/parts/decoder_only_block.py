"""A Transformer block that sees only what was written so far, and can write step by step.

Shapes: B prompts, K hypotheses of each, T tokens of a prompt, W tokens written after it, D features, H heads, d
key_dim.
"""

from functools import partial

import keras
from keras import ops

from attention_zoo.layers import MultiHeadSelfAttention, TransformerEncoderBlock, masked_softmax
from attention_zoo.layers.precision import widen
from attention_zoo.layers.shapes import at_least


@keras.saving.register_keras_serializable("attention_zoo")
class PromptedSelfAttention(MultiHeadSelfAttention):
    """`MultiHeadSelfAttention` whose output projection has an initialiser of its own, and which continues prompts.

    Args:
        num_heads: H.
        key_dim: d.
        output_initializer: Of the output projection. Defaults to `"glorot_uniform"`.
        **kwargs: Further arguments of `MultiHeadSelfAttention`.
    """

    def __init__(self, num_heads, key_dim, output_initializer="glorot_uniform", **kwargs):
        super().__init__(num_heads, key_dim, **kwargs)
        self.output_initializer = keras.initializers.get(output_initializer)

    def _initializer_of(self, name):
        return self.output_initializer if name == "attention_output" else super()._initializer_of(name)

    def continue_prompt(self, query, prompt, prompt_mask, written):
        """Attends with the token written last to its prompt and to all that was written after it.

        The K hypotheses of a prompt share its keys and values, which are not copied.

        Args:
            query: `(B K, 1, D)`.
            prompt: Keys and values, `(B, H, T, d)` each.
            prompt_mask: Bool `(B, T)`.
            written: Keys and values of the tokens before, `(B K, H, W - 1, d)` each.

        Returns:
            (output, weights, written): `(B K, 1, D)`, float32 `(B K, H, T + W)`, and `written` with this token.
        """
        rows, batch = ops.shape(query)[0], ops.shape(prompt_mask)[0]
        hypotheses = rows // at_least(batch, 1)
        query_heads, *new = self.project_heads(query)
        written = [ops.concatenate(pair, axis=-2) for pair in zip(written, new)]
        query_heads = widen(ops.swapaxes(query_heads, -3, -2)) * self.key_dim**-0.5  # (B K, H, 1, d)
        by_prompt = ops.reshape(query_heads, (batch, hypotheses, self.num_heads, self.key_dim))
        by_prompt = ops.swapaxes(by_prompt, 1, 2)  # (B, H, K, d)
        scores = ops.matmul(by_prompt, widen(ops.swapaxes(prompt[0], -2, -1)))  # (B, H, K, T)
        length = ops.shape(scores)[-1]
        scores = ops.where(prompt_mask[:, None, None], ops.cast(scores, "float32"), -float("inf"))
        scores = ops.reshape(ops.swapaxes(scores, 1, 2), (rows, self.num_heads, length))
        own = ops.matmul(query_heads, widen(ops.swapaxes(written[0], -2, -1)))[:, :, 0]  # (B K, H, W)
        # A hidden token of the prompt has the score -inf: the token itself is never hidden, so no row is empty.
        weights = masked_softmax(ops.concatenate([scores, ops.cast(own, "float32")], axis=-1))
        dropped = ops.cast(weights, self.compute_dtype)
        of_prompt = ops.reshape(dropped[..., :length], (batch, hypotheses, self.num_heads, length))
        contexts = ops.matmul(ops.swapaxes(of_prompt, 1, 2), prompt[1])  # (B, H, K, d)
        contexts = ops.reshape(ops.swapaxes(contexts, 1, 2), (rows, 1, self.num_heads, self.key_dim))
        own = ops.matmul(dropped[:, :, None, length:], written[1])  # (B K, H, 1, d)
        return self.output_dense(contexts + ops.swapaxes(own, 1, 2)), weights, written

    def get_config(self):
        initializer = keras.initializers.serialize(self.output_initializer)
        return {**super().get_config(), "output_initializer": initializer}


@keras.saving.register_keras_serializable("attention_zoo")
class DecoderOnlyBlock(TransformerEncoderBlock):
    """`TransformerEncoderBlock` that fills a cache with a prompt and continues it, token by token.

    Args:
        num_heads: H; the width D of the input must be a multiple of it.
        intermediate_dim: Width of the feed-forward network's inner layer.
        residual_initializer: Of the two projections whose output is added to the residual. Defaults to
            `"glorot_uniform"`.
        **kwargs: Further arguments of `TransformerEncoderBlock`.

    Example:

    >>> import keras
    >>> block = DecoderOnlyBlock(num_heads=2, intermediate_dim=16, normalize_first=True)
    >>> features = keras.ops.ones((3, 5, 8))
    >>> all_at_once = block(features, use_causal_mask=True)
    >>> output, prompt = block.prefill(features[:, :4])
    >>> mask, nothing = keras.ops.ones((3, 4), "bool"), [keras.ops.zeros((3, 2, 0, 4))] * 2
    >>> output, weights, written = block.continue_prompt(features[:, 4:], prompt, mask, nothing)
    >>> bool(keras.ops.max(keras.ops.abs(output - all_at_once[:, 4:])) < 1e-5), tuple(weights.shape)
    (True, (3, 2, 5))
    """

    def __init__(self, num_heads, intermediate_dim, residual_initializer="glorot_uniform", **kwargs):
        super().__init__(num_heads, intermediate_dim, **kwargs)
        self.residual_initializer = keras.initializers.get(residual_initializer)

    def build(self, query_shape):
        attention = partial(PromptedSelfAttention, output_initializer=self.residual_initializer.clone())
        self.self_attention = self._build_attention(attention, "self_attention", query_shape)
        self.self_attention_norm = self._build_norm("self_attention_norm", query_shape)
        self._build_feed_forward(query_shape)

    def _initializer_of(self, name):
        return self.residual_initializer if name == "feed_forward_out" else super()._initializer_of(name)

    def prefill(self, query, query_mask=None):
        """Reads a prompt.

        Args:
            query: `(B, T, D)`.
            query_mask: Bool `(B, T)`, True where there is a token. Defaults to `None`: everywhere.

        Returns:
            (output, prompt): `(B, T, D)`, and keys and values, `(B, H, T, d)` each.
        """
        entered = self._enter(query, self.self_attention_norm)
        prompt = self.self_attention.project_key_value(entered)
        update = self.self_attention.attend_without_scores(
            entered, *prompt, query_mask=query_mask, value_mask=query_mask, use_causal_mask=True
        )
        features = self._leave(query, update, self.self_attention_norm, training=False)
        return self._feed_forward(features, training=False), prompt

    def continue_prompt(self, query, prompt, prompt_mask, written):
        """Takes one token further; see `PromptedSelfAttention.continue_prompt` for arguments and results."""
        entered = self._enter(query, self.self_attention_norm)
        update, weights, written = self.self_attention.continue_prompt(entered, prompt, prompt_mask, written)
        features = self._leave(query, update, self.self_attention_norm, training=False)
        return self._feed_forward(features, training=False), weights, written

    def get_config(self):
        initializer = keras.initializers.serialize(self.residual_initializer)
        return {**super().get_config(), "residual_initializer": initializer}
