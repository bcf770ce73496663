"""TFDS builders of the default data. Importing this package registers them: `tfds.load("cldr_phrases/fr")`."""

from attention_zoo.pipelines.datasets.cldr_phrases import CldrPhrases

__all__ = ["CldrPhrases"]
