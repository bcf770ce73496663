"""The encoder that a run of some task begins with: one of a folder of the Hub, or that of another run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.settings import EncoderSettings
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.storage.weights import load_fitting_weights
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.learned_pieces import learn_pieces
from attention_zoo.pipelines.engine.training.run_state import weights_to_judge
from attention_zoo.pipelines.engine.training.selection import chosen_arrays
from attention_zoo.pipelines.hub.encoders import keep_encoder, keep_new_encoder, load_encoder, reader_of, with_options

A, B = "lora_kernel_a", "lora_kernel_b"


def is_kept(folder: RunFolder) -> bool:
    """Returns whether a run has its encoder: config.json is the file that is written last."""
    return (folder.encoder / "config.json").is_file()


def keep_start(
    folder: RunFolder,
    settings: EncoderSettings,
    texts: Iterable[str],
    vocabulary_size: int,
    max_length: int,
    pooler: bool = False,
) -> None:
    """Writes what a run begins with into its folder, once, so that it needs the folder of `model.encoder` no more.

    Args:
        folder: Folder of the run.
        settings: Of its encoder.
        texts: Training texts, from which a run without `model.encoder` learns the pieces of words.
        vocabulary_size: Number of pieces that it learns, about.
        max_length: Largest number of tokens that the run lets the encoder read.
        pooler: Whether an encoder from scratch has a pooler, and a given one keeps its own. Defaults to `False`.

    Raises:
        UserError: `model.encoder` cannot be used.
    """
    dropout = {name: settings.dropout for name in ("dropout", "attention_dropout")}
    if is_kept(folder):
        return
    if settings.encoder:
        keep_given_encoder(folder, settings.encoder, max_length, **dropout, **({} if pooler else {"pooler": False}))
        return
    sizes = {name: getattr(settings, name) for name in ("num_layers", "num_heads", "hidden_dim", "intermediate_dim")}
    options = {**sizes, **dropout, "max_length": max_length, "pooler": pooler}
    keep_new_encoder(learn_pieces(texts, vocabulary_size), options, folder.encoder)


def keep_given_encoder(folder: RunFolder, name: str, max_tokens: int = 0, **options: Any) -> None:
    """Writes an encoder with its tokeniser into the folder of a run, so that the run needs no other folder any more.

    Args:
        folder: Folder of the run.
        name: The setting `model.encoder`: a folder of the Hub, or of a run that has an encoder of texts.
        max_tokens: Largest number of tokens that the run lets it read. Defaults to 0: as many as it has positions.
        **options: Of the encoder, such as its dropout. Those that its family does not have are left out. Where a text
            has its "[CLS]", a `text_token`, its tokeniser says.

    Raises:
        UserError: The encoder cannot be read, or has positions for fewer tokens.
    """
    source, tokenizer = Path(name), find_tokenizer(name)
    try:
        run = RunFolder(source)
        encoder = of_run(run) if tokenizer == run.encoder else load_encoder(tokenizer)
    except UserError as error:
        raise UserError(f"--model.encoder: {error}") from None
    room = getattr(encoder, "max_tokens", max_tokens)  # XLNet's positions have no end
    if max_tokens > room:
        expected = f"expected at most {room}, the positions of {source}"
        raise UserError(f"--data.max_length: {expected}; received {max_tokens}")
    options["text_token"] = "first" if reader_of(tokenizer).before else "last"
    known = {option: value for option, value in options.items() if option in encoder.options}
    keep_encoder(with_options(encoder, **known), folder.encoder, tokenizer)


def find_tokenizer(name: str) -> Path:
    """Returns the folder that has the settings and the tokeniser of `model.encoder`: it, or a folder in that of a run.

    Of a run of language modeling it is the one that was written for the Hub.

    Raises:
        UserError: There is no such folder, or its settings or its tokeniser are of a kind that is not known here.
    """
    run = RunFolder(name)
    is_run = run.config.is_file()
    try:
        pretrained = is_run and (run.hub / "config.json").is_file()
        if is_run and not pretrained and not is_kept(run):
            raise UserError(f"{run}: expected a run with an encoder of texts, received one without {run.encoder.name}/")
        folder = run.hub if pretrained else run.encoder if is_run else run.path
        reader_of(folder)
    except UserError as error:
        raise UserError(f"--model.encoder: {error}") from None
    return folder


def of_run(run: RunFolder) -> Any:
    """Returns the encoder of another run, of any task that keeps one, with its final weights.

    Raises:
        UserError: The run has no checkpoint, or one without the encoder.
    """
    encoder = load_encoder(run.encoder, weights=False)
    monitor = yaml.safe_load(run.config.read_text(encoding="utf-8"))["training"]["monitor"]
    arrays = chosen_arrays(CheckpointStore(run.checkpoints), monitor, Task.prefers_lower(monitor))
    arrays = weights_to_judge(arrays, encoder)
    ours = {path.removeprefix("encoder/"): array for path, array in arrays.items() if path.startswith("encoder/")}
    _, missing = load_fitting_weights(encoder, merged(ours))
    if missing:
        raise UserError(f"{run}: expected checkpoints of {run.encoder}, received some without {missing[0]}")
    return encoder


def merged(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns weights by path, in which the matrices of LoRA are added to the kernels that they adapt.

    Example:

    >>> arrays = {"q/kernel": np.zeros((2, 3)), "q/lora_kernel_a": np.ones((2, 4)), "q/lora_kernel_b": np.ones((4, 3))}
    >>> {path: float(array.max()) for path, array in merged(arrays).items()}
    {'q/kernel': 4.0}
    """
    kept = {path: array for path, array in arrays.items() if not path.endswith((A, B))}
    for path in (path for path in arrays if path.endswith(A)):
        kernel = path.replace(A, "kernel")
        kept[kernel] = kept[kernel] + arrays[path] @ arrays[path.replace(A, B)]
    return kept
