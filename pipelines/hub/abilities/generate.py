"""Continues a prompt, with what a decoder of the Hub learned.

Shapes: B texts.
"""

import copy

from attention_zoo.pipelines.engine.decoding.settings import WritingSettings
from attention_zoo.pipelines.engine.decoding.steps import Ends
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.sharing import sharing
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.abilities.writer import Writer
from attention_zoo.pipelines.hub.folder import read_optional_json
from attention_zoo.pipelines.hub.tokenizers import known_reader

THEIRS = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "repetition_penalty": "repetition_penalty",
    "max_tokens": "max_new_tokens",
    "stop": "stop_strings",
}
"""Our names of settings, and those of generation_config.json."""


class Generate(Ability):
    """Prompt in, its continuation out, with a `GPT2Decoder`.

    generation_config.json says how: greedily unless "do_sample" is true, with transformers' names of the settings, of
    which "max_new_tokens" is 48 if it is not there.

    Args:
        model: A `GPT2Decoder`.
        reader: A `TextReader` whose tokeniser is `BytePairs`.
        settings: generation_config.json. Defaults to none.

    Raises:
        UserError: A setting has a value that it cannot have, or leaves no room for a prompt.
    """

    name = "generate"
    answers_with = "generated"
    can_embed = False

    def __init__(self, model, reader, settings=None):
        super().__init__(model, reader)
        decoding, room = decoding_of(settings or {}), reader.max_tokens
        if decoding.max_tokens >= room:
            raise UserError(
                f"generation_config.json: expected max_new_tokens below {room}, the tokens that the model reads; "
                f"received {decoding.max_tokens}"
            )
        ends = Ends(begin=reader.pad, end=reader.pad, first=0)  # the token that ends a text pads, too
        self.writer = Writer(model, reader.tokenizer, decoding, room, begins=False, ends=ends)

    @classmethod
    def of_folder(cls, folder, model):
        """Returns the ability of a decoder that `from_pretrained` has read from a folder; see `Ability.of_folder`."""
        settings = read_optional_json(folder / "generation_config.json")
        return cls(model, known_reader(folder, model.tokenizer), settings)

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without attention; both share the graph of the search."""
        shared = copy.copy(self)
        shared.writer = sharing(self.writer, "search")
        return super(Generate, shared).signatures(model)

    def respond(self, text):
        """Returns the continuations of prompts `(B,)`: what `Writer.write` returns, `generated` for `completed`."""
        return renamed(self.writer.write(text))

    def attend(self, text):
        """Returns what `respond` does, the tokens, and the attention of a pass over them, as `Writer.attend`."""
        return renamed(self.writer.attend(text))

    def example(self):
        """Returns a prompt."""
        return "The meaning of life is"

    @staticmethod
    def say(answer):
        """Returns the prompt with its continuation in one line; a slash stands for the end of a line."""
        return " / ".join(line.strip() for line in answer["generated"].splitlines() if line.strip())


def renamed(answer):
    """Returns an answer under names that tell it from those of the task language_modeling."""
    return {"generated" if name == "completed" else name: value for name, value in answer.items()}


def decoding_of(settings):
    """Returns the `WritingSettings` that a generation_config.json says.

    Example:

    >>> found = decoding_of({"do_sample": True, "temperature": 0.7, "max_new_tokens": 20})
    >>> found.temperature, found.top_p, found.max_tokens
    (0.7, 1.0, 20)
    >>> decoding_of({"temperature": 0.7}).temperature  # is not used without "do_sample", as by transformers
    0.0
    """
    found = {ours: settings[theirs] for ours, theirs in THEIRS.items() if settings.get(theirs) is not None}
    if not settings.get("do_sample", False):
        found |= {"temperature": 0.0, "top_k": 0, "top_p": 1.0}
    drawn = {"temperature": 1.0, "top_k": 50, "top_p": 1.0}  # transformers' own, where the file does not say
    return WritingSettings(**drawn | found)
