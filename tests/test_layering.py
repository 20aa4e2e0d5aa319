"""Imports point one way: down the rooms of `compiler`, which `backends` and `viz` alone know."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for part in ("compiler", "backends", "viz")
    for path in sorted((ROOT / part).rglob("*.py"))
}
ROOMS = (
    "collector",
    "errors",
    "files",
    "loopback",
    "text",
    "graph",
    "ops",
    "spec",
    "lower",
    "passes",
    "facts",
    "paper",
    "weights",
    "recipe",
    "pipeline",
    "published",
    "edit",
    "compare",
    "server",
    "cli",
    "api",
    "__main__",
)
"""What lies in `compiler/`: each may import what stands before it."""
EDGE = ("compiler.cli", "compiler.api", "compiler.__main__")
"""Where the parts are wired together; imported by nothing below."""
DRAWING = {
    "viz.diagram": (),
    "viz.style": ("viz.diagram",),
    "viz.layout": ("viz.diagram", "viz.style"),
    "viz.formats": ("viz.diagram", "viz.style", "viz.layout"),
    "viz.html": ("viz.diagram", "viz.style", "viz.layout", "viz.formats"),
    "viz.serve": ("viz.html",),
    "viz.render": ("viz.diagram", "viz.style", "viz.layout"),
    "viz.notebook": ("viz.render",),
    "viz.gallery": ("viz.diagram", "viz.render"),
    "viz.comparison": ("viz.diagram", "viz.render"),
}
"""Each part of `viz` -> the parts that it may import; `viz.render` loads a format by its name."""
NATIVE = "backends.native"
PARTS = {
    NATIVE: (
        "backends.run.pointwise",
        "backends.run.targets",  # what a target is given and returns
        "backends.state",
        "backends.torch.module",
        "backends.winograd",
    ),
    "backends.onnx": ("backends.open_grid",),
    "backends.torch": ("backends.open_grid", "backends.state"),
    "backends.run": ("backends.onnx", "backends.state", "backends.torch", "backends.winograd"),
    "backends.train": ("backends.run.optimized", "backends.state", "backends.torch"),
    "backends.bench": ("backends.run", "backends.state", "backends.torch", "backends.winograd"),
}
"""Packages of `backends` -> what else of `backends` they may import. None imports `native`: what it
has is registered, see `backends.run.engines`."""
HEAVY = {"torch", "onnx", "onnxruntime", "graphviz", "numpy", "PIL", "safetensors", "fontTools"}


def imports(tree: ast.AST, *, at_start: bool = False) -> Iterator[str]:
    """Yield the modules that a file imports; `at_start` leaves out those that wait for a call."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (at_start and (is_typing_only(node) or isinstance(node, ast.FunctionDef))):
            yield from imports(node, at_start=at_start)


def is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def tree_of(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def is_in(module: str, *parts: str) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in parts)


CORE = [m for m in FILES if is_in(m, "compiler") and m != "compiler" and not is_in(m, *EDGE)]


def room_of(module: str) -> str:
    return module.split(".")[1]


def test_every_part_of_the_compiler_has_its_place() -> None:
    assert {room_of(m) for m in FILES if is_in(m, "compiler") and m != "compiler"} == set(ROOMS)


@pytest.mark.parametrize("module", [m for m in FILES if is_in(m, "compiler") and m != "compiler"])
def test_a_room_imports_from_the_rooms_before_it(module: str) -> None:
    known = ROOMS[: ROOMS.index(room_of(module)) + 1]
    found = {m for m in imports(tree_of(module)) if is_in(m, "compiler") and m != "compiler"}
    assert [m for m in found if room_of(m) in ROOMS and room_of(m) not in known] == []


@pytest.mark.parametrize("module", CORE)
def test_the_compiler_knows_no_target(module: str) -> None:
    found = set(imports(tree_of(module)))
    assert [m for m in found if is_in(m, "backends", "viz", *EDGE, *HEAVY)] == []


@pytest.mark.parametrize("module", [m for m in FILES if is_in(m, "backends", "viz")])
def test_targets_know_the_compiler_alone(module: str) -> None:
    other = "viz" if is_in(module, "backends") else "backends"
    found = set(imports(tree_of(module)))
    assert [m for m in found if is_in(m, other, *EDGE)] == []


@pytest.mark.parametrize("module", [m for m in FILES if is_in(m, "viz") and m != "viz"])
def test_drawing_goes_from_graph_to_file(module: str) -> None:
    part = next(part for part in DRAWING if is_in(module, part))
    found = {m for m in imports(tree_of(module)) if is_in(m, "viz")}
    assert [m for m in found if not is_in(m, part, *DRAWING[part])] == []


@pytest.mark.parametrize("module", [m for m in FILES if is_in(m, *PARTS)])
def test_back_ends_do_not_know_what_joins_them(module: str) -> None:
    part = next(part for part in PARTS if is_in(module, part))
    found = {m for m in imports(tree_of(module)) if is_in(m, "backends") and m != "backends"}
    assert [m for m in found if not is_in(m, part, *PARTS[part])] == []


def test_our_own_kernels_can_be_taken_out() -> None:
    """What they have is registered; `make test` runs the rest without them."""
    places = [ROOT / part for part in ("backends", "compiler", "viz", "tests", "docs")]
    paths = {path for place in places for path in place.rglob("*.py")}
    paths -= {
        path for part in ("backends", "tests") for path in (ROOT / part / "native").rglob("*")
    }
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    users = [p for p, tree in trees.items() if any(is_in(m, NATIVE) for m in imports(tree))]
    assert users == []


def test_nothing_imports_itself_by_detours() -> None:
    graph = {m: {n for n in imports(tree_of(m), at_start=True) if n in FILES} for m in FILES}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the cycle


@pytest.mark.parametrize(
    "code",
    [
        "import compiler.api",
        "from compiler.__main__ import main; main(['check', 'inception_v4'])",
        "from compiler.__main__ import main; main(['summary', 'inception_v4', '--depth', '2'])",
        "from compiler.__main__ import main; main(['build', 'inception_v4', '--emit', 'graph'])",
    ],
)
def test_what_needs_no_tensors_loads_no_torch(code: str) -> None:
    check = f"import sys; loaded = set(sys.modules) & {HEAVY!r}; assert not loaded, loaded"
    subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )


def test_no_file_is_a_drawer_of_odds_and_ends() -> None:
    names = {path.stem for path in FILES.values()}
    assert names & {"utils", "util", "helpers", "common", "misc"} == set()
