"""DeiT's checkpoints: the Vision Transformer's, with a distillation token, and with a head for it in some classes."""

from attention_zoo.pipelines.hub.tables import dense_rows
from attention_zoo.pipelines.hub.vit import NEEDS, OPTIONS, ViTFamily, image_classifier, rows

TEACHER = [*dense_rows("head", "cls_classifier"), *dense_rows("distillation_head", "distillation_classifier")]

DEIT = ViTFamily(
    "deit",
    "deit.",
    "DeiT",
    "VisionTransformer",
    OPTIONS,
    rows,
    {
        "ImageClassification": image_classifier(dense_rows("head", "classifier")),
        "ImageClassificationWithTeacher": image_classifier(TEACHER, distillation_head=True),
    },
    needs=NEEDS,
    fixed={"pooling": "token", "distilled": True},
    ignored=(),
)
