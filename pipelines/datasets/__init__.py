"""TFDS builders of the default data. Importing this package registers them: `tfds.load("cldr_phrases/fr")`."""

from attention_zoo.pipelines.datasets.builders.bbc_news import BbcNews
from attention_zoo.pipelines.datasets.builders.bible_translation import BibleTranslation
from attention_zoo.pipelines.datasets.builders.car_racing import CarRacing
from attention_zoo.pipelines.datasets.builders.cldr_phrases import CldrPhrases
from attention_zoo.pipelines.datasets.builders.conll2003_english import Conll2003English
from attention_zoo.pipelines.datasets.builders.dates import Dates
from attention_zoo.pipelines.datasets.builders.digits import Digits
from attention_zoo.pipelines.datasets.builders.emoji_scenes import EmojiScenes
from attention_zoo.pipelines.datasets.builders.home_intents import HomeIntents
from attention_zoo.pipelines.datasets.builders.needles import Needles
from attention_zoo.pipelines.datasets.builders.newsgroups import Newsgroups
from attention_zoo.pipelines.datasets.builders.sentiment_strength import SentimentStrength
from attention_zoo.pipelines.datasets.builders.shakespeare import Shakespeare
from attention_zoo.pipelines.datasets.builders.squad11 import Squad11

__all__ = [
    "BbcNews",
    "BibleTranslation",
    "CarRacing",
    "CldrPhrases",
    "Conll2003English",
    "Dates",
    "Digits",
    "EmojiScenes",
    "HomeIntents",
    "Needles",
    "Newsgroups",
    "SentimentStrength",
    "Shakespeare",
    "Squad11",
]
