"""Encoders without their heads, and folders that keep one with its tokeniser, so that a run needs no other folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.weights import load_fitting_weights, variables_by_path
from attention_zoo.pipelines.hub.bert import BERT
from attention_zoo.pipelines.hub.folder import SINGLE, Tensors, read_json
from attention_zoo.pipelines.hub.google_checkpoints import hub_folder
from attention_zoo.pipelines.hub.pretrained import family_of, our_class, to_pretrained
from attention_zoo.pipelines.hub.tables import read_weights
from attention_zoo.pipelines.hub.text_reader import TextReader
from attention_zoo.pipelines.hub.tokenizers import FILES, known_reader, text_reader_of

if TYPE_CHECKING:
    import keras

TOKENIZER_FILES = (*FILES, "merges.txt", "tokenizer_config.json")
ENCODERS = ("albert", "bert", "distilbert", "roberta", "xlnet")  # families whose encoder has its heads apart
POOLER = "add_pooling_layer"  # config.json does not say whether there is a pooler; transformers' models take it as this


def load_encoder(folder: Path, weights: bool = True) -> Any:
    """Returns the encoder of a folder, built, without the head that the folder may have.

    Args:
        folder: Has config.json, and for the weights what `from_pretrained` reads.
        weights: Whether the encoder gets the weights of the folder; otherwise they are drawn. Defaults to `True`.

    Raises:
        UserError: A file is missing or cannot be read, or the folder is of no known family.
    """
    with hub_folder(folder, weights) as folder:
        config = read_json(folder / "config.json")
        family = family_of(config.get("model_type"))
        tensors = Tensors(folder, family.prefix) if weights else {}
        if family.model_type not in ENCODERS:
            expected = f"an encoder of texts, of {', '.join(ENCODERS)}"
            raise UserError(f"{folder}: expected {expected}; received {family.model_type}")
        options = family.read_options(config)
        if family.poolers:
            has_pooler = config.get(POOLER, any(name in tensors for name in family.poolers))
            options = {"pooler": has_pooler} | options
        encoder = built(our_class(family.encoder)(**options, name="encoder"))
        if weights:
            read_weights(encoder, tensors, family.rows(encoder.options))
        return encoder


def reader_of(folder: Path) -> TextReader:
    """Returns the tokeniser of a folder, with the special tokens.

    Raises:
        UserError: The folder has none that is known here, or a file cannot be read.
    """
    with hub_folder(folder, weights=False) as folder:
        config = read_json(folder / "config.json")
        family = family_of(config.get("model_type"))
        encoder = our_class(family.encoder)(**family.read_options(config))
        return known_reader(folder, text_reader_of(folder, family.model_type, encoder))


def built(encoder: Any) -> Any:
    """Returns an encoder, built by a call on two tokens."""
    encoder({"tokens": np.ones((1, 2), "int32")})
    return encoder


def with_options(encoder: Any, **changes: Any) -> Any:
    """Returns an encoder with the same weights and other options, such as no pooler or another dropout.

    Args:
        encoder: As `load_encoder` returns it.
        **changes: Options that need no further weights.
    """
    changed = built(type(encoder)(**encoder.options | changes, name="encoder"))
    arrays = {path: np.array(variable) for path, variable in variables_by_path(encoder).items()}
    _, missing = load_fitting_weights(changed, arrays)
    if missing:
        raise ValueError(f"changes: expected options that need no further weights, received {changes}")
    return changed


def keep_encoder(encoder: "keras.Model", folder: Path, tokenizer: Path) -> None:
    """Writes an encoder with its tokeniser as a folder that `load_encoder` and `reader_of` read.

    Args:
        encoder: An encoder as `load_encoder` returns it.
        folder: Created if it does not exist.
        tokenizer: The folder whose tokeniser is copied.
    """
    with hub_folder(tokenizer, weights=False) as read:
        for path in (read / name for name in TOKENIZER_FILES):
            if path.is_file():
                atomic_write(folder / path.name, path.read_bytes())
    to_pretrained(encoder, folder)
    config: Any = read_json(folder / "config.json")
    write_config(folder, config, encoder)


def keep_new_encoder(pieces: Sequence[str], options: Mapping[str, Any], folder: Path) -> None:
    """Writes the settings and the tokeniser of a `BertEncoder` without weights for `load_encoder` and `reader_of`.

    Args:
        pieces: Vocabulary of its `WordPieces`, of words in lower case.
        options: Of the encoder, without `vocabulary_size`.
        folder: Created if it does not exist.

    Example:

    >>> import tempfile
    >>> folder, pieces = Path(tempfile.mkdtemp()), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "##s"]
    >>> sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "max_length": 16}
    >>> keep_new_encoder(pieces, sizes, folder)
    >>> encoder, reader = load_encoder(folder, weights=False), reader_of(folder)
    >>> tuple(encoder(reader(["Cats"]))["states"].shape)
    (1, 4, 8)
    """
    encoder = our_class(BERT.encoder)(len(pieces), **options)
    atomic_write(folder / "vocab.txt", "".join(f"{piece}\n" for piece in pieces))
    atomic_write(folder / "tokenizer_config.json", json.dumps({"do_lower_case": True}))
    write_config(folder, BERT.write_config(encoder.options) | {"architectures": ["BertModel"]}, encoder)


def write_config(folder: Path, config: Mapping[str, Any], encoder: Any) -> None:
    """Writes config.json, last of the files of a folder: where it is, the others are."""
    pooler = {POOLER: encoder.options["pooler"]} if "pooler" in encoder.options else {}
    settings = dict(config) | pooler
    atomic_write(folder / "config.json", json.dumps(settings, indent=2))


def has_weights(folder: Path) -> bool:
    """Returns whether a folder of this module has the weights of its encoder."""
    return (folder / SINGLE).is_file()
