"""A conditional random field on hand-made features of words, by python-crfsuite: what entities are tagged with
without a network.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.stages import counted, stage

if TYPE_CHECKING:
    import pycrfsuite  # pyright: ignore[reportMissingImports]

WINDOW = 2  # words to either side
OPTIONS = {"c1": 0.1, "c2": 0.1, "feature.possible_transitions": True}


def check_installed() -> None:
    """Checks that python-crfsuite is there, before anything is trained.

    Raises:
        UserError: It is not.
    """
    try:
        import pycrfsuite  # pyright: ignore[reportMissingImports]  # noqa: F401
    except ImportError:
        raise UserError(
            "--baselines.names: crf needs python-crfsuite; `pip install 'attention-zoo[entities]'`, or leave crf out"
        ) from None


def shape_of(word: str) -> str:
    """Returns the shape of a word: its kinds of characters, of which repeated ones are written once.

    Example:

    >>> shape_of("McDonald's"), shape_of("U.N."), shape_of("1996-08-22")
    ("XxXx'x", 'X.X.', 'd-d-d')
    """
    shape = ""
    for character in word:
        kind = "X" if character.isupper() else "x" if character.isalpha() else "d" if character.isdigit() else character
        shape += "" if shape.endswith(kind) else kind
    return shape


def features_of(words: Sequence[str]) -> Iterator[list[str]]:
    """Yields the features of each word: itself, its shape and affixes, and words and shapes of a window of two.

    Example:

    >>> next(features_of(["Rome", "."]))[:4]
    ['bias', 'word=rome', 'shape=Xx', 'title=True']
    """
    shapes = [shape_of(word) for word in words]
    for place, word in enumerate(words):
        lower = word.lower()
        features = ["bias", f"word={lower}", f"shape={shapes[place]}", f"title={word.istitle()}"]
        features += [f"upper={word.isupper()}", f"digits={any(map(str.isdigit, word))}", f"form={word}"]
        features += [f"prefix={lower[:size]}" for size in (1, 2, 3, 4)]
        features += [f"suffix={lower[-size:]}" for size in (1, 2, 3, 4)]
        for step in (*range(-WINDOW, 0), *range(1, WINDOW + 1)):
            if 0 <= place + step < len(words):
                features += [f"{step}:word={words[place + step].lower()}", f"{step}:shape={shapes[place + step]}"]
            elif abs(step) == 1:
                features.append(f"{step}:none")
        yield features


def trained_tagger(
    words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], path: str, max_iterations: int = 80
) -> "pycrfsuite.Tagger":
    """Trains a conditional random field by L-BFGS, c1 = c2 = .1.

    Args:
        words: The words of each training sentence.
        tags: Their tags.
        path: File that the model is written to.
        max_iterations: Iterations of L-BFGS. Defaults to `80`.

    Returns:
        A `pycrfsuite.Tagger`, whose `tag` takes the `features_of` a sentence.

    Raises:
        UserError: python-crfsuite is not installed.
    """
    check_installed()
    import pycrfsuite  # pyright: ignore[reportMissingImports]

    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params(OPTIONS | {"max_iterations": max_iterations})
    for sentence, truth in zip(words, tags):
        trainer.append(list(features_of(sentence)), truth)
    trainer.train(path)
    tagger = pycrfsuite.Tagger()
    tagger.open(path)
    return tagger


def crf_tags(
    words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], test: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Trains a conditional random field, see `trained_tagger`, and tags other sentences.

    Args:
        words: The words of each training sentence.
        tags: Their tags.
        test: The words of each sentence to tag.

    Returns:
        The tags of the sentences of `test`.

    Raises:
        UserError: python-crfsuite is not installed.
    """
    with stage("baseline: training python-crfsuite"), tempfile.TemporaryDirectory() as directory:
        tagger = trained_tagger(words, tags, str(Path(directory) / "model"))
        try:
            return [tagger.tag(list(features_of(sentence))) for sentence in counted(test)]
        finally:
            tagger.close()
