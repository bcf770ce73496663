"""Writes the data of a run as files of a user's own, in which the training examples have each other's labels.

    python benchmarks/random_labels.py --run runs/translation/dates --into random_dates
    attention-zoo train translation --preset dates --name random --data.files random_dates/train.tsv \
        --data.dev random_dates/validation.tsv --data.test random_dates/test.tsv
    python benchmarks/faithfulness.py --run runs/translation/dates --against runs/translation/random

A model that is trained on them learns no relation between input and label, and an explanation of what a model learned
must change (Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 4.2). Labels are translations, or the
classes of documents, texts and images. Validation and test keep theirs.
"""

import argparse
import csv
from pathlib import Path

SPLITS = ("train", "validation", "test")


def write_pairs(task, into, shuffled):
    """Writes train.tsv, validation.tsv and test.tsv: source, tab, target."""
    for split in SPLITS:
        examples = task.examples[split]
        rows = zip(examples.source, shuffled(split, examples.target))
        (into / f"{split}.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows))


def write_texts(task, into, shuffled):
    """Writes train.csv, validation.csv and test.csv with the columns text and label."""
    for split in SPLITS:
        texts = task.texts[split]
        with open(into / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(
                (text, texts.names[label]) for text, label in zip(texts.texts, shuffled(split, texts.labels))
            )


def write_images(task, into, shuffled):
    """Writes {train,validation,test}/CLASS/NUMBER.png."""
    import tensorflow as tf

    for split in SPLITS:
        rows = list(task.sets[split].examples.as_numpy_iterator())
        for number, (row, label) in enumerate(zip(rows, shuffled(split, [row["label"] for row in rows]))):
            path = into / split / task.labels[label] / f"{number:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tf.io.encode_png(tf.io.decode_image(row["image"])).numpy())


WRITERS = {
    "translation": write_pairs,
    "document_classification": write_texts,
    "text_classification": write_texts,
    "image_classification": write_images,
}


def shuffler(seed):
    """Returns a function of a split's name and its labels to these, those of the training split in random order."""
    import numpy as np

    def shuffled(split, labels):
        order = np.random.default_rng(seed).permutation(len(labels)) if split == "train" else range(len(labels))
        return [labels[number] for number in order]

    return shuffled


def main():
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help=f"folder of a run, of {', '.join(WRITERS)}")
    parser.add_argument("--into", type=Path, required=True, help="folder for the files")
    parser.add_argument("--seed", type=int, default=1, help="seed of the order")
    arguments = parser.parse_args()
    name = arguments.run.resolve().parent.name
    if name not in WRITERS:
        parser.error(f"--run: expected a folder like runs/{next(iter(WRITERS))}/NAME, received {arguments.run}")
    from attention_zoo.pipelines.commands.loading import load
    from attention_zoo.pipelines.engine.run.config import read
    from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
    from attention_zoo.pipelines.registry import TASKS

    folder, task_class = RunFolder(arguments.run), load(TASKS[name].task)
    task = task_class(read(task_class.Config, folder.config), folder.path)
    task.load()
    arguments.into.mkdir(parents=True, exist_ok=True)
    WRITERS[name](task, arguments.into, shuffler(arguments.seed))
    print(f"written: {arguments.into}/")


if __name__ == "__main__":
    main()
