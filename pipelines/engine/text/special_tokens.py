"""Ids of the special tokens, the same in every vocabulary: subwords and words."""

PAD, UNK, BOS, EOS = 0, 1, 2, 3  # padding, unknown, begin of sentence, end of sentence
