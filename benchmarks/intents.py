"""Measures how long the exported DIET takes for a sentence.

    python benchmarks/intents.py
    python benchmarks/intents.py --quick --json intents.json

One sentence in, intent and entities out, on one core: the SavedModel of a model with the sizes of the default preset
and 61 tags. The weights are random, since the time depends on the sizes alone. `intents/p50` and `intents/p95` are
milliseconds of a call of `serving_default` with one text, splitting into words and the CRF included.
"""

import tempfile
import time

from measure import on_one_core, parser_of, write_figures

TEXTS = [
    "turn on the lights in the kitchen",
    "set a timer for ten minutes",
    "what is the temperature of the living room thermostat",
    "close the left curtain",
]


def exported(directory):
    """Writes the SavedModel, and returns its `serving_default`."""
    import keras
    import tensorflow as tf

    from attention_zoo.pipelines.engine.serving.export import export_saved_model
    from attention_zoo.pipelines.intents.interpreter import Interpreter, WordFeatures
    from attention_zoo.pipelines.intents.settings import DataSettings, ModelSettings
    from attention_zoo.pipelines.models import DIETClassifier

    keras.utils.set_random_seed(1)
    data, tags = DataSettings(), ["O", *(f"{prefix}-{n}" for n in range(30) for prefix in "BI")]
    model = DIETClassifier(data.buckets, 42, tags, **vars(ModelSettings()))
    model({"features": tf.constant([[[1]]])})
    features = WordFeatures(data.buckets, data.largest_ngram)
    interpreter = Interpreter(model, features, [f"intent {n}" for n in range(42)], {}, data.max_words, 0.0)
    signatures = {"serving_default": (interpreter.understand, {"text": tf.TensorSpec([None], tf.string, name="text")})}
    version = export_saved_model(f"{directory}/intents", [model, interpreter], signatures)
    return tf.saved_model.load(version).signatures["serving_default"]


def main():
    """Prints one line."""
    parser = parser_of(__doc__, "50 sentences", repeats=1000, rounds="sentences")
    arguments = parser.parse_args()
    on_one_core()
    import numpy as np
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as directory:
        answer = exported(directory)
        texts = [tf.constant([text]) for text in TEXTS]
        seconds = []
        for number in range(20 + (50 if arguments.quick else arguments.repeats)):  # the first ones trace
            start = time.perf_counter()
            answer(text=texts[number % len(texts)])
            seconds.append(time.perf_counter() - start)
    p50, p95 = np.percentile(1000 * np.array(seconds[20:]), [50, 95])
    print(f"{'intents/p50':24} {p50:.2f} ms  p95 {p95:.2f} ms", flush=True)
    write_figures({"intents/p50": p50, "intents/p95": p95}, arguments.json)


if __name__ == "__main__":
    main()
