"""A batch of queries and values with masks, which tests of attention share.

Shapes: B batch, T queries, S values, D features.
"""

import numpy as np
from arrays import floats

B, T, S, D = 2, 4, 5, 6
QUERY, VALUE = floats(B, T, D, seed=1), floats(B, S, D, seed=2)
QUERY_MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], bool)
VALUE_MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], bool)
