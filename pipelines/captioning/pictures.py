"""What is to be seen of a caption: where the model looked at each word, with the reference where it is known."""

from attention_zoo.pipelines.engine.images.image_files import shown_image
from attention_zoo.pipelines.engine.views import HeatMaps


def heat_maps_of(answer):
    """Returns the image, and where the model looked at each word; `None` for a caption without words."""
    words, maps = (answer[name][: answer["lengths"]] for name in ("words", "weights"))
    if not len(words):
        return None
    known = f"reference: {answer['reference']}" if "reference" in answer else ""
    return HeatMaps(shown_image(answer["image_bytes"]), maps, list(words), answer["caption"], known)
