"""A key that stands in the wrong place, or for another: one finding, at it, that says where to."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.pipeline import load_graph

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"
SPEC_KEYS = (
    "a spec takes `netdraft`, `network`, `title`, `doc`, `cite`, `errata`, `import`, `blocks`, "
    "`params`, `let`, "
    "`input`, `defaults`, `layers`, `outputs`, `assert`, `drawing`, `claims`, `moved`, `extends`, "
    "`changes`"
)
LIBRARY = "`blocks/stem_v4` is a library, not a network that could be extended"
FAULTS = {
    "a word for extends, and no such file": (
        HEAD + "base: foo\nlayers: [{conv: 3x3, filters: 4}]\n",
        (3, 1),
        "a spec has no key `base` (did you mean `extends`?)",
        SPEC_KEYS,
    ),
    "a word for import, and no such files": (
        HEAD + "include: [foo, bar]\nlayers: [{block: stem}]\n",
        (3, 1),
        "a spec has no key `include` (did you mean `import`?)",
        SPEC_KEYS,
    ),
    "inside cite": (
        HEAD + "layers: [{conv: 3x3, filters: 4, cite: {fig: 3}}]\n",
        (3, 41),
        "`cite` has no key `fig` (did you mean `figure`?)",
        "`cite` takes `figure`, `table`, `section`, `code`",
    ),
    "inside the cite of a parameter": (
        HEAD + "params: {n: {type: int, default: 4, cite: {page: 3}}}\n"
        "layers: [{conv: 3x3, filters: n}]\n",
        (3, 44),
        "`cite` has no key `page`",
        "`cite` takes `figure`, `table`, `section`, `code`",
    ),
    "inside drawing": (
        HEAD + "drawing: {size: trunk}\nlayers: [relu]\n",
        (3, 11),
        "`drawing` has no key `size` (did you mean `sizes`?)",
        "`drawing` takes `input`, `sizes`",
    ),
    "inside dropout, one of every layer": (
        HEAD + "layers: [{dropout: {keep: 0.5, name: e}}]\n",
        (3, 32),
        "the value of `dropout` has no key `name`",
        "`name` stands beside it: `{dropout: {keep: 0.8}, name: ...}`",
    ),
    "inside dropout, one of none": (
        HEAD + "layers: [{dropout: {rate: 0.5}}]\n",
        (3, 21),
        "the value of `dropout` has no key `rate`",
        "it is `{keep: 0.8}` or `{drop: 0.2}`",
    ),
    "inside a residual, one of every layer": (
        HEAD + "layers: [{residual: {body: [relu], name: e}}]\n",
        (3, 36),
        "`residual` has no key `name`",
        "`name` stands beside `residual: {...}`, not in it; `residual` takes `body`, `shortcut`, "
        "`scale`, `activation`",
    ),
    "a library that a network extends": (
        "network: t\nextends: blocks/stem_v4\n",
        (2, 10),
        LIBRARY,
        "import it: `import: [blocks/stem_v4]`",
    ),
    "a library that is extended by changes": (
        "extends: blocks/stem_v4\nchanges: [{remove: stem}]\n",
        (1, 10),
        LIBRARY,
        "import it: `import: [blocks/stem_v4]`",
    ),
}


@pytest.mark.parametrize(("text", "place", "message", "help"), FAULTS.values(), ids=FAULTS)
def test_a_misplaced_key_is_one_finding(
    text: str, place: tuple[int, int], message: str, help: str, tmp_path: Path
) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(text)
    with pytest.raises(CompileError) as caught:
        load_graph(spec)
    found = [(d.span.line, d.span.column, d.message, d.help) for d in caught.value.diagnostics]
    assert found == [(*place, message, help)]
