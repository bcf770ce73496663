"""Takes the embeddings out of a run of any task, with the vocabulary that numbers their rows."""

from pathlib import Path

from sentencepiece.sentencepiece_model_pb2 import ModelProto

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.training.run_state import AVERAGE, MODEL
from attention_zoo.pipelines.engine.training.selection import chosen_arrays

BEGIN = "▁"  # SentencePiece's mark of the first piece of a word
NORMAL = 1  # the type of a piece that is neither a control nor unknown


def embeddings_of(run):
    """Returns the words of a run and their vectors.

    Of several weights with a row for each word, the first one is taken: that of the source of a translator. Words are
    brought to lower case. A subword that begins a word stands for that word, another one has a hyphen before it; of
    equal ones the first is kept.

    Args:
        run: Folder of the run, such as "runs/translation/bahdanau".

    Returns:
        `(words, vectors, weight)`: list of V strings, array `(V, D)`, and the name of the weight.

    Raises:
        UserError: There is no such run, or it has no vocabulary or no weight with a row for each of its words.
    """
    folder = RunFolder(run)
    if not folder.config.is_file():
        raise UserError(
            f"--data.from_run: expected the folder of a run, such as runs/translation/dates, received {run}"
        )
    named = names_of_rows(folder)
    arrays = chosen_arrays(CheckpointStore(folder.checkpoints), "dev/loss", lower_is_better=True)
    weights = {}
    for prefix in (MODEL, AVERAGE):
        weights |= {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    fitting = [(path, names) for path, array in weights.items() for names in named if fits(array, names)]
    if not fitting:
        sizes = " or ".join(f"{len(names):,}" for names in named) or "no"
        raise UserError(
            f"--data.from_run: expected a run with embeddings, received {run} with {sizes} words and no such weight"
        )
    path, names = min(fitting, key=lambda one: (one[0] != "words", "embedding" not in one[0], "source" not in one[0]))
    rows = {}
    for row, name in enumerate(names):
        if name:
            rows.setdefault(name, row)
    return list(rows), weights[path][list(rows.values())].astype("float32"), path


def fits(array, names):
    """Tells whether a weight has a row for each name, and more than one column."""
    return array.ndim == 2 and len(array) == len(names) and array.shape[1] > 1


def names_of_rows(folder):
    """Returns the possible names of the rows of an embedding by a run's vocabularies; `None` is a special token."""
    named = []
    if folder.words.is_file():
        words = folder.words.read_text(encoding="utf-8").split("\n")
        named += [words, [None] * 4 + words]  # the ids of `engine.text.words` begin with four special ones
    if folder.subwords.is_file():
        pieces = ModelProto.FromString(Path(folder.subwords).read_bytes()).pieces
        named.append([word_of(piece) for piece in pieces])
    return named


def word_of(piece):
    """Returns a piece of SentencePiece as a word; `None` for a special one and for the mark alone."""
    if piece.type != NORMAL or piece.piece == BEGIN:
        return None
    text = piece.piece.lower()
    return text.removeprefix(BEGIN) if text.startswith(BEGIN) else f"-{text}"
