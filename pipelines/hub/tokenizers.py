"""Makes the tokeniser of a folder of the Hugging Face Hub.

Here is how each family lays out its tokens; `tokenizer_files` reads the vocabularies.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.folder import read_optional_json
from attention_zoo.pipelines.hub.text_reader import TextReader
from attention_zoo.pipelines.hub.tokenizer_files import byte_pairs, sentence_pieces, vocabulary_pieces, word_pieces

FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "source.spm")
LONGEST = 512  # tokens of a text where the model has no positions that end: XLNet's
KINDS = {
    "word_pieces": word_pieces,
    "byte_pairs": byte_pairs,
    "sentence_pieces": sentence_pieces,
    "vocabulary_pieces": vocabulary_pieces,
}


class Layout(NamedTuple):
    """How a family of models has its text.

    Args:
        kind: A key of `KINDS`.
        tokens: Dict of our names of the special tokens to what they are by default.
        before: Our names of those before a text. Defaults to none.
        between: Of those between two texts. Defaults to none.
        after: Of those after all. Defaults to none.
        segments: Whether the second text of a pair is a segment of its own. Defaults to `False`.
        last_segment: Segment of the last token. Defaults to `None`: that of the text before it.
        settings: Settings of the tokeniser that the family has where a folder does not say. Defaults to none.
    """

    kind: str
    tokens: Mapping[str, str]
    before: Sequence[str] = ()
    between: Sequence[str] = ()
    after: Sequence[str] = ()
    segments: bool = False
    last_segment: int | None = None
    settings: Mapping[str, Any] = {}


BERT_TOKENS = {"first": "[CLS]", "last": "[SEP]", "pad": "[PAD]", "mask": "[MASK]", "unk": "[UNK]"}
ROBERTA_TOKENS = {"first": "<s>", "last": "</s>", "pad": "<pad>", "mask": "<mask>", "unk": "<unk>"}
ALBERT_TOKENS = {"first": "[CLS]", "last": "[SEP]", "pad": "<pad>", "mask": "[MASK]", "unk": "<unk>"}
XLNET_TOKENS = {"first": "<cls>", "last": "<sep>", "pad": "<pad>", "mask": "<mask>", "unk": "<unk>"}
LAYOUTS = {
    "bert": Layout("word_pieces", BERT_TOKENS, ["first"], ["last"], ["last"], segments=True),
    "distilbert": Layout("word_pieces", BERT_TOKENS, ["first"], ["last"], ["last"]),
    "roberta": Layout("byte_pairs", ROBERTA_TOKENS, ["first"], ["last", "last"], ["last"]),
    "albert": Layout("sentence_pieces", ALBERT_TOKENS, ["first"], ["last"], ["last"], segments=True),
    "xlnet": Layout(
        "sentence_pieces",
        XLNET_TOKENS,
        between=["last"],
        after=["last", "first"],
        segments=True,
        last_segment=2,
        settings={"do_lower_case": False},
    ),
    "gpt2": Layout("byte_pairs", {"end": "<|endoftext|>"}),
    "marian": Layout("vocabulary_pieces", {"end": "</s>", "pad": "<pad>", "unk": "<unk>"}, after=["end"]),
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


def text_reader_of(folder: Path, model_type: str, encoder: Any) -> TextReader | None:
    """Returns what turns text into the inputs of the model of a folder.

    Args:
        folder: May have one of `FILES`.
        model_type: "model_type" of its config.json.
        encoder: The encoder, of which the room and the segments are asked.

    Returns:
        `None` if the folder has none of these, or its tokeniser is of a kind that is not known here.

    Raises:
        UserError: A file cannot be read, or the vocabulary lacks a special token.
    """
    settings = read_optional_json(folder / "tokenizer_config.json") or {}
    of_bert = str(settings.get("tokenizer_class")).startswith("BertTokenizer")  # which any encoder can have
    layout = LAYOUTS.get("bert" if of_bert else model_type)
    if layout is None or not any((folder / name).is_file() for name in FILES):
        return None
    settings = {**layout.settings, **settings}
    names = named_tokens(settings, layout.tokens)
    try:
        tokenizer = KINDS[layout.kind](folder, settings, names)
        ids = {name: tokenizer.id_of(piece) for name, piece in names.items()}
    except KeyError as error:
        raise UserError(f"{folder}: expected a vocabulary with {error}, received one without") from None
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from None
    return TextReader(
        tokenizer,
        *([ids[name] for name in places] for places in (layout.before, layout.between, layout.after)),
        pad=ids.get("pad", ids.get("end", 0)),
        max_tokens=max_tokens_of(folder, settings, encoder),
        mask=ids.get("mask"),
        segments=layout.segments and encoder.options.get("num_segments") != 1,
        last_segment=layout.last_segment,
    )


def known_reader(folder: Path, reader: TextReader | None) -> TextReader:
    """Returns what `text_reader_of` returned for a folder.

    Raises:
        UserError: It is `None`.
    """
    if reader is None:
        expected = f"{', '.join(FILES)} of {', '.join(LAYOUTS)}"
        raise UserError(f"{folder}: expected a tokeniser, one of {expected}; received none")
    return reader


def max_tokens_of(folder: Path, settings: Mapping[str, Any], encoder: Any) -> int:
    """Returns the largest number of tokens that a folder's model reads."""
    room = getattr(encoder, "max_tokens", LONGEST)
    of_sentences = read_optional_json(folder / "sentence_bert_config.json") or {}
    return min(room, int(settings.get("model_max_length") or room), of_sentences.get("max_seq_length") or room)


def named_tokens(settings: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, str]:
    """Returns the special tokens that a tokenizer_config.json names, where it does.

    Example:

    >>> named_tokens({"mask_token": {"content": "<hidden>"}}, {"mask": "[MASK]", "pad": "[PAD]"})
    {'mask': '<hidden>', 'pad': '[PAD]'}
    """
    found = {name: settings.get(THEIRS[name]) or default for name, default in defaults.items()}
    return {name: token["content"] if isinstance(token, dict) else token for name, token in found.items()}
