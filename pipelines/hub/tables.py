"""Tables of names: which tensor of a checkpoint is which weight of a model, and how its axes are laid out.

A family of models has one table of rows. It is read to load a checkpoint and to write one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.weights import variables_by_path

if TYPE_CHECKING:
    import keras

NAMES_SHOWN = 12  # of a list of missing tensors


@dataclass(frozen=True)
class Hook:
    """How a tensor of a checkpoint becomes a weight, and back.

    Args:
        read: Function of the tensor and the shape of the weight to the weight.
        write: Function of the weight to the tensor.
        part: Which part of a tensor that several weights share, along its last axis. Defaults to 0.
        parts: How many weights of equal width share it. Defaults to 1.
    """

    read: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
    write: Callable[[np.ndarray], np.ndarray]
    part: int = 0
    parts: int = 1


class Row(NamedTuple):
    """One weight.

    Args:
        path: Of the variable, as `variables_by_path` gives it.
        name: Of the tensor in the checkpoint.
        hook: How the tensor is laid out.
    """

    path: str
    name: str
    hook: Hook


def _reshaped(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return array.reshape(shape)


def _transposed(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return array.T.reshape(shape)


SAME = Hook(_reshaped, lambda weight: weight)
"""The same axes, such as embeddings and layer normalisation."""
FLAT = Hook(_reshaped, lambda weight: weight.reshape(-1))
"""One axis in the checkpoint: biases, which have an axis of heads here."""
LINEAR = Hook(_transposed, lambda weight: weight.reshape(weight.shape[0], -1).T)
"""PyTorch's `Linear`, (out, in), for a kernel whose first axis is the input."""
LINEAR_FROM_HEADS = Hook(_transposed, lambda weight: weight.reshape(-1, weight.shape[-1]).T)
"""PyTorch's `Linear`, (out, in), for a kernel (H, d, out), whose first two axes are the input."""
CONV1D = Hook(_reshaped, lambda weight: weight.reshape(weight.shape[0], -1))
"""GPT-2's layout, (in, out), for a kernel whose first axis is the input."""
CONV1D_FROM_HEADS = Hook(_reshaped, lambda weight: weight.reshape(-1, weight.shape[-1]))
"""GPT-2's layout, (in, out), for a kernel (H, d, out)."""


def part(number: int, count: int, hook: Hook) -> Hook:
    """Returns the hook of a weight that is one of `count` equal parts of a tensor, along its last axis.

    Example: the second of three.

    >>> import numpy as np
    >>> row = Row("key/kernel", "c_attn.weight", part(1, 3, CONV1D))
    >>> print(weight_of(np.arange(12).reshape(2, 6), (2, 1, 2), row.hook).reshape(2, 2))
    [[2 3]
     [8 9]]
    """
    return replace(hook, part=number, parts=count)


def weight_of(tensor: np.ndarray, shape: tuple[int, ...], hook: Hook) -> np.ndarray:
    """Returns the weight of a shape that a tensor of a checkpoint holds."""
    if hook.parts > 1:
        tensor = np.split(tensor, hook.parts, axis=-1)[hook.part]
    return hook.read(tensor, shape)


def shape_in_file(shape: Iterable[int], hook: Hook) -> tuple[int, ...]:
    """Returns the shape that the tensor of a weight has in a checkpoint."""
    *leading, last = hook.write(np.broadcast_to(np.float32(0), tuple(shape))).shape
    return (*leading, last * hook.parts)


def read_weights(model: "keras.Model", tensors: Mapping[str, Any], rows: Iterable[Row]) -> list[str]:
    """Sets the weights of a model from the tensors of a checkpoint.

    Args:
        model: A built `keras.Model`.
        tensors: Dict of names to arrays. Only those that the rows name are read.
        rows: The rows of all weights of the model.

    Returns:
        The names of tensors that no row has, sorted.

    Raises:
        UserError: Tensors are missing or have another shape; the message lists them, and nothing is set.

    Example:

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="dense")])
    >>> rows = [Row("dense/kernel", "fc.weight", LINEAR), Row("dense/bias", "fc.bias", FLAT)]
    >>> tensors = {"fc.weight": np.array([[3.0, 4.0]]), "fc.bias": np.array([5.0]), "step": np.array(7)}
    >>> read_weights(model, tensors, rows)
    ['step']
    >>> print(model(np.array([[1.0, 1.0]])).numpy())
    [[12.]]
    """
    rows, variables = list(rows), variables_by_path(model)
    missing = sorted({row.name for row in rows if row.name not in tensors})
    if missing:
        more = f" and {len(missing) - NAMES_SHOWN} more" if len(missing) > NAMES_SHOWN else ""
        raise UserError(f"weights: expected {', '.join(missing[:NAMES_SHOWN])}{more}; received a checkpoint without")
    weights = []  # each tensor is read once, and all are checked before the first weight is set
    for row in rows:
        variable, tensor = variables[row.path], np.asarray(tensors[row.name])
        expected = shape_in_file(variable.shape, row.hook)
        if expected != tensor.shape:
            raise UserError(f"weights: expected {row.name} of shape {expected}, received {tensor.shape}")
        weights.append((variable, weight_of(tensor, tuple(variable.shape), row.hook)))
    for variable, weight in weights:
        variable.assign(weight)
    return sorted(set(tensors) - {row.name for row in rows})


def write_weights(model: "keras.Model", rows: Iterable[Row]) -> dict[str, np.ndarray]:
    """Returns the tensors of a checkpoint by name; the inverse of `read_weights`.

    Example:

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")])
    >>> tensors = write_weights(model, [Row("dense/kernel", "fc.weight", LINEAR)])
    >>> {name: tensor.shape for name, tensor in tensors.items()}
    {'fc.weight': (3, 2)}
    """
    variables = variables_by_path(model)
    parts: dict[str, dict[int, np.ndarray]] = {}
    for row in rows:
        parts.setdefault(row.name, {})[row.hook.part] = row.hook.write(np.asarray(variables[row.path]))
    return {
        name: np.ascontiguousarray(np.concatenate([found[number] for number in sorted(found)], axis=-1))
        for name, found in parts.items()
    }


def dense_rows(path: str, name: str, kernel: Hook = LINEAR) -> list[Row]:
    """Returns the rows of a dense layer with a kernel and a bias."""
    return [Row(f"{path}/kernel", f"{name}.weight", kernel), Row(f"{path}/bias", f"{name}.bias", FLAT)]


def norm_rows(path: str, name: str) -> list[Row]:
    """Returns the rows of a layer normalisation."""
    return [Row(f"{path}/gamma", f"{name}.weight", SAME), Row(f"{path}/beta", f"{name}.bias", SAME)]


def embedding_rows(path: str, names: Mapping[str, str]) -> list[Row]:
    """Returns the rows of embeddings, given the names of ours and theirs."""
    return [Row(f"{path}/{ours}/embeddings", f"{theirs}.weight", SAME) for ours, theirs in names.items()]


def block_rows(path: str, name: str, names: Mapping[str, str]) -> list[Row]:
    """Returns the rows of a `TransformerEncoderBlock`.

    Args:
        path: Of the block.
        name: Of the block in the checkpoint, which its parts begin with.
        names: Dict of our names of its parts, without "self_attention/", to theirs.
    """
    rows = []
    for ours, theirs in names.items():
        if ours.endswith("norm"):
            rows += norm_rows(f"{path}/{ours}", f"{name}.{theirs}")
        elif ours.startswith("feed_forward"):
            rows += dense_rows(f"{path}/{ours}", f"{name}.{theirs}")
        else:
            hook = LINEAR_FROM_HEADS if ours == "attention_output" else LINEAR
            rows += dense_rows(f"{path}/self_attention/{ours}", f"{name}.{theirs}", hook)
    return rows
