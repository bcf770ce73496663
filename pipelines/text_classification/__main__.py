"""`python -m attention_zoo.pipelines.text_classification` and `python pipelines/text_classification`.

Both do what `attention-zoo train text_classification` does.
"""

import sys

# `python pipelines/text_classification` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "text_classification", *sys.argv[1:]]))
