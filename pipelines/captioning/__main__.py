"""`python -m attention_zoo.pipelines.captioning` and `python pipelines/captioning`.

Both do what `attention-zoo train captioning` does.
"""

import sys

# `python pipelines/captioning` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "captioning", *sys.argv[1:]]))
