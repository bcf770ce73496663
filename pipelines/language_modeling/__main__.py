"""`python -m attention_zoo.pipelines.language_modeling` and `python pipelines/language_modeling`.

Both do what `attention-zoo train language_modeling` does.
"""

import sys

# `python pipelines/language_modeling` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "language_modeling", *sys.argv[1:]]))
