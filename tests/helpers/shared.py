"""Folders that tests in several processes share: whoever asks first fills one, and the others read it."""

import shutil

from attention_zoo.pipelines.engine.storage.files import locked


def shared_folder(tmp_path_factory, name, fill):
    """Returns a folder that `fill(folder)` has filled, in whichever process of pytest-xdist asked first."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if base.name.startswith("popen-") else base  # pytest-xdist's workers have a folder each
    folder, filled = base / name, base / f"{name}.filled"
    with locked(base / f"{name}.lock", wait=True):
        if not filled.is_file():
            shutil.rmtree(folder, ignore_errors=True)  # of a `fill` that failed
            folder.mkdir()
            fill(folder)
            filled.touch()
    return folder
