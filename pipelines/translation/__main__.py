"""`python -m attention_zoo.pipelines.translation` and `python pipelines/translation`: the same as `attention-zoo train translation`."""

import sys

if (
    not __package__
):  # `python pipelines/translation` puts this folder first on the path, where its modules would hide others
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "translation", *sys.argv[1:]]))
