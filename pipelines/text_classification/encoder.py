"""The encoder of a run: what suits few texts, which of its weights are learned, and how fast."""

from attention_zoo.pipelines.engine.settings import describe_change

FEW_TEXTS = 500  # training texts that teach an encoder little
WHOLE_TEXT = 512  # tokens: more than most articles have, and the positions of most encoders
HOW_IT_LEARNS = ("training.learning_rate", "training.layer_decay", "model.lora_rank")
PROJECTIONS = ("query_dense", "key_dense", "value_dense", "output_dense")  # of the attention, which LoRA adapts


def size_to_few_texts(config, count, max_tokens, typed):
    """Changes settings that suit many texts, where there are few.

    They are read to their end, and a linear probe on the frozen encoder learns the classes. The encoder is not frozen
    if the user wrote how it is to learn.

    Args:
        config: `TextClassificationConfig`, which is changed in place.
        count: Number of training texts.
        max_tokens: Largest number of tokens that the encoder can read.
        typed: Dotted names of the settings that the user wrote. They stay as they are.

    Returns:
        Lines that say what was changed and why.
    """
    if count >= FEW_TEXTS:
        return []
    lines = []
    for section, name, value in (
        ("data", "max_length", max(config.data.max_length, min(WHOLE_TEXT, max_tokens))),
        ("training", "linear_probe", True),
        ("model", "frozen", config.model.frozen or not set(HOW_IT_LEARNS) & set(typed)),
    ):
        settings, dotted = getattr(config, section), f"{section}.{name}"
        if dotted not in typed:
            lines += describe_change(dotted, getattr(settings, name), value, f"since there are {count:,} texts")
            setattr(settings, name, value)
    return lines


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
    places = dict.fromkeys(("embeddings", "widen", "tokens", "target_embedding"), 0)  # of BERT, ALBERT and XLNet
    places |= {f"encoder_{number}": number + 1 for number in range(blocks)}
    parts = {path: path.split("/")[1] for path in paths if path.startswith("encoder/")}
    return {path: decay ** (blocks + 1 - places[part]) for path, part in parts.items() if part in places}
