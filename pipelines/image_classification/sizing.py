"""Image size, color and patch that nobody typed, read from a user's own images."""

import math

from attention_zoo.pipelines.engine.settings import describe_change

LARGEST = 64  # pixels of the longer side; a preset for larger images sets a higher limit
FEWEST, USUAL, MOST = 16, 64, 100  # patches of an image; a preset with more patches sets a higher limit


def size_to_images(config, look, typed, patch):
    """Changes `data.height`, `data.width`, `data.color` and `model.patch_size` to suit a user's own images.

    The size is the median of the images, reduced to `LARGEST` pixels or the preset's size, whichever is larger. The
    patch stays if it gives 16 to 100 patches. `training.batch_tokens` follows the number of patches, so that a batch
    keeps its number of images.

    Args:
        config: `ImageClassificationConfig`, which is changed in place.
        look: `Look` of the images; `None` for those of a dataset, which keep all settings.
        typed: Dotted names of the settings that the user wrote. They stay as they are.
        patch: Side of a patch of the model.

    Returns:
        A line for each changed setting.
    """
    if look is None:
        return []
    data, model, training = config.data, config.model, config.training
    before = count_patches(data.height, data.width, patch)
    given = [getattr(data, side) if f"data.{side}" in typed else 0 for side in ("height", "width")]
    others = hasattr(model, "patch_size") and "model.patch_size" not in typed
    largest, most = max(LARGEST, data.height, data.width), max(MOST, before)
    height, width, patch = fitting_size((look.height, look.width), given, patch, others, largest, most)
    after = count_patches(height, width, patch)
    reason = f"since the median of your images is {look.height:,} x {look.width:,} (height x width)"
    lines = _set(data, "data.height", height, reason) + _set(data, "data.width", width, reason)
    if "data.color" not in typed:
        reason = f"since {look.colored:,} of your {look.count:,} images have color"
        lines += _set(data, "data.color", look.colored > 0, reason)
    if others:
        lines += _set(model, "model.patch_size", patch, f"for {after:,} patches an image")
    if "training.batch_tokens" not in typed and before != after:
        token = int(model.pooling == "token")
        images = max(1, training.batch_tokens // (before + token))
        reason = f"for batches of {images:,} images, as before"
        lines += _set(training, "training.batch_tokens", images * (after + token), reason)
    return lines


def fitting_size(median, given, patch, others, largest, most):
    """Returns height, width and patch for images of a median size.

    Args:
        median: (height, width) of the images.
        given: (height, width) that the user typed; 0 for a side that nobody typed.
        patch: Side of a patch.
        others: Whether another patch may be chosen if that one gives too few patches or too many.
        largest: Most pixels of the longer side.
        most: Most patches.

    Example:

    >>> fitting_size((480, 640), (0, 0), 7, True, 64, 100)
    (49, 63, 7)
    >>> fitting_size((32, 32), (64, 64), 7, True, 64, 100)
    (64, 64, 8)
    >>> fitting_size((480, 640), (0, 0), 4, False, 64, 100)
    (36, 48, 4)
    """
    scale = next((side / of for side, of in zip(given, median) if side), min(1.0, largest / max(median)))
    wanted = [side or of * scale for side, of in zip(given, median)]

    def sides(patch, scale=1.0):
        return [side or max(1, round(of * scale / patch)) * patch for side, of in zip(given, wanted)]

    usual = math.sqrt(math.prod(wanted) / USUAL)
    further = sorted(range(1, round(max(wanted)) + 1), key=lambda one: abs(one - usual)) if others else []
    for one in (patch, *further):
        fits = not any(side % one for side in sides(one))
        if fits and FEWEST <= count_patches(*sides(one), one) <= most:
            return *sides(one), one
    count = math.prod(wanted) / patch**2
    scale = math.sqrt(min(max(count, FEWEST), most) / count)
    return *sides(patch, scale), patch


def count_patches(height, width, patch):
    """Returns the number of patches of an image."""
    return (height // patch) * (width // patch)


def _set(section, name, value, reason):
    """Changes a setting, and returns the line that says so; none if it has this value already."""
    option = name.partition(".")[2]
    before = getattr(section, option)
    setattr(section, option, value)
    return describe_change(name, before, value, reason)
