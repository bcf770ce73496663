"""Google's own checkpoints of BERT and ALBERT: variables of TensorFlow 1, which become a folder as the Hub has them."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.folder import SINGLE, read_json

SETTINGS = {"bert_config.json": "bert", "albert_config.json": "albert"}
"""Files with the settings, and the "model_type" that they stand for."""
CLASSES = {"bert": "Bert", "albert": "Albert"}
OPTIMIZERS = re.compile(r"adam_[mv]$|AdamWeightDecayOptimizer|global_step$|lamb_[mv]$")
NAMES = {
    "bert": ((r"/layer_(\d+)/", r"/layer/\1/"),),
    "albert": (
        (r"^bert/", "albert/"),
        (r"/transformer/group_(\d+)/inner_group_(\d+)/", r"/albert_layer_groups/\1/albert_layers/\2/"),
        (r"/attention_1/(?:self|output)/", "/attention/"),
        (r"/LayerNorm_1/", "/full_layer_layer_norm/"),
        (r"(/albert_layers/\d+)/LayerNorm/", r"\1/attention/LayerNorm/"),
        (r"/ffn_1/intermediate/output/dense/", "/ffn_output/"),
        (r"/ffn_1/intermediate/dense/", "/ffn/"),
        (r"/pooler/dense/", "/pooler/"),
        (r"^cls/predictions/(?:transform/)?", "predictions/"),
        (r"^cls/seq_relationship/", "sop_classifier/classifier/"),
    ),
}
"""By "model_type": what of a variable's name the Hub writes in another way."""
ENDS = (
    (r"(_embeddings)$", r"\1/weight"),
    (r"(?:kernel|gamma|output_weights)$", "weight"),
    (r"(?:beta|output_bias)$", "bias"),
)


def hub_name(variable: str, model_type: str) -> str:
    """Returns the name that the tensor of a variable has on the Hub.

    Example:

    >>> hub_name("bert/encoder/layer_3/attention/self/query/kernel", "bert")
    'bert.encoder.layer.3.attention.self.query.weight'
    >>> hub_name("module/bert/encoder/transformer/group_0/inner_group_0/LayerNorm_1/gamma", "albert")
    'albert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight'
    """
    name = variable.removeprefix("module/")  # of checkpoints that were TensorFlow Hub modules
    for pattern, written in (*NAMES[model_type], *ENDS):
        name = re.sub(pattern, written, name)
    return name.replace("/", ".")


@contextmanager
def hub_folder(folder: Path, weights: bool = True) -> Iterator[Path]:
    """Gives a folder as the Hub has it: the folder itself, or a temporary one made from one of Google's.

    Google's folders have bert_config.json or albert_config.json, vocab.txt or one *.model, and a checkpoint, as they
    come out of the published archives. The activation "gelu" of ALBERT is the approximation by tanh, as in the code
    that trained it; BERT's is the exact one, as in transformers. BERT's casing is not among its settings: a folder
    whose name has "cased", and not "uncased", keeps it, and others do not, as in the authors' code.

    Args:
        folder: Of the Hub or of Google.
        weights: Whether the weights are needed. Defaults to `True`.

    Raises:
        UserError: A file is missing or cannot be read. Errors inside of the context name the given folder.
    """
    name = next((name for name in SETTINGS if (folder / name).is_file()), None)
    if name is None or (folder / "config.json").is_file():
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        try:
            _write(folder, name, Path(made), weights)
            yield Path(made)
        except UserError as error:
            raise UserError(str(error).replace(made, str(folder))) from None


def _write(folder: Path, name: str, made: Path, weights: bool) -> None:
    """Writes a folder of Google's, whose settings have a name, as one of the Hub."""
    from safetensors.numpy import save_file

    model_type, settings = SETTINGS[name], read_json(folder / name)
    if model_type == "albert" and settings.get("hidden_act") == "gelu":
        settings["hidden_act"] = "gelu_new"
    reader = _checkpoint(folder)
    variables = [one for one in reader.get_variable_to_shape_map() if not OPTIMIZERS.search(one)]
    head = "ForPreTraining" if any(one.endswith("cls/predictions/output_bias") for one in variables) else "Model"
    settings |= {"model_type": model_type, "architectures": [f"{CLASSES[model_type]}{head}"]}
    (made / "config.json").write_text(json.dumps(settings))
    _write_tokenizer(folder, made)
    if weights:
        tensors = {hub_name(one, model_type): _tensor(folder, reader, one) for one in sorted(variables)}
        save_file(tensors, made / SINGLE)


def _write_tokenizer(folder: Path, made: Path) -> None:
    """Writes the tokeniser of a folder of Google's as one of the Hub, if there is one."""
    models = sorted(folder.glob("*.model"))
    if (folder / "vocab.txt").is_file():
        cased = re.search(r"(?<!un)cased", folder.resolve().name.lower()) is not None
        (made / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
        (made / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": not cased}))
    elif models:
        (made / "spiece.model").write_bytes(models[0].read_bytes())


def _checkpoint(folder: Path) -> Any:
    """Returns TensorFlow's reader of the checkpoint of a folder."""
    import tensorflow as tf

    found = sorted(folder.glob("*.index"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise UserError(f"{folder}: expected one checkpoint of TensorFlow, *.index and *.data-*; received {names}")
    try:
        return tf.train.load_checkpoint(str(found[0].with_suffix("")))
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(
            f"{found[0]}: expected a checkpoint of TensorFlow, received one that is not ({error})"
        ) from None


def _tensor(folder: Path, reader: Any, variable: str) -> np.ndarray:
    """Returns a variable, laid out as on the Hub: kernels are (out, in)."""
    import tensorflow as tf

    try:
        array = reader.get_tensor(variable)
    except (tf.errors.OpError, RuntimeError, IndexError) as error:  # the reader's, of all kinds
        raise UserError(f"{folder}: expected a whole checkpoint, received one without {variable} ({error})") from None
    return np.ascontiguousarray(array.T if variable.endswith("/kernel") else array)
