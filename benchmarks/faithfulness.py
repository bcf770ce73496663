"""Measures how faithful explanations of trained runs are: does the answer change with the parts that they name?

    python benchmarks/faithfulness.py --run runs/image_classification/digits
    python benchmarks/faithfulness.py --run runs/image_classification/digits --quick --json faithfulness.json

Runs are of image_classification, and the parts are patches. Explained is the probability of the class that the model
answers, on the first examples of the test split. For each explanation it prints the area over the deletion curve and
that under the insertion curve, in percent points and higher for a more faithful explanation, with the paired difference
from the mean of three random orders, and from integrated gradients, and its 95% interval (bootstrap over the examples).

`alike` is Spearman's correlation of the explanations with those of the same model after the values of each weight were
shuffled (Adebayo et al. 2018): an explanation that depends on what was learned has a correlation near 0.

Deleted patches get the mean image of the examples, which is also the baseline of integrated gradients. `--repeats` is
the number of examples.
"""

from pathlib import Path

from measure import parser_of, write_figures

RANDOM = 3
SHARES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


class Images:
    """The first images of a run of image_classification, their patches, and explanations of its answers."""

    def __init__(self, task, model, count):
        import numpy as np
        import tensorflow as tf

        batches = task.preprocess("test", 0).map(lambda batch: batch["images"]).unbatch().batch(count)
        self.model, self.images = model, next(iter(batches))
        self.answer = tf.argmax(model(self.images), axis=-1)
        self.blank = tf.reduce_mean(self.images, axis=0, keepdims=True)
        self.grid = model.embedding.grid_of(self.images.shape)
        self.mask = np.ones((len(self.images), self.grid[0] * self.grid[1]), bool)
        self.classify = tf.function(lambda images: tf.nn.softmax(model(images)))
        self.logits = tf.function(lambda images: self.target(model(images)))

    def target(self, logits):
        """Returns the logits of the answers (B,)."""
        import tensorflow as tf

        return tf.gather(logits, self.answer, batch_dims=1)

    def predict(self, kept):
        """Returns the probabilities of the answers with some of the patches (N, P)."""
        import tensorflow as tf

        patches = kept.reshape(-1, *self.grid, 1)
        shown = patches.repeat(self.images.shape[1] // self.grid[0], 1).repeat(self.images.shape[2] // self.grid[1], 2)
        return self.target(self.classify(tf.where(shown, self.images, self.blank))).numpy()

    def explanations(self):
        """Returns the attributions of the patches (N, P) by the name of the explanation."""
        import tensorflow as tf

        from attention_zoo.layers import attention_rollout, record_attention
        from attention_zoo.pipelines.explanations.flow import attention_flow
        from attention_zoo.pipelines.explanations.gradients import attention_relevance, integrated_gradients

        with record_attention(self.model) as recorded:
            self.model(self.images)
        scores = list(recorded.values())
        added = integrated_gradients(self.logits, self.images, self.blank)
        with tf.GradientTape() as tape:
            tape.watch(self.images)
            answer = self.logits(self.images)
        slopes = abs(tape.gradient(answer, self.images).numpy())
        return {
            "attention": self.pooled(scores[-1].numpy().mean(axis=1)),
            "rollout": self.pooled(attention_rollout(scores).numpy()),
            "flow": self.pooled(attention_flow([weights.numpy() for weights in scores])),
            "relevance": self.pooled(attention_relevance(self.model, self.images, self.target)),
            "gradient": self.of_patches(slopes),
            "integrated gradients": self.of_patches(added),
        }

    def pooled(self, maps):
        """Returns the row that the classifier reads of maps (B, T, T): that of the first token, or the mean."""
        tokens = self.model.embedding.num_tokens
        return (maps[:, 0] if self.model.pooling == "token" else maps.mean(axis=1))[:, tokens:]

    def of_patches(self, pixels):
        """Returns the sums (B, P) over the pixels of each patch."""
        (height, width), (b, h, w, c) = self.grid, pixels.shape
        return pixels.reshape(b, height, h // height, width, w // width, c).sum(axis=(2, 4, 5)).reshape(b, -1)


def shuffle_weights(model, generator):
    """Shuffles the values of each weight of a model."""
    for variable in model.trainable_variables:
        values = variable.numpy()
        variable.assign(generator.permutation(values.ravel()).reshape(values.shape))


def areas_of(examples, attributions):
    """Returns the areas (N,) of both curves by the name of the curve."""
    from attention_zoo.pipelines.engine.scores.faithfulness import curves, over_perturbation, under_insertion

    return {
        "deletion": over_perturbation(curves(examples.predict, attributions, examples.mask, SHARES)),
        "insertion": under_insertion(curves(examples.predict, attributions, examples.mask, SHARES, insertion=True)),
    }


def measured(examples, name):
    """Prints a line for each explanation of a run, and returns its figures."""
    import numpy as np

    from attention_zoo.pipelines.engine.scores.faithfulness import paired, rank_correlations

    generator = np.random.default_rng(0)
    found = examples.explanations()
    areas = {explanation: areas_of(examples, attributions) for explanation, attributions in found.items()}
    chance = [areas_of(examples, generator.random(examples.mask.shape)) for _ in range(RANDOM)]
    areas["random"] = {curve: np.mean([one[curve] for one in chance], axis=0) for curve in chance[0]}
    shuffle_weights(examples.model, generator)
    other = examples.explanations()
    figures = {}
    for explanation, curves in areas.items():
        line = [f"{f'{name}/{explanation}':44}"]
        for curve, values in curves.items():
            key = f"faithfulness/{name}/{explanation}/{curve}"
            figures[key] = float(values.mean())
            line.append(f"{curve} {values.mean():5.1f}")
            for against in ("random", "integrated gradients"):
                if explanation not in ("random", against):
                    gap = paired(values, areas[against][curve])
                    figures |= {f"{key}/{part}_over_{against}": value for part, value in gap.items()}
                    line.append(f"({gap['gap']:+.1f} over {against}, {gap['low']:+.1f} to {gap['high']:+.1f})")
        if explanation in found:
            alike = rank_correlations(found[explanation], other[explanation], examples.mask)
            figures[f"faithfulness/{name}/{explanation}/alike"] = float(np.nanmean(alike))
            line.append(f"alike {np.nanmean(alike):+.2f}")
        print("  ".join(line), flush=True)
    return figures


def main():
    """Prints a line for each explanation of each run."""
    parser = parser_of(__doc__, "20 examples", repeats=200, rounds="examples of the test split")
    parser.add_argument("--run", nargs="+", type=Path, required=True, help="folders of runs, runs/TASK/NAME each")
    arguments = parser.parse_args()
    from attention_zoo.pipelines.engine.run.run import finished
    from attention_zoo.pipelines.image_classification.task import ImageClassification

    figures = {}
    for folder in arguments.run:
        name = folder.resolve().parent.name
        if name != ImageClassification.name:
            parser.error(f"--run: expected folders like runs/{ImageClassification.name}/NAME, received {folder}")
        examples = Images(*finished(ImageClassification, folder), 20 if arguments.quick else arguments.repeats)
        figures |= measured(examples, f"{name}/{folder.name}")
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
