"""A recurrent decoder with attention: Bahdanau's order (attend, then step), Luong's (step, then attend), input feeding.

Notation: B batch, T target steps, S source positions, E features of the decoder's input, D of the source, U units of
the top cell, A features of the attention's output, K hypotheses of a source.
"""

import keras
from keras import ops, tree

from attention_zoo.layers.attention import Attention
from attention_zoo.layers.cells import dropout_between, is_cell, output_size, run_cells
from attention_zoo.layers.checks import check_share
from attention_zoo.layers.loop import loop
from attention_zoo.layers.masks import combine_masks
from attention_zoo.layers.shapes import at_least

ORDERS = ("attend_then_step", "step_then_attend")


@keras.saving.register_keras_serializable("attention_zoo")
class AttentiveDecoder(keras.layers.Layer):
    """Runs one or more stacked RNN cells over a target, with attention to a source at every step.

    `"attend_then_step"` (Bahdanau et al. 2015, sec. 3.1 and appendix A.1.2): the state before the step is the query,
    and the cells read the context.

        c_i = attention(s_{i-1}, source)
        s_i = cells([y_{i-1}; c_i], s_{i-1})

    `"step_then_attend"` (Luong et al. 2015, sec. 3 and 3.3): the state after the step is the query. With
    `input_feeding` the next step reads the attention's output. Without it the cells do not depend on the attention:
    they run over the whole target first, and all T steps then attend at once.

        h_t = cells([y_t; h̃_{t-1}], h_{t-1})     (h̃_0 = 0; only y_t without input feeding)
        h̃_t = attention(h_t, source)

    The query is the output of the top cell: the hidden state of a GRU or an LSTM.

    A search that writes step by step uses the parts of `call`: `project_memory` once per source, `start` once per
    sentence, and `step`.

    Args:
        cells: A Keras RNN cell, or a list of them to be stacked, the one that reads the input first. The attribute is a
            list.
        attention: An `Attention`. A `LuongAttention` with `attentional_units` returns h̃_t rather than c_t.
        order: `"attend_then_step"` or `"step_then_attend"`. Defaults to `"attend_then_step"`.
        input_feeding: Whether the attention's output is part of the next step's input. Defaults to `False`.
        dropout: Share of the features that are dropped between stacked cells in training, in [0, 1); the same ones at
            each step of a call. Defaults to 0.

    Call arguments:
        query: (B, T, E), the embedded target.
        value: (B, S, D).
        key: (B, S, Dk). Defaults to `value`.
        initial_state: The states of the cells, a nest with as many tensors (B, ·) as they have, in their order.
            Defaults to zeros.
        query_mask, value_mask: Bool (B, T) and (B, S), True = attend. Default to the Keras masks of `query` and
            `value`. A step whose query is masked leaves the state as it was and gives zeros.
        return_attention_scores: Whether to return the weights too. Defaults to `False`.
        training: Whether to apply dropout.
        draws: (B, T, 1), random numbers from the attention's `draw`, for an attention that samples. Defaults to `None`:
            `call` draws them in training.

    Returns:
        (outputs, contexts): the outputs of the top cell (B, T, U) and of the attention (B, T, A), in the compute dtype;
        with `return_attention_scores` also the float32 weights (B, T, S).

    Raises:
        ValueError: If an argument is none of the above; for `input_feeding` with `"attend_then_step"`; for a cell with
            dropout of its own; for an attention with dropout that would have to be sampled inside the loop, which not
            every backend can do.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import AttentiveDecoder, BahdanauAttention
    >>> decoder = AttentiveDecoder(keras.layers.GRUCell(7), BahdanauAttention(4))
    >>> target, source = keras.ops.ones((2, 3, 5)), keras.ops.ones((2, 6, 8))
    >>> outputs, contexts, weights = decoder(target, source, return_attention_scores=True)
    >>> outputs.shape, contexts.shape, weights.shape
    (TensorShape([2, 3, 7]), TensorShape([2, 3, 8]), TensorShape([2, 3, 6]))
    >>> memory = decoder.project_memory(source)
    >>> (output, context), state, weights = decoder.step(target[:, 0], decoder.start(memory), memory)
    >>> bool(keras.ops.max(keras.ops.abs(output - outputs[:, 0])) < 1e-6)
    True
    """

    def __init__(self, cells, attention, order="attend_then_step", input_feeding=False, dropout=0.0, **kwargs):
        # Draws need the digits of float32; `call` casts everything else where it uses it.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.cells = list(cells) if isinstance(cells, (list, tuple)) else [cells]
        self.attention = attention
        self.order = order
        self.input_feeding = input_feeding
        self.dropout = dropout
        self._check_arguments()
        if keras.backend.backend() == "tensorflow":
            # As in Keras's LSTM: `compile` must not choose XLA by itself, whose gradients of this loop need static
            # shapes.
            self.supports_jit = False
        if dropout:
            self._seed_generator = keras.random.SeedGenerator()

    def _check_arguments(self):
        if not self.cells or not all(is_cell(cell) for cell in self.cells):
            raise ValueError(
                "`cells` must be a Keras RNN cell or a list of them (not StackedRNNCells). "
                f"Received: cells={self.cells!r}"
            )
        if any(getattr(cell, name, 0) for cell in self.cells for name in ("dropout", "recurrent_dropout")):
            raise ValueError("`cells` must have no dropout of their own; use `dropout`. Received: a cell with dropout")
        if not isinstance(self.attention, Attention):
            raise ValueError(f"`attention` must be an Attention layer. Received: attention={self.attention!r}")
        if self.order not in ORDERS:
            raise ValueError(f"`order` must be one of {ORDERS}. Received: order={self.order!r}")
        if self.input_feeding and self.order != "step_then_attend":
            raise ValueError(f'`input_feeding` needs order="step_then_attend". Received: order={self.order!r}')
        check_share("dropout", self.dropout)
        if self.attention.dropout and self._attends_in_the_loop:
            raise ValueError(
                "`attention` must have no dropout where each step waits for it: only with "
                'order="step_then_attend" and without input feeding. Received: attention.dropout='
                f"{self.attention.dropout!r}, order={self.order!r}, input_feeding={self.input_feeding!r}"
            )

    @property
    def _attends_in_the_loop(self):
        return self.order == "attend_then_step" or self.input_feeding

    def build(self, query_shape, value_shape, key_shape=None):
        batch, (_, context_shape) = query_shape[0], self.compute_output_shape(query_shape, value_shape)
        if not self.attention.built:  # it is built if it was loaded with this layer
            self.attention.build((batch, 1, output_size(self.cells[-1])), value_shape, key_shape)
        features = query_shape[-1] + (context_shape[-1] if self._attends_in_the_loop else 0)
        for cell in self.cells:
            if not cell.built:
                cell.build((batch, features))
            features = output_size(cell)

    def project_memory(self, value, key=None, value_mask=None):
        """Prepares the source for all steps.

        Args:
            value, key, value_mask: As in the call.

        Returns:
            A dict of batch-first tensors: "value" (B, S, D), "key" (B, S, ·), projected, and, if there is a
            `value_mask`, "mask", bool (B, S).
        """
        value = ops.cast(value, self.compute_dtype)
        memory = {"value": value, "key": self.attention.project_key(value if key is None else key)}
        if value_mask is not None:
            memory["mask"] = ops.cast(value_mask, "bool")
        return memory

    def start(self, memory, initial_state=None):
        """Makes the state before the first step.

        Args:
            memory: From `project_memory`.
            initial_state: As in the call.

        Returns:
            A dict: "cells", a list of each cell's list of tensors (B, ·); "position", int32 (B, 1), the number of the
            step; and with input feeding "fed" (B, A), the attention's output.
        """
        batch = ops.shape(memory["value"])[0]
        sizes = [tree.flatten(cell.state_size) for cell in self.cells]
        if initial_state is None:
            initial_state = [[ops.zeros((batch, size)) for size in cell_sizes] for cell_sizes in sizes]
        tensors = tree.flatten(initial_state)
        received = [tensor.shape[-1] for tensor in tensors]
        if received != tree.flatten(sizes):
            raise ValueError(
                f"`initial_state` must hold tensors of sizes {tree.flatten(sizes)}. Received: sizes {received}"
            )
        cells = tree.pack_sequence_as(sizes, [ops.cast(tensor, self.compute_dtype) for tensor in tensors])
        state = {"cells": cells, "position": ops.zeros((batch, 1), dtype="int32")}
        if self.input_feeding:
            shape = self.attention.compute_output_shape((None, 1, output_size(self.cells[-1])), memory["value"].shape)
            state["fed"] = ops.zeros((batch, shape[-1]), dtype=self.compute_dtype)
        return state

    def step(self, inputs, state, memory):
        """Runs one step of one or several hypotheses per source.

        Args:
            inputs: (B K, E), the embedded tokens: the K hypotheses of a source are neighbours.
            state: From `start`, each row K times, or from the step before.
            memory: From `project_memory`, each source once: its hypotheses attend to it as K queries.

        Returns:
            (output, context), state, weights: (B K, U) and (B K, A), the state after the step, and float32 (B K, S).
        """
        hypotheses = ops.shape(inputs)[0] // at_least(ops.shape(memory["value"])[0], 1)
        return self._step(ops.cast(inputs, self.compute_dtype), state, memory, hypotheses=hypotheses)

    def _step(self, inputs, state, memory, dropped=None, draws=None, hypotheses=1):
        cells, position = state["cells"], state["position"]
        if self.order == "attend_then_step":
            context, weights = self._attend(cells[-1][0], position, memory, draws, hypotheses)
            output, cells = run_cells(self.cells, ops.concatenate([inputs, context], axis=-1), cells, dropped)
        else:
            if self.input_feeding:
                inputs = ops.concatenate([inputs, state["fed"]], axis=-1)
            output, cells = run_cells(self.cells, inputs, cells, dropped)
            context, weights = self._attend(output, position, memory, draws, hypotheses)
        state = {"cells": cells, "position": position + 1}
        if self.input_feeding:
            state["fed"] = context
        return (output, context), state, weights

    def _attend(self, query, position, memory, draws, hypotheses):
        """Attends with one query per row: (B K, U) -> context (B K, A), weights (B K, S)."""
        mask = combine_masks(value_mask=memory.get("mask"))  # (B, 1, S)
        batch = ops.shape(memory["value"])[0]
        query = ops.reshape(query, (batch, hypotheses, query.shape[-1]))
        positions = ops.reshape(position, (batch, hypotheses))
        draws = None if draws is None else draws[:, None]  # (B, 1, 1): one step of one hypothesis
        context, weights = self.attention.attend(query, memory["key"], memory["value"], mask, positions, draws=draws)
        rows = batch * hypotheses
        return ops.reshape(context, (rows, context.shape[-1])), ops.reshape(weights, (rows, ops.shape(weights)[-1]))

    def call(
        self,
        query,
        value,
        key=None,
        initial_state=None,
        query_mask=None,
        value_mask=None,
        return_attention_scores=False,
        training=None,
        draws=None,
    ):
        query = ops.cast(query, self.compute_dtype)
        memory = self.project_memory(value, key, value_mask)
        state = self.start(memory, initial_state)
        units, context_dim = (shape[-1] for shape in self.compute_output_shape(query.shape, value.shape))
        dropped = None
        if training and self.dropout:  # sampled before the loop, so that the loop draws no random numbers
            dropped = dropout_between(self.cells, ops.shape(query)[0], self.dropout, self._seed_generator, query.dtype)
        draws = self.attention.draw(ops.shape(query)[:2]) if draws is None and training else draws
        if self._attends_in_the_loop:
            # The draws are concatenated to the inputs in float32: lower precision would round them.
            inputs = query if draws is None else ops.concatenate([ops.cast(query, "float32"), draws], axis=-1)

            def step(inputs, state):
                drawn = None if draws is None else inputs[:, -1:]
                inputs = inputs if draws is None else ops.cast(inputs[:, :-1], self.compute_dtype)
                (output, context), state, weights = self._step(inputs, state, memory, dropped, drawn)
                return (output, context, weights), state

            results = loop(step, inputs, state, query_mask)  # (B, T, U + A + S)
            outputs, contexts = results[..., :units], results[..., units : units + context_dim]
            weights = results[..., units + context_dim :]
        else:

            def recur(inputs, states):
                output, states = run_cells(self.cells, inputs, states, dropped)
                return (output,), states

            outputs = ops.cast(loop(recur, query, state["cells"], query_mask), self.compute_dtype)  # (B, T, U)
            mask = combine_masks(query_mask, value_mask)
            contexts, weights = self.attention.attend(
                outputs, memory["key"], memory["value"], mask, training=training, draws=draws
            )
        results = (ops.cast(outputs, self.compute_dtype), ops.cast(contexts, self.compute_dtype))
        return (*results, weights) if return_attention_scores else results

    def compute_mask(self, query, mask=None):
        return None if mask is None else (mask, mask)  # outputs and contexts are as long as the query

    def compute_output_shape(self, query_shape, value_shape, key_shape=None, initial_state_shape=None):
        output_shape = (*query_shape[:-1], output_size(self.cells[-1]))
        return output_shape, self.attention.compute_output_shape(output_shape, value_shape)

    def compute_output_spec(self, query, value, key=None, initial_state=None, return_attention_scores=False, **kwargs):
        shapes = self.compute_output_shape(query.shape, value.shape)
        results = tuple(keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes)
        if not return_attention_scores:
            return results
        return (*results, keras.KerasTensor((*query.shape[:-1], value.shape[-2]), dtype="float32"))

    def get_config(self):
        return {
            **super().get_config(),
            "cells": [keras.saving.serialize_keras_object(cell) for cell in self.cells],
            "attention": keras.saving.serialize_keras_object(self.attention),
            "order": self.order,
            "input_feeding": self.input_feeding,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config):
        cells = [keras.saving.deserialize_keras_object(cell) for cell in config["cells"]]
        attention = keras.saving.deserialize_keras_object(config["attention"])
        return super().from_config({**config, "cells": cells, "attention": attention})
