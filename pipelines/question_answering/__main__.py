"""`python -m attention_zoo.pipelines.question_answering` and `python pipelines/question_answering`.

Both do what `attention-zoo train question_answering` does.
"""

import sys

# `python pipelines/question_answering` puts this folder first on the path, where its modules would hide
# others of the same names.
if not __package__:
    del sys.path[0]

from attention_zoo.pipelines.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", "question_answering", *sys.argv[1:]]))
