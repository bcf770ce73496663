"""What `faithfulness.py` measures of each task: the parts of its inputs, its answers, and explanations of them."""

EXAMPLES = {
    "translation": "explained.translation:TranslationExamples",
    "captioning": "explained.captioning:CaptioningExamples",
    "image_classification": "explained.image_classification:ImageClassificationExamples",
    "steering": "explained.steering:SteeringExamples",
    "document_classification": "explained.document_classification:DocumentClassificationExamples",
    "text_classification": "explained.text_classification:TextClassificationExamples",
    "question_answering": "explained.question_answering:QuestionAnsweringExamples",
    "intents": "explained.intents:IntentsExamples",
    "named_entities": "explained.named_entities:NamedEntitiesExamples",
    "language_modeling": "explained.language_modeling:LanguageModelingExamples",
}
