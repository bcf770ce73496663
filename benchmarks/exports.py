"""Compares exported translators, in float32, bfloat16 and int8, with CTranslate2 in float32 and int8.

    python benchmarks/exports.py
    python benchmarks/exports.py --quick --json exports.json

The model, the sentences and the peer are those of `decoding.py`. Each export is loaded into a session, as TF Serving
does, and a line says how many of its answers equal those of the model. A ratio is our time over the peer's: below 1
is better. `/twin` is the spread of two timings of the same side.
"""

import sys
import tempfile

from decoding import ANSWER, SENTENCES, ctranslate2_search, equal_answers, our_model, ours, report, sources
from measure import on_one_core, parser_of, write_figures

GOALS = {  # of 128 sentences, 32 and one
    ("float32", "float32"): (1.05, 1.00, 0.80),
    ("bfloat16", "float32"): (0.67, 0.75, 0.80),
    ("int8", "float32"): (0.65, 0.60, 0.55),
    ("int8", "int8"): (1.2, 1.3, 2.0),
}


def exported(model, precision, directory):
    """Exports greedy search in a precision. Returns a function of ids (B, S) that answers with ids (B, L)."""
    import tensorflow as tf

    from attention_zoo.pipelines.engine.decoding.search import decode
    from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
    from attention_zoo.pipelines.engine.serving.export import export_saved_model, size_of
    from attention_zoo.pipelines.engine.serving.products import ConstantProducts

    def answer(source):
        lengths = tf.fill([tf.shape(source)[0]], ANSWER)
        return {
            "tokens": decode(model, {"source": source}, DecodingSettings(length_penalty=0.0), lengths)["tokens"][:, 0]
        }

    products = ConstantProducts(precision)
    signatures = {"serving_default": (answer, {"source": tf.TensorSpec([None, None], tf.int32)})}
    version = export_saved_model(f"{directory}/{precision}", [model], signatures, products=products)
    operations, size = size_of(version)
    print("\n".join([f"{precision}: {operations:,} operations, {size / 1e6:.0f} MB", *products.notes()]), flush=True)
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        definition = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(version)).signature_def
    signature = definition["serving_default"]
    call = session.make_callable([signature.outputs["tokens"].name], [signature.inputs["source"].name])
    return lambda tokens: call(tokens)[0]


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "three rounds of each comparison, 32 sentences and one")
    arguments = parser.parse_args()
    on_one_core()
    repeats, figures, model, tokens = 3 if arguments.quick else arguments.repeats, {}, our_model(), sources()
    sizes = [size for size in (SENTENCES, 32, 1) if size < SENTENCES or not arguments.quick]
    expected = {size: ours(model, tokens[:size], 1)() for size in sizes}
    with tempfile.TemporaryDirectory() as directory:
        answers = {name: exported(model, name, directory) for name in ("float32", "bfloat16", "int8")}
    for (precision, kind), goals in GOALS.items():
        for size in sizes:
            rows = tokens[:size]
            peer = ctranslate2_search(model, rows, 1, kind)
            goal = goals[(SENTENCES, 32, 1).index(size)]
            name = f"export/{precision}_ct2_{kind}_{size}"
            report(figures, name, lambda rows=rows: answers[precision](rows), peer, repeats, goal)
            equal = equal_answers(answers[precision](rows), [[t for t in row if t] for row in expected[size].tolist()])
            print(f"{'':26s} {equal} of {size} answers equal those of the model")
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
