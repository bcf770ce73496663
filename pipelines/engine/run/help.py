"""The help of `attention-zoo train TASK`: every setting with its reason, its type in words and its value."""

import argparse
from collections.abc import Container, Iterable, Sequence
from typing import Any, get_origin

from attention_zoo.pipelines.engine.run.options import Setting, in_words

CONTROLS = {"preset": "NAME", "config": "FILE", "name": "RUN", "start-from": "RUN", "workers": "N"}


def print_help(
    settings: Sequence[Setting],
    presets: Iterable[str],
    prog: str,
    description: str,
    preset: str,
    common: Container[str],
) -> None:
    """Prints the controls, the common options, then every section with its options and their values."""
    controls = " ".join(f"[--{name} {metavar}]" for name, metavar in CONTROLS.items())
    usage = f"{prog} {controls} [--section.option VALUE ...]"
    about = f"{description.rstrip('.')}. The defaults shown are those of preset {preset}.".lstrip(". ")
    parser = argparse.ArgumentParser(prog=prog, usage=usage, description=about, add_help=True)
    reasons = {
        "preset": f"the settings to begin with: {', '.join(sorted(presets))}",
        "config": "YAML file that overrides the preset, such as the config.yaml of a run",
        "name": "name of the run's folder (default: the preset)",
        "start-from": "begin with the vocabulary and the weights of another run: its folder, or its name in runs/TASK",
        "workers": "try a cluster: start so many processes on this machine (without effect where TF_CONFIG names one)",
    }
    for name, metavar in CONTROLS.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=reasons[name])
    parser.add_argument("--print-config", action="store_true", help="print the effective settings and exit")
    groups = {}
    for setting in sorted(settings, key=lambda setting: setting.name not in common):  # stable: else in their order
        title = "common options" if setting.name in common else setting.name.rpartition(".")[0]
        if title not in groups:
            groups[title] = parser.add_argument_group(title, "" if title == "common options" else setting.section)
        listed = get_origin(setting.type) is list
        default = " ".join(setting.default) or "none" if listed else yaml_word(setting.default)
        reason = f"{setting.reason.rstrip('.')}: {in_words(setting.type)} (default: {default})"
        groups[title].add_argument(
            f"--{setting.name}",
            metavar="VALUE" if not listed else "VALUE ...",
            help=reason.replace("%", "%%"),
        )
    parser.print_help()


def yaml_word(value: Any) -> str:
    """Returns a default as it is typed: `true`, `null`, `0.001`; `""` for the empty text."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value) or '""'
