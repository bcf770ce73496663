"""The encoder of a run: where it comes from, which of its weights are learned, and how fast."""

from pathlib import Path

import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.storage.weights import load_weights_by_path
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.learned_pieces import learn_pieces
from attention_zoo.pipelines.engine.training.run_state import weights_to_judge
from attention_zoo.pipelines.engine.training.selection import chosen_arrays
from attention_zoo.pipelines.hub.encoders import (
    keep_encoder,
    keep_new_encoder,
    load_encoder,
    reader_of,
    with_options,
)

PROJECTIONS = ("query_dense", "key_dense", "value_dense", "output_dense")  # of the attention, which LoRA adapts
A, B = "lora_kernel_a", "lora_kernel_b"


def is_kept(folder):
    """Returns whether a `RunFolder` has its encoder: config.json is the file that is written last."""
    return (folder.encoder / "config.json").is_file()


def keep_start(folder, config, texts):
    """Writes what a run begins with into its folder, once, so that it needs the folder of `model.encoder` no more.

    Args:
        folder: `RunFolder`.
        config: `TextClassificationConfig`.
        texts: Training texts, from which a run without `model.encoder` learns the pieces of words.

    Raises:
        UserError: `model.encoder` cannot be used.
    """
    model, dropout = config.model, {name: config.model.dropout for name in ("dropout", "attention_dropout")}
    if is_kept(folder):
        return
    if not model.encoder:
        sizes = {name: getattr(model, name) for name in ("num_layers", "num_heads", "hidden_dim", "intermediate_dim")}
        options = {**sizes, **dropout, "max_length": config.data.max_length, "pooler": model.pooling == "first"}
        keep_new_encoder(learn_pieces(texts, config.data.vocabulary_size), options, folder.encoder)
        return
    source, tokenizer = Path(model.encoder), find_tokenizer(model.encoder)
    try:
        encoder = load_encoder(source) if tokenizer == source else of_run(RunFolder(source))
    except UserError as error:
        raise UserError(f"--model.encoder: {error}") from None
    if config.data.max_length > encoder.max_tokens:
        expected = f"expected at most {encoder.max_tokens}, the positions of {source}"
        raise UserError(f"--data.max_length: {expected}; received {config.data.max_length}")
    if model.pooling == "mean":
        dropout["pooler"] = False
    keep_encoder(with_options(encoder, **dropout), folder.encoder, tokenizer)


def find_tokenizer(name):
    """Returns the folder that has the settings and the tokeniser of `model.encoder`: it, or a folder in that of a run.

    Raises:
        UserError: There is no such folder, or its settings or its tokeniser are of a kind that is not known here.
    """
    run = RunFolder(name)
    is_run = run.config.is_file()
    try:
        if is_run and not is_kept(run):
            raise UserError(f"{run}: expected a run with an encoder of texts, received one without {run.encoder.name}/")
        folder = run.encoder if is_run else run.path
        reader_of(folder)
    except UserError as error:
        raise UserError(f"--model.encoder: {error}") from None
    return folder


def of_run(run):
    """Returns the encoder of another run, of any task that keeps one, with its final weights.

    Raises:
        UserError: The run has no checkpoint, or one without the encoder.
    """
    encoder = load_encoder(run.encoder, weights=False)
    monitor = yaml.safe_load(run.config.read_text(encoding="utf-8"))["training"]["monitor"]
    arrays = chosen_arrays(CheckpointStore(run.checkpoints), monitor, Task.prefers_lower(monitor))
    arrays = weights_to_judge(arrays, encoder)
    ours = {path.removeprefix("encoder/"): array for path, array in arrays.items() if path.startswith("encoder/")}
    _, missing, _ = load_weights_by_path(encoder, merged(ours))
    if missing:
        raise UserError(f"{run}: expected checkpoints of {run.encoder}, received some without {missing[0]}")
    return encoder


def merged(arrays):
    """Returns weights by path, in which the matrices of LoRA are added to the kernels that they adapt.

    Example:

    >>> import numpy as np
    >>> arrays = {"q/kernel": np.zeros((2, 3)), "q/lora_kernel_a": np.ones((2, 4)), "q/lora_kernel_b": np.ones((4, 3))}
    >>> {path: float(array.max()) for path, array in merged(arrays).items()}
    {'q/kernel': 4.0}
    """
    kept = {path: array for path, array in arrays.items() if not path.endswith((A, B))}
    for path in (path for path in arrays if path.endswith(A)):
        kernel = path.replace(A, "kernel")
        kept[kernel] = kept[kernel] + arrays[path] @ arrays[path.replace(A, B)]
    return kept


def limit_learning(encoder, frozen, lora_rank):
    """Fixes the weights of a built encoder if the settings say so, and adds the matrices that are learned instead."""
    if frozen or lora_rank:
        for variable in encoder.trainable_variables:
            variable.trainable = False
    for block in encoder.blocks if lora_rank else ():
        for name in PROJECTIONS:
            getattr(block.self_attention, name).enable_lora(lora_rank)


def layer_factors(paths, blocks, decay):
    """Returns the factors of the learning rate by path: `decay` to the power of the layers above.

    Args:
        paths: Paths of the weights of a model whose encoder is named "encoder".
        blocks: Number of its blocks.
        decay: `training.layer_decay`.

    Example:

    >>> paths = ["encoder/embeddings/tokens", "encoder/encoder_0/kernel", "encoder/encoder_1/kernel", "classes/bias"]
    >>> layer_factors(paths, 2, 0.5)
    {'encoder/embeddings/tokens': 0.125, 'encoder/encoder_0/kernel': 0.25, 'encoder/encoder_1/kernel': 0.5}
    """
    places = {"embeddings": 0, "widen": 0} | {f"encoder_{number}": number + 1 for number in range(blocks)}
    parts = {path: path.split("/")[1] for path in paths if path.startswith("encoder/")}
    return {path: decay ** (blocks + 1 - places[part]) for path, part in parts.items() if part in places}
