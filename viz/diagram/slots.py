"""Labels -> words and slots: which characters of a picture are numbers that a viewer may change.

A picture is arranged a second time with a mark, one private character, for each such number; where
the marks are in a label is where its slots are. The words of an operation say so themselves.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from compiler.graph import Graph, Node, Shown, Words, value_text

FIRST_MARK = 0xF0000
"""The first character of a plane that is for private use."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A number, or a size, in a label."""

    kind: str
    """What it is: `attribute`, `size`, `copies`, `argument`."""
    subject: tuple[str, ...]
    """Of what: a node and its attribute, a node, the first copy, a block and its parameter."""
    text: str
    """How it reads at the first values."""
    is_rest: bool = False
    """It is what the attribute leaves of 1."""


Part = str | Slot


class Slots:
    """Hands out the marks of one picture, and finds them in its labels."""

    def __init__(self, graph: Graph, live: Container[tuple[str, str]]) -> None:
        """Take what may change.

        Args:
            graph: the network.
            live: the (node, attribute) whose number may change.
        """
        self.graph = graph
        self.live = live
        self.found: dict[str, Slot] = {}
        self._free = count(FIRST_MARK)

    def attributes(self, node: Node) -> Mapping[str, str]:
        """Return word that is shown -> mark, where the number is read off a node's words as it is.

        A word is an attribute, or what one of them leaves of 1: the `keep` of a `drop`.
        """
        out: dict[str, str] = {}
        for word, attribute, is_rest in self._words(node):
            mark = chr(next(self._free))
            text = _text_at(node, word, mark)
            value = getattr(node.op, attribute, None)
            if is_rest and isinstance(value, float):
                value = round(1 - value, 12)
            if value is not None and (isinstance(value, tuple) or text != value_text(value)):
                continue
            if text is not None:
                self.found[mark] = Slot("attribute", (node.name, attribute), text, is_rest)
                out[word] = mark
        return out

    def _words(self, node: Node) -> Iterator[tuple[str, str, bool]]:
        """Yield (word, attribute that it shows, whether it is what that leaves of 1)."""
        own = node.op.attributes()
        live = [a for a in dict.fromkeys((*own, *node.traced)) if (node.name, a) in self.live]
        yield from ((attribute, attribute, False) for attribute in live)
        parts = [a for a in live if isinstance(own.get(a), float)]
        yield from (
            (w, a, True) for w in _asked(node) if w not in own for a in parts if w not in live
        )

    def size(self, node: str) -> str:
        """Return a mark for the size of a tensor."""
        return self._mark(Slot("size", (node,), self.graph.nodes[node].shape.paper))

    def copies(self, first: str, number: int) -> str:
        """Return a mark for the number of copies that a repeat has from one on."""
        return self._mark(Slot("copies", (first,), str(number)))

    def argument(self, region: str, parameter: str, text: str) -> str:
        """Return a mark for the value of a block's parameter."""
        return self._mark(Slot("argument", (region, parameter), text))

    def _mark(self, slot: Slot) -> str:
        mark = chr(next(self._free))
        self.found[mark] = slot
        return mark

    def parts(self, plain: str, marked: str) -> tuple[Part, ...]:
        """Return a label as words and slots; as words alone where the two pictures disagree."""
        parts: list[Part] = [""]
        for char in marked:
            slot = self.found.get(char)
            if slot is not None:
                parts += [slot, ""]
            else:
                parts[-1] = f"{parts[-1]}{char}"
        read = "".join(p if isinstance(p, str) else p.text for p in parts)
        return tuple(p for p in parts if p != "") if read == plain else (plain,)


def _text_at(node: Node, attribute: str, mark: str) -> str | None:
    """Return the text of an attribute in a node's words, None where it has other words too."""
    plain, marked = (_line(node.op.words(Shown(w))) for w in ({}, {attribute: mark}))
    before, found, after = marked.partition(mark)
    end = len(plain) - len(after)
    if not found or before != plain[: len(before)] or after != plain[end:] or end <= len(before):
        return None
    return plain[len(before) : end]


class _Asked(Mapping[str, str]):
    """What is written of a node: nothing; and what was asked for."""

    def __init__(self) -> None:
        self.words: dict[str, None] = {}

    def __getitem__(self, word: str) -> str:
        self.words[word] = None
        raise KeyError(word)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _asked(node: Node) -> list[str]:
    """Return the words that an operation may show as the spec writes them."""
    asked = _Asked()
    node.op.words(Shown(asked))
    return list(asked.words)


def _line(words: Words) -> str:
    head, details = words
    return f"{head} ({' '.join(details)})"
