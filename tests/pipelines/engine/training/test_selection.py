"""The final weights of a run, straight from its checkpoints, and checkpoints of an earlier version."""

import numpy as np
import pytest
from line_task import Killed, run

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.training import selection
from attention_zoo.pipelines.engine.training.selection import load_chosen_weights

AVERAGED = {"epochs": 8, "learning_rate": 0.3, "optimizer": "sgd", "average_checkpoints": 4}
EARLY = {"epochs": 50, "learning_rate": 3.0, "patience": 2}  # the best checkpoint is not the newest


def chosen(trainer, store, ema=False):
    model = trainer.task.build()
    load_chosen_weights(model, store, "dev/loss", lower_is_better=True, ema=ema)
    return model


@pytest.mark.parametrize("settings", [AVERAGED, EARLY, {"ema": 0.5}, AVERAGED | {"ema": 0.9}])
def test_the_chosen_weights_are_those_that_training_ended_with(tmp_path, settings):
    trainer, progress = run(tmp_path, **settings)
    store = CheckpointStore(RunFolder(tmp_path).checkpoints)
    assert store.load(store.newest())[1]["chosen_steps"] == progress.chosen_steps
    model = chosen(trainer, store, "ema" in settings)
    for variable, expected in zip(model.variables, trainer.model.variables, strict=True):
        np.testing.assert_array_equal(variable, expected)


def test_a_run_that_has_not_finished_gives_its_best_checkpoint(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, kill_at=14)
    trainer, _ = run(tmp_path / "other", epochs=1)
    store = CheckpointStore(RunFolder(tmp_path).checkpoints)
    arrays, state = store.load(store.newest())
    best = store.load(state["best_step"])[0]
    np.testing.assert_array_equal(chosen(trainer, store).weights[0], best["model/dense/kernel"])
    with pytest.raises(UserError, match="no checkpoint in .*: train first"):
        chosen(trainer, CheckpointStore(tmp_path / "none"))


def by_position(store):
    """Rewrites checkpoints with the names of earlier versions."""
    for step in store.steps():
        arrays, state = store.load(step)
        model = [name for name in arrays_in_order(arrays) if name.startswith("model/")]
        names = {name: f"model/{i:03d}/{name.rpartition('/')[2]}" for i, name in enumerate(model)}
        del state["chosen_steps"]
        later = [later for later in store.steps() if later > step]
        kept = {later: store.load(later) for later in later}
        store.save(step, {names.get(name, name): array for name, array in arrays.items()}, state, store.steps())
        for later, (arrays_later, state_later) in kept.items():
            store.save(later, arrays_later, state_later, store.steps())


def arrays_in_order(arrays):
    order = ["model/seed_generator/seed_generator_state", "model/dense/kernel", "model/dense/bias"]
    return sorted(arrays, key=lambda name: order.index(name) if name in order else len(order))


def test_a_checkpoint_of_an_earlier_version_is_continued_exactly(tmp_path, capsys):
    whole, _ = run(tmp_path / "whole", checkpoint_every=2)
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_at=9, checkpoint_every=2)
    store = CheckpointStore(RunFolder(tmp_path / "killed").checkpoints)
    order = list(whole.state.variables())
    assert [name for name in order if name.startswith("model/")] == [
        name for name in arrays_in_order(order) if name.startswith("model/")
    ]
    by_position(store)
    assert any(name == "model/001/kernel" for name in store.load(store.newest())[0])
    assert chosen(whole, store) is not None
    capsys.readouterr()
    resumed, _ = run(tmp_path / "killed", checkpoint_every=2)
    assert capsys.readouterr().out.count("weights are matched by position, not by layer") == 1
    for name, expected in whole.state.arrays().items():
        np.testing.assert_array_equal(resumed.state.arrays()[name], expected, err_msg=name)


@pytest.mark.parametrize(
    "value, best, lower, expected",
    [(1, None, True, True), (1, 1, True, False), (2, 1, False, True), (2, 1, True, False)],
)
def test_better_is_strictly_better(value, best, lower, expected):
    assert selection.is_better(value, best, lower) is expected
