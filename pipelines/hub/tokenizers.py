"""Makes the tokeniser of a folder of the Hugging Face Hub.

tokenizer.json says what transformers does, so it is asked first; older folders have vocab.txt, and settings in
tokenizer_config.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.folder import read_optional_json
from attention_zoo.pipelines.hub.text_reader import TextReader

WORD_PIECES = ("bert", "distilbert")  # values of "model_type" whose tokeniser is WordPiece if no file says otherwise
BERT_TOKENS = {"first": "[CLS]", "last": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}


def text_reader_of(folder: Path, model_type: str, options: Mapping[str, Any]) -> TextReader | None:
    """Returns what turns text into the inputs of the encoder of a folder.

    Args:
        folder: May have tokenizer.json or vocab.txt.
        model_type: "model_type" of its config.json.
        options: Of the encoder.

    Returns:
        `None` if the folder has neither, or its tokeniser is of a kind that is not known here.

    Raises:
        UserError: A file cannot be read, or the vocabulary lacks a special token.
    """
    settings = read_optional_json(folder / "tokenizer_config.json") or {}
    of_words = model_type in WORD_PIECES or str(settings.get("tokenizer_class")).startswith("BertTokenizer")
    if not of_words or not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return None
    tokenizer, names = word_pieces(folder, settings)
    try:
        ids = {name: tokenizer.id_of(piece) for name, piece in names.items()}
    except KeyError as error:
        raise UserError(f"{folder}: expected a vocabulary with {error}, received one without") from None
    return TextReader(tokenizer, **ids, max_tokens=max_tokens_of(folder, settings, options))


def max_tokens_of(folder: Path, settings: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Returns the largest number of tokens that a folder's model reads."""
    room = options["max_length"]
    of_sentences = read_optional_json(folder / "sentence_bert_config.json") or {}
    return min(room, int(settings.get("model_max_length") or room), of_sentences.get("max_seq_length") or room)


def word_pieces(folder: Path, settings: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Returns the `WordPieces` of a folder, and the names of its special tokens.

    Args:
        folder: Has tokenizer.json or vocab.txt.
        settings: Its tokenizer_config.json.

    Raises:
        UserError: A file cannot be read, or its normaliser is not BERT's.
    """
    from attention_zoo.pipelines.engine.text.wordpieces import WordPieces

    whole = read_optional_json(folder / "tokenizer.json") or {}
    normalizer = whole.get("normalizer") or {}
    if normalizer and normalizer.get("type") != "BertNormalizer":
        raise UserError(f"{folder}/tokenizer.json: expected a BertNormalizer, received {normalizer.get('type')}")
    if whole:
        pieces = in_order(whole["model"]["vocab"])
    else:
        pieces = read_lines(folder / "vocab.txt")
    names = named_tokens(settings, BERT_TOKENS)
    unknown = named_tokens(settings, {"unk": "[UNK]"})["unk"]
    return WordPieces(
        pieces,
        lowercase=normalizer.get("lowercase", settings.get("do_lower_case", True)),
        strip_accents=normalizer.get("strip_accents", settings.get("strip_accents")),
        split_chinese=normalizer.get("handle_chinese_chars", settings.get("tokenize_chinese_chars", True)),
        unknown=unknown,
        specials=(*names.values(), unknown),
    ), names


def named_tokens(settings: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, str]:
    """Returns the special tokens that a tokenizer_config.json names, where it does.

    Example:

    >>> named_tokens({"mask_token": {"content": "<hidden>"}}, {"mask": "[MASK]", "pad": "[PAD]"})
    {'mask': '<hidden>', 'pad': '[PAD]'}
    """
    theirs = {"first": "cls_token", "last": "sep_token", "pad": "pad_token", "mask": "mask_token", "unk": "unk_token"}
    found = {name: settings.get(theirs[name]) or default for name, default in defaults.items()}
    return {name: token["content"] if isinstance(token, dict) else token for name, token in found.items()}


def in_order(vocabulary: Mapping[str, int]) -> list[str]:
    """Returns the pieces of a vocabulary by their ids.

    Example:

    >>> in_order({"b": 1, "a": 0})
    ['a', 'b']
    """
    return sorted(vocabulary, key=vocabulary.__getitem__)


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a file of a folder.

    Raises:
        UserError: It is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected text in UTF-8, received other bytes") from None
