import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.beam_search import beam_search
from attention_zoo.pipelines.engine.decoding.rules import Rules, power_of_length
from attention_zoo.pipelines.engine.decoding.sampling import choose_token
from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import Ends
from attention_zoo.pipelines.engine.errors import UserError

spec = importlib.util.spec_from_file_location("markov", Path(__file__).with_name("markov.py"))
sys.modules["markov"] = markov = importlib.util.module_from_spec(spec)
spec.loader.exec_module(markov)
Markov, BOS, EOS = markov.Markov, markov.BOS, markov.EOS

SOURCE = [[5, 4, 3, 0, 0], [7, 9, 11, 13, 3], [8, 3, 0, 0, 0], [4, 6, 6, 3, 0]]
LENGTHS = [3, 2, 4, 0]
SPECS = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)]


def run(model, settings, source=SOURCE, lengths=LENGTHS, **more):
    """Decodes in a graph that knows neither batch nor source length."""
    graph = tf.function(
        lambda source, lengths: decode(model, {"source": source}, settings, lengths, **more), input_signature=SPECS
    )
    return {name: tensor.numpy() for name, tensor in graph(tf.constant(source), tf.constant(lengths)).items()}


def answers(found, row):
    """The hypotheses of a row as [(score, tokens)], checked for zeros after the end."""
    result = []
    for tokens, length, score in zip(found["tokens"][row], found["lengths"][row], found["scores"][row]):
        assert (tokens[:length] > EOS).all() and (tokens[length:] == 0).all()
        result.append((score, tuple(tokens[:length].tolist())))
    return result


def assert_same_answers(received, expected):
    assert [tokens for _, tokens in received] == [tokens for _, tokens in expected]
    np.testing.assert_allclose([score for score, _ in received], [score for score, _ in expected], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("alpha, beta", [(0.0, 0.0), (0.6, 0.0), (1.0, 0.3)])
def test_a_beam_that_holds_everything_finds_what_enumeration_finds(alpha, beta):
    model = Markov(seed=1)
    settings = DecodingSettings(beam_size=90, length_penalty=alpha, coverage_penalty=beta, n_best=5)
    found = run(model, settings)
    for row, (source, length) in enumerate(zip(SOURCE, LENGTHS)):
        expected = model.all_answers(source, length, alpha, beta)[:5]
        assert_same_answers(answers(found, row)[: len(expected)], expected)
        assert all(score == -np.inf for score, _ in answers(found, row)[len(expected) :])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "beams, n_best, alpha, beta", [(1, 1, 0.6, 0.0), (2, 2, 0.0, 0.0), (3, 1, 1.0, 0.2), (4, 3, 0.6, 0.5)]
)
def test_beam_search_equals_a_search_over_lists_without_early_stop(seed, beams, n_best, alpha, beta):
    model = Markov(vocabulary_size=9, seed=seed, end_bias=-0.5)
    settings = DecodingSettings(beam_size=beams, length_penalty=alpha, coverage_penalty=beta, n_best=n_best)
    lengths = [6, 9, 7, 1]
    mask = tf.constant(SOURCE) != 0
    found = beam_search(model, model.encode({"source": SOURCE}), tf.constant(lengths), settings, mask)
    found = {name: tensor.numpy() for name, tensor in found.items()}
    for row, (source, length) in enumerate(zip(SOURCE, lengths)):
        assert_same_answers(answers(found, row), model.beam_search(source, length, beams, alpha, beta)[:n_best])


@pytest.mark.parametrize("stop", ["safe", "unbeaten", "full"])
@pytest.mark.parametrize("seed, limit, renormalise", [(0, "scored", True), (1, "free", False), (2, "cut", True)])
def test_other_rules_and_barred_tokens_equal_a_search_over_lists(seed, limit, renormalise, stop):
    model = Markov(seed=seed, end_bias=1.0)
    rules, barred = Rules(power_of_length, stop, limit, renormalise), (5,)
    settings = DecodingSettings(beam_size=3, n_best=3, length_penalty=1.0)
    found = run(model, settings, lengths=[6, 2, 5, 1], rules=rules, ends=Ends(barred=barred))
    for row, (source, length) in enumerate(zip(SOURCE, [6, 2, 5, 1])):
        expected = model.search_by_rules(source, length, 3, 1.0, rules, barred)
        assert_same_answers(answers(found, row)[: len(expected)], expected)
    alone = run(model, settings, SOURCE[1:2], [2], rules=rules, ends=Ends(barred=barred))
    assert_same_answers(answers(alone, 0), answers(found, 1))


@pytest.mark.parametrize("seed", range(3))
def test_greedy_equals_a_beam_of_one_without_penalties(seed):
    model = Markov(seed=seed, end_bias=-1.0)
    settings = DecodingSettings(length_penalty=0.0)
    greedy = run(model, settings, lengths=[8, 5, 9, 0])
    beam = beam_search(model, model.encode({"source": SOURCE}), tf.constant([8, 5, 9, 0]), settings)
    for name in greedy:
        np.testing.assert_allclose(greedy[name], beam[name].numpy(), rtol=1e-5)


def test_greedy_takes_the_likeliest_token_and_scores_it():
    model = Markov(seed=5, end_bias=-1.0)
    found = run(model, DecodingSettings(length_penalty=0.6))
    for row, (source, length) in enumerate(zip(SOURCE, LENGTHS)):
        tokens = ()
        while len(tokens) < length and (word := EOS + int(np.argmax(model.log_probs(source, tokens)[EOS:]))) != EOS:
            tokens += (word,)
        assert_same_answers(answers(found, row), [(model.score(source, tokens, 0.6), tokens)])


def test_n_best_is_sorted_and_without_repetitions():
    found = run(Markov(seed=2), DecodingSettings(beam_size=6, n_best=6), lengths=[5, 5, 5, 5])
    assert (np.diff(found["scores"], axis=1) <= 0).all()
    for row in range(4):
        tokens = [tokens for _, tokens in answers(found, row)]
        assert len(set(tokens)) == 6


def test_a_finished_hypothesis_is_kept_while_longer_ones_live_on():
    """Ending at once has the best score; the ends that follow are worse."""
    model = Markov(seed=3, sharpness=0.0)
    model.last[BOS] = [-9, -9, -9, 0.5, 0.0, -9, -9]
    model.last[4] = [-9, -9, -9, -2.0, 1.0, -9, -9]
    found = run(model, DecodingSettings(beam_size=2, n_best=2, length_penalty=0.0), [[4, 3]], [6])
    assert_same_answers(answers(found, 0), model.beam_search([4, 3], 6, 2)[:2])
    assert answers(found, 0)[0][1] == ()


def test_padding_of_the_source_changes_nothing():
    model = Markov(seed=4)
    settings = DecodingSettings(beam_size=3, coverage_penalty=0.4)
    alone = run(model, settings, [[8, 3]], [4])
    assert_same_answers(answers(run(model, settings), 2), answers(alone, 0))


def test_sentences_of_a_batch_do_not_touch_each_other():
    model = Markov(seed=6)
    settings = DecodingSettings(beam_size=3, n_best=2)
    together = run(model, settings)
    for row in range(4):
        alone = run(model, settings, SOURCE[row : row + 1], LENGTHS[row : row + 1])
        assert_same_answers(answers(together, row), answers(alone, 0))


def test_special_tokens_are_never_written_even_if_the_model_wants_them():
    model = Markov(seed=7, end_bias=-2.0)
    model.last[:, :3] += 20
    for settings in (DecodingSettings(), DecodingSettings(temperature=1.0), DecodingSettings(beam_size=3, n_best=3)):
        found = run(model, settings, lengths=[5, 5, 5, 5])
        assert found["lengths"].max() > 0
        for row in range(4):
            answers(found, row)  # asserts that only words are in it


@pytest.mark.parametrize(
    "settings", [DecodingSettings(), DecodingSettings(temperature=1.0), DecodingSettings(beam_size=3)]
)
def test_answers_keep_their_own_length_limit_and_the_longest_sets_the_width(settings):
    model = Markov(seed=8, end_bias=-20.0)
    found = run(model, settings, lengths=[3, 1, 6, 0])
    assert found["lengths"][:, 0].tolist() == [3, 1, 6, 0]
    assert found["tokens"].shape == (4, 1, 6)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_the_loop_ends_when_all_are_done(beam_size):
    """A model that always ends at once is asked once or twice, not a thousand times."""
    model, calls = Markov(seed=9, end_bias=30.0), []
    step = model.step
    model.step = lambda *args: calls.append(1) or step(*args)
    decode(model, {"source": SOURCE}, DecodingSettings(beam_size=beam_size), [1000] * 4)  # eager: every step is a call
    assert len(calls) <= 2


@pytest.mark.parametrize("beam_size", [1, 3])
def test_sentences_that_are_done_leave_the_batch(beam_size):
    model, rows = Markov(seed=9, end_bias=-30.0), []
    step = model.step
    model.step = lambda token, *rest: rows.append(len(token) // beam_size) or step(token, *rest)
    found = decode(
        model, {"source": SOURCE}, DecodingSettings(beam_size=beam_size), [2, 6, 2, 4]
    )  # eager: every step is a call
    assert found["lengths"][:, 0].numpy().tolist() == [2, 6, 2, 4]
    assert rows == [4, 4, 4, 2, 2, 1, 1]


@pytest.mark.parametrize(
    "settings", [DecodingSettings(), DecodingSettings(temperature=1.0), DecodingSettings(beam_size=3, n_best=2)]
)
def test_an_empty_batch_is_answered(settings):
    found = run(Markov(), settings, np.zeros([0, 5], "int32"), np.zeros([0], "int32"))
    places = settings.n_best
    assert found["tokens"].shape == (0, places, 0) and found["lengths"].shape == found["scores"].shape == (0, places)


def test_sampling_is_reproducible_and_the_seed_matters():
    model = Markov(seed=10, end_bias=-1.0, sharpness=0.5)
    settings = DecodingSettings(temperature=1.0, seed=3)
    first, again = (run(model, settings, lengths=[9] * 4) for _ in range(2))
    other = run(model, replace(settings, seed=4), lengths=[9] * 4)
    assert np.array_equal(first["tokens"], again["tokens"])
    assert first["tokens"].shape != other["tokens"].shape or not np.array_equal(first["tokens"], other["tokens"])


def test_sampled_answers_come_as_often_as_the_model_believes():
    model, source, count = Markov(seed=11, sharpness=0.7), [4, 3], 6000
    model.last[:, :EOS] = -30.0
    found = run(model, DecodingSettings(temperature=1.0, length_penalty=0.0), [source] * count, [2] * count)
    received = [tokens for row in range(count) for _, tokens in answers(found, row)]
    for _, tokens in model.all_answers(source, 2):
        drawn = [*tokens, EOS][:2]  # the end after the second token is not drawn
        probability = np.exp(sum(model.log_probs(source, tokens[:n])[word] for n, word in enumerate(drawn)))
        deviation = np.sqrt(probability * (1 - probability) / count)
        assert received.count(tokens) / count == pytest.approx(probability, abs=4 * deviation)
    for score, tokens in answers(found, 0):
        assert score == pytest.approx(model.score(source, tokens), abs=1e-4)


@pytest.mark.parametrize(
    "temperature, top_k, top_p, expected",
    [
        (1.0, 0, 1.0, [0.4, 0.3, 0.2, 0.1]),
        (1.0, 2, 1.0, [4 / 7, 3 / 7, 0, 0]),
        (1.0, 0, 0.65, [4 / 7, 3 / 7, 0, 0]),  # 0.4 + 0.3 is the first sum to reach it
        (1.0, 0, 0.75, [4 / 9, 3 / 9, 2 / 9, 0]),
        (1.0, 0, 0.01, [1, 0, 0, 0]),
        (1.0, 3, 0.45, [4 / 7, 3 / 7, 0, 0]),  # the nucleus of the three that are left: 4/9 alone is not enough
        (1.0, 9, 1.0, [0.4, 0.3, 0.2, 0.1]),
        (0.5, 0, 1.0, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        (0.0, 0, 1.0, [1, 0, 0, 0]),
    ],
)
def test_draws_follow_the_tempered_and_cut_distribution(temperature, top_k, top_p, expected):
    log_probs = tf.tile(tf.math.log([[0.1, 0.4, 0.2, 0.3]]), [8000, 1])
    drawn = choose_token(log_probs, temperature, top_k, top_p, tf.random.stateless_uniform([8000], [1, 2])).numpy()
    shares = np.bincount(drawn, minlength=4)[[1, 3, 2, 0]] / 8000
    np.testing.assert_allclose(shares, expected, atol=0.02)
    assert (shares[np.array(expected) == 0] == 0).all()


def test_a_coverage_penalty_needs_attention():
    model = Markov()
    model.alignment = lambda scores: None
    with pytest.raises(ValueError, match="coverage_penalty"):
        decode(model, {"source": SOURCE}, DecodingSettings(beam_size=2, coverage_penalty=0.1), LENGTHS)


@pytest.mark.parametrize(
    "field, value",
    [("beam_size", 0), ("n_best", 2), ("temperature", -1.0), ("top_k", -1), ("top_p", 0.0), ("length_penalty", -0.1)],
)
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(UserError, match=f"{field}: expected .*, received {value}"):
        DecodingSettings(**{field: value})


def test_sampling_with_a_beam_is_refused():
    with pytest.raises(UserError, match="temperature"):
        DecodingSettings(beam_size=2, temperature=1.0)


@pytest.mark.parametrize(
    "settings",
    [
        DecodingSettings(),
        DecodingSettings(temperature=1.0, top_k=3, top_p=0.9),
        DecodingSettings(beam_size=3, n_best=2, coverage_penalty=0.2),
    ],
    ids=["greedy", "sampling", "beam"],
)
def test_it_runs_in_the_session_loader_that_tf_serving_uses(settings, tmp_path):
    model = Markov(seed=12)
    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serve",
        lambda source, lengths: decode(model, {"source": source}, settings, lengths),
        [tf.TensorSpec([None, None], tf.int32, name="source"), tf.TensorSpec([None], tf.int32, name="lengths")],
    )
    archive.write_out(str(tmp_path), verbose=False)
    expected = run(model, settings)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(tmp_path)).signature_def["serve"]
        outputs = {name: tensor.name for name, tensor in loaded.outputs.items()}

        def serve(source, lengths):
            return session.run(outputs, {loaded.inputs["source"].name: source, loaded.inputs["lengths"].name: lengths})

        received = serve(SOURCE, LENGTHS)
        for row in range(4):
            assert_same_answers(answers(received, row), answers(expected, row))
        assert serve(np.zeros([0, 3]), [])["tokens"].shape == (0, settings.n_best, 0)
