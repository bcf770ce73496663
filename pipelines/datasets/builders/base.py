"""Base class of the builders of the default datasets."""

import tensorflow_datasets as tfds
from etils import epath


class DefaultDatasetBuilder(tfds.core.GeneratorBasedBuilder):
    """Base of the builders of the default datasets.

    Attributes:
        PREPARATION: Time and download of the first use, for the line that is printed before it, such as "about 1
            minute".
    """

    PREPARATION = ""
    code_path = epath.Path(__file__)  # TFDS would look for a folder `attention_zoo`, and there is none
