"""Writes a SavedModel as TF Serving reads it: signatures by name, and warm-up requests."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from attention_zoo.layers.products import ProductsBy
from attention_zoo.pipelines.engine.serving.products import ConstantProducts
from attention_zoo.pipelines.engine.serving.versions import CANDIDATE, taken_versions, write_models_config
from attention_zoo.pipelines.engine.storage.files import locked, replace_directory

Signatures = Mapping[str, tuple[Callable[..., dict[str, tf.Tensor]], dict[str, tf.TensorSpec]]]


def export_saved_model(
    directory: Path | str,
    trackables: Sequence[Any],
    signatures: Signatures,
    warm_up: Mapping[str, Any] | None = None,
    notes: Mapping[str, str] | None = None,
    products: ConstantProducts | None = None,
) -> Path:
    """Writes the next version of a task's SavedModel.

    The version is written to a hidden folder beside its place and then renamed, so a server that watches the folder
    never sees half of it. Exports into one `saved_models` folder wait for each other, and remove what a killed export
    left behind.

    What is written holds the variables and tables that the functions use, and not the models themselves: of a Keras 3
    model `tf.saved_model.save` gives every variable two handles, and TF Serving does not find one of them
    (tensorflow#72963). `keras.export.ExportArchive` does the same, and traces each function twice.

    Args:
        directory: `saved_models/TASK`; its name is the name of the served model. Created if it does not exist. A
            folder `saved_models/TASK.candidate` is not listed for the server.
        trackables: Keras models (built) and `tf.Module`s with the tokenizers, tables and variables that the functions
            use.
        signatures: `{name: (function, inputs)}`. `inputs` is a dict of `tf.TensorSpec` by name; the function is called
            with them as keyword arguments, inside a graph and without AutoGraph, and returns a dict of tensors
            by name. Ragged outputs have no name in a signature: return padded values and lengths. `serving_default`
            must be one of the names.
        warm_up: Example inputs by name, arrays or lists. A server answers them before it answers the first request.
            One request is written for every signature, with the inputs that it has; an input that needs another shape
            than in the other signatures is named "SIGNATURE/INPUT". Defaults to `None`, which writes no requests.
        notes: Texts by file name, for `assets.extra`, which servers ignore. Defaults to `None`, which writes none.
        products: `ConstantProducts`, which compute the products with weights. Defaults to `None`: those of float32.

    Returns:
        `Path` of the version's folder.

    Raises:
        ValueError: A signature or the warm-up is not as described, or a model is not built. Nothing is written then.

    Example:

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> inputs = {"features": tf.TensorSpec((None, 3), "float32")}
    >>> signatures = {"serving_default": (lambda features: {"logits": model(features)}, inputs)}
    >>> directory = Path(tempfile.mkdtemp()) / "saved_models" / "dense"
    >>> export_saved_model(directory, [model], signatures, {"features": [[1.0, 2.0, 3.0]]}).name
    '1'
    >>> from attention_zoo.pipelines.engine.serving.versions import load_saved_model
    >>> load_saved_model(directory).signatures["serving_default"](features=tf.zeros((5, 3)))["logits"].shape
    TensorShape([5, 2])
    """
    directory = Path(directory)
    check_signatures(signatures)
    for trackable in trackables:
        if isinstance(trackable, keras.layers.Layer) and not trackable.built:
            raise ValueError(f"trackables: expected models that are built, received {trackable.name!r} that is not")
    requests = warm_up_requests(directory.name.removesuffix(CANDIDATE), signatures, warm_up)
    with ProductsBy(ConstantProducts() if products is None else products):
        functions = {name: traced(name, function, inputs) for name, (function, inputs) in signatures.items()}
    used = what_is_used(functions.values(), trackables)

    with locked(directory.parent / ".lock", wait=True):
        directory.mkdir(exist_ok=True)
        for abandoned in directory.glob(".*.partial"):
            shutil.rmtree(abandoned)
        version = max(taken_versions(directory), default=0) + 1
        partial = directory / f".{version}.partial"  # a server reads only folders whose whole name is a number
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # a server takes no gradients
        tf.saved_model.save(used, str(partial), signatures=functions, options=options)
        write_warm_up(partial, requests)
        for name, text in (notes or {}).items():
            (partial / "assets.extra").mkdir(exist_ok=True)
            (partial / "assets.extra" / name).write_text(text, encoding="utf-8")
        replace_directory(partial, directory / str(version))
        write_models_config(directory.parent)
    return directory / str(version)


def size_of(version: Path | str) -> tuple[int, int]:
    """Returns the number of operations in all functions of a SavedModel, and the bytes of its graph and variables."""
    version = Path(version)
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((version / "saved_model.pb").read_bytes())
    functions = [one for graph in saved_model.meta_graphs for one in graph.graph_def.library.function]
    files = [version / "saved_model.pb", *(version / "variables").glob("*")]
    return sum(len(one.node_def) for one in functions), sum(path.stat().st_size for path in files)


def check_signatures(signatures: Signatures) -> None:
    """Raises `ValueError` unless the signatures are as `export_saved_model` describes them."""
    if "serving_default" not in signatures:
        raise ValueError(
            f"signatures must hold 'serving_default', which a server answers with; received {sorted(signatures)}"
        )
    for name, (function, inputs) in signatures.items():
        if not callable(function):
            raise ValueError(f"signatures[{name!r}] must begin with a function, received {function!r}")
        if not isinstance(inputs, dict) or not inputs:
            raise ValueError(f"signatures[{name!r}] must have a dict of tf.TensorSpec as inputs, received {inputs!r}")
        for key, spec in inputs.items():
            if not isinstance(spec, tf.TensorSpec):
                raise ValueError(f"input {key!r} of signature {name!r} must be a tf.TensorSpec, received {spec!r}")


def traced(
    name: str, function: Callable[..., dict[str, tf.Tensor]], inputs: dict[str, tf.TensorSpec]
) -> Any:  # a ConcreteFunction
    """Traces the function of a signature.

    Raises:
        ValueError: It returns something else than a dict of dense tensors.
    """
    named = {key: tf.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in inputs.items()}
    graph = tf.function(lambda arguments: function(**arguments), autograph=False).get_concrete_function(named)
    outputs = graph.structured_outputs
    if not isinstance(outputs, dict) or not outputs:
        raise ValueError(f"signature {name!r} must return a dict of tensors by name, received {outputs!r}")
    for key, output in outputs.items():
        if not isinstance(output, tf.Tensor | tf.TensorSpec):
            raise ValueError(f"output {key!r} of signature {name!r} must be a dense tensor, received {output!r}")
    return graph


def what_is_used(functions: Iterable[Any], trackables: Sequence[Any]) -> tf.Module:
    """Returns a module with the variables that traced functions use, and the tables and tokenizers of trackables."""
    module = tf.Module()
    module.used_variables = list({id(one): one for graph in functions for one in graph.variables}.values())
    resource = tf.saved_model.experimental.TrackableResource
    parts = [part for one in trackables for part in tf.train.TrackableView(one).descendants()]
    module.resources = [part for part in parts if isinstance(part, resource)]
    return module


def warm_up_requests(task: str, signatures: Signatures, warm_up: Mapping[str, Any] | None) -> list[bytes]:
    """Returns one serialized PredictionLog for every signature."""
    if warm_up is None:
        return []
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    specs = {key: spec for _, inputs in signatures.values() for key, spec in inputs.items()}
    if {key.rpartition("/")[2] for key in warm_up} != set(specs):
        raise ValueError(f"warm_up must have the inputs of the signatures, {sorted(specs)}; received {sorted(warm_up)}")
    logs = []
    for name, (_, inputs) in signatures.items():
        log = PredictionLog()
        request = log.predict_log.request
        request.model_spec.name = task
        request.model_spec.signature_name = name
        for key, spec in inputs.items():
            value = tf.convert_to_tensor(warm_up.get(f"{name}/{key}", warm_up.get(key)), spec.dtype)
            if not spec.shape.is_compatible_with(value.shape):
                raise ValueError(
                    f"warm_up[{key!r}] must have the shape {spec.shape} of its input, received {value.shape}"
                )
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        logs.append(log.SerializeToString(deterministic=True))
    return logs


def write_warm_up(version_directory: Path, requests: Sequence[bytes]) -> None:
    """Writes the requests where TF Serving looks for them."""
    if not requests:
        return
    extra = version_directory / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for request in requests:
            writer.write(request)
