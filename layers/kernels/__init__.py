"""Exact attention in blocks, which `implementation="auto"` uses for long sequences, and rows of large weights.

The blocks are written for TensorFlow, whose Keras backend has no fused kernel. Only this package may import the active
backend.
"""

from attention_zoo.layers.kernels.additive import additive_blocks, additive_blocks_pay
from attention_zoo.layers.kernels.common import blocks_possible, choose_implementation, traced, tracing
from attention_zoo.layers.kernels.dot_product import dot_product_blocks
from attention_zoo.layers.kernels.rows import gather_rows
from attention_zoo.layers.kernels.window import window_blocks

__all__ = [
    "additive_blocks",
    "additive_blocks_pay",
    "blocks_possible",
    "choose_implementation",
    "dot_product_blocks",
    "gather_rows",
    "traced",
    "tracing",
    "window_blocks",
]
