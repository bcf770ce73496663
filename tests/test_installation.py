"""Editors and type checkers look for files and follow no import hooks: both ways to install give them files."""

import re
import subprocess
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path for top in ("layers", "pipelines") for path in ROOT.glob(f"{top}/**/*.py"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What `pip install .` puts into site-packages."""
    folder = tmp_path_factory.mktemp("built")
    words = ["setup.py", "-q", "build", "--build-base", str(folder), "egg_info", "--egg-base", str(folder)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "lib"


def found_without_hooks(folder, path):
    """The file that a tool finds for a module of ours when `folder` is on its search path."""
    search, spec = [str(folder)], None
    parts = path.relative_to(ROOT).with_suffix("").parts
    for part in ("attention_zoo", *(part for part in parts if part != "__init__")):
        spec = PathFinder.find_spec(part, search)
        assert spec is not None, f"{path}: no {part} in {search}"
        search = list(spec.submodule_search_locations or [])
    return Path(spec.origin)


def test_an_installation_has_every_module_preset_script_and_style(built):
    for path in MODULES:
        assert found_without_hooks(built, path).read_bytes() == path.read_bytes()
    presets = [path.relative_to(ROOT) for path in ROOT.glob("pipelines/*/presets/*.yaml")]
    assert len(presets) > 20 and all((built / "attention_zoo" / preset).is_file() for preset in presets)
    assets = [path.relative_to(ROOT) for path in ROOT.glob("pipelines/engine/pages/assets/*")]
    assert len(assets) > 10 and all((built / "attention_zoo" / asset).is_file() for asset in assets)


def test_nothing_else_lands_in_site_packages(built):
    assert [path.name for path in built.iterdir()] == ["attention_zoo"]
    names = sorted(path.name for path in (built / "attention_zoo").iterdir())
    assert names == ["__init__.py", "layers", "pipelines", "py.typed"]


def test_the_search_path_of_contributors_has_a_file_for_every_module():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
    (folder,) = settings["extraPaths"]
    for path in MODULES:
        assert found_without_hooks(ROOT / folder, path).samefile(path)


def test_the_version_of_the_package_is_that_of_the_installation(built):
    from attention_zoo import __version__

    (metadata,) = built.parent.glob("*.egg-info/PKG-INFO")
    assert f"\nVersion: {__version__}\n" in metadata.read_text(encoding="utf-8")


def test_the_description_on_a_package_index_has_absolute_links_only(built):
    (metadata,) = built.parent.glob("*.egg-info/PKG-INFO")
    text = metadata.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([\w./:-]+)\)", text.partition("# attention-zoo")[2])
    assert len(targets) > 10 and all(target.startswith("https://") for target in targets), targets
    for target in targets:
        kind, _, path = target.partition("/main/")
        assert (ROOT / path).exists() and kind.rpartition("/")[2] == ("raw" if path.endswith(".png") else "blob")
