"""`python -m attention_zoo.pipelines.intents` and `python pipelines/intents`.

Both do what `attention-zoo train intents` does.
"""

import sys

# `python pipelines/intents` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "intents", *sys.argv[1:]]))
