"""Folders of the Hugging Face Hub: read into our models, and written from them."""

from attention_zoo.pipelines.hub.pretrained import from_pretrained, to_pretrained

__all__ = ["from_pretrained", "to_pretrained"]
