"""Encoder and decoder of Transformer blocks, which translators share: whole targets, and step by step.

Shapes: B batch, K hypotheses of a source, S source, T target, D embedding_dim, L decoder blocks, H heads, d = D / H,
V vocabulary.
"""

import keras
from keras import ops


class TransformerSequenceToSequence(keras.Model):
    """What `encode`, `start` and `step` of a Transformer do, given its layers.

    A subclass sets `embedding`, a `PositionalEmbedding` of source and target, `embedding_dim`, `encoder_blocks` and
    `decoder_blocks`, and may override the hooks below.

    Call arguments:
        inputs: `{"source": (B, S), "target": (B, T)}` token ids, and what `source_mask` and `target_mask` read.
        training: Whether to apply dropout.
        return_attention_scores: Whether to return the attention weights too.

    Returns:
        float32 logits `(B, T, V)`, and with `return_attention_scores` also a dict of float32 weights:
        `"encoder/0/self": (B, H, S, S)`, `"decoder/0/self": (B, H, T, T)`, `"decoder/0/cross": (B, H, T, S)`, and so
        on.

    Example:

    >>> from attention_zoo.pipelines.models.transformer_translator import TransformerTranslator
    >>> issubclass(TransformerTranslator, TransformerSequenceToSequence)
    True
    """

    attends = True  # `alignment` and `head_alignments` have weights to return

    def source_mask(self, inputs):
        """Returns where the source has tokens, bool `(B, S)`: by default where it is not 0."""
        return ops.not_equal(inputs["source"], 0)

    def target_mask(self, inputs):
        """Returns where the target has tokens, bool `(B, T)`, or `None`, everywhere: by default where it is not 0."""
        return ops.not_equal(inputs["target"], 0)

    def finish_encoding(self, features):
        """Returns what the decoder reads of the last block's output: by default the output itself."""
        return features

    def logits(self, features, matrix=None):
        """Returns the scores of all tokens, float32 `(..., V)`, of features `(..., D)`.

        Args:
            features: Output of the last block of the decoder.
            matrix: As in `PositionalEmbedding.logits`. Defaults to `None`.
        """
        return self.embedding.logits(features, matrix)

    def build(self, input_shape=None):
        """Creates the weights of embedding and blocks; their shapes depend only on the constructor's arguments."""
        features = (None, None, self.embedding_dim)
        self.embedding.build((None, None))
        for block in self.encoder_blocks:
            block.build(features)
        for block in self.decoder_blocks:
            block.build(features, features)

    def call(self, inputs, training=None, return_attention_scores=False):
        source_mask, target_mask = self.source_mask(inputs), self.target_mask(inputs)  # (B, S), (B, T)
        encoded, all_scores = self._encode(inputs["source"], source_mask, training, return_attention_scores)
        features = self.embedding(inputs["target"], training=training)  # (B, T, D)
        masks = {"query_mask": target_mask, "value_mask": source_mask}
        for i, block in enumerate(self.decoder_blocks):
            if return_attention_scores:
                features, scores = block(features, encoded, **masks, return_attention_scores=True, training=training)
                all_scores |= {f"decoder/{i}/{kind}": weights for kind, weights in scores.items()}
            else:  # long sequences need no T x S matrix: the blocks of the attention kernel compute the output
                features = block(features, encoded, **masks, training=training)
        logits = self.logits(features)  # (B, T, V)
        return (logits, all_scores) if return_attention_scores else logits

    def _encode(self, source, source_mask, training, return_attention_scores=False):
        features, all_scores = self.embedding(source, training=training), {}  # (B, S, D)
        for i, block in enumerate(self.encoder_blocks):
            if return_attention_scores:
                features, scores = block(
                    features, query_mask=source_mask, return_attention_scores=True, training=training
                )
                all_scores[f"encoder/{i}/self"] = scores  # (B, H, S, S)
            else:
                features = block(features, query_mask=source_mask, training=training)
        return self.finish_encoding(features), all_scores

    def encode(self, inputs, training=False):
        """Encodes the source, and projects it for every block of the decoder; called once per source.

        Args:
            inputs: `{"source": (B, S)}` token ids, and what `source_mask` reads.
            training: Whether to apply dropout.

        Returns:
            The memory: `"source_mask"`, bool `(B, S)`; `"decoder/i/cross/key"` and `"decoder/i/cross/value"`, `(B, H,
            S, d)`; and for all sources `"shared": {"output": (D, V)}`, the embeddings as the matrix that steps multiply
            with.
        """
        if not self.built:
            self.build()
        source_mask = self.source_mask(inputs)
        encoded, _ = self._encode(inputs["source"], source_mask, training)
        memory = {"source_mask": source_mask, "shared": {"output": self.embedding.output_matrix()}}
        for i, block in enumerate(self.decoder_blocks):
            memory[f"decoder/{i}/cross/key"], memory[f"decoder/{i}/cross/value"] = block.project_memory(encoded)
        return memory

    def start(self, memory):
        """The state before the first token: `"decoder/i/self/key"` and `"decoder/i/self/value"`, `(B, H, 0, d)`.

        Each step adds a position; the axis of time has the static size 0, which tells a loop that it grows.
        """
        batch_size = ops.shape(memory["source_mask"])[0]
        caches = [block.empty_cache(batch_size) for block in self.decoder_blocks]
        return {f"decoder/{i}/self/{part}": cache[part] for i, cache in enumerate(caches) for part in ("key", "value")}

    def step(self, token, state, memory):
        """Writes one token.

        Args:
            token: `(B K,)` ids of the tokens written last, BOS at first, of K hypotheses per source.
            state: From `start` or the step before.
            memory: From `encode`.

        Returns:
            (logits, state, scores): float32 `(B K, V)` for the next token, the state longer by one position, and the
            weights `"decoder/i/self": (B K, H, positions so far)` and `"decoder/i/cross": (B K, H, S)`.
        """
        position = ops.shape(state["decoder/0/self/key"])[-2]
        features = self.embedding(ops.expand_dims(token, -1), offset=position, training=False)
        features = ops.reshape(
            features, (-1, 1, self.embedding_dim)
        )  # without the mask: tokens that were written are no padding
        next_state, all_scores = {}, {}
        for i, block in enumerate(self.decoder_blocks):
            written = {"key": state[f"decoder/{i}/self/key"], "value": state[f"decoder/{i}/self/value"]}
            source = memory[f"decoder/{i}/cross/key"], memory[f"decoder/{i}/cross/value"]
            features, scores, cache = block(
                features,
                None,
                value_mask=memory["source_mask"],
                cache={"self": written, "cross": source},
                return_attention_scores=True,
                training=False,
            )
            next_state |= {f"decoder/{i}/self/{part}": tensor for part, tensor in cache["self"].items()}
            all_scores |= {f"decoder/{i}/{kind}": weights[:, :, 0] for kind, weights in scores.items()}
        return self.logits(features[:, 0], memory["shared"]["output"]), next_state, all_scores

    def alignment(self, scores):
        """The mean over layers and heads of the attention to the source: `(B, T, S)`, or `(B, S)` for a step."""
        return ops.mean(self.head_alignments(scores), axis=(1, 2))

    def head_alignments(self, scores):
        """The attention to the source for each layer and head: `(B, L, H, T, S)`, or `(B, L, H, S)` for a step."""
        return ops.stack([scores[f"decoder/{i}/cross"] for i in range(len(self.decoder_blocks))], axis=1)
