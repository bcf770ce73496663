"""Sentence pairs made from the Unicode CLDR, with the spans that belong together: what their datasets share."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from babel.localedata import locale_identifiers

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder

_CITATION = """\
@misc{cldr,
  title = {Unicode Common Locale Data Repository},
  author = {{Unicode Consortium}},
  url = {https://cldr.unicode.org}
}"""


class CldrPairs(DefaultDatasetBuilder, skip_registration=True):
    """Base of the datasets with features `source`, `target` and `alignment`.

    Attributes:
        DESCRIPTION: Text for `tfds.core.DatasetInfo`.
    """

    DESCRIPTION = ""

    def compose(self, locale: str) -> dict[str, list[dict]]:
        """Returns the examples of each split for a locale."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"source": tfds.features.Text(), "target": tfds.features.Text(), "alignment": alignment_feature()}
            ),
            supervised_keys=("source", "target"),
            homepage="https://cldr.unicode.org",
            citation=_CITATION,
            license="Unicode License v3 (https://www.unicode.org/license.txt)",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        splits = self.compose(self.builder_config.name)
        return {split: self._generate_examples(examples) for split, examples in splits.items()}

    def _generate_examples(self, examples: Iterable[dict]) -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(examples)


def locale_configs(first: str, description: str) -> list[tfds.core.BuilderConfig]:
    """Returns a configuration for each locale of Babel. The locales are listed, not read: importing stays fast.

    Args:
        first: The locale that comes first, which TFDS takes as the default.
        description: Text with a place for the locale, "{}".
    """
    locales = sorted(locale_identifiers(), key=lambda locale: (locale != first, locale))
    return [tfds.core.BuilderConfig(name=locale, description=description.format(locale)) for locale in locales]


def alignment_feature() -> tfds.features.FeaturesDict:
    """Returns the feature of aligned spans: four lists of one length.

    A pair of spans is [start, end) in code points of the source and of the target. Each list is a tensor: TFDS takes
    three times as long to write a `Sequence` of scalars.
    """
    ends = ("source_start", "source_end", "target_start", "target_end")
    return tfds.features.FeaturesDict({end: tfds.features.Tensor(shape=(None,), dtype=np.int32) for end in ends})
