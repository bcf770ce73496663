"""GPT-2: a Transformer that predicts the next token from all before it (Radford et al. 2019).

Shapes: B batch, K hypotheses of each prompt, T tokens, W tokens written after a prompt, D hidden_dim, H heads,
d = D / H, V vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers.shapes import at_least
from attention_zoo.layers.tied_logits import output_matrix, tied_logits
from attention_zoo.pipelines.models.parts.activations import activation_of
from attention_zoo.pipelines.models.parts.decoder_only_block import DecoderOnlyBlock
from attention_zoo.pipelines.models.parts.lengths import expect_at_most

GPT2_SIZES = {
    "small": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
    "medium": {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "intermediate_dim": 4096},
    "large": {"num_layers": 36, "num_heads": 20, "hidden_dim": 1280, "intermediate_dim": 5120},
    "xl": {"num_layers": 48, "num_heads": 25, "hidden_dim": 1600, "intermediate_dim": 6400},
}
"""The paper's sizes (table 2). The heads are those of the authors' code."""

WEIGHT_DEVIATION, POSITION_DEVIATION = 0.02, 0.01  # of the normal distributions that the authors' code draws from


@keras.saving.register_keras_serializable("attention_zoo")
class GPT2Decoder(keras.Model):
    """A stack of pre-norm blocks with a causal mask, a last normalisation, and the embeddings as output (section 2.3).

    The weights of the projections onto the residual are drawn smaller by 1 / sqrt(2 L), L layers having two each.

    Args:
        vocabulary_size: V.
        num_layers: L, blocks. Defaults to 4.
        num_heads: H. Defaults to 4.
        hidden_dim: D. Defaults to 256.
        intermediate_dim: Width of the blocks' inner layer. Defaults to 1024.
        max_length: Number of learned positions. Defaults to 1024, the paper's.
        dropout: Share of the embeddings, and of each sublayer's output, dropped in training. Defaults to .1.
        attention_dropout: Share of the attention weights that are dropped in training. Defaults to .1.
        activation: Activation of the blocks' inner layer. Defaults to `"gelu_tanh"`, the authors' approximation.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-5, that of the authors' code.

    Call arguments:
        inputs: A dict: "tokens", integers `(B, T)`; optional "mask", bool `(B, T)`, True where there is a token, by
            default everywhere; optional "segments", integers `(B, T)`, of which a token sees only its own, so that
            a row can hold several texts one after the other; optional "positions", integers `(B, T)`, by default
            the number of tokens of the same segment before.
        return_attention_scores: Whether to return the attention too.
        training: Whether to apply dropout.

    Returns:
        A dict: "states", `(B, T, D)`, and "logits" of the next tokens, float32 `(B, T, V)`; both are undefined for
        padding. With `return_attention_scores` also a dict of the weights of each block, `"decoder/1"`: float32
        `(B, H, T, T)`.

    Raises:
        ValueError: If T is known to be more than `max_length`.

    Example:

    >>> import keras
    >>> model = GPT2Decoder(100, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16)
    >>> prompts = keras.ops.array([[5, 6, 7], [8, 9, 0]])
    >>> {name: tuple(value.shape) for name, value in model({"tokens": prompts}).items()}
    {'states': (2, 3, 8), 'logits': (2, 3, 100)}
    >>> logits, memory = model.prefill(prompts, lengths=keras.ops.array([3, 2]))
    >>> logits, state, scores = model.step(keras.ops.argmax(logits, -1), model.start(memory), memory)
    >>> tuple(logits.shape), tuple(scores["decoder/1"].shape)
    ((2, 100), (2, 2, 4))
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers=4,
        num_heads=4,
        hidden_dim=256,
        intermediate_dim=1024,
        max_length=1024,
        dropout=0.1,
        attention_dropout=0.1,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.options = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "max_length": max_length,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "layer_norm_epsilon": layer_norm_epsilon,
        }
        self.hidden_dim, self.max_length = hidden_dim, max_length
        self.token_embedding = self._embedding(vocabulary_size, WEIGHT_DEVIATION, "tokens")
        self.position_embedding = self._embedding(max_length, POSITION_DEVIATION, "positions")
        self.embedding_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        residual_deviation = WEIGHT_DEVIATION * (2 * num_layers) ** -0.5
        self.blocks = [
            DecoderOnlyBlock(
                num_heads,
                intermediate_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                activation=activation_of(activation),
                normalize_first=True,
                layer_norm_epsilon=layer_norm_epsilon,
                kernel_initializer=keras.initializers.RandomNormal(stddev=WEIGHT_DEVIATION),
                residual_initializer=keras.initializers.RandomNormal(stddev=residual_deviation),
                dtype=self.dtype_policy,
                name=f"decoder_{number}",  # from 0, as in checkpoints
            )
            for number in range(num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm")

    def _embedding(self, rows, deviation, name):
        initializer = keras.initializers.RandomNormal(stddev=deviation)
        options = {"embeddings_initializer": initializer, "dtype": self.dtype_policy, "name": name}
        return keras.layers.Embedding(rows, self.hidden_dim, **options)

    def build(self, inputs_shape=None):
        """Creates all weights; their shapes depend only on the constructor's arguments."""
        self.token_embedding.build((None, None))
        self.position_embedding.build((None, None))
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, self.hidden_dim))
        expect_at_most(self, self.max_tokens)
        self.built = True

    def call(self, inputs, return_attention_scores=False, training=None):
        tokens, segments, mask = inputs["tokens"], inputs.get("segments"), inputs.get("mask")
        same_segment = None if segments is None else segments[:, :, None] == segments[:, None, :]  # (B, T, T)
        positions = inputs["positions"] if "positions" in inputs else self.positions_of(tokens, mask, same_segment)
        states, scores = self.embed(tokens, positions, training), {}
        for number, block in enumerate(self.blocks, 1):
            states = block(
                states,
                query_mask=mask,
                attention_mask=same_segment,
                use_causal_mask=True,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                states, scores[f"decoder/{number}"] = states
        states = self.norm(states)
        outputs = {"states": states, "logits": self.logits(states)}
        return (outputs, scores) if return_attention_scores else outputs

    @property
    def max_tokens(self):
        """The largest number of tokens of a text, for all of which there are positions."""
        return self.max_length

    def positions_of(self, tokens, mask=None, same_segment=None):
        """Returns how many tokens of its segment stand before each, integers that broadcast to `(B, T)`.

        Args:
            tokens: Integers `(B, T)`.
            mask: Bool `(B, T)`, or `None`.
            same_segment: Bool `(B, T, T)`, or `None`.
        """
        length = tokens.shape[1]
        if length is not None and length > self.max_length:
            raise ValueError(f"GPT2Decoder: expected at most max_length={self.max_length} tokens. Received: {length}")
        places = ops.arange(ops.shape(tokens)[1])
        if mask is None and same_segment is None:
            return places[None]
        before = ops.ones_like(tokens) if mask is None else ops.cast(mask, "int32")  # (B, T)
        if same_segment is None:
            return ops.maximum(ops.cumsum(before, axis=1) - 1, 0)
        seen = ops.logical_and(same_segment, places[:, None] > places)  # (B, T, T)
        return ops.sum(ops.where(seen, before[:, None], 0), axis=-1)

    def embed(self, tokens, positions, training=None):
        """Returns what the first block takes, `(B, T, D)`."""
        features = self.token_embedding(tokens) + self.position_embedding(positions)
        return self.embedding_dropout(features, training=training)

    def logits(self, states, matrix=None):
        """Scores every token of the vocabulary, `(..., D)` to float32 `(..., V)`; `matrix` as of `output_matrix`."""
        return tied_logits(states, self.token_embedding, matrix)

    def prefill(self, tokens, lengths=None):
        """Reads prompts, all at once.

        Args:
            tokens: Integers `(B, T)`, padded on the right.
            lengths: Number of tokens of each prompt, integers `(B,)`. Defaults to `None`: T.

        Returns:
            (logits, memory): float32 `(B, V)` for the first token after each prompt, undefined for a prompt of length
            0; and what `start` and `step` take: "lengths", int32 `(B,)`; "decoder/1/key" and "decoder/1/value",
            `(B, H, T, d)`, and so on; and for all prompts `"shared": {"output": (D, V)}`.
        """
        if not self.built:
            self.build()
        places = ops.arange(ops.shape(tokens)[1])
        lengths = ops.sum(ops.ones_like(tokens), axis=1) if lengths is None else lengths
        lengths = ops.cast(lengths, "int32")
        mask = places < lengths[:, None]  # (B, T)
        states = self.embed(tokens, self.positions_of(tokens), training=False)
        memory = {"lengths": lengths, "shared": {"output": output_matrix(self.token_embedding)}}
        for number, block in enumerate(self.blocks, 1):
            states, prompt = block.prefill(states, mask)
            memory |= dict(zip((f"decoder/{number}/key", f"decoder/{number}/value"), prompt))
        last = ops.cast(places == lengths[:, None] - 1, states.dtype)  # (B, T)
        return self.logits(self.norm(ops.einsum("bt,btd->bd", last, states)), memory["shared"]["output"]), memory

    def encode(self, inputs, training=False):
        """Reads prompts for a search, which begins each answer with a token of its own.

        Args:
            inputs: `{"tokens": (B, T)}`, and optional "mask", bool `(B, T)`, True for the tokens, which come first.
            training: Ignored: prompts are read without dropout.

        Returns:
            The memory, as of `prefill`, without the last token of each prompt, and "last", that token, `(B,)`: the
            first `step` takes it in place of the token that begins an answer. If a prompt is empty, it keeps that.
        """
        tokens = inputs["tokens"]
        mask = ops.cast(inputs["mask"], "int32") if "mask" in inputs else ops.ones_like(tokens)
        lengths = ops.cast(ops.sum(mask, axis=1), "int32") - 1  # -1 for an empty prompt
        last = ops.sum(ops.where(ops.arange(ops.shape(tokens)[1]) == lengths[:, None], tokens, 0), axis=1)
        _, memory = self.prefill(tokens, ops.maximum(lengths, 0))
        return memory | {"last": ops.where(lengths < 0, -1, ops.cast(last, "int32"))}

    def start(self, memory):
        """The state before the first token: "decoder/1/key" and "decoder/1/value", `(B, H, 0, d)`, and so on.

        Each step adds a position; the axis of time has the static size 0, which tells a loop that it grows.
        """
        batch_size = ops.shape(memory["lengths"])[0]
        caches = [block.self_attention.empty_cache(batch_size) for block in self.blocks]
        return {f"decoder/{n}/{part}": cache[part] for n, cache in enumerate(caches, 1) for part in ("key", "value")}

    def step(self, token, state, memory):
        """Writes one token.

        Args:
            token: `(B K,)` ids of the tokens written last, of K hypotheses for each prompt.
            state: From `start` or the step before.
            memory: From `prefill` or `encode`.

        Returns:
            (logits, state, scores): float32 `(B K, V)` for the next token, the state longer by one position, and the
            weights `"decoder/1"`: float32 `(B K, H, T + W)`, the prompt first.
        """
        hypotheses = ops.shape(token)[0] // at_least(ops.shape(memory["lengths"])[0], 1)
        written = ops.shape(state["decoder/1/key"])[-2]
        if "last" in memory:
            last = ops.cast(ops.repeat(memory["last"], hypotheses, axis=0), token.dtype)  # (B K,)
            token = ops.where(ops.logical_and(ops.equal(written, 0), last >= 0), last, token)
        positions = ops.repeat(memory["lengths"], hypotheses, axis=0) + written
        # A search goes on with answers that are done until enough of them are; they may pass the last position.
        positions = ops.minimum(positions, self.max_length - 1)
        states = self.embed(token[:, None], positions[:, None], training=False)  # (B K, 1, D)
        prompt_mask = ops.arange(ops.shape(memory["decoder/1/key"])[-2]) < memory["lengths"][:, None]  # (B, T)
        next_state, scores = {}, {}
        for number, block in enumerate(self.blocks, 1):
            names = f"decoder/{number}/key", f"decoder/{number}/value"
            prompt, past = ([nest[name] for name in names] for nest in (memory, state))
            states, scores[f"decoder/{number}"], past = block.continue_prompt(states, prompt, prompt_mask, past)
            next_state |= dict(zip(names, past))
        return self.logits(self.norm(states[:, 0]), memory["shared"]["output"]), next_state, scores

    def alignment(self, scores):
        """Returns `None`: there is no source that an answer has to cover."""
        return None

    def get_config(self):
        return super().get_config() | self.options
