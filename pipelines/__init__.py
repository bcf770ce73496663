"""One file a documented task, read from top to bottom in the order the data flows; here is their registry."""

from attention_zoo.pipelines.engine.command_line import Entry

TASKS = {
    "translation": Entry(
        task="attention_zoo.pipelines.translation:Translation",
        summary="sentence in, sentence out: RNN encoder-decoder, seq2seq, Bahdanau, Luong, Transformer",
        default_preset="bahdanau",
        settings="attention_zoo.pipelines.translation_settings:TranslationConfig",
    ),
}

# Name, what it holds, terms of use. The builders are in `attention_zoo.pipelines.datasets`.
DATASETS = [
    ("cldr_phrases", "dates, times, amounts, names and lists, English to any locale, with gold alignment", "Unicode licence"),
    ("dates", "dates as people write them in any locale, to ISO 8601, with gold alignment", "Unicode licence"),
    ("bible_translation", "verses: en-fr, en-de, en-es, split by chapter", "public domain texts"),
]
