"""Installs the folders `layers` and `pipelines` as `attention_zoo.layers` and `attention_zoo.pipelines`.

The folders stand at the top of the repository, where readers look for them. Inside site-packages they are in one
package, whose `__init__.py` is in `tools/attention_zoo`: nothing called `layers` hides another package.
"""

import re
from pathlib import Path

from setuptools import setup

# Every folder with an __init__.py, however deep: `layers/kernels` is installed as `attention_zoo.layers.kernels`.
PACKAGES = {"attention_zoo": "tools/attention_zoo"} | {
    ".".join(["attention_zoo", *file.parent.parts]): file.parent.as_posix()
    for top in ("layers", "pipelines")
    for file in sorted(Path(top).rglob("__init__.py"))
}

REPOSITORY = "https://github.com/attention-zoo/attention-zoo"
# Package indexes show the README without the files beside it: links into the repository become absolute.
LINKS = [
    (r"(!\[[^]]*\]\()([\w./-]+\))", rf"\1{REPOSITORY}/raw/main/\2"),
    (r"((?<!!)\[[^]]*\]\()(?!https?:)([\w./-]+\))", rf"\1{REPOSITORY}/blob/main/\2"),
]
README = Path("README.md").read_text(encoding="utf-8")
for pattern, absolute in LINKS:
    README = re.sub(pattern, absolute, README)

DRIVING = ["gymnasium[box2d]>=1.0"]
ENTITIES = ["python-crfsuite>=0.9.11"]
HUB = ["tokenizers>=0.21"]  # learns byte pairs
DEMO = ["gradio>=6.0"]
VECTORS = ["gensim>=4.4"]
TEST = [
    "pytest>=8",
    "pytest-xdist>=3.5",
    "hypothesis>=6.100",
    "ruff~=0.17.0",
    "selenium>=4.20",
    *DEMO,
    *DRIVING,
    *ENTITIES,
    *HUB,
    *VECTORS,
]

setup(
    name="attention-zoo",
    version=re.search(r'__version__ = "(.+)"', Path("tools/attention_zoo/__init__.py").read_text())[1],
    description="Attention mechanisms as Keras layers, each trained end to end and exported for TF Serving",
    long_description=README,
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    url=REPOSITORY,
    project_urls={"Changes": f"{REPOSITORY}/blob/main/CHANGELOG.md", "Issues": f"{REPOSITORY}/issues"},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    keywords="attention keras tensorflow transformer seq2seq captioning vision-transformer tf-serving",
    python_requires=">=3.11",
    packages=list(PACKAGES),
    package_dir=PACKAGES,
    package_data={
        "attention_zoo": ["py.typed"],
        "attention_zoo.pipelines": ["*/presets/*.yaml"],
        "attention_zoo.pipelines.engine.pages": ["assets/*.js", "assets/*.css"],
    },
    install_requires=[
        "tensorflow>=2.21",
        "keras>=3.15",
        "tensorflow-text>=2.21",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources>=6",  # tensorflow-datasets needs it to prepare a dataset, and does not say so
        "sentencepiece>=0.2.3",
        "sacrebleu>=2.4",
        "matplotlib>=3.9",
        "jsonargparse>=4.35",
        "docstring_parser>=0.16",
        "ml_dtypes>=0.5",
        "pyyaml>=6",
        "rich>=13",
        "safetensors>=0.4",
        "shtab>=1.7",  # completion scripts for shells
        "babel>=2.16",
        "tensorboard>=2.20",
        "scikit-learn>=1.5",
        "seqeval>=1.2.2",
        "scipy>=1.13",
        "pillow>=11",
        "emoji>=2.14",
        "resvg-py>=0.2",
        "tensorflow-serving-api>=2.21",  # messages only: models.config and the warm-up requests of an export
    ],
    extras_require={
        "test": TEST,
        "demo": DEMO,
        "driving": DRIVING,
        "vectors": VECTORS,
        "hub": HUB,
        "wandb": ["wandb>=0.19"],
        "entities": ENTITIES,
        "docs": ["mkdocs-material>=9.7", "mkdocstrings[python]>=1.0", "latex2mathml>=3.77"],
        "backends": ["jax>=0.5", "torch>=2.6", "transformers>=5", "keras-hub>=0.20"],
        "bench": [
            "torch>=2.6",
            "transformers>=5",
            "ctranslate2>=4.5",
            "keras-hub>=0.20",
            "onnxruntime>=1.20",
            "onnxscript>=0.5",
        ],  # peers; a missing one is named
    },
    entry_points={"console_scripts": ["attention-zoo = attention_zoo.pipelines.__main__:main"]},
)
