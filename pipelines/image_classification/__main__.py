"""`python -m attention_zoo.pipelines.image_classification` and `python pipelines/image_classification`: the same as `attention-zoo train image_classification`."""

import sys

if (
    not __package__
):  # `python pipelines/image_classification` puts this folder first on the path, where its modules would hide others
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "image_classification", *sys.argv[1:]]))
