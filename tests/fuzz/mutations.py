"""Small changes to the text of a spec, each knowing where it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.fuzz.dice import Dice

VALUES = (
    *("null", "true", "no", "0", "1", "-1", "3", "1000000000", "0.5", "1e300", ".inf", ".nan"),
    *('""', "x", "3x3", "0x0", "1x7", "in", "prev", "index", "in.channels", "prev.height", "k / 0"),
    *('"("', "a.b.c", "É", "relu", "none", "same", "V", "conv", "~", "k" * 500, "not 1", '"2*"'),
    *("min(1)", "stem", "image", "concat", '"\'"', '"{"', '"%s {0}"', '"\\u2028"', '"\\u202e"'),
    *("[]", "{}", "[1]", "[1, 2]", "[1, 2, 3]", "[[1, 2], [3, 4]]", "[a, a]", "[null]", "[[]]"),
    *("{a: 1}", "{conv: 3x3, filters: 8}", "{relu: true}", "[relu]", "{type: int}", "2 * a"),
    *("{name: x, from: y}", "{keep: k}", "{body: []}", "{block: stem}", "!!python/object:os.x 1"),
    *("*a", "&a 1", "<<", "1_000", "0x1F", "010", "2016-02-23", "1:30", "½", "²", "5" * 400),
    *("9" * 30, "-0.0", "3X3", "3×3", "3,3", "(3, 3)", "SAME", "|", "''", "- 1", "a: b", "#"),
)
"""What a value becomes."""
KEYS = (
    *("conv", "filters", "stride", "padding", "dilation", "groups", "bias", "norm", "activation"),
    *("linear", "name", "from", "repeat", "when", "share", "size", "label", "cite", "errata"),
    *("with", "block", "branches", "join", "split", "residual", "body", "shortcut", "scale"),
    *("layers", "inputs", "params", "type", "default", "input", "outputs", "defaults", "drawing"),
    *("import", "extends", "changes", "network", "title", "blocks", "claims", "input_size", "ceil"),
    *(
        '""',
        "1",
        "x",
        "a b",
        "__class__",
        "é",
        "kernel_size",
        "out_channels",
        "null",
        "true",
        "3x3",
    ),
)
"""What a key becomes."""
CHARACTERS = "abx0139 :,-[]{}#'\"&*!|>%@`\t\n.\\/=+é×²\x07\x1b\u202e\u200b\ufeff"


@dataclass(frozen=True)
class Mutant:
    """The text of a spec file with one change in it, at lines `first` to `last`."""

    text: str
    kind: str
    first: int
    last: int
    before: str
    """The text without the change."""
    around: frozenset[int]
    """The lines where the two smallest entries begin that hold the change, and what holds them."""
    end: int
    """The last line of the larger one."""

    def is_near(self, line: int) -> bool:
        """Tell whether a line is inside the change, beside it, or begins an entry around it."""
        return self.first - 1 <= line <= self.last + 1 or line in self.around

    def __str__(self) -> str:
        return f"# {self.kind} at lines {self.first} to {self.last}\n{self.text}"

    __repr__ = __str__


@dataclass(frozen=True)
class Place:
    """A node of the YAML tree: where it stands, and what holds it."""

    node: yaml.Node
    parent: yaml.Node | None
    role: str
    """`key`, `value`, or `item`."""
    end: int
    """Where what belongs to it ends: a key's value, else its own end."""


def places(text: str) -> list[Place]:
    """Return every node of a YAML text."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    out: list[Place] = []
    stack: list[yaml.Node] = [root] if root is not None else []
    while stack:
        node = stack.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                out.append(Place(key, node, "key", value.end_mark.index))
                out.append(Place(value, node, "value", value.end_mark.index))
                stack.append(value)
        elif isinstance(node, yaml.SequenceNode):
            out += [Place(item, node, "item", item.end_mark.index) for item in node.value]
            stack += node.value
    return sorted(out, key=lambda p: p.node.start_mark.index)


Edit = tuple[int, int, str]
"""Characters from, to (exclusive), and what stands there instead."""


def other_value(dice: Dice, text: str) -> Edit | None:
    """Put another value for one."""
    found = [p for p in places(text) if p.role != "key"]
    return replaced(dice.pick(found), text, dice.pick(VALUES)) if found else None


def other_key(dice: Dice, text: str) -> Edit | None:
    """Put another key for one."""
    found = [p for p in places(text) if p.role == "key"]
    return replaced(dice.pick(found), text, dice.pick(KEYS)) if found else None


def misspelt(dice: Dice, text: str) -> Edit | None:
    """Take out, double or exchange a letter of a word."""
    found = [p for p in places(text) if isinstance(p.node, yaml.ScalarNode) and p.node.value]
    if not found:
        return None
    place = dice.pick(found)
    start, end = place.node.start_mark.index, place.node.end_mark.index
    word = text[start:end]
    at = dice.upto(len(word) - 1)
    form = dice.upto(3)
    made = [
        word[:at] + word[at + 1 :],
        word[: at + 1] + word[at:],
        word[:at] + "q" + word[at + 1 :],
    ]
    swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    return start, end, [*made, swapped][form]


def without(dice: Dice, text: str) -> Edit | None:
    """Take out a key with its value, or an item."""
    found = [p for p in places(text) if p.role != "value"]
    if not found:
        return None
    start, end = extent(dice.pick(found), text)
    return start, end, ""


def doubled(dice: Dice, text: str) -> Edit | None:
    """Write a key with its value, or an item, twice."""
    found = [p for p in places(text) if p.role != "value"]
    if not found:
        return None
    start, end = extent(dice.pick(found), text)
    return end, end, text[start:end]


def exchanged(dice: Dice, text: str) -> Edit | None:
    """Exchange two items or keys that follow each other."""
    found = places(text)
    pairs = [
        (a, b)
        for a in found
        for b in found
        if a.parent is b.parent and a.role == b.role != "value" and a.end < b.node.start_mark.index
    ]
    pairs = [(a, b) for a, b in pairs if text[a.end : b.node.start_mark.index].count("\n") < 3]
    if not pairs:
        return None
    first, second = dice.pick(pairs)
    one, two = first.node.start_mark.index, second.node.start_mark.index
    between = text[_stop(first, text) : two]
    parts = text[two : _stop(second, text)], between, text[one : _stop(first, text)]
    return one, _stop(second, text), "".join(parts)


def added_key(dice: Dice, text: str) -> Edit | None:
    """Add a key to a mapping."""
    found = [p for p in places(text) if p.role == "key"]
    if not found:
        return None
    place = dice.pick(found)
    start, end = extent(place, text)
    entry = f"{dice.pick(KEYS)}: {dice.pick(VALUES)}"
    if text[start:end].endswith("\n"):
        indent = place.node.start_mark.column
        return end, end, f"{' ' * indent}{entry}\n"
    return start, start, f"{entry}, "


def other_number(dice: Dice, text: str) -> Edit | None:
    """Put another number for one."""
    found = [p for p in places(text) if isinstance(p.node, yaml.ScalarNode)]
    numbers = [p for p in found if p.role != "key" and p.node.value.isdigit()]
    if not numbers:
        return None
    place = dice.pick(numbers)
    value = int(place.node.value)
    new = dice.pick([value + 1, value - 1, value * 2, 0, -value, value * 1000, 7])
    return replaced(place, text, str(new))


def character(dice: Dice, text: str) -> Edit | None:
    """Insert a character, or take one out, or put another."""
    at = dice.upto(len(text) - 1)
    width = dice.upto(1)
    return at, at + width, dice.pick(["", *CHARACTERS]) if width else dice.pick(CHARACTERS)


def lines_exchanged(dice: Dice, text: str) -> Edit | None:
    """Exchange a line with the next one."""
    lines = text.splitlines(keepends=True)
    if len(lines) < 2:
        return None
    at = dice.upto(len(lines) - 2)
    start = len("".join(lines[:at]))
    one, two = lines[at : at + 2]
    return start, start + len(one) + len(two), two + one


def line_without(dice: Dice, text: str) -> Edit | None:
    """Take out a line."""
    lines = text.splitlines(keepends=True)
    at = dice.upto(len(lines) - 1)
    start = len("".join(lines[:at]))
    return start, start + len(lines[at]), ""


def indented(dice: Dice, text: str) -> Edit | None:
    """Move a line to the right or left."""
    lines = text.splitlines(keepends=True)
    at = dice.upto(len(lines) - 1)
    start = len("".join(lines[:at]))
    spaces = len(lines[at]) - len(lines[at].lstrip(" "))
    new = dice.pick(["  ", " ", "\t", "    "])
    return start, start + dice.pick([0, min(spaces, 2)]), dice.pick([new, ""])


def remarked(dice: Dice, text: str) -> Edit | None:
    """Add a comment line, or an empty one: nothing changes."""
    lines = text.splitlines(keepends=True)
    start = len("".join(lines[: dice.upto(len(lines))]))
    return start, start, dice.pick(["\n", "# words: {of} [it\n", "      # far right\n"])


MUTATIONS: dict[str, Callable[[Dice, str], Edit | None]] = {
    f.__name__: f
    for f in (
        other_value, other_key, misspelt, without, doubled, exchanged, added_key, other_number,
        character, lines_exchanged, line_without, indented, remarked,
    )
}  # fmt: skip


def mutant(dice: Dice, text: str, kinds: Sequence[str] = tuple(MUTATIONS)) -> Mutant | None:
    """Return a text with one change, None where there is nothing to change."""
    kind = dice.pick(kinds)
    edit = MUTATIONS[kind](dice, text)
    if edit is None:
        return None
    start, end, new = edit
    made = text[:start] + new + text[end:]
    first = text.count("\n", 0, start) + 1
    held = around(text, start, end)
    nodes = [node for p in held for node in (p.node, p.parent) if node is not None]
    begin = frozenset(node.start_mark.line + 1 for node in nodes) or frozenset([1])
    lines = new.count("\n")
    more = lines - text.count("\n", start, end)
    end = max([first + lines, *(text.count("\n", 0, p.end) + 1 + more for p in held)])
    return Mutant(made, kind, first, first + lines, text, begin, end)


def around(text: str, start: int, end: int) -> list[Place]:
    """Return the two smallest entries that hold these characters."""
    held = [p for p in places(text) if p.role != "value"]
    held = [p for p in held if p.node.start_mark.index <= start and end <= p.end]
    held.sort(key=lambda p: p.end - p.node.start_mark.index)
    return held[:2]


def replaced(place: Place, text: str, new: str) -> Edit:
    """Return the edit that puts a text for a node, of block style up to its last character."""
    start, end = place.node.start_mark.index, place.node.end_mark.index
    kept = text[start:end].rstrip()
    return start, start + len(kept), new


def _stop(place: Place, text: str) -> int:
    """Return where a node with its value ends, without the space after it."""
    start = place.node.start_mark.index
    return start + len(text[start : place.end].rstrip())


def extent(place: Place, text: str) -> tuple[int, int]:
    """Return what belongs to a key or item: whole lines of a block, with its comma in a flow."""
    start, stop = place.node.start_mark.index, _stop(place, text)
    assert place.parent is not None
    if getattr(place.parent, "flow_style", False):
        rest = text[stop:]
        comma = len(rest) - len(rest.lstrip(" \n,")) if rest.lstrip(" \n").startswith(",") else 0
        return start, stop + comma
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start]
    newline = text.find("\n", stop)
    end = len(text) if newline < 0 else newline + 1
    return (line if not before.strip(" -") and "-" not in before.rstrip()[:-1] else start), end


def data_of(text: str) -> Any:
    """Return a YAML text as data."""
    return yaml.safe_load(text)
