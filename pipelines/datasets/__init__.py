"""TFDS builders of the default data. Importing this package registers them: `tfds.load("cldr_phrases/fr")`."""

from attention_zoo.pipelines.datasets.bible_translation import BibleTranslation
from attention_zoo.pipelines.datasets.cldr_phrases import CldrPhrases
from attention_zoo.pipelines.datasets.dates import Dates

__all__ = ["BibleTranslation", "CldrPhrases", "Dates"]
