"""How far a value is handed on from the YAML to the graph: docs/ARCHITECTURE.md follows one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType

import compiler
from compiler.pipeline import load_graph

COMPILER = Path(compiler.__file__).parent
MOST_FUNCTIONS, MOST_FILES, MOST_SWITCHES = 20, 9, 12
"""Of functions, of files, of steps from one file to another: 18, 8 and 9 when this was written."""
FILTERS = 389
"""In the place of the 384 that Table 1 has: no other number on the way is the same."""
SPEC = f"""
network: one
import: [blocks/reduction_a]
input: {{x: [384, 35, 35]}}
layers:
  - {{block: reduction_a, with: {{k: 192, l: 224, m: 256, n: {FILTERS}}}}}
"""
Stop = tuple[str, str]
"""A file, and the qualified name of a function in it."""


def _holds(value: object) -> bool:
    inside = value.values() if type(value) is dict else value if type(value) is tuple else ()
    return any(type(v) in (int, str) and str(v) == str(FILTERS) for v in (value, *inside))


@contextmanager
def _followed() -> Iterator[list[Stop]]:
    """Note the functions of the compiler that the value enters as an argument or leaves."""
    stops: list[Stop] = []

    def note(frame: FrameType, event: str, result: object) -> None:
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(str(COMPILER)):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        arguments = [frame.f_locals.get(name) for name in names]
        if any(map(_holds, [result] if event == "return" else arguments)):
            stops.append((str(Path(code.co_filename).relative_to(COMPILER)), code.co_qualname))

    sys.setprofile(note)
    try:
        yield stops
    finally:
        sys.setprofile(None)


def test_few_functions_hand_a_value_on(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(SPEC)
    with _followed() as stops:
        graph = load_graph(path)
    assert graph.nodes["reduction_a.single.conv_3x3"].shape == (FILTERS, 17, 17)
    files = [file for file, _ in stops]
    switches = sum(a != b for a, b in pairwise(files))
    told = "\n".join(f"{file}: {name}" for file, name in stops)
    assert len(set(stops)) <= MOST_FUNCTIONS, told
    assert len(set(files)) <= MOST_FILES, told
    assert switches <= MOST_SWITCHES, told
