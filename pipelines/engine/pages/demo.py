"""A page on this machine that asks exported models: a tab for each, the answer and its view below the input.

Gradio serves it, on the loopback address alone. The browser is told to load nothing from elsewhere.
"""

import functools
import html
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pages.page import page_of
from attention_zoo.pipelines.engine.serving.record import read_record
from attention_zoo.pipelines.engine.serving.versions import load_saved_model, version_folder
from attention_zoo.pipelines.engine.task import Task

if TYPE_CHECKING:
    import gradio

ADDRESS = "127.0.0.1"
LONGEST_TEXT = 20_000  # characters
LARGEST_FILE = 10_000_000  # bytes
SIDE_BY_SIDE = 3  # answers of a beam
MOST_FILES = 64  # of a task that takes all files together
# What Gradio serves is allowed, as are the scripts and images inside the page of a view; no other address is.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self'; frame-ancestors 'none'"
STYLE = """
.view { width: 100%; height: 82vh; resize: vertical; border: 1px solid var(--border-color-primary); }
.view { color-scheme: light dark; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1.1rem; margin: 12px 0 6px; }
.refused { color: var(--error-text-color, #b91c1c); }
.dark { --color-accent: var(--primary-300); }
.quiet { font-size: .85rem; opacity: .8; }
"""


class Exported:
    """An exported model that the demo asks; it is loaded for its first question.

    Args:
        task: The `Task` class that knows how to ask it.
        folder: `saved_models/TASK`. The newest version in it answers.

    Attributes:
        takes_text: Whether it reads what is typed.
        takes_files: Whether it reads files.
    """

    def __init__(self, task: type[Task], folder: Path):
        self.task, self.folder = task, Path(folder)
        self.takes_files = task.read_input is not Task.read_input
        self.takes_text = not self.takes_files or task.reads == "text"

    def answer(self, text: str, files: Sequence[str] | None = None) -> str:
        """Returns the answers to what was typed or dropped, as HTML; a line says why something has none.

        Args:
            text: What was typed. `\\t` stands for a tab, between two texts of a pair. Files are read in its place.
            files: Paths of the files. Defaults to `None`, none.
        """
        try:
            inputs = self.read(text or "", files or [])
            version = version_folder(self.folder)
            served = _load(version, self.task.answers_with)
            attention = "attention" in served.signatures and self.task.View is not None
            answers = list(self.task.ask(served, inputs, attention))
            parts = [part for answer in answers for part in self.show(served, answer, attention)]
        except UserError as error:
            for file in files or []:  # named as the user knows it, and not by its folder here
                error = str(error).replace(file, Path(file).name)
            return refusal(str(error))
        record = read_record(version)
        return "".join([*parts, line(f"answered by {version}" + (f", of {record}" if record else ""), "quiet")])

    def read(self, text: str, files: Sequence[str]) -> list[Any]:
        """Returns the inputs of `Task.ask`.

        Raises:
            UserError: There is nothing, or too much, or a file cannot be read.
        """
        most = self.task.asked_together or MOST_FILES
        if len(files) > most:
            raise UserError(f"expected at most {most} files, received {len(files)}")
        if files:
            large = [file for file in files if os.path.getsize(file) > LARGEST_FILE]
            if large:
                raise UserError(f"{large[0]}: expected a file of at most {LARGEST_FILE // 1_000_000} MB")
            return [self.task.read_input(file) for file in files]
        if not self.takes_text:
            raise UserError("expected a file, received none")
        if not text.strip():
            raise UserError("expected a text, received none")
        if len(text) > LONGEST_TEXT:
            raise UserError(f"expected a text of at most {LONGEST_TEXT:,} characters, received {len(text):,}")
        if self.takes_files and os.path.exists(text):
            raise UserError("expected a text, received the name of a file; drop the file itself")
        return [self.task.read_input(text.replace("\\t", "\t"))]

    def show(self, served: Any, answer: Mapping[str, Any], attention: bool) -> Iterator[str]:
        """Yields the parts of an answer: what is said, a note, and the page of its view."""
        if answer.get("error"):
            yield refusal(answer["error"])
            return
        yield line(self.task.say(dict(answer)), "said")
        if answer.get("note"):
            yield line(f"note: {answer['note']}", "quiet")
        view = self.task.view_page(dict(answer)) if attention else None
        if view is not None:
            if "n_best_attention" in served.signatures:
                from attention_zoo.pipelines.engine.serving.asking import alternative_views  # loads TensorFlow

                view = replace(view, alternatives=alternative_views(self.task, served, answer, SIDE_BY_SIDE))
            page = html.escape(page_of(view))
            # The page may run its script and save pictures, and reaches nothing of the page around it.
            yield (
                '<iframe class="view" title="what the model attended to" sandbox="allow-scripts allow-downloads" '
                f'srcdoc="{page}"></iframe>'
            )


@functools.lru_cache(maxsize=16)
def _load(version: Path, answer: str | tuple[str, ...]) -> Any:
    return load_saved_model(version, answer)


def line(text: str, kind: str) -> str:
    """Returns a paragraph with a text, whatever characters it has.

    Example:

    >>> line("<b>", "said")
    '<p class="said">&lt;b&gt;</p>'
    """
    return f'<p class="{kind}">{html.escape(text)}</p>'


def refusal(message: str) -> str:
    """Returns the line that says why there is no answer."""
    return f'<p class="said refused" role="alert">{html.escape(" ".join(message.split()))}</p>'


def make_demo(exports: Mapping[str, tuple[Exported, str]]) -> "gradio.Blocks":
    """Returns the page, not yet served.

    Args:
        exports: By name the exported models, each with a line that says what it does.

    Raises:
        UserError: Gradio is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when it is imported
    try:
        import gradio
    except ImportError:
        raise UserError("the demo needs Gradio: pip install 'attention-zoo[demo]'") from None

    with gradio.Blocks(title="attention-zoo", analytics_enabled=False, delete_cache=(600, 600)) as demo:
        gradio.Markdown("# attention-zoo\nAsk a model, and see what it attended to. Nothing leaves this machine.")
        with gradio.Tabs():
            for name, (exported, summary) in exports.items():
                with gradio.Tab(name, id=name):
                    _add_tab(name, exported, summary)
    return demo


def _add_tab(name, exported, summary):
    import gradio

    gradio.Markdown(summary)
    text = gradio.Textbox(
        label="text",
        lines=3,
        max_length=LONGEST_TEXT,
        placeholder="Type, and press Shift+Enter. \\t separates two texts.",
        visible=exported.takes_text,
        elem_id=f"{name}-text",
    )
    files = gradio.File(
        label="files", file_count="multiple", type="filepath", visible=exported.takes_files, elem_id=f"{name}-files"
    )
    ask = gradio.Button("Ask", variant="primary", elem_id=f"{name}-ask")
    shown = gradio.HTML(elem_id=f"{name}-answer", apply_default_css=False)
    for event in (ask.click, text.submit):
        # One question at a time, whatever its tab: models share the processors.
        event(
            exported.answer, [text, files], shown, concurrency_limit=1, concurrency_id="model", api_visibility="private"
        )


def serve(demo: "gradio.Blocks", port: int | None = None, opens: bool = False, waits: bool = True) -> str:
    """Serves the page of `make_demo` on the loopback address.

    Args:
        demo: What `make_demo` returned.
        port: The port. Defaults to `None`, the first free one from 7860 on.
        opens: Whether to open the page in a browser. Defaults to `False`.
        waits: Whether to return only when the user ends the program. Defaults to `True`.

    Returns:
        Address of the page.

    Raises:
        UserError: The port is taken.
    """
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    # A site elsewhere whose name suddenly means this machine is refused by the first.
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[ADDRESS, "localhost"]), Middleware(_Policy)]
    try:
        _, address, _ = demo.launch(
            server_name=ADDRESS,
            server_port=port,
            share=False,
            inbrowser=opens,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=LARGEST_FILE,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            app_kwargs={"middleware": guards, "docs_url": None, "redoc_url": None, "openapi_url": None},
            css=STYLE,
            theme=_theme(),
        )
    except OSError as error:
        raise UserError(f"--port: expected a free port, received {port}: {error}") from None
    print(f"{address} shows the demo; Ctrl-C ends it", flush=True)
    if waits:
        demo.block_thread()
    return address


def _theme():
    """Gradio's own theme in colors of which the texts stand out enough for everybody."""
    from gradio import themes

    blue = {f"button_primary_background_fill{kind}": "*primary_700" for kind in ("", "_dark", "_hover", "_hover_dark")}
    return themes.Default(primary_hue="blue").set(color_accent="*primary_700", **blue)


class _Policy:
    """Adds the content security policy to every response."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, send_with_policy)
