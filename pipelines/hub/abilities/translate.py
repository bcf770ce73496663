"""Translates with what a MarianMT of the Hub learned, such as one of OPUS-MT.

Shapes: B texts, S source tokens, T target tokens, L layers, H heads.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.rules import Rules, power_of_length
from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import Ends
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.answers import keep_rows
from attention_zoo.pipelines.engine.serving.sharing import sharing
from attention_zoo.pipelines.engine.serving.translation_answers import alignment_of, heads_of
from attention_zoo.pipelines.engine.text.batching import with_a_column
from attention_zoo.pipelines.engine.text.blank import says_something
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.folder import read_json, read_optional_json
from attention_zoo.pipelines.hub.tokenizers import known_reader

NEEDS = {
    "begin_suppress_tokens": None,
    "do_sample": False,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "exponential_decay_length_penalty": None,
    "forced_bos_token_id": None,
    "min_length": 0,
    "min_new_tokens": None,
    "no_repeat_ngram_size": 0,
    "num_beam_groups": 1,
    "repetition_penalty": 1.0,
    "sequence_bias": None,
    "suppress_tokens": None,
}
"""Settings of generation_config.json that only have one value here."""
STOPS = {False: "unbeaten", True: "full", "never": "safe"}
NEW_TOKENS = 20  # transformers' own, where a folder does not say


class Translate(Ability):
    """Sentence in, its translation out, with a `MarianTranslator`.

    generation_config.json, or config.json in a folder without, says how: "num_beams", "length_penalty",
    "early_stopping", "max_length" or "max_new_tokens", "bad_words_ids" of one token each, "forced_eos_token_id" and
    "renormalize_logits". A code at the beginning of a text, such as ">>fra<<", names the language of the translation.

    Args:
        model: A `MarianTranslator`.
        reader: A `TextReader` whose tokeniser is `VocabularyPieces`.
        settings: The settings by transformers' names. Defaults to none.

    Raises:
        UserError: A setting has a value that it cannot have, or the vocabulary has another size than the model's.
    """

    name = "translate"
    answers_with = "translation"
    can_embed = False
    view = staticmethod(alignment_of)
    view_heads = staticmethod(heads_of)

    def __init__(self, model, reader, settings=None):
        super().__init__(model, reader)
        size, expected = reader.tokenizer.vocabulary_size, model.options["vocabulary_size"]
        if size != expected:
            raise UserError(f"vocab.json: expected {expected:,} pieces, vocab_size of config.json; received {size:,}")
        self.decoding, self.rules, self.ends, self.max_tokens = search_of(settings or {}, model.options)

    @classmethod
    def of_folder(cls, folder, model):
        """Returns the ability of a model that `from_pretrained` has read from a folder; see `Ability.of_folder`."""
        settings = read_optional_json(folder / "generation_config.json")
        reader = known_reader(folder, model.tokenizer)
        return cls(model, reader, read_json(folder / "config.json") if settings is None else settings)

    def search(self, text):
        """Returns inputs of the model, what was cut `(B,)`, what `decode` returns, and rows with content `(B,)`."""
        content = says_something(text)  # (B,)
        read, truncated = self._read(tf.where(content, text, ""))
        inputs = {"source": with_a_column(read["tokens"]), "source_mask": with_a_column(read["mask"])}
        limits = tf.where(content, self.max_tokens, 0)
        found = decode(self.model, inputs, self.decoding, limits, self.ends, rules=self.rules)
        return inputs, truncated & content, keep_rows(content, found), content

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without attention; both share the graph of the search."""
        return super(Translate, sharing(self, "search")).signatures(model)

    def outputs(self, text, found, truncated):
        """Returns the outputs of `respond`."""
        ends = tf.sequence_mask(found["lengths"][:, 0], tf.shape(found["tokens"])[2])
        tokens = tf.where(ends, found["tokens"][:, 0], self.ends.end)  # which is not written
        return {
            "translation": self.reader.tokenizer.detokenize(tokens),
            "score": found["scores"][:, 0],
            "truncated": truncated,
            "error": tf.fill(tf.shape(text), ""),
        }

    def respond(self, text):
        """Returns translations.

        Args:
            text: Strings `(B,)`. One that says nothing gets an empty translation and changes no other row.

        Returns:
            A dict: `translation`; `score`, by which the search compares translations; `truncated`, whether the end of
            the text was not read; `error`, each `(B,)`.
        """
        _, truncated, found, _ = self.search(text)
        return self.outputs(text, found, truncated)

    def attend(self, text):
        """Translates, then reads the attention in one pass over source and translation.

        Returns:
            The outputs of `respond`, `source_tokens` `(B, S)`, `target_tokens` `(B, T)`, their numbers
            `source_lengths` and `target_lengths` `(B,)`, the mean attention of the decoder's layers and heads to the
            source, `weights` `(B, T, S)`, and that of each, `head_weights` `(B, L, H, T, S)`.
        """
        inputs, truncated, found, content = self.search(text)
        tokens, lengths = found["tokens"][:, 0], found["lengths"][:, 0]
        column = tf.zeros([tf.shape(tokens)[0], 1], tf.int32)
        target = tf.concat([column + self.ends.begin, tokens], axis=1)  # (B, T)
        _, scores = self.model(inputs | {"target": target}, training=False, return_attention_scores=True)
        places = tf.range(tf.shape(target)[1])
        written = tf.where(places < lengths[:, None], tf.concat([tokens, column], axis=1), self.ends.end)
        seen = {
            "source_tokens": tf.where(inputs["source_mask"], self.reader.pieces(inputs["source"]), ""),
            "target_tokens": tf.where(places <= lengths[:, None], self.reader.pieces(written), ""),
            "source_lengths": tf.reduce_sum(tf.cast(inputs["source_mask"], tf.int32), axis=1),
            "target_lengths": lengths + 1,
            "weights": self.model.alignment(scores),
            "head_weights": self.model.head_alignments(scores),
        }
        return self.outputs(text, found, truncated) | keep_rows(content, seen)

    @staticmethod
    def say(answer):
        """Returns the translation in one line."""
        return " ".join(answer["translation"].split())


def search_of(settings, options):
    """Returns how a folder translates: `DecodingSettings`, `Rules`, `Ends`, and the greatest number of tokens.

    Args:
        settings: Its generation_config.json.
        options: Those of its `MarianTranslator`.

    Raises:
        UserError: A setting has a value that it cannot have.

    Example:

    >>> options = {"start_token": 9, "end_token": 0, "max_length": 512}
    >>> settings = {"num_beams": 4, "max_length": 512, "bad_words_ids": [[9]], "forced_eos_token_id": 0}
    >>> decoding, rules, ends, tokens = search_of(settings, options)
    >>> decoding.beam_size, decoding.length_penalty, rules.limit, ends.barred, tokens
    (4, 1.0, 'free', (9,), 510)
    """
    for name, needed in NEEDS.items():
        if settings.get(name) not in (None, needed):
            raise UserError(f"generation_config.json: expected {name} {needed}, received {settings[name]}")
    given = {"num_beams": 1, "length_penalty": 1.0, "early_stopping": False}
    given |= {name: settings[name] for name in given if settings.get(name) is not None}
    end, barred = options["end_token"], settings.get("bad_words_ids") or []
    forced = settings.get("forced_eos_token_id")
    if any(len(word) != 1 for word in barred):
        raise UserError(f"generation_config.json: expected bad_words_ids of one token each, received {barred}")
    if forced not in (None, end):
        raise UserError(f"generation_config.json: expected forced_eos_token_id {end}, received {forced}")
    if given["early_stopping"] not in STOPS:
        expected = f"expected early_stopping {', '.join(map(str, STOPS))}"
        raise UserError(f"generation_config.json: {expected}; received {given['early_stopping']}")
    tokens = settings.get("max_new_tokens") or (settings.get("max_length") or NEW_TOKENS + 1) - 1  # without the first
    tokens = min(tokens, options["max_length"])
    beams = int(given["num_beams"])
    decoding = DecodingSettings(beams, float(given["length_penalty"]) if beams > 1 else 0.0, n_best=beams)
    limit, renormalise = "cut" if forced is None else "free", bool(settings.get("renormalize_logits"))
    rules = Rules(power_of_length, STOPS[given["early_stopping"]], limit, renormalise)
    ends = Ends(options["start_token"], end, 0, tuple(word[0] for word in barred if word[0] != end))
    return decoding, rules, ends, tokens if forced is None else tokens - 1
