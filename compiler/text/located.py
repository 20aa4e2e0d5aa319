"""The base of every model of a spec: it has the YAML that it was read from."""

# No `annotations` from `__future__`: pydantic would evaluate their text, class by class, which is
# slow. The same holds wherever models are.
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from compiler.errors import Span
from compiler.text.nodes import Node, Scalar, Sequence, key_span_at, node_at, span_at


class Located(BaseModel):
    """A model with the YAML it was read from."""

    model_config = ConfigDict(
        strict=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )
    _node: ClassVar[Node | None] = None
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no keys of the language."""
    spelled: ClassVar[dict[str, str]] = {}
    """Field -> its key in YAML, where they differ."""

    def locate(self, node: Node | None) -> None:
        """Remember the YAML that the model was read from (past pydantic: it is read often)."""
        object.__setattr__(self, "_node", node)

    def span(self, *steps: int | str) -> Span:
        """Return the place of a value, or of the whole where the value was not written."""
        assert self._node is not None
        return span_at(self._node, steps)

    def inside(self, steps: tuple[int | str, ...], start: int, end: int) -> Span:
        """Return the place of characters `start` to `end` of a value."""
        assert self._node is not None
        node = node_at(self._node, steps)
        return node.inside(start, end) if isinstance(node, Scalar) else node.span

    def key_span(self, *steps: int | str) -> Span:
        """Return the place of a key, or of what should hold it."""
        assert self._node is not None
        return key_span_at(self._node, steps)

    def word_span(self, key: str, word: str) -> Span:
        """Return the place of a word in the list under a key."""
        at = node_at(self._node, (key,)) if self._node else None
        items = at.items if isinstance(at, Sequence) else ()
        places = (i.span for i in items if isinstance(i, Scalar) and i.text == word)
        return next(places, self.span(key))

    def says(self, field: str) -> bool:
        """True when the spec itself gives the field, rather than its default."""
        return field in self.model_fields_set
