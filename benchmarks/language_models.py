"""Compares a training step of our BERT and GPT-2 with transformers on PyTorch and keras-hub, and what GPT-2 learns.

    python benchmarks/language_models.py
    python benchmarks/language_models.py --quick --json language_models.json

Times are CPU seconds of forward, backward and AdamW on one core with one thread per library. BERT has 4 blocks of width
256, a vocabulary of 8,000, and batches of 32 x 128 random tokens, of which 20 a row are to be predicted. transformers
scores all tokens, ours and keras-hub's the 20. GPT-2 has the sizes of `train language_modeling`, 4 blocks of width 128,
and 16 rows of 128 bytes of Shakespeare.

`language/gpt2_loss` compares the losses of the last tenth of the steps of nanoGPT's recipe: AdamW without decay of
biases and norms, a rate that rises and then falls as a cosine to a tenth, and gradients clipped at a norm of 1. Both
sides have the same initial weights, written by `to_pretrained`, the same batches, and no dropout.

`language/recompute_memory` and `language/recompute_time` compare a step of 8 BERT blocks of width 128 on 4,096 tokens
with `--training.recompute` and without: the memory that the step adds to the process, and its CPU time.
"""

import argparse
import json
import sys
import tempfile
import time

from measure import compare, in_a_process_of_its_own, on_one_core, parser_of, peak_memory, report, write_figures

BERT = {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024, "max_length": 128}
GPT2 = {"num_layers": 4, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 512, "max_length": 128}
VOCABULARY, ROWS, LENGTH, CHOSEN = 8000, 32, 128, 20
BYTES, GPT2_ROWS = 256, 16
RATE, DECAY, BETA_2, WARM_UP = 1e-3, 0.1, 0.99, 100  # nanoGPT's config of Shakespeare's letters
NO_DECAY = ["bias", "gamma", "beta"]


def adamw(model, rate):
    """Returns Keras's AdamW with nanoGPT's settings, built."""
    import keras

    optimizer = keras.optimizers.AdamW(rate, weight_decay=DECAY, beta_2=BETA_2, epsilon=1e-8, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    optimizer.build(model.trainable_variables)
    return optimizer


def keras_step(model, loss_of, rate=RATE):
    """Returns a function of NumPy arrays that takes one step of AdamW and returns the loss."""
    import tensorflow as tf

    optimizer = adamw(model, rate)

    @tf.function(autograph=False)
    def step(*arrays):
        with tf.GradientTape() as tape:
            loss = loss_of(*arrays)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    return lambda *arrays: float(step(*map(tf.constant, arrays)))


def torch_step(model, loss_of, rate=lambda step: RATE):
    """Returns the same for a model of PyTorch; `rate` is a function of the number of the step."""
    import torch

    torch.set_num_threads(1)
    groups = [[], []]
    for weight in model.parameters():
        groups[weight.dim() < 2].append(weight)
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": DECAY}, {"params": groups[1], "weight_decay": 0.0}], betas=(0.9, BETA_2)
    )
    steps = [0]

    def step(*arrays):
        for group in optimizer.param_groups:
            group["lr"] = rate(steps[0])
        steps[0] += 1
        loss = loss_of(*map(torch.tensor, arrays))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def cross_entropy(labels, logits):
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def bert_sides(directory):
    """Returns the steps of BERT by library: functions of tokens `(B, T)`, places and labels `(B, 20)`."""
    import keras
    import tensorflow as tf

    from attention_zoo.pipelines.hub import to_pretrained
    from attention_zoo.pipelines.models import BertEncoder, MaskedLanguageModel

    keras.utils.set_random_seed(1)
    model = MaskedLanguageModel(BertEncoder(VOCABULARY, **BERT, dropout=0.0, attention_dropout=0.0, pooler=False))
    model({"tokens": tf.ones([1, 2], tf.int32)})
    to_pretrained(model, directory)

    def ours(tokens, places, labels):
        states = tf.gather(model.encoder({"tokens": tokens}, training=True)["states"], places, batch_dims=1)
        return cross_entropy(labels, model.predictions(states, embeddings=model.encoder.embeddings))

    sides = {"ours": keras_step(model, ours)}
    try:
        import torch
        import transformers

        other = transformers.BertForMaskedLM.from_pretrained(directory, attn_implementation="sdpa").train()

        def theirs(tokens, places, labels):
            targets = torch.full_like(tokens, -100).scatter(1, places.long(), labels)  # -100 is not predicted
            return other(input_ids=tokens.long(), labels=targets.long()).loss

        sides["transformers"] = torch_step(other, theirs)
    except ImportError as error:
        print(f"language/bert_transformers: not measured, {error}")
    try:
        import keras_hub

        keras.utils.set_random_seed(1)
        backbone = keras_hub.models.BertBackbone(
            VOCABULARY, BERT["num_layers"], BERT["num_heads"], BERT["hidden_dim"], BERT["intermediate_dim"],
            dropout=0.0, max_sequence_length=LENGTH,
        )  # fmt: skip
        head = keras_hub.layers.MaskedLMHead(
            token_embedding=backbone.token_embedding, intermediate_activation="gelu", activation=None
        )
        inputs = {**backbone.input, "places": keras.Input((None,), dtype="int32", name="places")}
        states = backbone({name: inputs[name] for name in backbone.input})["sequence_output"]
        hub = keras.Model(inputs, head(states, mask_positions=inputs["places"]))

        def hubs(tokens, places, labels):
            read = {"token_ids": tokens, "segment_ids": tf.zeros_like(tokens), "padding_mask": tf.ones_like(tokens)}
            return cross_entropy(labels, hub(read | {"places": places}, training=True))

        sides["hub"] = keras_step(hub, hubs)
    except ImportError as error:
        print(f"language/bert_hub: not measured, {error}")
    return sides


def gpt2_sides(directory, steps=None):
    """Returns the steps of GPT-2 by library: functions of tokens `(B, T)` and the next tokens `(B, T)`.

    With a number of `steps`, the rate has nanoGPT's schedule.
    """
    import keras
    import tensorflow as tf

    from attention_zoo.pipelines.hub import to_pretrained
    from attention_zoo.pipelines.models import GPT2Decoder

    keras.utils.set_random_seed(1)
    model = GPT2Decoder(BYTES, **GPT2, dropout=0.0, attention_dropout=0.0)
    model({"tokens": tf.ones([1, 2], tf.int32)})
    to_pretrained(model, directory)
    rate = RATE
    if steps:
        warm_up = min(WARM_UP, steps // 5)
        options = {"warmup_target": RATE, "warmup_steps": warm_up, "alpha": 0.1}
        rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm_up, **options)
    sides = {"ours": keras_step(model, lambda tokens, labels: cross_entropy(
        labels, model({"tokens": tokens}, training=True)["logits"]), rate)}  # fmt: skip
    try:
        import torch
        import transformers
    except ImportError as error:
        print(f"language/gpt2_transformers: not measured, {error}")
        return sides
    other = transformers.GPT2LMHeadModel.from_pretrained(directory, attn_implementation="sdpa").train()
    for module in other.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def theirs(tokens, labels):
        return torch.nn.functional.cross_entropy(other(tokens.long()).logits.flatten(0, 1), labels.long().flatten())

    sides["transformers"] = torch_step(other, theirs, (lambda step: float(rate(step))) if steps else lambda step: RATE)
    return sides


def plays():
    """Returns the bytes of the training plays of Shakespeare, int32 `(N,)`."""
    import numpy as np

    from attention_zoo.pipelines.datasets.plain_texts import read_texts

    texts = read_texts("shakespeare", ["train", "validation"])["train"].texts
    return np.frombuffer(b"\n".join(texts.as_numpy_iterator()), "uint8").astype("int32")


def windows(stream, rows, generator):
    """Returns tokens and next tokens `(rows, 128)` from random places of a stream."""
    import numpy as np

    places = generator.integers(0, len(stream) - LENGTH - 1, rows)[:, None] + np.arange(LENGTH + 1)
    return stream[places[:, :-1]], stream[places[:, 1:]]


def learn(sides, stream, steps):
    """Returns the mean loss of the last tenth of the steps by library; all get the same batches."""
    import numpy as np

    last = {}
    for name, step in sides.items():
        generator = np.random.default_rng(1)
        losses = [step(*windows(stream, GPT2_ROWS, generator)) for _ in range(steps)]
        last[name] = float(np.mean(losses[-max(1, steps // 10) :]))
        print(f"{'language/gpt2_loss':28} {name}: {losses[0]:.4f} at first, {last[name]:.4f} at last", flush=True)
    return last


def step_of_long_text(recomputes, length=4096):
    """Returns the bytes that a step of BERT adds to the process, and its CPU seconds. Runs in its own process."""
    import tensorflow as tf

    from attention_zoo.pipelines.engine.training.recomputation import recompute_blocks
    from attention_zoo.pipelines.models import BertEncoder

    sizes = {"num_layers": 8, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 512, "max_length": length}
    model, tokens = BertEncoder(1000, **sizes), tf.fill([1, length], 5)
    model({"tokens": tokens[:, :2]})
    if recomputes:
        recompute_blocks(model)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def step(tokens):
        weights = [weight for weight in model.trainable_variables if "pooler" not in weight.path]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model({"tokens": tokens}, training=True)["states"] ** 2)
        return [tf.reduce_sum(tf.convert_to_tensor(gradient)) for gradient in tape.gradient(loss, weights)]

    step(tokens[:, :600])  # long enough for the block kernels, which are compiled with the graph
    before, began = peak_memory(), time.process_time()
    step(tokens)
    return {"extra": peak_memory() - before, "seconds": time.process_time() - began}


def recomputation(figures):
    """Compares a step that computes activations again with one that keeps them."""
    keeps, recomputes = (in_a_process_of_its_own(__file__, "--long-text", choice) for choice in ("keep", "recompute"))
    if keeps is None or recomputes is None:
        print("language/recompute: failed")
        return
    for name, key, unit, size in (("memory", "extra", "MiB", 2**20), ("time", "seconds", "s", 1)):
        ratio = figures[f"language/recompute_{name}"] = recomputes[key] / keeps[key]
        sides = f"recomputed {recomputes[key] / size:.1f} {unit}, kept {keeps[key] / size:.1f} {unit}"
        print(f"{f'language/recompute_{name}':28} {sides}, ratio {ratio:.3f}", flush=True)


def main():
    """Prints a line for each figure."""
    parser = parser_of(__doc__, "three rounds, 50 steps of the recipe")
    parser.add_argument("--steps", type=int, default=1000, help="steps of nanoGPT's recipe")
    parser.add_argument("--long-text", choices=("keep", "recompute"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    on_one_core()
    if arguments.long_text:
        return print(json.dumps(step_of_long_text(arguments.long_text == "recompute")))
    import numpy as np

    repeats, steps = (3, 50) if arguments.quick else (arguments.repeats, arguments.steps)
    figures, generator = {}, np.random.default_rng(0)
    recomputation(figures)
    with tempfile.TemporaryDirectory() as directory:
        tokens = generator.integers(5, VOCABULARY, (ROWS, LENGTH)).astype("int32")
        places = np.sort(generator.permuted(np.tile(np.arange(LENGTH), (ROWS, 1)), axis=1)[:, :CHOSEN]).astype("int32")
        batch = tokens, places, np.take_along_axis(tokens, places, axis=1)
        time_sides(figures, "bert", bert_sides(f"{directory}/bert"), batch, repeats)
        stream = plays()
        batch = windows(stream, GPT2_ROWS, generator)
        time_sides(figures, "gpt2", gpt2_sides(f"{directory}/gpt2"), batch, repeats)
        last = learn(gpt2_sides(f"{directory}/learn", steps), stream, steps)
    if "transformers" in last:
        figures["language/gpt2_loss"] = last["ours"] / last["transformers"]
        print(f"{'language/gpt2_loss':28} ratio {figures['language/gpt2_loss']:.4f} after {steps:,} steps")
    write_figures(figures, arguments.json)


def time_sides(figures, model, sides, batch, repeats):
    """Compares our step with each of the others; those with our weights must have our first loss."""
    losses = {name: step(*batch) for name, step in sides.items()}
    if abs(losses["ours"] - losses.get("transformers", losses["ours"])) > 1e-3:
        raise SystemExit(f"language/{model}: the first losses differ: {losses}")
    for name in set(sides) - {"ours"}:
        ours, peer = (lambda step=sides[side]: step(*batch) for side in ("ours", name))
        report(figures, f"language/{model}_{name}", compare(ours, peer, repeats, clock=time.process_time))


if __name__ == "__main__":
    sys.exit(main())
