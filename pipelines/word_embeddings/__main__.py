"""`python -m attention_zoo.pipelines.word_embeddings` and `python pipelines/word_embeddings`.

Both do what `attention-zoo train word_embeddings` does.
"""

import sys

# `python pipelines/word_embeddings` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "word_embeddings", *sys.argv[1:]]))
