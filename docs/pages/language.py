"""docs/LANGUAGE.md: `python -m docs.pages.language [--check]`."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from docs.pages.features import Walk, known_features, walk_shipped
from docs.pages.op_targets import Row, rows
from docs.pages.section import rewrite

PAGE = Path(__file__).parents[2] / "docs" / "LANGUAGE.md"
COLUMNS = (
    "layer", "PyTorch module and source", "ONNX", "ONNX, open sizes", "`.pt2`", "native kernels",
    "box", "shipped in",
)  # fmt: skip
HEAD = f"""# What the language has, and who takes it

Made by `make docs`: what the targets do with an operation is asked of them, case by case, and what
a spec uses is found in the shipped files. [specs/README.md](../specs/README.md) says what each
means.

## Operations and targets

`F`, `nn` and `torch` are PyTorch's; any other class stands in the emitted file. Where a layer is on
a line of a forward pass, `x` is what it reads; inside a `chain` it is a module too.
`torch.compile`, `.pt2` programs and the optimised modules run that same source. The native kernels
are those for CPUs; what they lack they name, and another engine runs it (a batch norm behind a
convolution is folded into that). `summary`, `why`, figures and the page take every operation: they
ask itself.

| {" | ".join(COLUMNS)} |
|{"---|" * len(COLUMNS)}
"""
FEATURES = """
## Features and where they are used

Shipped specs that use each; a dash where none needs it (tests hold those).

"""
MOST = 2
"""Examples of a feature."""


def language_page() -> str:
    """Return the page."""
    walks = walk_shipped()
    lines = [_op_row(word, row, walks) for word, row in rows().items()]
    return HEAD + "\n".join(lines) + "\n" + FEATURES + "\n".join(_features(walks)) + "\n"


def _op_row(word: str, row: Row, walks: dict[str, Walk]) -> str:
    examples = {name: walk.ops[word] for name, walk in walks.items() if word in walk.ops}
    torch = ", ".join(f"`{_plain(text)}`" for text in row.torch)
    onnx = ", ".join(f"`{name}`" for name in row.onnx)
    exports = "yes" if row.exports else "no"
    cells = [f"`{word}`", torch, onnx, row.open_sizes, exports, row.kernels, row.op.drawn_as]
    return "| " + " | ".join([*cells, _examples(examples)]) + " |"


def _plain(text: str) -> str:
    return text.replace("x0", "x").replace("x1", "y").replace("x2", "z")


def _features(walks: dict[str, Walk]) -> list[str]:
    lines: list[str] = []
    for group, features in groupby(known_features().items(), key=lambda item: item[0][0]):
        lines += [f"### {group[0].upper()}{group[1:]}", "", "| | | example |", "|---|---|---|"]
        for feature, words in features:
            found = {name: w.found[feature] for name, w in walks.items() if feature in w.found}
            text = words.replace("|", "\\|")
            lines.append(f"| `{feature[1].replace('`', '')}` | {text} | {_examples(found)} |")
        lines.append("")
    return lines[:-1]


def _examples(found: dict[str, int]) -> str:
    """Return links to the first uses, those outside the paper's networks first."""
    if not found:
        return "–"
    order = sorted(found, key=lambda name: (name.startswith(("printed/", "released/")), name))
    links = [f"[{Path(n).stem}](../specs/{n}#L{found[n]})" for n in order[:MOST]]
    more = len(found) - len(links)
    return ", ".join(links) + (f" and {more} more" if more > 0 else "")


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check say whether it is stale."""
    return rewrite(PAGE, language_page(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
