"""Words of normalised text, with the places that they have in the text as it was written, in the TensorFlow graph.

A normaliser such as BERT's changes each character by itself, so it is asked once for each distinct character.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from attention_zoo.pipelines.engine.text.byte_words import changed, row_numbers, shifted, split_specials


def words_with_offsets(
    texts: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    punctuation: str,
    control: str,
    specials: Sequence[str] = (),
) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Normalises texts and splits them into words, each with its offsets in the text before that.

    An accent that the normaliser removes belongs to the word before it, so that what the offsets cut out of a text has
    its accents. Control characters that it removes belong to a word only if they are inside of it.

    Args:
        texts: Strings `(B,)`, any bytes.
        normalize: Function of strings `(N,)` to normalised ones. White space becomes " ", and a character that is a
            word of its own is between spaces.
        punctuation: Regular expression, in RE2's syntax, of a normalised character that is a word of its own.
        control: Regular expression of a character that is removed and is no accent.
        specials: Strings that are words of their own wherever they are written. Defaults to none.

    Returns:
        `(words, starts, ends)`, RaggedTensors `(B, None)`: normalised words, and the int64 offsets in bytes of their
        first byte and of the byte after their last one.

    Example:

    >>> words, starts, ends = words_with_offsets(tf.constant(["Né (Oslo)"]), tf.strings.lower, "[()]", "[\\x00]")
    >>> words.to_list(), starts.to_list(), ends.to_list()
    ([[b'n\\xc3\\xa9', b'(', b'oslo', b')']], [[0, 4, 5, 9]], [[3, 5, 9, 10]])
    """
    lengths = tf.cast(tf.strings.length(texts), tf.int64)
    before = tf.cumsum(lengths, exclusive=True)  # bytes of the texts before each text
    points, offsets = tf.strings.unicode_decode_with_offsets(texts, "UTF-8", errors="replace")
    rows = row_numbers(points)
    places = offsets.flat_values + tf.gather(before, rows)  # (N,), of the first byte of each character
    limits = tf.concat([places, tf.reduce_sum(lengths, keepdims=True)], axis=0)[1:]  # of the byte after it

    distinct, number = tf.unique(points.flat_values)
    characters = tf.strings.unicode_encode(distinct[:, None], "UTF-8")
    spaced = normalize(characters)
    stripped = tf.strings.strip(spaced)
    is_space = tf.equal(stripped, "") & tf.not_equal(spaced, "")
    is_word = tf.not_equal(stripped, "") & (
        tf.not_equal(stripped, spaced) | tf.strings.regex_full_match(stripped, punctuation)
    )
    is_accent = tf.equal(spaced, "") & tf.logical_not(tf.strings.regex_full_match(characters, control))
    form, space, alone, accent = (tf.gather(values, number) for values in (stripped, is_space, is_word, is_accent))
    removed = tf.gather(tf.equal(spaced, ""), number)

    parts = rows
    if specials:  # the first character of each stands for it, the others for nothing
        _, part_starts, part_numbers = split_specials(texts, before, specials)
        parts = tf.searchsorted(part_starts, places, side="right", out_type=tf.int64) - 1
        special, first = tf.gather(part_numbers, parts), changed(parts)
        inside = special >= 0
        name = tf.gather(tf.constant(list(specials)), tf.maximum(special, 0))
        form = tf.where(inside, tf.where(first, name, ""), form)
        space, alone = tf.where(inside, False, space), tf.where(inside, first, alone)
        removed, accent = (tf.where(inside, tf.logical_not(first), values) for values in (removed, accent))

    kept = tf.logical_not(removed)
    kept_parts, kept_space, kept_alone = parts[kept], space[kept], alone[kept]
    apart = kept_space | kept_alone
    opens = tf.logical_not(kept_space) & (kept_alone | changed(kept_parts) | shifted(apart, 1))
    words_so_far = tf.cumsum(tf.cast(opens, tf.int64))
    count = tf.math.count_nonzero(opens)
    last = tf.cumsum(tf.cast(kept, tf.int64))  # kept characters up to each, itself included
    # A removed accent is in the word of the last kept character, unless that is white space or of another part.
    in_word = tf.gather(tf.pad(tf.logical_not(kept_space), [[1, 0]]), last)
    in_word &= tf.gather(tf.pad(kept_parts, [[1, 0]], constant_values=-1), last) == parts
    in_word &= kept | accent
    word = tf.gather(tf.pad(words_so_far, [[1, 0]]), last)[in_word] - 1
    words = tf.strings.unsorted_segment_join(form[in_word], word, count)
    starts, ends = places[kept][opens], tf.math.unsorted_segment_max(limits[in_word], word, count)
    row = rows[kept][opens]
    begin = tf.gather(before, row)
    ragged = tf.RaggedTensor.from_value_rowids(words, row, tf.size(texts, tf.int64), validate=False)
    return ragged, ragged.with_values(starts - begin), ragged.with_values(ends - begin)
