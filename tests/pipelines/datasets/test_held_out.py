"""A hash of an example decides its split."""

import hashlib

import numpy as np

from attention_zoo.pipelines.datasets.held_out import part_of, split_of

CONTENTS = [f"example {number}".encode() for number in range(2000)]


def test_a_part_is_the_rest_of_the_hash():
    for content in CONTENTS[:50]:
        number = int(hashlib.blake2b(content, digest_size=8).hexdigest(), 16)
        assert [part_of(content, parts) for parts in (1, 10, 20)] == [0, number % 10, number % 20]


def test_a_tenth_each_is_held_out():
    splits = [split_of(content) for content in CONTENTS]
    shares = [splits.count(split) / len(splits) for split in ("train", "validation", "test")]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.03)
