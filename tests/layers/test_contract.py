"""One test for all layers: what every exported layer must do, on whichever backend Keras runs.

`test_backends.py` runs this file again on JAX and PyTorch.
"""

import inspect
import itertools
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers

B, T, S, D = 2, 5, 6, 8


def floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


QUERY, VALUE = floats(B, T, D, seed=1), floats(B, S, D, seed=2)
QUERY_VALUE = {"query": QUERY, "value": VALUE}


@dataclass
class Case:
    """How to make a layer, what to feed it, and what of the attention contract applies."""

    make: callable
    inputs: dict = field(default_factory=lambda: dict(QUERY_VALUE))
    attends: bool = False  # takes masks and returns scores
    causal: bool = False  # has use_causal_mask
    value_mask: bool = True
    zeros: bool = True  # a row with nothing to attend to is zero
    rows_sum_to_one: bool = True
    dropout: callable = None  # the same with dropout


def attention(make, dropout=None, **options):
    return Case(make, attends=True, causal=True, dropout=dropout, **options)


def recurrent(**options):
    attention_layer = options.pop("attention", None) or layers.BahdanauAttention(4)
    # Keras's orthogonal initialiser, the default of its cells, has no bfloat16 on TensorFlow.
    return layers.AttentiveDecoder(
        keras.layers.GRUCell(7, recurrent_initializer="glorot_uniform"), attention_layer, **options
    )


SCORE_INPUTS = {"query": QUERY, "key": VALUE}
SELF = {"query": QUERY}
CASES = {
    "ZeroScore": Case(layers.ZeroScore, SCORE_INPUTS),
    "DotScore": Case(layers.DotScore, SCORE_INPUTS),
    "ScaledDotScore": Case(layers.ScaledDotScore, SCORE_INPUTS),
    "GeneralScore": Case(layers.GeneralScore, SCORE_INPUTS),
    "AdditiveScore": Case(lambda: layers.AdditiveScore(4), SCORE_INPUTS),
    "ConcatScore": Case(lambda: layers.ConcatScore(4), SCORE_INPUTS),
    "LocationScore": Case(lambda: layers.LocationScore(max_length=9), SCORE_INPUTS),
    "SoftAlignment": Case(layers.SoftAlignment, {"scores": floats(B, T, S)}),
    "UniformAlignment": Case(layers.UniformAlignment, {"scores": floats(B, T, S)}),
    "HardAlignment": Case(layers.HardAlignment, {"scores": floats(B, T, S)}),
    "LocalMonotonicAlignment": Case(lambda: layers.LocalMonotonicAlignment(2), {"scores": floats(B, T, S)}),
    "LocalPredictiveAlignment": Case(
        lambda: layers.LocalPredictiveAlignment(2), {"scores": floats(B, T, S), "query": QUERY}
    ),
    "Attention": attention(
        lambda: layers.Attention(layers.ScaledDotScore()),
        lambda: layers.Attention(layers.ScaledDotScore(), dropout=0.5),
    ),
    "Attention with a score that has weights": attention(lambda: layers.Attention(layers.AdditiveScore(3))),
    "BahdanauAttention": attention(
        lambda: layers.BahdanauAttention(4), lambda: layers.BahdanauAttention(4, dropout=0.5)
    ),
    "GatedAttention": attention(
        lambda: layers.GatedAttention(layers.AdditiveScore(4)),
        lambda: layers.GatedAttention(layers.AdditiveScore(4), dropout=0.5),
    ),
    "GatedAttention that samples": attention(
        lambda: layers.GatedAttention(layers.AdditiveScore(4), layers.HardAlignment())
    ),
    "SpatialAttention": Case(lambda: layers.SpatialAttention(4), attends=True),
    "SpatialAttention without a score": Case(lambda: layers.SpatialAttention(None), attends=True),
    "HardAttention": attention(lambda: layers.HardAttention(4), lambda: layers.HardAttention(4, expected_share=0.2)),
    "HardAttention argmax": attention(lambda: layers.HardAttention(4, inference="argmax")),
    **{
        f"LuongAttention {score}": attention(
            lambda score=score: layers.LuongAttention(score),
            lambda score=score: layers.LuongAttention(score, dropout=0.5),
        )
        for score in ("dot", "general", "concat", "location")
    },
    **{
        f"LuongAttention {window}": attention(
            lambda window=window: layers.LuongAttention("general", window=window, window_size=2),
            rows_sum_to_one=window == "monotonic",
        )
        for window in ("monotonic", "predictive")
    },
    "LuongAttention attentional": attention(lambda: layers.LuongAttention("dot", attentional_units=3), zeros=False),
    "MultiHeadAttention": attention(
        lambda: layers.MultiHeadAttention(2, 4), lambda: layers.MultiHeadAttention(2, 4, dropout=0.5)
    ),
    "MultiHeadAttention with every option": attention(
        lambda: layers.MultiHeadAttention(2, 4, value_dim=3, output_shape=8, use_gate=True, sliding_window=9)
    ),
    "GroupedQueryAttention": attention(
        lambda: layers.GroupedQueryAttention(4, 4, 2), lambda: layers.GroupedQueryAttention(4, 4, 2, dropout=0.5)
    ),
    "MultiHeadSelfAttention": attention(
        lambda: layers.MultiHeadSelfAttention(2, 4),
        lambda: layers.MultiHeadSelfAttention(2, 4, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "RelativeSelfAttention": attention(
        lambda: layers.RelativeSelfAttention(2, 4, max_distance=2),
        lambda: layers.RelativeSelfAttention(2, 4, max_distance=2, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "TransformerXLAttention": attention(
        lambda: layers.TransformerXLAttention(2, 4),
        lambda: layers.TransformerXLAttention(2, 4, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "TransformerXLAttention with a memory": Case(lambda: layers.TransformerXLAttention(2, 4), attends=True),
    "AttentionPooling": Case(lambda: layers.AttentionPooling(4), {"inputs": QUERY}),
    "ConditionalRandomField": Case(lambda: layers.ConditionalRandomField(D, [[0, 1]], [2], [3]), {"inputs": QUERY}),
    "PatchEmbedding": Case(lambda: layers.PatchEmbedding((2, 3), 5, (4, 6)), {"images": floats(B, 4, 6, 3)}),
    "PatchEmbedding of another size": Case(
        lambda: layers.PatchEmbedding(2, 5, 4, class_token=False), {"images": floats(B, 6, 10, 3)}
    ),
    "StochasticDepth": Case(lambda: layers.StochasticDepth(0.5), {"inputs": QUERY}),
    "SinusoidalEncoding": Case(layers.SinusoidalEncoding, {"inputs": QUERY}),
    "PositionalEmbedding": Case(
        lambda: layers.PositionalEmbedding(11, 6), {"token_ids": np.array([[3, 1, 0], [2, 0, 0]])}
    ),
    "PositionalEmbedding learned": Case(
        lambda: layers.PositionalEmbedding(11, 6, max_length=7, positions="learned"),
        {"token_ids": np.array([[3, 1, 0]])},
    ),
    **{
        f"TransformerEncoderBlock {'pre' if first else 'post'}-LN": attention(
            lambda first=first: layers.TransformerEncoderBlock(2, 16, normalize_first=first),
            lambda first=first: layers.TransformerEncoderBlock(2, 16, dropout=0.5, normalize_first=first),
            inputs=SELF,
            value_mask=False,
            zeros=False,
        )
        for first in (False, True)
    },
    "TransformerDecoderBlock": attention(
        lambda: layers.TransformerDecoderBlock(2, 16),
        lambda: layers.TransformerDecoderBlock(2, 16, dropout=0.5),
        zeros=False,
    ),
    "AttentiveDecoder attend_then_step": Case(recurrent, attends=True, zeros=False),
    "AttentiveDecoder that samples": Case(
        lambda: recurrent(attention=layers.HardAttention(4)), attends=True, zeros=False
    ),
    "AttentiveDecoder step_then_attend": Case(
        lambda: recurrent(order="step_then_attend", attention=layers.LuongAttention("general")),
        attends=True,
        zeros=False,
    ),
    "AttentiveDecoder input feeding": Case(
        lambda: recurrent(
            order="step_then_attend",
            attention=layers.LuongAttention("general", attentional_units=7),
            input_feeding=True,
        ),
        attends=True,
        zeros=False,
    ),
}
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
    *("patch_size", "image_size", "dim", "vocabulary_size", "num_tags"),
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


@pytest.mark.parametrize(
    "policy, tolerance", [("float16", 2e-2), ("mixed_float16", 2e-2), ("bfloat16", 1e-1), ("mixed_bfloat16", 1e-1)]
)
@all_cases()
def test_low_precision_agrees_with_float32(case, policy, tolerance):
    reference = built(case.make, case.inputs)
    expected = reference(**tensors(case.inputs))
    keras.config.set_dtype_policy(policy)
    try:
        layer = built(case.make, case.inputs)
        layer.set_weights(reference.get_weights())
        actual = layer(**tensors(case.inputs))
        expected_dtype = (
            "float32" if isinstance(layer, layers.Alignment) else layer.compute_dtype
        )  # weights stay float32
        assert keras.backend.standardize_dtype(keras.tree.flatten(actual)[0].dtype) == expected_dtype
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
