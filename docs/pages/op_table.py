"""The table of ops in specs/README.md: `python -m docs.pages.op_table [--check]`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path

from compiler.ops import ACTIVATIONS, Layer
from compiler.spec import LAYERS, WORDS, shipped_specs
from compiler.text import FUNCTIONS

BEGIN, END = "<!-- ops: made by `make docs` -->", "<!-- end of ops -->"


def op_table() -> str:
    """Return the ops and their keys as Markdown tables."""
    docs = _field_docs({m.__module__ for m in LAYERS.values()})
    lines = ["| op | its argument | other keys (default) | what it does |", "|---|---|---|---|"]
    for op, model in LAYERS.items():
        if op not in WORDS:
            lines.append(_row(op, model, docs.get(model.__name__, {})))
    words = {op: m for op, m in LAYERS.items() if op in WORDS}
    activations = ", ".join(f"`{w}`" for w in words if w in ACTIVATIONS)
    lines += ["", f"Words alone: {activations} (activations)"]
    others = (f"; `{w}`: {_phrase(m)}" for w, m in words.items() if w not in ACTIVATIONS)
    lines[-1] += "".join(others) + "."
    lines += [
        "",
        "Functions in expressions: "
        + "; ".join(f"`{n}`: {f[2]}" for n, f in sorted(FUNCTIONS.items()))
        + ".",
    ]
    return "\n".join(lines)


def _row(op: str, model: type[Layer], docs: dict[str, str]) -> str:
    argument = docs.get(op, "`true`" if model.bare else _ARGUMENTS.get(op, ""))
    keys = []
    for name, info in model.model_fields.items():
        if name == op:
            continue
        default = "" if info.is_required() else f" ({_show(info.default)})"
        doc = f": {docs[name]}" if name in docs else ""
        keys.append(f"`{model.spelled.get(name, name)}`{default}{doc}")
    return f"| `{op}` | {argument} | {'; '.join(keys)} | {_what(model)} |"


def _what(model: type[Layer]) -> str:
    """Return what an op does: its model's docstring, without the full stop."""
    return (model.__doc__ or "").rstrip(".")


def _phrase(model: type[Layer]) -> str:
    text = _what(model)
    return text[:1].lower() + text[1:]


_ARGUMENTS = {
    "scale": "the constant",
    "concat": "names",
    "add": "names",
    "multiply": "names",
    "layers": "layers",
    "branches": "name: layers",
    "split": "name: layers",
    "residual": "`{body, shortcut, scale, activation}`",
}


def _show(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == "none" else str(value)


def _field_docs(modules: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return class -> field -> the string that stands under it in its module."""
    out: dict[str, dict[str, str]] = {}
    for item in (c for m in modules for c in ast.parse(inspect.getsource(sys.modules[m])).body):
        if not isinstance(item, ast.ClassDef):
            continue
        fields = out.setdefault(item.name, {})
        for before, after in zip(item.body, item.body[1:], strict=False):
            match before, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(doc))),
                ):
                    fields[name] = " ".join(doc.split()).replace("|", "\\|")
    return out


def with_table(text: str) -> str:
    """Return a README with its table of ops made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{op_table()}\n\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Rewrite the README, or with --check say whether it is stale."""
    path: Path = shipped_specs() / "README.md"
    text = path.read_text(encoding="utf-8")
    fresh = with_table(text)
    if "--check" in arguments:
        return int(fresh != text)
    path.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
