"""The spaces of a spec, and the op of each layer, set in order: comments, quotes, lines stay."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import yaml

from compiler.edit.op_first import put_ops_first
from compiler.edit.span_edits import BREAKS, line_starts
from compiler.text import parse_yaml, plain

OPENING = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
CLOSING = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
Gap = tuple[int, int, str]
"""From where to where in the text, and what is to stand there."""


def format_text(text: str, file: str) -> str:
    """Return a spec with its spaces in order; the same text where they are.

    Inside brackets there is one space after a comma and a colon, none before a comma, and none
    inside the brackets; no line ends in spaces, and the file ends with its last line. Spaces that
    align values and comments stay. The op of a layer goes before its other keys.

    Raises:
        CompileError: the text is no YAML that a spec can be.
    """
    before = plain(parse_yaml(text, file))
    text = put_ops_first(text, file)
    starts = line_starts(text)
    scanned = yaml.scan(text, Loader=yaml.CBaseLoader)
    tokens = [t for t in scanned if _begin(t, starts) < _end(t, starts)]  # others mark places
    gaps = [*_between(text, tokens, starts), *_line_ends(text, tokens, starts)]
    out, at = [], 0
    for begin, end, new in sorted(set(gaps)):
        if begin >= at:
            out += [text[at:begin], new]
            at = end
    result = "".join([*out, text[at:]])
    found = BREAKS.search(text)
    for ended in (result.rstrip() + (found[0] if found else "\n"), result):
        if plain(parse_yaml(ended, file)) == before:  # spaces may end a text that ends the file
            return ended
    raise AssertionError(f"formatting {file} changes what it says")


def _between(text: str, tokens: list[Any], starts: list[int]) -> Iterator[Gap]:
    """Yield the spaces between neighbours in brackets, on one line."""
    depth = 0
    for one, other in pairwise(tokens):
        depth += isinstance(one, OPENING) - isinstance(one, CLOSING)
        end, begin = _end(one, starts), _begin(other, starts)
        gap = text[end:begin]
        if depth == 0 or gap.strip(" "):
            continue
        is_empty = isinstance(one, yaml.ValueToken) and not isinstance(other, yaml.ScalarToken)
        if isinstance(one, OPENING) or isinstance(other, (*CLOSING, yaml.FlowEntryToken)):
            wanted = gap if is_empty else ""
        elif isinstance(one, yaml.ScalarToken) and isinstance(other, yaml.ValueToken):
            wanted = ""
        elif isinstance(one, (yaml.FlowEntryToken, yaml.ValueToken)):
            wanted = " "
        else:
            continue
        if gap != wanted:
            yield end, begin, wanted


def _begin(token: Any, starts: list[int]) -> int:
    line, column = token.start_mark.line, token.start_mark.column
    return starts[int(line)] + int(column)


def _end(token: Any, starts: list[int]) -> int:
    line, column = token.end_mark.line, token.end_mark.column
    return starts[int(line)] + int(column)


def _line_ends(text: str, tokens: list[Any], starts: list[int]) -> Iterator[Gap]:
    """Yield the spaces at the ends of lines, those of texts over several lines aside."""
    inside = {
        line
        for token in tokens
        if isinstance(token, yaml.ScalarToken)
        for line in range(token.start_mark.line, token.end_mark.line)
    }
    for number, start in enumerate(starts):
        stop = starts[number + 1] if number + 1 < len(starts) else len(text)
        line = text[start:stop].rstrip("\r\n\x85\u2028\u2029")
        bare = line.rstrip(" \t")
        if bare != line and number not in inside:
            yield start + len(bare), start + len(line), ""
