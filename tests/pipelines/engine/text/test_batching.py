import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.batching import _batches_of, padding_share, token_batches


def ragged(lengths, first_id):
    """Row n is filled with `first_id + n`, so that a row can be recognised in a batch."""
    ids = np.repeat(np.arange(len(lengths)) + first_id, lengths).astype("int32")
    return tf.RaggedTensor.from_row_lengths(ids, lengths)


def columns(count=1000, seed=1):
    generator = np.random.default_rng(seed)
    source = np.clip(np.round(generator.lognormal(3.0, 0.6, count)), 1, 200).astype("int64")
    target = np.clip(np.round(source * generator.lognormal(0.1, 0.2, count)), 1, 200).astype("int64")
    return {"source": ragged(source, 4), "target": ragged(target, 4)}


def arrays(dataset):
    return [{name: column.numpy() for name, column in batch.items()} for batch in dataset]


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a[name], b[name]) for a, b in zip(one, other) for name in a)


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_example_comes_once_with_its_columns_together(shuffle):
    data = columns()
    seen = []
    for batch in arrays(token_batches(data, 2000, shuffle=shuffle, window=300)):
        assert np.array_equal(batch["source"][:, 0], batch["target"][:, 0])
        for name, column in batch.items():
            for row in column:
                assert row[row != 0].tolist() == data[name][row[0] - 4].numpy().tolist()
        seen += batch["source"][:, 0].tolist()
    assert sorted(seen) == list(range(4, 1004))


def test_no_batch_is_above_the_budget_in_its_longest_column():
    for batch in arrays(token_batches(columns(), 2000, window=300)):
        rows = len(batch["source"])
        assert rows * max(batch["source"].shape[1], batch["target"].shape[1]) <= 2000


def test_a_batch_is_as_wide_as_its_longest_row():
    for batch in arrays(token_batches(columns(), 2000)):
        assert all((column != 0).any(axis=0).all() for column in batch.values())


def test_seed_and_epoch_alone_decide_the_order():
    data = columns()
    first = arrays(token_batches(data, 2000, seed=3, epoch=1, window=300))
    assert same(first, arrays(token_batches(data, 2000, seed=3, epoch=1, window=300)))
    assert not same(first, arrays(token_batches(data, 2000, seed=3, epoch=2, window=300)))
    assert not same(first, arrays(token_batches(data, 2000, seed=4, epoch=1, window=300)))
    assert not same(
        arrays(token_batches(data, 2000, seed=1, epoch=3)), arrays(token_batches(data, 2000, seed=3, epoch=1))
    )


def test_a_resumed_epoch_continues_with_the_same_batches():
    batches = token_batches(columns(), 2000, seed=3, epoch=1, window=300)
    assert same(arrays(batches.skip(7)), arrays(batches)[7:])


def test_batches_come_neither_sorted_by_length_nor_in_the_order_of_the_examples():
    batches = arrays(token_batches(columns(), 1000, seed=1))
    widths = [batch["source"].shape[1] for batch in batches]
    assert widths != sorted(widths) and widths != sorted(widths, reverse=True)


def test_without_shuffling_windows_keep_their_order():
    batches = arrays(token_batches({"source": ragged([1, 3, 2, 2, 1, 3], 4)}, 6, shuffle=False, window=3))
    assert [batch["source"].tolist() for batch in batches] == [
        [[5, 5, 5], [6, 6, 0]],
        [[4]],
        [[9, 9, 9], [7, 7, 0]],
        [[8]],
    ]


def test_an_example_longer_than_the_budget_is_named():
    with pytest.raises(UserError, match="--training.batch_tokens: .* number 2 with 9 tokens; received 8"):
        token_batches({"source": ragged([1, 2, 3], 4), "target": ragged([1, 2, 9], 4)}, 8)


def test_an_example_of_exactly_the_budget_fits():
    assert [batch["source"].shape for batch in arrays(token_batches({"source": ragged([8, 1], 4)}, 8))] in (
        [(1, 8), (1, 1)],
        [(1, 1), (1, 8)],
    )


def test_columns_of_different_sizes_are_an_error():
    with pytest.raises(ValueError, match="same number of rows"):
        token_batches({"source": ragged([1, 2], 4), "target": ragged([1], 4)}, 8)


def test_empty_data_and_empty_rows():
    assert arrays(token_batches({"source": ragged(np.zeros(0, "int64"), 4)}, 8)) == []
    assert [batch["source"].shape for batch in arrays(token_batches({"source": ragged([0, 0], 4)}, 8))] == [(2, 0)]


def test_padding_is_counted_by_hand():
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([{"a": [[4, 4], [4, 0]], "b": [[4], [4]]}, {"a": [[4, 4]], "b": [[4]]}]),
        output_signature={name: tf.TensorSpec([None, None], tf.int32) for name in "ab"},
    )
    assert padding_share(dataset) == {"batches": 2, "tokens": 8, "padding_share": pytest.approx(1 / 9)}


def test_little_of_a_batch_is_padding():
    generator = np.random.default_rng(1)
    lengths = np.clip(np.round(generator.lognormal(3.0, 0.6, 16_384)), 1, 200).astype("int64")
    assert padding_share(token_batches({"source": ragged(lengths, 4)}, 4096))["padding_share"] <= 0.05


def test_row_splits_of_either_width_are_taken():
    rows = tf.ragged.constant([[5], [6, 7, 8]], row_splits_dtype=tf.int32)
    batches = list(token_batches({"source": rows}, budget=6, shuffle=False))
    assert [batch["source"].numpy().tolist() for batch in batches] == [[[6, 7, 8], [5, 0, 0]]]


def test_epochs_share_one_trace_of_the_cutting():
    data = columns(50)
    counts = []
    for epoch in range(4):
        arrays(token_batches(data, 2000, epoch=epoch))
        counts.append(_batches_of.experimental_get_tracing_count())
    assert counts[1:] == [counts[1]] * 3


def test_a_column_of_floats_keeps_them():
    labels = np.linspace(-1, 1, 5, dtype="float32")
    columns = {"tokens": ragged([3, 1, 2, 4, 5], 7), "labels": tf.RaggedTensor.from_tensor(labels[:, None])}
    batches = arrays(token_batches(columns, budget=10))
    found = {int(ids[0]): label for batch in batches for ids, (label,) in zip(batch["tokens"], batch["labels"])}
    assert found == dict(zip(range(7, 12), labels)) and all(batch["tokens"].dtype == np.int32 for batch in batches)
