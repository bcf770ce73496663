"""Attention mechanisms as Keras layers (`attention_zoo.layers`), each trained end to end (`attention_zoo.pipelines`)."""

__version__ = "0.1.0"
