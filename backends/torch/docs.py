"""Text from a spec inside emitted source: cleaned, so that it stays the docstring that it is."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Container

from backends.torch.ops import HELPERS, IMPORTS
from compiler.graph import Info

_PLAIN = str.maketrans(
    {
        "\\": "/",
        '"': "'",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": "'",
        "\u201d": "'",
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u00d7": "x",
    }
)

GLOBAL = frozenset(
    (*IMPORTS, *HELPERS, "Activation", "F", "Size", "Tensor", "nn", "torch", *keyword.kwlist)
)
"""Names that an emitted file imports or defines itself: no class of a block is called so."""
USED = frozenset(
    [
        *(*GLOBAL, "self", "taps"),
        *("bool", "dict", "float", "int", "isinstance", "len", "list", "max", "min", "range"),
        *("str", "sum", "super", "tuple", "zip"),
    ]
)
"""Names that the text of an emitted class reads: no variable in it is called so."""
AMBIGUOUS = frozenset("lIO")
"""Letters that read as digits: fine as the paper's parameters, not as variables."""


def clean(text: str) -> str:
    """Return text that cannot end a docstring or a comment.

    It is one line; quotes and backslashes become other characters.
    """
    one_line = " ".join(text.translate(_PLAIN).split())
    return "".join(c for c in one_line if c.isprintable())


def class_name(name: str) -> str:
    """Return the CamelCase of a definition's name.

    >>> class_name("inception_resnet_a"), class_name("stem_v4"), class_name("_x")
    ('InceptionResnetA', 'StemV4', 'X')
    """
    camel = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    return camel if camel[:1].isalpha() else f"Block{camel}"


def variable(name: str) -> str:
    """Return a name as a Python variable that hides nothing; two names without dots stay two.

    >>> variable("stem"), variable("float"), variable("float_"), variable("a.0")
    ('stem', 'float_', 'float__', 'a_0')
    """
    out = re.sub(r"\W", "_", name)
    out = f"x{out}" if out[:1].isdigit() else out
    return f"{out}_" if out.rstrip("_") in USED else out


def unused(name: str, used: Container[str]) -> str:
    """Return a variable with as many `_` behind it as it needs to be none of those taken."""
    while name in used:
        name += "_"
    return name


def docstring(title: str, info: Info, doc: str, figure: list[str], depth: int) -> list[str]:
    """Return the lines of a docstring: title and citation, words, the figure.

    Args:
        title: what it is called.
        info: carries the citation.
        doc: a sentence or several.
        figure: lines of a drawing.
        depth: indentation of the lines, in levels.
    """
    margin = "    " * depth
    cite = clean(str(info.cite)) if info.cite else ""
    head = f"{clean(title)} ({cite})" if cite else clean(title)
    sentence = clean(doc)
    paragraphs = [head if head.endswith((".", "?", "!")) else f"{head}."]
    if sentence and len(margin) + len(head) + len(sentence) < 90:
        first = sentence[0].lower() if sentence[1:2].islower() else sentence[0]
        paragraphs = [f"{head}: {first}{sentence[1:]}"]
        paragraphs[0] += "" if paragraphs[0].endswith(".") else "."
    elif sentence:
        paragraphs.append(sentence)
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += ["", *textwrap.wrap(paragraph, 97 - len(margin))] if lines else [paragraph[:92]]
    if figure:
        lines += ["", *figure]
    if len(lines) == 1:
        return [f'{margin}"""{lines[0]}"""']
    body = [f"{margin}{line}".rstrip() for line in lines[1:]]
    return [f'{margin}"""{lines[0]}', *body, f'{margin}"""']
