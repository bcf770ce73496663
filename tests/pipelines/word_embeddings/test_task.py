"""What is particular to word embeddings: the answers, the files for other programs, vectors of other runs."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.baselines.word_vectors import gensim_vectors
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.datasets.plain_texts import read_texts
from attention_zoo.pipelines.datasets.tfds import SPLITS
from attention_zoo.pipelines.datasets.word_pairs import read_analogies, read_similarities
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.word_vectors import unit_vectors
from attention_zoo.pipelines.registry import TASKS
from attention_zoo.pipelines.word_embeddings.files import write_word2vec
from attention_zoo.pipelines.word_embeddings.other_runs import embeddings_of
from attention_zoo.pipelines.word_embeddings.settings import DataSettings, WordEmbeddingsConfig
from attention_zoo.pipelines.word_embeddings.task import WordEmbeddings
from attention_zoo.pipelines.word_embeddings.vectors import MOST_WORDS, Vectors

WORDS = ["the", "king", "queen", "man", "woman", "dog", "café", "東"]


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(0).normal(size=(8, 5)).astype("float32")


@pytest.fixture(scope="module")
def vectors(table):
    return Vectors(WORDS, table)


def test_text_becomes_the_vectors_of_its_words_and_their_mean(vectors, table):
    answer = vectors.embed(tf.constant(["The king's, CAFÉ!", "", "xyzzy king"]))
    assert answer["words"].numpy().tolist()[0] == [b"the", b"king's", "café".encode()]
    assert answer["known"].numpy().tolist() == [[True, False, True], [False] * 3, [False, True, False]]
    np.testing.assert_array_equal(answer["vectors"][0], [table[0], np.zeros(5), table[6]])
    np.testing.assert_allclose(answer["sentence"], [(table[0] + table[6]) / 2, np.zeros(5), table[1]], rtol=1e-6)
    assert answer["unknown"].numpy().tolist() == [b"king's", b"", b"xyzzy"]


def test_an_analogy_is_answered_by_the_largest_cosine_of_other_words(vectors, table):
    answer = vectors.analogy(tf.constant(["king - man + woman", "dog"]))
    unit = unit_vectors(table)
    for row, (total, asked) in enumerate([(unit[1] - unit[3] + unit[4], {1, 3, 4}), (unit[5], {5})]):
        cosines = unit @ (total / np.linalg.norm(total))
        expected = [place for place in np.argsort(-cosines) if place not in asked]
        found = [word.decode() for word in answer["neighbours"][row].numpy() if word]
        assert found == [WORDS[place] for place in expected]
        np.testing.assert_allclose(answer["cosines"][row][: len(found)], cosines[expected], atol=1e-6)


def test_unknown_words_are_named_and_a_text_without_known_ones_is_an_error(vectors):
    texts = ["xyzzy", "king xyzzy", "", " \u200b", "?!"]
    answer = vectors.neighbours(tf.constant(texts))
    assert answer["unknown"].numpy().tolist() == [b"xyzzy", b"xyzzy", b"", b"", b""]
    errors = [error.decode() for error in answer["error"].numpy()]
    assert errors == ["text: expected words of the vocabulary, received xyzzy", "", "", "", ""]
    answered = (answer["neighbours"].numpy() != b"").any(axis=1)
    assert answered.tolist() == [False, True, False, False, False]


def test_a_row_has_the_same_answer_alone_and_in_any_batch(vectors):
    texts = ["king - man + woman", "xyzzy", "", "the dog " * 2 * MOST_WORDS, "café 東"]
    for function in (vectors.embed, vectors.neighbours, vectors.analogy, vectors.attend):
        together = function(tf.constant(texts))
        for row, text in enumerate(texts):
            for name, value in function(tf.constant([text])).items():
                beside, alone = together[name].numpy()[row], value.numpy()[0]
                if value.dtype == tf.float32:
                    padded = np.zeros_like(beside)
                    padded[tuple(map(slice, alone.shape))] = alone
                    np.testing.assert_allclose(beside, padded, atol=1e-6, err_msg=name)
                else:
                    kept = beside[: len(alone)] if np.ndim(beside) else beside
                    np.testing.assert_array_equal(kept, alone, err_msg=name)


def test_a_long_text_is_answered_to_a_bound_and_says_so(vectors):
    answer = vectors.embed(tf.constant(["the " * (MOST_WORDS + 1), "the"]))
    assert answer["truncated"].numpy().tolist() == [True, False] and answer["words"].shape[1] == MOST_WORDS


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_the_files(tmp_path, table, binary):
    gensim = pytest.importorskip("gensim", reason="gensim comes with the extra `vectors`")
    path = write_word2vec(tmp_path / "vectors", WORDS, table, binary)
    read = gensim.models.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    assert read.index_to_key == WORDS
    np.testing.assert_allclose(read.vectors, table, rtol=1e-6)


def test_the_files_have_the_layout_of_word2vec(tmp_path, table):
    lines = write_word2vec(tmp_path / "text", WORDS, table).read_text().splitlines()
    assert lines[0] == "8 5" and [line.split(" ")[0] for line in lines[1:]] == WORDS
    np.testing.assert_allclose([list(map(float, line.split(" ")[1:])) for line in lines[1:]], table, rtol=1e-6)
    head, content = write_word2vec(tmp_path / "binary", WORDS, table, binary=True).read_bytes().split(b"\n", 1)
    assert head == b"8 5"
    for word, row in zip(WORDS, table):
        name, content = content.split(b" ", 1)
        assert name.decode() == word
        np.testing.assert_array_equal(np.frombuffer(content[:20], "<f4"), row)
        assert content[20:21] == b"\n"
        content = content[21:]


def test_a_run_writes_its_vectors_for_other_programs(finished_run):
    run = finished_run("word_embeddings").run
    words = (run / "words.txt").read_text().split("\n")
    lines = (run / "vectors.txt").read_text().splitlines()
    assert lines[0] == f"{len(words)} 8" and [line.split()[0] for line in lines[1:]] == words
    assert (run / "projector" / "metadata.tsv").read_text().splitlines() == words
    tensors = np.loadtxt(run / "projector" / "tensors.tsv", delimiter="\t")
    np.testing.assert_allclose(tensors, [list(map(float, line.split()[1:])) for line in lines[1:]], rtol=1e-5)


def test_predict_prints_neighbours_and_names_unknown_words(finished_run, capsys):
    model = ["--model", str(finished_run("word_embeddings").version.parent)]
    assert main(TASKS, argv=["predict", "word_embeddings", "seaa", "seaa - skya + nowhere", *model]) == 0
    shown = capsys.readouterr()
    first, second = shown.out.splitlines()
    assert first.startswith("seaa\t") and first.count(", ") == 9 and second.startswith("seaa - skya + nowhere\t")
    assert "note: not in the vocabulary: nowhere" in shown.err
    assert main(TASKS, argv=["predict", "word_embeddings", "nowhere", *model]) == 1
    assert "expected words of the vocabulary, received nowhere" in capsys.readouterr().err
    assert main(TASKS, argv=["predict", "word_embeddings", " ", "seaa nowhere " * MOST_WORDS, *model]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("\nseaa ")
    assert "note: only the beginning was read of: seaa" in shown.err and "; not in the vocabulary: nowhere" in shown.err


def test_known_words_that_are_too_few_to_compare_are_said_before_training(finished_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = finished_run("word_embeddings").run
    config = WordEmbeddingsConfig(DataSettings(from_run=str(run), similarities="", analogies="none"))
    task = WordEmbeddings(config, tmp_path)
    task.load()
    task.adapt()
    assert "data.similarities: the words of 0 of 353 are known; " in capsys.readouterr().out
    assert task.scores(task.words, np.array(task.taken[1])) == {"wordsim_known": 0.0}


def test_embeddings_of_other_tasks_are_found_with_their_vocabulary(finished_run):
    words, vectors, weight = embeddings_of(finished_run("translation").run)
    assert vectors.shape == (len(words), 8) and "source" in weight and {"cat", "dog"} <= set(words)
    assert len(set(words)) == len(words)


def test_a_run_takes_the_vectors_of_another_run(finished_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = finished_run("word_embeddings").run
    none = ["--data.similarities", "none", "--data.analogies", "none", "--picture.skip", "0"]
    assert main(TASKS, argv=["train", "word_embeddings", "--data.from_run", str(run), "--name", "taken", *none]) == 0
    taken = tmp_path / "runs" / "word_embeddings" / "taken"
    assert (taken / "vectors.txt").read_text() == (run / "vectors.txt").read_text()
    assert json.loads((taken / "metrics.json").read_text())["dev/loss"] == 0.0


def test_a_run_without_embeddings_is_refused(finished_run, tmp_path):
    with pytest.raises(UserError, match="--data.from_run: expected the folder of a run"):
        embeddings_of(tmp_path)
    run = shutil.copytree(finished_run("word_embeddings").run, tmp_path / "run")
    (run / "words.txt").write_text("one\ntwo")
    with pytest.raises(UserError, match="--data.from_run: expected a run with embeddings"):
        embeddings_of(run)


def test_lines_of_files_are_split_by_content_and_bad_ones_reported(tmp_path, capsys):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbffirst line\r\n\n" + b"".join(b"line %d\n" % n for n in range(99)) + b"bad \xff\n")
    texts = read_texts("", SPLITS[:2], [str(path)])
    lines = {split: set(one.texts.as_numpy_iterator()) for split, one in texts.items()}
    assert (
        len(lines["train"]) + len(lines["validation"]) == 100 and b"first line" in lines["train"] | lines["validation"]
    )
    assert 0 < len(lines["validation"]) < 20
    assert f"{path}, line 102" in capsys.readouterr().out
    with pytest.raises(UserError, match="--data.strict"):
        read_texts("", SPLITS[:2], [str(path)], strict=True)
    with pytest.raises(UserError, match="--data.files: expected a text file, received"):
        read_texts("", SPLITS[:2], [str(tmp_path / "gone.txt")])


def test_pairs_and_analogies_of_a_user_are_read_and_checked(tmp_path):
    path = tmp_path / "pairs"
    path.write_text("# comment\nTiger cat\t7.35\n\n")
    assert read_similarities(str(path)) == [("tiger", "cat", 7.35)]
    path.write_text("tiger cat\n")
    with pytest.raises(UserError, match="--data.similarities: expected two words and a number, received line 1"):
        read_similarities(str(path))
    path.write_text(": capitals\nAthens Greece Oslo Norway\n")
    assert read_analogies(str(path)) == [("athens", "greece", "oslo", "norway")]
    path.write_text("a b c\n")
    with pytest.raises(UserError, match="--data.analogies: expected four words, received line 1"):
        read_analogies(str(path))


def test_gensim_is_trained_or_the_extra_is_named(monkeypatch):
    options = (4, 2, 2, 1, 0.0, 1, 0.025)
    texts = [["a", "b", "c"] * 10] * 3
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    with pytest.raises(UserError, match=r"pip install 'attention-zoo\[vectors\]'"):
        gensim_vectors(texts, *options)
    monkeypatch.undo()
    pytest.importorskip("gensim", reason="gensim comes with the extra `vectors`")
    words, vectors = gensim_vectors(texts, *options)
    assert sorted(words) == ["a", "b", "c"] and vectors.shape == (3, 4)
