"""Compares the exported tagger with python-crfsuite: words of text per second.

    python benchmarks/named_entities.py
    python benchmarks/named_entities.py --quick --json named_entities.json

Both tag the test sentences of CoNLL-2003 on one core. Ours is the SavedModel of the default preset's sizes: raw text
in, 128 sentences a call, split into words in the graph. crfsuite gets the words, and makes its features of them in
Python, as the baseline does. Neither needs to be trained for this: our weights are random, and crfsuite learns for five
iterations. `tagging/time` is our time over crfsuite's, so below 1 is better.
"""

import tempfile

from measure import compare, on_one_core, parser_of, write_figures

BATCH = 128


def exported(task, directory):
    """Writes the SavedModel of an untrained model, and returns its `serving_default`."""
    import keras
    import tensorflow as tf

    from attention_zoo.pipelines.engine.serving.export import export_saved_model

    keras.utils.set_random_seed(1)
    trackables, signatures, _ = task.signatures(task.build())
    return tf.saved_model.load(export_saved_model(directory, trackables, signatures)).signatures["serving_default"]


def main():
    """Prints one line."""
    parser = parser_of(__doc__, "300 sentences, three rounds")
    arguments = parser.parse_args()
    on_one_core()
    import tensorflow as tf

    from attention_zoo.pipelines.baselines.crf import features_of, trained_tagger
    from attention_zoo.pipelines.named_entities.settings import NamedEntitiesConfig
    from attention_zoo.pipelines.named_entities.task import NamedEntities

    with tempfile.TemporaryDirectory() as directory:
        task = NamedEntities(NamedEntitiesConfig(), directory)
        task.load()
        task.adapt()
        test, train = task.sentences["test"], task.sentences["train"]
        count = 300 if arguments.quick else len(test.words)
        sentences = test.words[:count]
        texts = tf.constant(test.texts()[:count])
        answer = exported(task, f"{directory}/model")
        tagger = trained_tagger(train.words[:2000], train.tags[:2000], f"{directory}/crf", max_iterations=5)

        def ours():
            for begin in range(0, count, BATCH):
                answer(text=texts[begin : begin + BATCH])["counts"].numpy()

        def peer():
            for sentence in sentences:
                tagger.tag(list(features_of(sentence)))

        compared = compare(ours, peer, 3 if arguments.quick else arguments.repeats)
    words = sum(map(len, sentences))
    rates = f"ours {words / compared.ours:9,.0f} words/s  peer {words / compared.peer:9,.0f} words/s"
    print(f"{'tagging/time':24} {rates}  ratio {compared.ratio:.3f}  twins ±{compared.twin:.3f}", flush=True)
    figures = {"tagging/words_per_s": words / compared.ours, "tagging/words_per_s_peer": words / compared.peer}
    write_figures(compared.figures("tagging/time") | figures, arguments.json)


if __name__ == "__main__":
    main()
