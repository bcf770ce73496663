"""Reads the vocabularies of a folder of the Hugging Face Hub.

tokenizer.json says what transformers does, so it is asked first; older folders have vocab.txt, vocab.json and
merges.txt, or spiece.model, and settings in tokenizer_config.json.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.folder import read_json, read_optional_json


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


def sentence_pieces(folder: Path, settings: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """Returns the `SentencePieces` of a folder.

    Args:
        folder: Has tokenizer.json or spiece.model.
        settings: Its tokenizer_config.json.
        names: Its special tokens, by our names.

    Raises:
        UserError: A file cannot be read, or tokenizer.json has no unigram model.
        ValueError: spiece.model cannot be read.
    """
    from attention_zoo.pipelines.engine.text.sentence_pieces import SentencePieces, unigram_model

    whole = read_optional_json(folder / "tokenizer.json")
    lowercase, strip_accents = settings.get("do_lower_case", True), not settings.get("keep_accents", False)
    if whole is None:
        model = (folder / "spiece.model").read_bytes()
        ids = SentencePieces(model)
        specials = {piece: ids.id_of(piece) for piece in names.values()}
        return SentencePieces(model, lowercase, strip_accents, specials)
    if whole["model"].get("type") != "Unigram":
        raise UserError(f"{folder}/tokenizer.json: expected a Unigram model, received {whole['model'].get('type')}")
    steps = (whole.get("normalizer") or {}).get("normalizers", [])
    kinds = {step["type"] for step in steps}
    charsmap = next((step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled"), "")
    specials = {token["content"]: token["id"] for token in whole.get("added_tokens", [])}
    pieces = [(piece, score) for piece, score in whole["model"]["vocab"]]
    model = unigram_model(pieces, whole["model"]["unk_id"], specials, base64.b64decode(charsmap or ""))
    return SentencePieces(model, "Lowercase" in kinds, "StripAccents" in kinds, specials)


def vocabulary_pieces(folder: Path, settings: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """Returns the `VocabularyPieces` of a folder of MarianMT.

    target.spm is not read: a translation is its pieces of vocab.json one after the other.

    Args:
        folder: Has source.spm and vocab.json.
        settings: Its tokenizer_config.json.
        names: Its special tokens, by our names.

    Raises:
        UserError: A file is missing or cannot be read, or source and target have vocabularies of their own.
        KeyError: The vocabulary has no token for what is unknown.
        ValueError: source.spm cannot be read.
    """
    from attention_zoo.pipelines.engine.text.vocabulary_pieces import VocabularyPieces

    if settings.get("separate_vocabs"):
        raise UserError(f"{folder}/tokenizer_config.json: expected separate_vocabs False, received True")
    vocabulary, path = read_json(folder / "vocab.json"), folder / "source.spm"
    if not path.is_file():
        raise UserError(f"{folder}: expected a folder with {path.name}, received one without")
    added = settings.get("added_tokens_decoder") or {}
    specials = {token["content"]: int(number) for number, token in added.items()}
    specials = {piece: vocabulary[piece] for piece in names.values()} | specials
    return VocabularyPieces(path.read_bytes(), vocabulary | specials, names["unk"], list(specials))


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
