"""`attention-zoo load FOLDER`: exports a model of the Hugging Face Hub."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from attention_zoo.pipelines.commands.arguments import Parser
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.settings import Precision
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.registry import Entry


def load_folder(abilities: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`load FOLDER [--task NAME] [--precision NAME] [--directory DIR]`

    Returns:
        The exit code, 0.
    """
    parser = Parser(
        prog="attention-zoo load",
        description="Reads a model folder of the Hugging Face Hub, of BERT, RoBERTa, ALBERT, DistilBERT, XLNet, "
        "GPT-2, MarianMT, ViT or DeiT, and writes it as a SavedModel that answers raw text or image files. No code of "
        "the folder is run. Exit codes: 0; 2 for a mistake.",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="has config.json, model.safetensors (or shards), and a tokeniser or preprocessor_config.json",
    )
    told = "; ".join(f"{name}: {entry.summary}" for name, entry in abilities.items())
    parser.add_argument(
        "--task", choices=list(abilities), help=f"what the export answers ({told}; default: what its head is for)"
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="float32",
        help="in which the export multiplies features with the weights of projections (default: float32)",
    )
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        default=Path("saved_models"),
        help="where SavedModels go, DIR/TASK/VERSION (default: saved_models)",
    )
    arguments = parser.parse_args(argv)
    ability = load("attention_zoo.pipelines.hub.loading:load_ability")(arguments.folder, arguments.task)
    from attention_zoo.pipelines.engine.serving.export import export_saved_model
    from attention_zoo.pipelines.engine.serving.products import ConstantProducts

    print(f"{arguments.folder}: {ability.describe()}")
    with stage("exporting the model"):
        products = ConstantProducts(arguments.precision)
        signatures = ability.signatures(ability.model)
        version = export_saved_model(arguments.directory / ability.name, *signatures, products=products)
    print("\n".join([f"SavedModel: {version}", *products.notes()]))
    elsewhere = arguments.directory != Path("saved_models")
    print(f"next: {ability.next_command()}" + (f" --model {arguments.directory / ability.name}" if elsewhere else ""))
    return 0
