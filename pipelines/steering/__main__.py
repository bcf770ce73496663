"""`python -m attention_zoo.pipelines.steering` and `python pipelines/steering`: the same as `attention-zoo train steering`."""

import sys

if (
    not __package__
):  # `python pipelines/steering` puts this folder first on the path, where its modules would hide others
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "steering", *sys.argv[1:]]))
