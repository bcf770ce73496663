"""The private names of Keras and TensorFlow that the code relies on are there, and no others are used.

An upgrade may remove or rename them without notice. The test that fails then says which file needs another way.
"""

import ast
from importlib import metadata
from pathlib import Path

import keras
import pytest
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("layers", "pipelines", "benchmarks")


def sets_the_mask_of_its_output(tmp_path):
    """`Layer.__call__` leaves the mask that a layer computed on its output."""
    output = keras.layers.Embedding(4, 2, mask_zero=True)(tf.constant([[1, 0]]))
    return output._keras_mask.numpy().tolist() == [[True, False]]


def lists_the_layers_of_a_layer(tmp_path):
    """`Layer._layers` lists the layers that a layer holds, in the order in which they were assigned."""

    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.second, self.first = keras.layers.Dense(1), keras.layers.Dense(1)

    holder = Holder()
    return [id(layer) for layer in holder._layers] == [id(holder.second), id(holder.first)]


def lists_the_operations_of_a_functional_model(tmp_path):
    """`Functional._operations` exists there and in no other model: `replace_attention` knows the graph by it."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    return len(model._operations) == 2 and not hasattr(keras.Model(), "_operations")


def sums_gradients_over_replicas_in_a_method(tmp_path):
    """`Optimizer.apply` calls `_all_reduce_sum_gradients` of the instance with pairs of gradients and variables."""
    calls = []
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        variable = keras.Variable([1.0])
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build([variable])
    optimizer._all_reduce_sum_gradients = lambda pairs: calls.append(len(pairs)) or pairs
    strategy.run(tf.function(lambda: optimizer.apply([tf.constant([1.0])])))
    return hasattr(keras.optimizers.SGD, "_all_reduce_sum_gradients") and calls == [1]


def knows_which_variables_are_not_decayed(tmp_path):
    """`Optimizer._use_weight_decay` says whether `exclude_from_weight_decay` left a variable out."""
    kernel, bias = keras.Variable([1.0], name="kernel"), keras.Variable([1.0], name="bias")
    optimizer = keras.optimizers.AdamW(1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer._use_weight_decay(kernel) and not optimizer._use_weight_decay(bias)


def passes_each_variable_to_a_method_that_can_be_replaced(tmp_path):
    """`Optimizer.apply` calls `update_step` of the instance; `_get_variable_index` finds the place of its variable."""
    variables, places = [keras.Variable([1.0]), keras.Variable([2.0, 3.0])], []
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(variables)
    optimizer.update_step = lambda gradient, variable, rate: places.append(optimizer._get_variable_index(variable))
    optimizer.apply([tf.constant([1.0]), tf.constant([1.0, 1.0])])
    return places == [0, 1]


def keeps_moving_averages_in_order(tmp_path):
    """`Optimizer._model_variables_moving_average` has one variable for each trainable one, in their order."""
    variables = [keras.Variable([1.0]), keras.Variable([2.0, 3.0])]
    optimizer = keras.optimizers.SGD(1.0, use_ema=True)
    optimizer.build(variables)
    return [average.shape for average in optimizer._model_variables_moving_average] == [(1,), (2,)]


def has_a_dynamic_scale(tmp_path):
    """`LossScaleOptimizer.dynamic_scale` is the variable by which `scale_loss` multiplies."""
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=8.0)
    optimizer.build([keras.Variable([1.0])])
    return float(optimizer.dynamic_scale) == 8.0 == float(optimizer.scale_loss(1.0))


def draws_from_the_generator_of_an_image_layer(tmp_path):
    """An image layer draws its random numbers from `generator`, by `next`."""
    draws = []

    class Recorded(keras.random.SeedGenerator):
        def next(self, ordered=True):
            draws.append(ordered)
            return super().next(ordered)

    layer = keras.layers.RandomTranslation(0.3, 0.3)
    vars(layer)["generator"] = Recorded(1)
    layer({"images": tf.ones((1, 4, 4, 3)), "labels": tf.ones((1, 2))}, training=True)
    return len(draws) > 0


def tells_what_a_graph_is_traced_for(tmp_path):
    """`GraphOrParentsInXlaContext` is true in a function that XLA compiles, false in others."""
    from tensorflow.python.ops import control_flow_util

    seen = []
    for compiled in (False, True):

        def look(x):
            seen.append(control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
            return x

        tf.function(look, jit_compile=compiled).get_concrete_function(tf.constant(1.0))
    return seen == [False, True]


def tells_that_a_model_is_being_saved(tmp_path):
    """`in_save_context` is true while the gradients of a SavedModel are traced."""
    from tensorflow.python.saved_model import save_context

    seen = []

    @tf.custom_gradient
    def identity(x):
        def backward(gradient):
            seen.append(save_context.in_save_context())
            return gradient

        return tf.identity(x), backward

    module = tf.Module()
    module.answer = tf.function(identity, input_signature=[tf.TensorSpec([])])
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(tmp_path / "model"), options=options)
    return seen == [True] and not save_context.in_save_context()


def knows_the_root_of_its_data(tmp_path):
    """`DatasetBuilder._data_dir_root` is the folder above all data sets."""
    import tensorflow_datasets as tfds

    return str(tfds.testing.DummyDataset(data_dir=tmp_path)._data_dir_root) == str(tmp_path)


def heads():
    """Keras's layers with heads, which would call a fused kernel, and an input."""
    x = tf.ones((1, 2, 4))
    layers = [keras.layers.MultiHeadAttention(1, 4), keras.layers.GroupQueryAttention(4, 1, 1)]
    for layer in layers:
        layer(x, x)
        layer._flash_attention = True  # there is no such kernel on a CPU: the layer raises if it is not set to False
    return layers, x


def computes_attention_in_a_method_that_can_be_replaced(tmp_path):
    """`_compute_attention` of the instance returns scores with `_flash_attention` False and its flag, or that of it."""
    layers, x = heads()
    for layer in layers:
        method, seen = layer._compute_attention, []

        def replaced(*args, **kwargs):
            layer._flash_attention, layer._return_attention_scores = False, True
            if isinstance(layer, keras.layers.MultiHeadAttention):
                args = (*args[:5], True, *args[6:])
            seen.append(method(*args, **kwargs)[1])
            return x[:, :, None], None

        vars(layer)["_compute_attention"] = replaced
        layer(x, x)
        if seen[0].shape != (1, 1, 2, 2):
            return False
    return True


def weighs_in_a_method_that_can_be_replaced(tmp_path):
    """Layers with heads call `_masked_softmax` of the instance, whose result are the scores that they return."""
    layers, x = heads()
    for layer in layers:
        layer._flash_attention = False
        vars(layer)["_masked_softmax"] = lambda scores, attention_mask=None: 0 * scores + 7.0
        if float(layer(x, x, return_attention_scores=True)[1][0, 0, 0, 0]) != 7.0:
            return False
    return True


def applies_scores_in_a_method_that_can_be_replaced(tmp_path):
    """`keras.layers.Attention` calls `_apply_scores` of the instance, which returns (output, weights)."""
    layer, x = keras.layers.Attention(), tf.ones((1, 2, 4))
    vars(layer)["_apply_scores"] = lambda scores, value, scores_mask, training: (value + 1.0, "weights")
    return layer([x, x], return_attention_scores=True)[1] == "weights"


def keeps_what_it_compiled_in_attributes(tmp_path):
    """With `predict_function` None and `_run_eagerly` True, `predict` makes a function that runs eagerly."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x + float(tf.executing_eagerly()))])
    model.predict(tf.ones((1, 1)), verbose=0)
    vars(model).update(predict_function=None, _run_eagerly=True)
    return float(model.predict(tf.ones((1, 1)), verbose=0)[0, 0]) == 2.0


# The names, the files that use them, and a function that says whether they still do what those files rely on.
HOOKS = {
    "_keras_mask": ("layers/self_attention.py and others", sets_the_mask_of_its_output),
    "_layers": ("layers/walk.py and engine/training/recomputation.py", lists_the_layers_of_a_layer),
    "_operations": ("layers/replace.py", lists_the_operations_of_a_functional_model),
    "_compute_attention": ("layers/record.py", computes_attention_in_a_method_that_can_be_replaced),
    "_masked_softmax": ("layers/record.py", weighs_in_a_method_that_can_be_replaced),
    "_apply_scores": ("layers/record.py", applies_scores_in_a_method_that_can_be_replaced),
    "predict_function": ("layers/record.py", keeps_what_it_compiled_in_attributes),
    "GraphOrParentsInXlaContext": ("layers/kernels/common.py", tells_what_a_graph_is_traced_for),
    "in_save_context": ("layers/kernels/common.py", tells_that_a_model_is_being_saved),
    "_all_reduce_sum_gradients": ("engine/training/schedules.py", sums_gradients_over_replicas_in_a_method),
    "_use_weight_decay": ("engine/training/schedules.py", knows_which_variables_are_not_decayed),
    "_get_variable_index": ("engine/training/schedules.py", passes_each_variable_to_a_method_that_can_be_replaced),
    "_model_variables_moving_average": ("engine/training/run_state.py", keeps_moving_averages_in_order),
    "dynamic_scale": ("engine/training/updates.py", has_a_dynamic_scale),
    "generator": ("engine/images/augmentation.py", draws_from_the_generator_of_an_image_layer),
    "_data_dir_root": ("datasets/builders/emoji_scenes.py", knows_the_root_of_its_data),
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_private_name_still_does_what_the_code_relies_on(name, tmp_path):
    file, works = HOOKS[name]
    try:
        reason = "" if works(tmp_path) else works.__doc__
    except (AttributeError, ImportError, TypeError) as error:
        reason = str(error)
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in ("keras", "tensorflow"))
    assert not reason, f"{file} relies on {name}, which {versions} have no more or have changed: {reason}"


def private_names():
    """Names with an underscore that the code reads or sets on something else than its own objects, and where."""
    used, own = {}, set()
    for path in [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Attribute):
                on_self = isinstance(node.value, ast.Name) and node.value.id == "self"
                if on_self and isinstance(node.ctx, ast.Store):
                    own.add(node.attr)
                else:
                    used.setdefault(node.attr, path)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr", "setattr"):
                if isinstance(node.args[1], ast.Constant):
                    used.setdefault(node.args[1].value, path)
    return {name: path for name, path in used.items() if name[0] == "_" != name[1] and name not in own}


def private_modules():
    """Modules of Keras and TensorFlow that the code imports past their public names, with what it takes of them."""
    imported = set()
    for path in [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in imported if name.startswith(("keras.src.", "tensorflow.python."))}


def test_every_private_name_that_the_code_uses_is_among_the_hooks():
    used = private_names()
    assert set(used) == {name for name in HOOKS if name.startswith("_")}, used


def test_every_private_module_that_the_code_imports_is_among_the_hooks():
    assert private_modules() == {
        "tensorflow.python.ops.control_flow_util",
        "tensorflow.python.saved_model.save_context",
    }
