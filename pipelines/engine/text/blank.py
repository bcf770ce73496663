"""Finds text without content, so that a model answers it with nothing."""

import tensorflow as tf

# In the classes of RE2: separators, control and format characters; characters without a glyph that Unicode files under
# letters, marks or symbols (fillers, variation selectors, the empty Braille pattern); what stands for invalid bytes.
_SAYS_NOTHING = (
    r"[\s\pZ\p{Cc}\p{Cf}"
    r"\x{034F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2800}\x{3164}\x{FE00}-\x{FE0F}\x{FFA0}\x{FFFD}"
    r"\x{E0100}-\x{E01EF}]*"
)


def says_something(text: tf.Tensor) -> tf.Tensor:
    """Tells whether strings have content, in the graph.

    A string says nothing if it is empty or has only white space of any kind (U+00A0, U+3000), control characters,
    format characters (U+200B, U+FEFF, U+00AD) and other characters without a glyph. Bytes that are not UTF-8 cannot
    be read, so a string of only such bytes says nothing too.

    Args:
        text: UTF-8 strings of any shape.

    Returns:
        bool Tensor of the same shape.

    Example:

    >>> says_something(tf.constant(["", " \\t", "\\u200b", "?", " a"])).numpy().tolist()
    [False, False, False, True, True]
    """
    readable = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    return ~tf.strings.regex_full_match(readable, _SAYS_NOTHING)
