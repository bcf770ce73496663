"""Makes the tokeniser of a folder of the Hugging Face Hub.

tokenizer.json says what transformers does, so it is asked first; older folders have vocab.txt, or vocab.json and
merges.txt, and settings in tokenizer_config.json.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.folder import read_json, read_optional_json
from attention_zoo.pipelines.hub.text_reader import TextReader

FILES = ("tokenizer.json", "vocab.txt", "vocab.json")


class Layout(NamedTuple):
    """How a family of models has its text.

    Args:
        kind: "word_pieces" or "byte_pairs".
        tokens: Dict of our names of the special tokens to what they are by default.
        before: Our names of those before a text. Defaults to none.
        between: Of those between two texts. Defaults to none.
        after: Of those after all. Defaults to none.
        segments: Whether the second text of a pair is a segment of its own. Defaults to `False`.
    """

    kind: str
    tokens: Mapping[str, str]
    before: Sequence[str] = ()
    between: Sequence[str] = ()
    after: Sequence[str] = ()
    segments: bool = False


BERT_TOKENS = {"first": "[CLS]", "last": "[SEP]", "pad": "[PAD]", "mask": "[MASK]", "unk": "[UNK]"}
ROBERTA_TOKENS = {"first": "<s>", "last": "</s>", "pad": "<pad>", "mask": "<mask>", "unk": "<unk>"}
LAYOUTS = {
    "bert": Layout("word_pieces", BERT_TOKENS, ["first"], ["last"], ["last"], segments=True),
    "distilbert": Layout("word_pieces", BERT_TOKENS, ["first"], ["last"], ["last"]),
    "roberta": Layout("byte_pairs", ROBERTA_TOKENS, ["first"], ["last", "last"], ["last"]),
    "gpt2": Layout("byte_pairs", {"end": "<|endoftext|>"}),
}
"""By the "model_type" of config.json."""
THEIRS = {
    "first": "cls_token",
    "last": "sep_token",
    "pad": "pad_token",
    "mask": "mask_token",
    "unk": "unk_token",
    "end": "eos_token",
}
"""Our names of special tokens, and those of tokenizer_config.json."""


def text_reader_of(folder: Path, model_type: str, options: Mapping[str, Any]) -> TextReader | None:
    """Returns what turns text into the inputs of the model of a folder.

    Args:
        folder: May have tokenizer.json, or vocab.txt, or vocab.json and merges.txt.
        model_type: "model_type" of its config.json.
        options: Of the encoder.

    Returns:
        `None` if the folder has none of these, or its tokeniser is of a kind that is not known here.

    Raises:
        UserError: A file cannot be read, or the vocabulary lacks a special token.
    """
    layout = LAYOUTS.get(model_type)
    if layout is None or not any((folder / name).is_file() for name in FILES):
        return None
    settings = read_optional_json(folder / "tokenizer_config.json") or {}
    names = named_tokens(settings, layout.tokens)
    make = word_pieces if layout.kind == "word_pieces" else byte_pairs
    try:
        tokenizer = make(folder, settings, names)
        ids = {name: tokenizer.id_of(piece) for name, piece in names.items()}
    except KeyError as error:
        raise UserError(f"{folder}: expected a vocabulary with {error}, received one without") from None
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from None
    return TextReader(
        tokenizer,
        *([ids[name] for name in places] for places in (layout.before, layout.between, layout.after)),
        pad=ids.get("pad", ids.get("end", 0)),
        max_tokens=max_tokens_of(folder, model_type, settings, options),
        mask=ids.get("mask"),
        segments=layout.segments,
    )


def max_tokens_of(folder: Path, model_type: str, settings: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Returns the largest number of tokens that a folder's model reads."""
    room = options["max_length"]
    if model_type == "roberta":  # whose positions are counted from the one after that of padding
        room -= options["pad_token"] + 1
    of_sentences = read_optional_json(folder / "sentence_bert_config.json") or {}
    return min(room, int(settings.get("model_max_length") or room), of_sentences.get("max_seq_length") or room)


def word_pieces(folder: Path, settings: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """Returns the `WordPieces` of a folder.

    Args:
        folder: Has tokenizer.json or vocab.txt.
        settings: Its tokenizer_config.json.
        names: Its special tokens, by our names.

    Raises:
        UserError: A file cannot be read, or its normaliser is not BERT's.
    """
    from attention_zoo.pipelines.engine.text.wordpieces import WordPieces

    whole = read_optional_json(folder / "tokenizer.json") or {}
    normalizer = whole.get("normalizer") or {}
    if normalizer and normalizer.get("type") != "BertNormalizer":
        raise UserError(f"{folder}/tokenizer.json: expected a BertNormalizer, received {normalizer.get('type')}")
    return WordPieces(
        in_order(whole["model"]["vocab"]) if whole else read_lines(folder / "vocab.txt"),
        lowercase=normalizer.get("lowercase", settings.get("do_lower_case", True)),
        strip_accents=normalizer.get("strip_accents", settings.get("strip_accents")),
        split_chinese=normalizer.get("handle_chinese_chars", settings.get("tokenize_chinese_chars", True)),
        unknown=names["unk"],
        specials=tuple(names.values()),
    )


def byte_pairs(folder: Path, settings: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """Returns the `BytePairs` of a folder.

    Args:
        folder: Has tokenizer.json, or vocab.json and merges.txt.
        settings: Its tokenizer_config.json.
        names: Its special tokens, by our names.

    Raises:
        UserError: A file cannot be read, or the tokeniser adds a space before a text, or is not made of byte pairs.
    """
    from attention_zoo.pipelines.engine.text.byte_pairs import BytePairs

    whole = read_optional_json(folder / "tokenizer.json")
    if whole is None:
        vocabulary = read_json(folder / "vocab.json")
        merges = [line for line in read_lines(folder / "merges.txt") if not line.startswith("#version")]
        specials = {piece: vocabulary[piece] for piece in names.values() if piece in vocabulary}
        strip_left = [names["mask"]] if "mask" in names else []
        kind, spaced = "BPE", settings.get("add_prefix_space", False)
    else:
        vocabulary, merges, kind = (whole["model"].get(name) for name in ("vocab", "merges", "type"))
        added = whole.get("added_tokens", [])
        specials = {token["content"]: token["id"] for token in added}
        strip_left = [token["content"] for token in added if token.get("lstrip")]
        spaced = (whole.get("pre_tokenizer") or {}).get("add_prefix_space", False)
    if spaced or merges is None:
        expected = "expected byte pairs without a space that is added before a text"
        raise UserError(f"{folder}: {expected}; received {'a space' if spaced else kind}")
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in merges]
    return BytePairs(vocabulary, merges, specials, strip_left)


def named_tokens(settings: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, str]:
    """Returns the special tokens that a tokenizer_config.json names, where it does.

    Example:

    >>> named_tokens({"mask_token": {"content": "<hidden>"}}, {"mask": "[MASK]", "pad": "[PAD]"})
    {'mask': '<hidden>', 'pad': '[PAD]'}
    """
    found = {name: settings.get(THEIRS[name]) or default for name, default in defaults.items()}
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
