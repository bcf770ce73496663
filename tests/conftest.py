"""Fixtures that run an exported SavedModel the way a server does: without this project, and without Python's loader.

A model that `tf.saved_model.load` reads can still fail in TF Serving, so every end-to-end test of an export runs both.
"""

import functools
import gc
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import run_command, start_command
from shared import shared_folder

LONGEST = ("tests/first_day/", "tests/test_readme.py", "tests/test_adding_a_task.py")  # many processes in one test


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Puts the longest tests first: a long one that comes last keeps one process busy while the others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish(session):
    """What was imported lives as long as the tests, so the garbage collector need not visit it again and again.

    Garbage is collected at the end of each file, too (`forgotten_gradients`), so it needs few collections in between:
    they took a twentieth of the time of tests that trace much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)


@pytest.fixture(autouse=True, scope="module")
def forgotten_gradients():
    """Makes TensorFlow forget what the tests of a file have traced: gigabytes over all files.

    TensorFlow keeps the function of each `tf.custom_gradient` that was traced, and with it the whole graph, as long as
    the program runs.
    """
    yield
    if framework := sys.modules.get("tensorflow.python.framework.ops"):
        known = framework.gradient_registry._registry
        for name in [name for name in known if name.startswith("CustomGradient-")]:
            del known[name]
        gc.collect()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium, as a `Browser`."""
    from browser import Browser

    browser = Browser(tmp_path_factory.mktemp("pages"))
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """The script of axe-core, which checks accessibility."""
    from browser import fetch_axe

    return (shared_folder(tmp_path_factory, "axe", fetch_axe) / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def session_run():
    """`session_run(version_directory, signature, inputs) -> {output: NumPy array}`, through TF Serving's session
    loader.

    `inputs` holds one array or list for each input of the signature. Strings come back as bytes.
    """
    return run_in_session


@pytest.fixture(scope="session")
def c_api_answers(tmp_path_factory):
    """`c_api_answers(version_directory, {signature: inputs}) -> {signature: {output: NumPy array}}`, through `serve.c`.

    The program loads the SavedModel once for all signatures. Every input is a list of str or bytes. Strings come back
    as bytes. A program that fails or crashes is a `RuntimeError` that shows what it wrote.
    """
    folder = shared_folder(tmp_path_factory, "serve", lambda directory: compile_server(directory / "serve"))

    def run(version_directory, requests):
        return run_in_c(folder / "serve", version_directory, requests)

    return run


@pytest.fixture(scope="session")
def c_api_run(c_api_answers):
    """`c_api_run(version_directory, signature, inputs) -> {output: NumPy array}`: `c_api_answers` of one signature."""

    def run(version_directory, signature, inputs):
        return c_api_answers(version_directory, {signature: inputs})[signature]

    return run


@pytest.fixture(scope="session")
def killed_and_continued():
    """`killed_and_continued(words, directory, checkpoints) -> what the second start printed`.

    Does `attention-zoo WORDS` in a folder, kills it at its first checkpoint, and does it again.
    """
    return kill_and_continue


def kill_and_continue(words, directory, checkpoints):
    first = start_command(words, directory)
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob("*.json")) and first.process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    first.process.kill()
    done = first.finish()
    assert done.returncode == -signal.SIGKILL, done.stderr
    second = run_command(words, directory)
    assert second.returncode == 0, second.stdout + second.stderr
    return second.stdout


def run_in_session(version_directory, signature, inputs):
    """Answers one request with `tf.compat.v1.saved_model.loader.load` and `Session.run` in a graph of its own."""
    import tensorflow_text  # noqa: F401  registers the ops of the tokenizers

    written = (Path(version_directory) / "saved_model.pb").stat().st_mtime_ns
    session, definitions = loaded_session(str(Path(version_directory).resolve()), written)
    definition = definitions[signature]
    check_inputs(definition, inputs)
    feed = {definition.inputs[name].name: value for name, value in inputs.items()}
    return session.run({name: info.name for name, info in definition.outputs.items()}, feed)


@functools.lru_cache(maxsize=1)  # a test asks its export often, and loading takes longer than an answer
def loaded_session(version_directory, written):
    """Returns a session with a SavedModel, and its signatures; `written` tells a file from one in its place later."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], version_directory)
    return session, meta_graph.signature_def


def run_in_c(program, version_directory, requests):
    """Answers requests with the C program; the names of the tensors come from the SavedModel's signatures."""
    import tensorflow as tf
    import tensorflow_text
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((Path(version_directory) / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    for signature, inputs in requests.items():
        check_inputs(definitions[signature], inputs)
    libraries = sorted((Path(tensorflow_text.__file__).parent / "python").glob("*/_*.so"))
    assert libraries, "tensorflow_text has no op libraries where they were expected"
    read = [(signature, name) for signature, inputs in requests.items() for name in inputs]
    written = [(signature, name) for signature in requests for name in sorted(definitions[signature].outputs)]
    command = [program, version_directory, *libraries]
    command += ["--input", *(definitions[signature].inputs[name].name for signature, name in read)]
    command += ["--output", *(definitions[signature].outputs[name].name for signature, name in written)]
    request = b"".join(frame(requests[signature][name]) for signature, name in read)
    done = subprocess.run([str(part) for part in command], input=request, capture_output=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"serve ended with {done.returncode}: {done.stderr.decode(errors='replace')[-3000:]}")
    rest = done.stdout
    answers = {signature: {} for signature in requests}
    for signature, name in written:
        answers[signature][name], rest = parse(rest, tf.dtypes.as_dtype)
    assert rest == b"", f"serve wrote more than {written}: {rest[:100]}"
    return answers


def check_inputs(definition, inputs):
    """A wrong name must not end in a default or an obscure KeyError."""
    assert set(definition.inputs) == set(inputs), (
        f"the signature has {sorted(definition.inputs)}, received {sorted(inputs)}"
    )


def compile_server(target):
    """Compiles `serve.c` against the libraries and headers of the TensorFlow wheel."""
    import tensorflow as tf

    if shutil.which("gcc") is None:
        pytest.fail(
            "gcc is missing: the tests of exported models compile tests/serving/serve.c (apt-get install gcc libc6-dev)"
        )
    wheel = tf.sysconfig.get_lib()
    source = Path(__file__).parent / "serving" / "serve.c"
    command = ["gcc", "-std=c11", "-Wall", "-Werror", "-O1", source, "-o", target, f"-I{tf.sysconfig.get_include()}"]
    command += [f"-L{wheel}", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{wheel}"]
    if shutil.which("ld.gold"):  # reads the wheel's gigabyte in 3 s, the default linker in 10 s
        command += ["-fuse-ld=gold"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"serve.c does not compile: {done.stderr[-3000:]}")
    return target


def frame(texts):
    """Returns a vector of strings as `serve.c` reads it."""
    encoded = [text.encode() if isinstance(text, str) else bytes(text) for text in texts]
    return b"%d\n" % len(encoded) + b"".join(b"%d\n%s" % (len(text), text) for text in encoded)


def parse(written, as_dtype):
    """Returns the first tensor that `serve.c` wrote, and the bytes after it."""
    import numpy as np

    head, rest = written.split(b"\n", 1)
    data_type, _, *shape = (int(number) for number in head.split())
    dtype = as_dtype(data_type)
    count = int(np.prod(shape, dtype=int))
    values = []
    for _ in range(count):
        line, rest = rest.split(b"\n", 1)
        if dtype.name == "string":
            length = int(line)
            line, rest = rest[:length], rest[length + 1 :]
        values.append(line if dtype.name == "string" else float(line) if dtype.is_floating else int(line))
    return np.array(values, dtype=object if dtype.name == "string" else dtype.as_numpy_dtype).reshape(shape), rest
