"""Options that several commands share, and how a graph is made from them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.errors import UsageError, spelled
from compiler.graph import Graph
from compiler.pipeline import Compilation

if TYPE_CHECKING:
    from compiler.weights.mapping import Preprocessing

SETTING_HELP = "a value for a parameter of the network (repeatable)"
DTYPES = ("float32", "tf32", "bfloat16", "float16")
"""Numbers in which a network can run; `tf32` is float32 whose products may round their operands."""
INPUT_HELP = "another input size, as 3x75x75 or image=3x75x75; letters leave a size open"


def add_spec(parser: argparse.ArgumentParser) -> None:
    """Add SPEC, --set and --input."""
    parser.add_argument(
        "spec", metavar="SPEC", help="a spec file, or a shipped name such as inception_v4"
    )
    add_variation(parser)


def add_variation(parser: argparse.ArgumentParser) -> None:
    """Add --set and --input."""
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help=SETTING_HELP,
    )
    parser.add_argument(
        "--input",
        dest="inputs",
        metavar="[NAME=]CxHxW",
        action="append",
        default=[],
        help=INPUT_HELP,
    )


def add_format(parser: argparse.ArgumentParser, *choices: str) -> None:
    """Add --format with its choices, the first one the default."""
    parser.add_argument(
        "--format",
        choices=choices,
        default=choices[0],
        help=f"what to print (default: {choices[0]})",
    )


def add_emit(parser: argparse.ArgumentParser, *stages: str, help: str) -> None:
    """Add --emit with the stages of the pipeline that a command can print."""
    parser.add_argument("--emit", choices=stages, help=help)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add --from, --partial and --drop-background: how a file of weights is fitted."""
    add_map(parser)
    parser.add_argument(
        "--partial",
        action="store_true",
        help="take the tensors that fit by name and shape, and say which do not",
    )
    add_drop_background(parser)


def add_map(parser: argparse.ArgumentParser) -> None:
    """Add --from."""
    from compiler.weights.mapping import map_names  # on use: `check` has no such options

    parser.add_argument(
        "--from",
        dest="map",
        metavar="MAP",
        help=f"whose names the file has: {', '.join(map_names())}, or the file of a map "
        "(default: the network's own)",
    )


def add_drop_background(parser: argparse.ArgumentParser) -> None:
    """Add --drop-background."""
    parser.add_argument(
        "--drop-background",
        action="store_true",
        help="drop the first of 1001 classes, TensorFlow's background",
    )


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """Add --preprocessing."""
    parser.add_argument(
        "--preprocessing",
        metavar="MAP",
        help="how a picture becomes the input: a map by name or path, or the keys of its "
        "`preprocessing` in a file or in braces (default: what the weights say)",
    )


def preprocessing_of(args: argparse.Namespace) -> Preprocessing | None:
    """Return how a picture becomes the input: from --preprocessing, or else from the weights."""
    if args.preprocessing is not None:
        from compiler.weights.pictures import preprocessing_from  # loads pydantic

        return preprocessing_from(args.preprocessing)
    if args.weights is None:
        return None
    from backends.state import fit_weights  # loads torch
    from compiler.weights.mapping import load_map

    return fit_weights.preprocessing_of(args.weights, args.map and load_map(args.map))


def add_names(parser: argparse.ArgumentParser) -> None:
    """Add --names."""
    parser.add_argument(
        "--names",
        metavar="FILE",
        type=file_path,
        help="the names of the classes, one a line (default: what the weights say)",
    )


def check_weights(args: argparse.Namespace) -> None:
    """Refuse options of how a file of weights is fitted, where there is no file.

    Raises:
        UsageError: one of them is given without --weights.
    """
    given = {"--from": args.map, "--partial": args.partial}
    given["--drop-background"] = args.drop_background
    for option, value in given.items():
        if value and args.weights is None:
            raise UsageError(f"{option} says how a file is loaded; name the file with --weights")


def add_probabilities(parser: argparse.ArgumentParser) -> None:
    """Add --probabilities."""
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="keep the softmax that ends the network (default: its logits leave)",
    )


def whole(least: int, most: int = 10**9) -> Callable[[str], int]:
    """Return a reader of whole numbers, for `type=`.

    >>> whole(0)("12")
    12
    """

    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,20}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"`{text}` is not a whole number from {least:,} to {most:,}"
            )
        return int(text)

    return read


def wholes(text: str) -> tuple[int, ...]:
    """Return the whole numbers from 1 of a list as it is written, `1,8`; for `type=`.

    Raises:
        argparse.ArgumentTypeError: one is none.
    """
    try:
        return tuple(map(whole(1), text.split(",")))
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; several with commas, as 1,8") from None


def known(names: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of lists of some of these names, `a,b`; for `type=`."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        unknown = [name for name in found if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"`{unknown[0]}`: known are {', '.join(names)}")
        return found

    return read


def file_path(text: str) -> Path:
    """Return the path that an argument names; for `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: it names none; `Path("")` would be the current folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("'' names no file and no folder")
    return Path(text)


def listed(text: str) -> tuple[str, ...]:
    """Return the names of a list as it is written: `a,b`; for `type` of an argument.

    Raises:
        argparse.ArgumentTypeError: there is none, or one is empty.
    """
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"`{text}` has an empty name; several with commas, as a,b")
    return names


def settings_from(args: argparse.Namespace) -> dict[str, str]:
    """Return --set as a mapping.

    Raises:
        UsageError: a setting has no `=`.
    """
    out = {}
    for text in args.settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{spelled('--set', text)}: write NAME=VALUE")
        out[name.strip()] = value.strip()
    return out


def compilation_from(args: argparse.Namespace) -> Compilation:
    """Return the compilation of the spec that the options name; nothing is read yet."""
    return Compilation(args.spec, settings_from(args), args.inputs)


def graph_from(args: argparse.Namespace) -> Graph:
    """Return the checked graph that the options name; warnings are printed.

    Raises:
        CompileError: the spec is at fault; `texts` holds its files.
    """
    return checked_graph(compilation_from(args))


def checked_graph(compilation: Compilation) -> Graph:
    """Return the checked graph of a compilation; warnings are printed.

    Raises:
        CompileError: the spec is at fault; `texts` holds its files.
    """
    graph = compilation.graph
    if compilation.report.diagnostics:
        from compiler.errors.diagnose import print_diagnostics  # on use, for start-up time

        print_diagnostics(compilation.report.diagnostics, compilation.texts)
    return graph


def device_of(name: str) -> str:
    """Return the device of `--device`: `cpu`, `cuda` or `cuda:N`; `auto` is a GPU if there is one.

    Raises:
        UsageError: there is no such device here.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", name):
        raise UsageError(f"--device {name}: write auto, cpu, cuda or cuda:N")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    kind, _, index = name.partition(":")
    if kind == "cuda" and not count:
        raise UsageError(f"--device {name}: this torch sees no GPU; say --device auto or cpu")
    if index and int(index) >= count:
        raise UsageError(f"--device {name}: the last GPU that this torch sees is cuda:{count - 1}")
    return name
