"""The table of ops in specs/README.md: `python -m docs.pages.op_table [--check]`."""

from __future__ import annotations

import sys

from compiler.ops import ACTIVATIONS, Layer
from compiler.spec import LAYERS, WORDS, shipped_specs
from compiler.spec.model_schema import docs_of
from compiler.text import FUNCTIONS
from docs.pages.section import Section, rewrite

BEGIN, END = "<!-- ops: made by `make docs` -->", "<!-- end of ops -->"


def op_table() -> str:
    """Return the ops and their keys as Markdown tables."""
    lines = ["| op | its argument | other keys (default) | what it does |", "|---|---|---|---|"]
    for op, model in LAYERS.items():
        if op not in WORDS:
            lines.append(_row(op, model, docs_of(model)))
    words = {op: m for op, m in LAYERS.items() if op in WORDS}
    activations = ", ".join(f"`{w}`" for w in words if w in ACTIVATIONS)
    lines += ["", f"Words alone: {activations} (activations)"]
    others = (f"; `{w}`: {_phrase(m)}" for w, m in words.items() if w not in ACTIVATIONS)
    lines[-1] += "".join(others) + "."
    lines += [
        "",
        "Functions in expressions: "
        + "; ".join(f"`{n}`: {f.doc}" for n, f in sorted(FUNCTIONS.items()))
        + ".",
    ]
    return "\n".join(lines)


def _row(op: str, model: type[Layer], docs: dict[str, str]) -> str:
    argument = docs.get(op, "`true`" if model.bare else "")
    keys = []
    for name, info in model.model_fields.items():
        if name == op:
            continue
        default = "" if info.is_required() else f" ({_show(info.default)})"
        doc = f": {docs[name]}".replace("|", "\\|") if name in docs else ""
        keys.append(f"`{model.spelled.get(name, name)}`{default}{doc}")
    return f"| `{op}` | {argument} | {'; '.join(keys)} | {_what(model)} |"


def _what(model: type[Layer]) -> str:
    """Return what an op does: its model's docstring, without the full stop."""
    return (model.__doc__ or "").rstrip(".")


def _phrase(model: type[Layer]) -> str:
    text = _what(model)
    return text[:1].lower() + text[1:]


def _show(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == "none" else str(value)


def main(arguments: list[str]) -> int:
    """Rewrite the README, or with --check say whether it is stale."""
    table = Section(shipped_specs() / "README.md", BEGIN, END)
    return rewrite(table.page, table.replaced(op_table()), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
