"""Finds the attended regions that affect a driver's steering (Kim and Canny 2017, section 3.4).

The attention of a frame, upsampled to its pixels, is sampled for particles, and DBSCAN finds their clusters. The convex
hull of each cluster is painted black, and the driver is asked again. A cluster whose removal raises the error is
causal; the others are spurious.

Any fill colour is itself a stimulus, so the result with the frame's mean colour is reported too.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.stages import counted

PARTICLES = 600  # for each frame
RADIUS = 4.0  # pixels, DBSCAN's eps: half a cell of the feature map
DENSITY = 3.0  # least density of a cluster's core, in multiples of the particles' mean density
LATER = 2  # frames from the one that chooses the causal regions to the one that tests them
CONTROLS = 4  # random regions for each causal one
RESAMPLES = 2000


def upsampled(weights: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the weights (h, w) at every pixel (H, W), bilinear, as probabilities.

    Example:

    >>> upsampled(np.array([[1.0, 0.0]], "float32"), (1, 4)).round(3).tolist()
    [[0.5, 0.375, 0.125, 0.0]]
    """
    from PIL import Image

    image = Image.fromarray(np.asarray(weights, "float32")).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    density = np.maximum(np.asarray(image, "float64"), 0.0)
    return density / density.sum()


def blobs(weights: np.ndarray, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Finds the attended regions.

    Args:
        weights: (h, w), attention over a frame.
        size: (H, W) of the frame.
        generator: `numpy.random.Generator`.

    Returns:
        bool `(N, H, W)`: the convex hull of each cluster. N is 0 if attention is nearly uniform.
    """
    from scipy.spatial import ConvexHull
    from sklearn.cluster import DBSCAN

    height, width = size
    pixels = generator.choice(height * width, PARTICLES, p=upsampled(weights, size).ravel())
    points = np.stack([pixels % width, pixels // width], axis=1) + generator.uniform(size=(PARTICLES, 2))  # (x, y)
    usual = PARTICLES / (height * width) * np.pi * RADIUS**2
    labels = DBSCAN(eps=RADIUS, min_samples=int(np.ceil(DENSITY * usual))).fit_predict(points)
    centers = np.stack([*np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)], axis=-1)  # (H, W, 2)
    masks = [np.zeros((0, height, width), bool)]
    for label in range(labels.max() + 1):
        members = points[labels == label]
        if len(members) < 3:  # neighbouring clusters took the points around its core
            continue
        planes = ConvexHull(members).equations  # outside of one: above 0
        inside = np.all(centers @ planes[:, :2].T + planes[:, 2] <= 0.0, axis=-1)
        if inside.any():
            masks.append(inside[None])
    return np.concatenate(masks)


def painted_over(frame: np.ndarray, masks: np.ndarray, color: float | np.ndarray = 0) -> np.ndarray:
    """Returns copies of a frame (H, W, 3) with the pixels of each mask (N, H, W) in one color, by default black."""
    return np.where(masks[..., None], np.asarray(color, frame.dtype), frame)


def regions_of(
    predict: Callable[[np.ndarray], np.ndarray], frame: np.ndarray, weights: np.ndarray, generator: np.random.Generator
) -> list[tuple[list[list[float]], float, bool]]:
    """Says of each attended region of a frame how far the answer moves without it, where no true answer is known.

    A region is causal if the answer moves further than for the same shape at each of `CONTROLS` random places.

    Args:
        predict: Function of N copies of the frame, `(N, H, W, 3)`, to the answers `(N,)`, all from one state.
        frame: uint8 array `(H, W, 3)`.
        weights: `(h, w)`, attention over the frame.
        generator: `numpy.random.Generator`.

    Returns:
        List of tuples (outline, effect, causal): the corners of the convex hull, [x, y] in pixels; the distance between
        the answers with and without the region; and whether it is causal.

    Example:

    >>> frame = np.full((64, 64, 3), 200, "uint8")
    >>> weights = np.zeros((16, 16)); weights[4, 4] = 1.0
    >>> steer = lambda frames: frames[:, 16:20, 16:20].mean(axis=(1, 2, 3)) / 200
    >>> [(outline, effect, causal)] = regions_of(steer, frame, weights, np.random.default_rng(0))
    >>> effect > 0.5, causal
    (True, True)
    """
    from scipy.spatial import ConvexHull

    masks = blobs(weights, frame.shape[:2], generator)
    places = [frame[None]]
    for mask in masks:
        shifts = [tuple(generator.integers(mask.shape)) for _ in range(CONTROLS)]
        moved_masks = np.stack([mask, *(np.roll(mask, shift, axis=(0, 1)) for shift in shifts)])
        places.append(painted_over(frame, moved_masks))
    answers = predict(np.concatenate(places))
    found = []
    for mask, moved in zip(masks, np.abs(answers[1:] - answers[0]).reshape(-1, 1 + CONTROLS)):
        rows, columns = np.nonzero(mask)
        corners = np.concatenate([np.stack([columns + x, rows + y], axis=1) for x in (0, 1) for y in (0, 1)])
        outline = corners[ConvexHull(corners).vertices].tolist()
        found.append((outline, float(moved[0]), bool(moved[0] > moved[1:].max())))
    return found


def examine(
    predict: Callable[[np.ndarray, Any], np.ndarray],
    frames: Sequence[tuple[np.ndarray, np.ndarray]],
    steering: Sequence[tuple[float, float]],
    states: Sequence[tuple[Any, Any]],
    weights: Sequence[np.ndarray],
    seed: int = 0,
) -> dict[str, float]:
    """Separates causal from spurious blobs, and tests the causal ones on a later frame.

    A mask that was chosen because it raised the error of a frame raises it in that frame by construction. The test
    therefore uses the frame `LATER` frames on. It compares the causal hulls of the earlier frame with the same shapes
    at random places (rolled around the edges, so that the area is the same).

    Args:
        predict: `predict(frames (N, H, W, 3), state) -> steering (N,)`, all from one state.
        frames: List of pairs of frames: the attended frame, and the frame `LATER` frames on.
        steering: List of pairs: the true steering at both frames.
        states: List of pairs: the driver's state before each frame.
        weights: List of (h, w): attention over the first frame of each pair.
        seed: Seed of particles and random regions. Defaults to `0`.

    Returns:
        A dict of numbers: `blobs`, `spurious_share` and `deletion_frames`, the number of frames with a causal region.
        If there are any, also `deletion_ratio`, the mean error with the causal regions painted black divided by the
        mean error with random regions; `deletion_ratio_low` and `deletion_ratio_high`, its 95% interval (paired
        bootstrap over the frames); and `deletion_ratio_mean_color`, the ratio with the frame's mean color instead of
        black.
    """
    generator = np.random.default_rng(seed)
    total = causal_count = 0
    pairs = []
    rows = zip(frames, steering, states, weights)
    for (first, later), (truth, later_truth), (state, later_state), alpha in counted(rows, len(frames)):
        masks = blobs(alpha, first.shape[:2], generator)
        if not len(masks):
            continue
        answers = predict(np.concatenate([first[None], painted_over(first, masks)]), state)
        errors = np.abs(answers - truth)
        causal = errors[1:] > errors[0]
        total, causal_count = total + len(masks), causal_count + int(causal.sum())
        if causal.any():
            region = masks[causal].any(axis=0)
            moved = [np.roll(region, tuple(generator.integers(region.shape)), axis=(0, 1)) for _ in range(CONTROLS)]
            regions = np.stack([region, *moved])
            colors = 0, later.reshape(-1, 3).mean(axis=0).round()
            errors = [
                np.abs(predict(painted_over(later, regions, color), later_state) - later_truth) for color in colors
            ]
            pairs.append([(of_color[0], of_color[1:].mean()) for of_color in errors])
    report = {
        "blobs": total,
        "spurious_share": 1.0 - causal_count / total if total else 0.0,
        "deletion_frames": len(pairs),
    }
    if not pairs:
        return report
    black, mean_color = np.swapaxes(pairs, 0, 1)  # (N, 2) each
    region, elsewhere = mean_color.mean(axis=0)
    return (
        report | deletion_ratio(black, generator) | {"deletion_ratio_mean_color": float(region / max(elsewhere, 1e-12))}
    )


def deletion_ratio(pairs: np.ndarray, generator: np.random.Generator) -> dict[str, float]:
    """Returns the ratio of the means of the columns of (N, 2), and its 95% interval by resampling rows.

    Example:

    >>> deletion_ratio(np.array([[2.0, 1.0], [4.0, 2.0]]), np.random.default_rng(0))
    {'deletion_ratio': 2.0, 'deletion_ratio_low': 2.0, 'deletion_ratio_high': 2.0}
    """
    rows = generator.integers(len(pairs), size=(RESAMPLES, len(pairs)))
    means = np.maximum(
        np.concatenate([pairs.mean(axis=0)[None], pairs[rows].mean(axis=1)]), 1e-12
    )  # (1 + RESAMPLES, 2)
    ratios = means[:, 0] / means[:, 1]
    low, high = np.quantile(ratios[1:], [0.025, 0.975])
    return {"deletion_ratio": float(ratios[0]), "deletion_ratio_low": float(low), "deletion_ratio_high": float(high)}
