"""A folder of the Hugging Face Hub: its settings, and its tensors, which are read one by one.

No code of a folder is run: settings are JSON, tensors are safetensors.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError

SINGLE, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
CONVERT = (
    'python -c "from transformers import AutoModel; '
    "AutoModel.from_pretrained('{folder}').save_pretrained('{folder}', safe_serialization=True)\""
)


def read_json(path: Path) -> Any:
    """Reads a JSON file of a folder.

    Raises:
        UserError: There is no such file, or it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path.parent}: expected a folder with {path.name}, received one without") from None
    except (NotADirectoryError, IsADirectoryError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: expected a JSON file, received one that is not ({error})") from None


def read_optional_json(path: Path) -> Any:
    """Reads a JSON file of a folder; returns `None` if there is no such file."""
    return read_json(path) if path.is_file() else None


class Tensors(Mapping[str, np.ndarray]):
    """The tensors of a folder by name, read from its safetensors when they are asked for.

    `float16` and `bfloat16` are read as `float32`. Names of old checkpoints, "LayerNorm.gamma" and "LayerNorm.beta",
    are given as "LayerNorm.weight" and "LayerNorm.bias", as transformers does.

    Args:
        folder: Has model.safetensors, or model.safetensors.index.json with the files that it names.
        prefix: What the names of an encoder's tensors begin with where it has a head; names are given without it.
            Defaults to "".

    Raises:
        UserError: The folder has neither, has a pickle alone (the message has the command that converts it), or a file
            is not in the format or is cut off.
    """

    def __init__(self, folder: Path, prefix: str = ""):
        self.folder = folder
        self._files = {}  # a file's name -> the open file
        self._places = {}  # our name of a tensor -> (file, the name in it)
        for name in self._names_of_files():
            file = self._open(name)
            self._places |= {current_name(key.removeprefix(prefix)): (file, key) for key in file.keys()}

    def _names_of_files(self) -> list[str]:
        if (self.folder / SINGLE).is_file():
            return [SINGLE]
        if (self.folder / INDEX).is_file():
            files = sorted(set(read_json(self.folder / INDEX).get("weight_map", {}).values()))
            outside = [name for name in files if Path(name).name != name]
            if outside or not files:
                raise UserError(f"{self.folder / INDEX}: expected names of files in the folder, received {outside}")
            return files
        if (self.folder / PICKLED).is_file() or (self.folder / f"{PICKLED}.index.json").is_file():
            raise UserError(
                f"{self.folder}: expected {SINGLE}, received {PICKLED}, a pickle, which can run code when it is read. "
                f"If you trust it, convert it where PyTorch is: {CONVERT.format(folder=self.folder)}"
            )
        raise UserError(f"{self.folder}: expected {SINGLE} or {INDEX}, received a folder without")

    def _open(self, name: str) -> Any:
        import ml_dtypes  # noqa: F401 - NumPy reads bfloat16 once it is imported
        from safetensors import SafetensorError, safe_open

        path = self.folder / name
        try:
            return safe_open(path, "np")
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: expected a whole safetensors file, received one that is not ({error})") from None

    def __getitem__(self, name: str) -> np.ndarray:
        file, key = self._places[name]
        array = file.get_tensor(key)
        return array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def current_name(name: str) -> str:
    """Returns the name that a tensor has today.

    Example:

    >>> current_name("bert.embeddings.LayerNorm.gamma")
    'bert.embeddings.LayerNorm.weight'
    """
    ends = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
    return next((name.removesuffix(old) + new for old, new in ends.items() if name.endswith(old)), name)
