"""Compares the block-by-block kernels with those of Keras, PyTorch and JAX: time, memory, cost of masks, peak speed.

    python benchmarks/attention.py
    python benchmarks/attention.py --quick --json attention.json

All timings are forward and backward, float32, batch 1, 8 heads of 64, on one core with one thread per library. A ratio
is our time over the peer's: below 1 is better. `/twin` is the spread of two timings of the same side; a difference
below it does not count. `attention/gemm_share` is better when it is higher: operations per second, counting the seven
products that recomputing needs, over those of one large product. PyTorch and JAX are optional. The matrix products of
PyTorch have another speed, which is printed beside it.
"""

import argparse
import json
import sys
import time

from measure import compare, in_a_process_of_its_own, on_one_core, parser_of, peak_memory, rate, write_figures

HEADS, FEATURES = 8, 64


def heads(length, batch=1):
    import tensorflow as tf

    return [tf.random.stateless_normal((batch, length, HEADS, FEATURES), (number, 0)) for number in range(3)]


def training_step(attention, signature=None):
    """Returns a function of tensors that runs forward and backward, and waits for the result."""
    import tensorflow as tf

    @tf.function(autograph=False, input_signature=signature)
    def gradients(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            output = attention(*tensors)
            loss = tf.reduce_sum(output * output)
        return [tf.reduce_sum(gradient) for gradient in tape.gradient(loss, tensors)]

    return lambda *inputs: [float(x) for x in gradients(*inputs)]


def step(attention, inputs, signature=None):
    """Returns the same as a function without arguments."""
    run = training_step(attention, signature)
    return lambda: run(*inputs)


def ours(implementation="auto", **options):
    from attention_zoo.layers.dot_product import dot_product_attention

    return lambda query, key, value: dot_product_attention(query, key, value, implementation=implementation, **options)


def keras_op(causal=False):
    import keras

    return lambda query, key, value: keras.ops.dot_product_attention(query, key, value, is_causal=causal)


def torch_flash(length, causal):
    """Returns PyTorch's fused kernel on the same numbers, or None if PyTorch is missing."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    inputs = [torch.tensor(x.numpy()).transpose(1, 2).contiguous().requires_grad_() for x in heads(length)]

    def run():
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
            output = torch.nn.functional.scaled_dot_product_attention(*inputs, is_causal=causal)
        torch.autograd.grad((output * output).sum(), inputs)

    return run


def jax_op(length, causal):
    """Returns JAX's attention, compiled, on the same numbers, or None if JAX is missing."""
    try:
        import jax
    except ImportError:
        return None
    inputs = [jax.numpy.asarray(x.numpy()) for x in heads(length)]

    def loss(query, key, value):
        output = jax.nn.dot_product_attention(query, key, value, is_causal=causal)
        return (output * output).sum()

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
    return lambda: jax.block_until_ready(gradients(*inputs))


def gemm_rates(size=2048):
    """Returns the operations per second of one large matrix product, by library."""
    import tensorflow as tf

    matrix = tf.random.normal((size, size))
    rates = {"tensorflow": rate(lambda: float((matrix @ matrix)[0, 0]), 2 * size**3)}
    try:
        import torch
    except ImportError:
        return rates
    torch.set_num_threads(1)
    other = torch.tensor(matrix.numpy())
    return rates | {"torch": rate(lambda: float((other @ other)[0, 0]), 2 * size**3)}


def report(figures, name, comparison):
    figures |= comparison.figures(name)
    print(f"{name:32} {comparison}", flush=True)


def times(figures, lengths, repeats, most_rounds):
    """Compares full and causal attention with Keras and PyTorch, with `most_rounds` if a round takes seconds."""
    gemm = gemm_rates()
    for library, speed in gemm.items():
        print(f"{'large matrix product, ' + library:32} {speed / 1e9:9.1f} GFLOP/s")
        figures[f"attention/gemm_gflops_{library}"] = speed / 1e9
    for causal in (False, True):
        kind = "causal" if causal else "full"
        for length in lengths:
            inputs, rounds = heads(length), min(repeats, most_rounds if length > 2048 else repeats)
            mine = step(ours(is_causal=causal), inputs)
            if length > 512 or not causal:
                result = compare(mine, step(keras_op(causal), inputs), rounds)
                report(figures, f"attention/{kind}_{length}", result)
            if length == max(lengths) and not causal:
                operations = 14 * HEADS * length**2 * FEATURES
                share = operations / result.ours / gemm["tensorflow"]
                figures["attention/gemm_share"], figures["attention/gemm_share/twin"] = share, result.twin
                print(
                    f"{'attention/gemm_share':32} {share:.3f} of a large product's "
                    f"{gemm['tensorflow'] / 1e9:.1f} GFLOP/s"
                )
            for name, make in (("torch_flash", torch_flash), ("jax", jax_op)):
                peer = make(length, causal)
                if peer is None:
                    print(f"attention/{name}_{kind}_{length}: missing, the peer is not installed")
                else:
                    report(figures, f"attention/{name}_{kind}_{length}", compare(mine, peer, rounds))
    if "torch" in gemm:
        share = gemm["torch"] / gemm["tensorflow"]
        print(f"{'':32} matrix products: PyTorch's run at {share:.2f} of TensorFlow's speed")


def price_of_options(figures, length, repeats):
    """Measures padding, a mask, dropout and open shapes, each and all of them, over the bare kernel."""
    import tensorflow as tf

    inputs, bare = heads(length), step(ours(), heads(length))
    padding = {"key_mask": tf.range(length)[None] < length - 5}
    mask = {"mask": tf.random.stateless_uniform((1, 1, length, length), (1, 2)) < 0.9}
    dropout = {"dropout_rate": 0.1, "seed": 7}
    open_shape = [tf.TensorSpec((None, None, HEADS, FEATURES))] * 3
    cases = {
        "padding": (padding, None),
        "mask": (mask, None),
        "dropout": (dropout, None),
        "open_shapes": ({}, open_shape),
        "dropout_mask": (padding | mask | dropout, open_shape),
    }
    for name, (options, signature) in cases.items():
        report(figures, f"attention/{name}_cost", compare(step(ours(**options), inputs, signature), bare, repeats))


def additive(figures, batch, repeats):
    """Compares Bahdanau's score with Keras's layer, 512 x 512 with 256 units."""
    import keras
    import tensorflow as tf

    from attention_zoo.layers.kernels import additive_blocks

    layer = keras.layers.AdditiveAttention()
    inputs = [tf.random.stateless_normal((batch, 512, 256), (number, 0)) for number in range(3)]
    layer.build([x.shape for x in inputs])
    scale = tf.random.stateless_normal((256,), (3, 0))
    peer = step(lambda query, key, value: layer([query, value, key]), inputs)
    mine = step(lambda query, key, value: additive_blocks(query, key, scale, value), inputs)
    report(figures, "additive/time", compare(mine, peer, repeats))


def window_layer(side):
    """Returns a layer with a causal window of 256: ours, or Keras's.

    It has 8 heads of 64 like the rest. It reads 64 features, so that the projections, the same on both sides, cost
    little.
    """
    import keras

    from attention_zoo import layers

    kinds = {"window_ours": layers.MultiHeadAttention, "window_peer": keras.layers.MultiHeadAttention}
    layer = kinds[side](HEADS, FEATURES, sliding_window=256)
    layer.build((1, None, FEATURES), (1, None, FEATURES))
    return lambda sequence: layer(sequence, sequence, use_causal_mask=True)


def window_inputs(length):
    import tensorflow as tf

    return [tf.random.stateless_normal((1, length, FEATURES), (0, 0))]


def window(figures, length, repeats):
    """Compares a sliding window in blocks with Keras's layer, which computes all scores and masks them."""
    sides = [step(window_layer(side), window_inputs(length)) for side in ("window_ours", "window_peer")]
    report(figures, f"attention/window_{length}", compare(*sides, repeats))


def memory_of(side, length):
    """Returns the bytes that one step adds to a process at rest. Runs in its own process."""
    import keras
    import tensorflow as tf

    if side.startswith("additive"):
        inputs = [tf.random.stateless_normal((8, length, 256), (number, 0)) for number in range(3)]
        from attention_zoo.layers.kernels import additive_blocks

        layer, scale = keras.layers.AdditiveAttention(), tf.ones((256,))
        layer.build([x.shape for x in inputs])
        attention = {
            "additive_ours": lambda query, key, value: additive_blocks(query, key, scale, value),
            "additive_peer": lambda query, key, value: layer([query, value, key]),
        }[side]
    elif side.startswith("window"):
        inputs, attention = window_inputs(length), window_layer(side)
    else:
        inputs = heads(length)
        mine = {"implementation": "blocks"}  # the short ones below too, or the graph would count as memory
        attention = {"ours": ours(**mine), "peer": keras_op(), "ours_causal": ours(**mine, is_causal=True)}[side]
    run = training_step(attention, [tf.TensorSpec((x.shape[0], None, *x.shape[2:])) for x in inputs])
    warm_up = 600 if side == "window_ours" else 64  # so many take the blocks too
    run(*[x[:, :warm_up] for x in inputs])  # what the library and the graph take for themselves
    before = peak_memory()
    began = time.perf_counter()
    run(*inputs)
    return {"extra": peak_memory() - before, "all": peak_memory(), "seconds": time.perf_counter() - began}


def memory(figures, quick):
    def of(side, length):
        return in_a_process_of_its_own(__file__, "--memory-of", side, length)

    cases = {
        "attention/memory_4096": (4096, "ours", "peer"),
        "attention/window_memory_4096": (4096, "window_ours", "window_peer"),
        "additive/memory": (512, "additive_ours", "additive_peer"),
    }
    for name, (length, *sides) in cases.items():
        mine, twin, peer = of(sides[0], length), of(sides[0], length), of(sides[1], length)
        if mine is None or twin is None or peer is None:
            print(f"{name}: failed")
            continue
        figures[name], figures[f"{name}/twin"] = mine["extra"] / peer["extra"], abs(mine["extra"] / twin["extra"] - 1)
        print(
            f"{name:32} ours {mine['extra'] / 2**20:.0f} MiB, Keras {peer['extra'] / 2**20:.0f} MiB, "
            f"ratio {figures[name]:.4f}"
        )
    growth = {length: of("ours", length) for length in ((8192,) if quick else (8192, 16384, 32768))}
    for length, measured in growth.items():
        if measured:
            figures[f"attention/memory_{length}_gib"] = measured["extra"] / 2**30
            print(
                f"{f'attention/memory_{length}_gib':32} {measured['extra'] / 2**30:.3f} GiB beyond the process at rest"
            )
    if not quick:
        measured = of("ours_causal", 65536)
        if measured:
            figures["attention/memory_65536_gib"] = measured["all"] / 2**30
            shown = f"{measured['all'] / 2**30:.2f} GiB for the whole process, {measured['seconds']:.0f} s (causal)"
            print(f"{'attention/memory_65536_gib':32} {shown}")


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "three rounds at 4,096, memory up to 8,192, batch 2 for additive")
    parser.add_argument("--memory-of", nargs=2, metavar=("SIDE", "LENGTH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    on_one_core()
    if arguments.memory_of:
        side, length = arguments.memory_of
        return print(json.dumps(memory_of(side, int(length))))
    figures = {}
    times(figures, (512, 1024, 2048, 4096), arguments.repeats, 3 if arguments.quick else arguments.repeats)
    price_of_options(figures, 1024 if arguments.quick else 2048, arguments.repeats)
    window(figures, 4096, 3 if arguments.quick else arguments.repeats)
    additive(figures, 2 if arguments.quick else 8, arguments.repeats)
    memory(figures, arguments.quick)
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
