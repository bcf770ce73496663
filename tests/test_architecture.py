"""The house rules of CONTRIBUTING.md, held by a test."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted([*ROOT.glob("layers/**/*.py"), *ROOT.glob("pipelines/**/*.py")])

TASK_FOLDERS = sorted(presets.parent for presets in ROOT.glob("pipelines/*/presets"))


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "attention_zoo." + ".".join(part for part in parts if part != "__init__")


def imports(path, nested=True):
    """The modules that a file imports; those inside functions too, if `nested`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(module, package):
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_above_350_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize("folder", TASK_FOLDERS, ids=lambda folder: folder.name)
def test_a_task_has_at_most_240_lines(folder):
    assert len((folder / "task.py").read_text(encoding="utf-8").splitlines()) <= 240


def test_no_six_lines_stand_twice_among_the_tasks():
    places = {}
    for path in (path for folder in TASK_FOLDERS for path in sorted(folder.glob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            line
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for line in range(node.lineno, node.end_lineno + 1)
        }
        lines = path.read_text(encoding="utf-8").splitlines()
        lines = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip() and n not in imported]
        for start in range(len(lines) - 5):
            text = "\n".join(line for _, line in lines[start : start + 6])
            places.setdefault(text, []).append(f"{path.relative_to(ROOT)}:{lines[start][0]}")
    assert [several for several in places.values() if len(several) > 1] == []


# What replaces methods of layers for a time needs Python itself.
RECORDER = {"record.py": {"contextlib", "functools", "inspect"}}


@pytest.mark.parametrize("path", sorted(ROOT.glob("layers/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_layers_import_keras_alone(path):
    backend = {"tensorflow"} if path.parent.name == "kernels" else set()  # and they not before it is used
    assert not any(within(module, "tensorflow") for module in imports(path, nested=False))
    for module in imports(path):
        allowed = {"keras", "attention_zoo.layers"} | backend | RECORDER.get(path.name, set())
        assert any(within(module, name) for name in allowed), f"{path.name} imports {module}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("pipelines/models/**/*.py")), ids=lambda path: path.name)
def test_models_import_layers_and_no_pipeline(path):
    allowed = ("keras", "attention_zoo.layers", "attention_zoo.pipelines.models")
    for module in imports(path):
        project_or_framework = module.split(".")[0] in (
            "attention_zoo",
            "tensorflow",
            "tensorflow_text",
            "jax",
            "torch",
        )
        assert not project_or_framework or any(within(module, name) for name in allowed), (
            f"{path.name} imports {module}"
        )


ENGINE = "attention_zoo.pipelines.engine"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("pipelines/engine/**/*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_engine_knows_no_task_and_no_model(path):
    for module in imports(path):
        if within(module, "attention_zoo"):
            allowed = [ENGINE, "attention_zoo.layers.products"]  # by which an export computes the products of layers
            assert any(within(module, name) for name in allowed), f"{path.name} imports {module}"


# A room of the engine imports rooms of the groups before its own, and of its own group.
ROOMS = [
    {"errors", "settings", "stages", "task", "untuned", "views", "storage"},
    {"text", "images", "training", "pictures", "pages", "serving"},
    {"scores"},
    {"decoding"},
    {"run"},
]


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("pipelines/engine/*/**/*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_arrows_between_the_rooms_of_the_engine_run_one_way(path):
    def group(module):
        return next(number for number, rooms in enumerate(ROOMS) if module.split(".")[3] in rooms)

    own = group(module_name(path))
    for module in imports(path):
        if within(module, ENGINE) and module != ENGINE:
            assert group(module) <= own, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_a_main_module_imports_commands(path):
    package = "attention_zoo.pipelines.commands"
    if path.name != "__main__.py" and not within(module_name(path), package):
        assert not any(within(module, package) for module in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_models_and_the_engine_know_no_checkpoints_and_checkpoints_no_task(path):
    name, hub = module_name(path), "attention_zoo.pipelines.hub"
    tasks = [f"attention_zoo.pipelines.{folder.name}" for folder in TASK_FOLDERS]
    for module in imports(path):
        if any(within(name, f"attention_zoo.{below}") for below in ("layers", "pipelines.models", "pipelines.engine")):
            assert not within(module, hub), f"{path} imports {module}"
        if within(name, hub):
            assert not any(within(module, task) for task in tasks), f"{path} imports {module}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("pipelines/explanations/*.py")), ids=lambda path: path.name)
def test_explanations_import_layers_and_the_engine_alone(path):
    allowed = [f"attention_zoo.{name}" for name in ("layers", "pipelines.engine", "pipelines.explanations")]
    for module in imports(path):
        if within(module, "attention_zoo"):
            assert any(within(module, name) for name in allowed), f"{path.name} imports {module}"


@pytest.mark.parametrize("folder", TASK_FOLDERS, ids=lambda folder: folder.name)
def test_tasks_do_not_import_one_another(folder):
    others = [f"attention_zoo.pipelines.{other.name}" for other in TASK_FOLDERS if other != folder]
    for path in folder.glob("*.py"):
        for module in imports(path):
            assert not any(within(module, other) for other in others), f"{path} imports {module}"


def test_no_module_imports_itself_in_a_circle():
    names = {module_name(path): path for path in MODULES}
    graph = {name: {m for m in imports(path) if m in names and m != name} for name, path in names.items()}
    done, path_taken = set(), []

    def visit(name):
        assert name not in path_taken, " -> ".join([*path_taken[path_taken.index(name) :], name])
        if name in done:
            return
        path_taken.append(name)
        for imported in sorted(graph[name]):
            visit(imported)
        path_taken.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def test_every_folder_with_modules_is_a_package_that_setup_finds():
    for folder in sorted({path.parent for path in MODULES}):
        assert (folder / "__init__.py").is_file(), f"setup.py does not install {folder}: it has no __init__.py"


def test_pip_builds_in_isolation_so_that_a_second_installation_works():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    assert build["build-backend"] == "setuptools.build_meta" and build["requires"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/**/test_*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_tests_are_shorter_than_80_characters(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [name for name in names if name.startswith("test_") and len(name) >= 80]
