"""`python -m attention_zoo.pipelines.named_entities` and `python pipelines/named_entities`.

Both do what `attention-zoo train named_entities` does.
"""

import sys

# `python pipelines/named_entities` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "named_entities", *sys.argv[1:]]))
