"""Every translator's gradient compiles with XLA although the lengths are open, and is the one that is not compiled."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines import models

V = 20
CASES = {
    "rnn": lambda: models.RecurrentEncoderDecoder(V, V, 6, 8),
    "seq2seq": lambda: models.StackedSeq2Seq(V, V, 6, 8, num_layers=2),
    "bahdanau": lambda: models.BahdanauTranslator(V, V, 6, 8),
    "luong, concat, local-p, input feeding": lambda: models.LuongTranslator(
        V, V, 6, 8, score="concat", window="predictive"
    ),
    "luong, location, local-m": lambda: models.LuongTranslator(
        V, V, 6, 8, score="location", window="monotonic", input_feeding=False
    ),
    "transformer": lambda: models.TransformerTranslator(V, V, 8, 1, 2, 16),
}


@pytest.mark.parametrize("case", CASES)
def test_compiled_gradients_equal_those_that_are_not(case):
    keras.utils.set_random_seed(1)
    model = CASES[case]()
    model.build()
    open_lengths = tf.TensorSpec([None, None], tf.int32)

    def gradients(source, target):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.log_softmax(model({"source": source, "target": target}, training=False))[..., 1]
            )
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]

    plain, compiled = (
        tf.function(gradients, input_signature=[open_lengths] * 2, jit_compile=jit) for jit in (False, True)
    )
    for rows, source_length, target_length in ((2, 5, 3), (1, 3, 4)):
        source = tf.random.stateless_uniform((rows, source_length), [1, 2], 4, V, tf.int32)
        target = tf.random.stateless_uniform((rows, target_length), [3, 4], 4, V, tf.int32)
        for expected, received in zip(plain(source, target), compiled(source, target), strict=True):
            np.testing.assert_allclose(received, expected, atol=1e-6)
