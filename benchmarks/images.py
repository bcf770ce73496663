"""Times a Vision Transformer's SavedModel beside ONNX Runtime and transformers on PyTorch, with the same weights.

    python benchmarks/images.py
    python benchmarks/images.py --quick --json images.json

Pixels in, logits out, on one core, ViT-Ti/16 at 224 x 224 with random weights: our SavedModel through a TensorFlow
session, beside ONNX Runtime and transformers with SDPA. All logits are compared with ours before anything is timed.
"""

import tempfile
from pathlib import Path

from measure import compare, on_one_core, parser_of, report, write_figures

SIZE = {"num_hidden_layers": 12, "hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3}
TOLERANCE = 1e-4


def write_folder(directory):
    """Writes a ViT of transformers with random weights as a folder of the Hub."""
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.ViTConfig(**SIZE, image_size=224, patch_size=16, num_labels=1000)
    transformers.ViTForImageClassification(config).save_pretrained(directory)


def ours(folder, directory):
    """Returns a function of images `(B, 224, 224, 3)` to logits `(B, 1000)`: our SavedModel in a session."""
    import tensorflow as tf

    from attention_zoo.pipelines.engine.serving.export import export_saved_model
    from attention_zoo.pipelines.hub import from_pretrained

    model = from_pretrained(folder)
    signature = {"image": tf.TensorSpec([None, 224, 224, 3], tf.float32)}
    answer = (lambda image: {"logits": model(image, training=False)}, signature)
    version = export_saved_model(f"{directory}/exported", [model], {"serving_default": answer})
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(version))
    signature = loaded.signature_def["serving_default"]
    return session.make_callable(signature.outputs["logits"].name, feed_list=[signature.inputs["image"].name])


def torch_model(folder):
    import torch
    import transformers

    torch.set_num_threads(1)
    return transformers.ViTForImageClassification.from_pretrained(folder, attn_implementation="sdpa").eval()


def transformers_on_pytorch(folder, directory):
    """Returns transformers' model with SDPA, on images with the channels first."""
    import torch

    model = torch_model(folder)

    def classify(images):
        with torch.inference_mode():
            return model(torch.tensor(images)).logits.numpy()

    return classify


def onnx_runtime(folder, directory):
    """Returns the same model in ONNX Runtime, exported by PyTorch."""
    import onnxruntime
    import torch

    path = f"{directory}/model.onnx"
    torch.onnx.export(
        torch_model(folder),
        kwargs={"pixel_values": torch.zeros(2, 3, 224, 224)},
        f=path,
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamic_shapes={"pixel_values": {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["logits"], {"pixel_values": images})[0]


def main():
    """Prints a line for each peer and each size."""
    parser = parser_of(__doc__, "5 rounds of one image and of 4", repeats=15)
    arguments = parser.parse_args()
    on_one_core()
    import numpy as np

    repeats, figures = 5 if arguments.quick else arguments.repeats, {}
    sizes = {"one": 1, "batch": 4 if arguments.quick else 32}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "vit"
        write_folder(folder)
        classify = ours(folder, directory)
        for name, make in (("onnx", onnx_runtime), ("transformers", transformers_on_pytorch)):
            peer = make(folder, directory)
            for size, count in sizes.items():
                images = np.random.default_rng(0).normal(size=(count, 224, 224, 3)).astype("float32")
                first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
                difference = np.abs(peer(first) - classify(images)).max()
                assert difference < TOLERANCE, f"{name}: logits differ by {difference}"
                found = compare(
                    lambda images=images: classify(images), lambda first=first, peer=peer: peer(first), repeats
                )
                report(figures, f"images/{size}_{name}", found)
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
