"""One test for all layers: what every exported layer must do, on whichever backend Keras runs.

`test_backends.py` runs this file again on JAX and PyTorch. The layers are those of `layer_cases.py`.
"""

import inspect
import itertools

import keras
import numpy as np
import pytest
from keras import ops
from layer_cases import CASES, VALUE, B, D, S, T, floats

from attention_zoo import layers

ABSTRACT = {"Score", "Alignment"}


def all_cases(condition=lambda case: True):
    return pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in CASES.items() if condition(c)])


attending = all_cases(lambda case: case.attends)


def tensors(inputs):
    return {name: ops.convert_to_tensor(value) for name, value in inputs.items()}


def flat(outputs):
    """All tensors of a layer's answer as float32 NumPy arrays."""
    return [ops.convert_to_numpy(ops.cast(x, "float32")) for x in keras.tree.flatten(outputs)]


def main_output(outputs):
    return flat(outputs)[0]


def close(actual, expected, tolerance=1e-5):
    actual, expected = flat(actual), flat(expected)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


def functional(layer, inputs, **arguments):
    symbols = {name: keras.Input(value.shape[1:], dtype=str(value.dtype), name=name) for name, value in inputs.items()}
    return keras.Model(symbols, layer(**symbols, **arguments))


def built(make, inputs):
    keras.utils.set_random_seed(3)
    layer = make()
    layer(**tensors(inputs))
    for seed, weight in enumerate(layer.trainable_weights):
        if not ops.convert_to_numpy(weight).any():  # at zero it would hide what it does
            weight.assign(0.1 * floats(*weight.shape, seed=seed))
    return layer


def test_every_exported_layer_has_a_case():
    exported = {
        n for n in layers.__all__ if inspect.isclass(getattr(layers, n)) and issubclass(getattr(layers, n), keras.Layer)
    }
    assert exported - ABSTRACT == {name.split()[0] for name in CASES}


@all_cases()
def test_every_argument_is_an_attribute_and_in_the_config(case):
    layer = case.make()
    config = layer.get_config()
    for name in inspect.signature(type(layer).__init__).parameters:
        if name not in ("self", "kwargs"):
            assert hasattr(layer, name), name
            assert name in config, name
    again = type(layer).from_config(config)
    assert again.get_config() == config
    assert keras.saving.get_registered_name(type(layer)) == f"attention_zoo>{type(layer).__name__}"


SIZES = {
    *("units", "attentional_units", "window_size", "max_length", "num_heads", "key_dim", "value_dim", "head_dim"),
    *("num_query_heads", "num_key_value_heads", "output_shape", "sliding_window", "intermediate_dim"),
    *("patch_size", "image_size", "dim", "vocabulary_size", "num_tags", "clamp_length"),
}
SHARES = {"dropout", "attention_dropout", "stochastic_depth", "rate", "expected_share"}


def arguments_of(layer):
    """The constructor's arguments, as a caller would write them."""
    config = layer.get_config()
    names = [name for name in inspect.signature(type(layer).__init__).parameters if name in config]
    return {name: getattr(layer, name) if isinstance(config[name], (dict, list)) else config[name] for name in names}


@pytest.mark.parametrize("wrong", [True, 0, -1, 2.0, "3"])
@all_cases()
def test_a_size_that_is_no_positive_integer_is_refused_by_name(case, wrong):
    layer = case.make()
    arguments = arguments_of(layer)
    for name in SIZES & set(arguments):
        with pytest.raises(ValueError, match=f"`{name}` must be a positive integer.*{name}={wrong!r}"):
            type(layer)(**{**arguments, name: wrong})


@pytest.mark.parametrize("wrong", [-0.1, 1.5])
@all_cases()
def test_a_share_that_is_out_of_range_is_refused_by_name(case, wrong):
    layer = case.make()
    arguments = arguments_of(layer)
    for name in SHARES & set(arguments):
        with pytest.raises(ValueError, match=f"`{name}` must be in .*{name}={wrong!r}"):
            type(layer)(**{**arguments, name: wrong})


@all_cases()
def test_a_layer_without_weights_is_built_when_it_is_made(case):
    def has_weights(layer):
        return any("seed" not in weight.path for weight in layer.weights)

    layer = case.make()
    assert layer.built is not has_weights(built(case.make, case.inputs))
    config = layer.get_config()
    assert type(layer).from_config(config).built is layer.built
    subclass = type("Subclass", (type(layer),), {"build": lambda self, *shapes, **named: None})
    assert not subclass.from_config(config).built, "Keras must still call the subclass's own `build`"


@all_cases()
def test_a_saved_model_answers_the_same_after_loading(case, tmp_path):
    keras.utils.set_random_seed(3)
    model = functional(case.make(), case.inputs)
    before = model(tensors(case.inputs))
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")(tensors(case.inputs)), before)


@all_cases()
def test_symbolic_shapes_equal_real_shapes(case):
    layer = built(case.make, case.inputs)
    symbolic = layer(**{n: keras.KerasTensor(v.shape, dtype=str(v.dtype)) for n, v in case.inputs.items()})
    real = layer(**tensors(case.inputs))
    for a, b in zip(keras.tree.flatten(symbolic), keras.tree.flatten(real)):
        assert tuple(a.shape) == tuple(b.shape)
        assert keras.backend.standardize_dtype(a.dtype) == keras.backend.standardize_dtype(b.dtype)


POLICIES = {"float16": 2e-2, "mixed_float16": 2e-2, "bfloat16": 1e-1, "mixed_bfloat16": 1e-1}


@all_cases()
def test_low_precision_agrees_with_float32(case):
    reference = built(case.make, case.inputs)
    expected = reference(**tensors(case.inputs))
    for policy, tolerance in POLICIES.items():
        keras.config.set_dtype_policy(policy)
        try:
            layer = built(case.make, case.inputs)
            layer.set_weights(reference.get_weights())
            actual = layer(**tensors(case.inputs))
            expected_dtype = (
                "float32" if isinstance(layer, layers.Alignment) else layer.compute_dtype
            )  # weights stay float32
            assert keras.backend.standardize_dtype(keras.tree.flatten(actual)[0].dtype) == expected_dtype, policy
            close(actual, expected, tolerance)
        finally:
            keras.config.set_dtype_policy("float32")


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch.compile needs a C++ toolchain and minutes")
@all_cases()
def test_compiled_equals_eager(case):
    keras.utils.set_random_seed(3)
    model = functional(case.make(), case.inputs)
    expected = model(tensors(case.inputs))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        close(tf.function(model, jit_compile=True)(tensors(case.inputs)), expected, 1e-4)
    else:
        model.compile(jit_compile=True)
        close(model.predict(case.inputs, verbose=0), expected, 1e-4)


@all_cases()
def test_training_is_finite_and_moves_weights(case):
    keras.utils.set_random_seed(3)
    model = functional(case.make(), case.inputs)
    if not model.trainable_weights:
        assert not model.weights or all("seed" in w.path for w in model.weights)
        return
    before = [np.array(w) for w in model.get_weights()]
    outputs = keras.tree.flatten(model(tensors(case.inputs)))
    model = keras.Model(model.inputs, keras.tree.flatten(model.outputs)[0])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    steps = (
        10 if "Hard" in type(case.make()).__name__ else 1
    )  # a batch of samples alone hands on no gradient, one time in four
    for _ in range(steps):
        assert np.isfinite(model.train_on_batch(case.inputs, np.ones(outputs[0].shape, "float32")))
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights()))


def masks_of(case):
    """An explicit mask for each sequence the layer attends over, with True where it may look."""
    masks = {"query_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], bool)}
    if case.value_mask:
        masks["value_mask"] = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]], bool)
    return masks


@attending
def test_explicit_masks_equal_implicit_ones(case):
    layer, masks = built(case.make, case.inputs), masks_of(case)
    marked = {}
    for name, value in tensors(case.inputs).items():
        zeroed = ops.where(ops.convert_to_tensor(masks[f"{name}_mask"])[..., None], value, ops.zeros_like(value))
        marked[name] = keras.layers.Masking()(zeroed)
    plain = {name: ops.copy(value) if hasattr(ops, "copy") else ops.add(value, 0.0) for name, value in marked.items()}
    explicit = layer(**plain, **tensors(masks))
    close(layer(**marked), explicit)
    # ... and where both are there, the explicit one wins.
    full = {name: np.ones_like(mask) for name, mask in masks.items()}
    close(layer(**marked, **tensors(full)), layer(**plain, **tensors(full)))


@all_cases(lambda case: case.attends and case.value_mask)
def test_masked_values_change_nothing(case):
    layer, mask = built(case.make, case.inputs), masks_of(case)["value_mask"]
    changed = dict(case.inputs, value=np.where(mask[..., None], VALUE, 1e3).astype("float32"))
    options = {"value_mask": ops.convert_to_tensor(mask)}
    close(layer(**tensors(changed), **options), layer(**tensors(case.inputs), **options))


@all_cases(lambda case: case.attends and case.zeros)
def test_rows_with_nothing_to_attend_to_are_zero(case):
    layer = built(case.make, case.inputs)
    nothing = np.ones((B, T, T if not case.value_mask else S), bool)
    nothing[1, 2] = False
    output, scores = layer(
        **tensors(case.inputs), attention_mask=ops.convert_to_tensor(nothing), return_attention_scores=True
    )
    assert not main_output(output)[1, 2].any()
    assert not flat(scores)[0][1, ..., 2, :].any()
    assert np.isfinite(main_output(output)).all() and main_output(output)[1, 1].any()


@attending
def test_scores_are_weights_over_the_keys(case):
    layer = built(case.make, case.inputs)
    scores = layer(**tensors(case.inputs), return_attention_scores=True)[-1]
    for weights in flat(scores):
        assert weights.shape[0] == B and weights.shape[-2:] in ((T, S), (T, T))
        if case.rows_sum_to_one:
            np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
        assert (weights >= 0).all() and (weights.sum(-1) <= 1 + 1e-5).all()


@attending
def test_asking_for_scores_changes_no_output(case):
    layer = built(case.make, case.inputs)
    plain = flat(layer(**tensors(case.inputs)))
    asked = flat(layer(**tensors(case.inputs), return_attention_scores=True))
    close(asked[: len(plain)], plain)


def restore_random_state(layer, state):
    if keras.backend.backend() == "torch":  # whose dropout draws from PyTorch's own stream
        keras.utils.set_random_seed(3)
    for variable, value in zip(layer.non_trainable_variables, state):
        variable.assign(value)


@pytest.mark.parametrize("with_dropout, with_scores, rank_4", list(itertools.product([False, True], repeat=3)))
@all_cases(lambda case: case.causal)
def test_the_future_does_not_leak_through_a_causal_mask(case, with_dropout, with_scores, rank_4):
    make = case.dropout if with_dropout and case.dropout else case.make
    value = "value" if case.value_mask else "query"
    inputs = dict(case.inputs)
    if case.value_mask and "Decoder" not in type(case.make()).__name__:
        inputs["value"] = floats(B, T, D, seed=5)
    elif "Decoder" in type(case.make()).__name__:
        value = "query"  # the causal mask is over what the decoder itself has written
    if rank_4:
        inputs = {name: np.stack([array, array + 1.0], axis=1) for name, array in inputs.items()}
    layer = built(make, inputs)
    state = [ops.convert_to_numpy(v).copy() for v in layer.non_trainable_variables]
    options = {"use_causal_mask": True, "training": with_dropout, "return_attention_scores": with_scores}

    def run(arrays):
        restore_random_state(layer, state)
        output = layer(**tensors(arrays), **options)
        return main_output(output)

    before, seen = run(inputs), 0.0
    for step in range(T - 1):
        changed = inputs[value].copy()
        changed[..., step + 1 :, :] += 7.0
        after = run({**inputs, value: changed})
        np.testing.assert_allclose(after[..., : step + 1, :], before[..., : step + 1, :], atol=1e-5)
        seen = max(seen, np.abs(after - before).max())
    assert seen > 1e-3, "a change must be seen later, or this test proves nothing"
