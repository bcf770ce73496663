"""Compares a training step of our translators with their step-by-step form, and with the layers of keras-hub.

    python benchmarks/training.py
    python benchmarks/training.py --quick --json training.json

Times are CPU seconds of forward, backward and Adam on one core with one thread per library, with batch 64, 25 source
and target tokens, and a vocabulary of 8,000. The step-by-step form has the same weights and the same loss, which is
checked. It projects the output inside the loop over the target, and in `train/bahdanau_naive` the keys too, as textbook
code does. keras-hub is optional. Our bfloat16 is compared with keras-hub's float32, its default, and with its bfloat16.
"""

import sys
import time

from measure import compare, on_one_core, parser_of, write_figures

BATCH, LENGTH, VOCABULARY = 64, 25, 8000
WIDTH, INNER, HEADS, LAYERS = 256, 1024, 4, 4


def batch(length):
    """Returns random token ids without padding."""
    import tensorflow as tf

    source, target = (tf.random.stateless_uniform((BATCH, length + 1), (n, 0), 4, VOCABULARY, tf.int32) for n in (1, 2))
    return {"source": source[:, 1:], "target": target[:, :-1], "labels": target[:, 1:]}


def training_step(logits_of, model, inputs):
    """Returns a function without arguments that takes one step of Adam and waits for its loss."""
    import keras
    import tensorflow as tf

    from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy

    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(inputs):
        with tf.GradientTape() as tape:
            loss, *_ = smoothed_cross_entropy(inputs["labels"], logits_of(inputs), 0.0)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    return lambda: float(step(inputs))


def step_by_step(model, project):
    """Returns the logits of a translator from its `step`, token by token. `project` computes the keys in each step."""
    import tensorflow as tf

    def logits_of(inputs):
        memory, target = model.encode(inputs, training=True), inputs["target"]
        length = target.shape[1]

        def body(number, state, logits):
            keys = model.decoder.project_memory(memory["value"], value_mask=memory["mask"]) if project else {}
            answer, state, _ = model.step(target[:, number], state, memory | keys)
            return number + 1, state, logits.write(number, answer)

        logits = tf.TensorArray(tf.float32, length)
        first = (tf.constant(0), model.start(memory), logits)
        *_, logits = tf.while_loop(lambda number, *_: number < length, body, first, maximum_iterations=length)
        return tf.transpose(logits.stack(), [1, 0, 2])

    return logits_of


def recurrent(name, units):
    """Returns one of our recurrent translators, without dropout."""
    import keras

    from attention_zoo.pipelines.models import BahdanauTranslator, LuongTranslator

    keras.utils.set_random_seed(1)
    options = {"embedding_dim": units, "units": units, "dropout": 0.0}
    if name == "bahdanau":
        model = BahdanauTranslator(VOCABULARY, VOCABULARY, **options)
    else:
        model = LuongTranslator(VOCABULARY, VOCABULARY, input_feeding=False, **options)
    model.build()
    return model


def transformer(dtype):
    from peers import our_transformer

    return our_transformer(VOCABULARY, WIDTH, LAYERS, HEADS, INNER, dtype)


def hub_transformer(length, dtype=None):
    """Returns a functional model of keras-hub's layers of the same size, or None if it is missing."""
    try:
        import keras_hub
    except ImportError:
        return None
    import keras

    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input((length,), dtype="int32", name=name) for name in ("source", "target")}
    embed = keras_hub.layers.TokenAndPositionEmbedding(VOCABULARY, length, WIDTH, dtype=dtype)
    encoded, decoded = embed(inputs["source"]), embed(inputs["target"])
    for _ in range(LAYERS):
        encoded = keras_hub.layers.TransformerEncoder(INNER, HEADS, dtype=dtype)(encoded)
    for _ in range(LAYERS):
        decoded = keras_hub.layers.TransformerDecoder(INNER, HEADS, dtype=dtype)(decoded, encoded)
    return keras.Model(inputs, embed.token_embedding(decoded, reverse=True))


def report(figures, name, own, peer, repeats, goal):
    compared = compare(own, peer, repeats, clock=time.process_time)
    figures |= compared.figures(name)
    print(f"{name:26} {compared}  goal {goal}", flush=True)


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "three rounds, 12 tokens")
    parser.add_argument("--units", type=int, default=256, help="of the recurrent translators")
    arguments = parser.parse_args()
    on_one_core()
    repeats, length = (3, 12) if arguments.quick else (arguments.repeats, LENGTH)
    inputs, figures = batch(length), {}
    for name, project, goal, figure in (
        ("bahdanau", True, 0.85, "train/bahdanau_naive"),
        ("bahdanau", False, 1.0, "train/bahdanau_stepwise"),
        ("luong", True, 0.88, "train/luong_stepwise"),
    ):
        model, twin = recurrent(name, arguments.units), recurrent(name, arguments.units)
        twin.set_weights(model.get_weights())
        own = training_step(lambda inputs, model=model: model(inputs, training=True), model, inputs)
        peer = training_step(step_by_step(twin, project), twin, inputs)
        losses = own(), peer()
        if abs(losses[0] / losses[1] - 1) > 1e-4:
            raise SystemExit(f"{figure}: the two forms differ: losses {losses}")
        report(figures, figure, own, peer, repeats, goal)
    for figure, dtype, hub_dtype, goal in (
        ("train/transformer_hub", None, None, 1.0),
        ("train/transformer_bf16_hub", "mixed_bfloat16", None, 0.79),
        ("train/transformer_bf16_hub_bf16", "mixed_bfloat16", "mixed_bfloat16", 1.0),
    ):
        model, hub = transformer(dtype), hub_transformer(length, hub_dtype)
        if hub is None:
            print(f"{figure:26} missing: keras-hub is not installed")
            continue
        own = training_step(lambda inputs, model=model: model(inputs, training=True), model, inputs)
        sides = ("source", "target")
        peer = training_step(lambda inputs, hub=hub: hub({side: inputs[side] for side in sides}), hub, inputs)
        report(figures, figure, own, peer, repeats, goal)
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
