"""Lines: entries `key: value`, items `- value`, and their indentation."""

from __future__ import annotations

import re

import yaml

from compiler.errors import Diagnostic
from compiler.text.syntax.marks import MEANS
from compiler.text.syntax.misindented_line import misindented_line
from compiler.text.syntax.parser_state import (
    CLOSER,
    OPENER,
    QUOTE_HELP,
    ParserState,
    Place,
    place_of,
)


def list_beside_key(state: ParserState) -> Diagnostic | None:
    """A list that begins on the line of its key."""
    if "block sequence entries are not allowed" not in state.problem:
        return None
    help = "begin the list on the next line, or write `[a, b]`"
    return state.fault("a list of `- ` items cannot begin on the line of its key", state.at, help)


def second_colon(state: ParserState) -> Diagnostic | None:
    """A colon where the line, or the value above it, was already complete."""
    if "mapping values are not allowed" not in state.problem:
        return None
    line, column = state.at
    text = state.line(line)
    begin = (line, state.indent(line))
    scalar = state.before
    above = place_of(scalar.start_mark) if isinstance(scalar, yaml.ScalarToken) else begin
    if above[0] == line:
        return _second_colon_in_line(state, text, column)
    if above[1] == begin[1] and above[1] == state.indent(above[0]):
        return _no_entry(state, above)
    word = state.word(above)
    key = text.strip().partition(":")[0]
    help = "give it the column of its neighbours; " + (
        f"a word with keys of its own is written `{word}: true`"
        if state.line(above[0]).lstrip().startswith("- ") and word.isidentifier()
        else QUOTE_HELP
    )
    message = f"`{key}` stands deeper than the line above, whose value `{word}` is complete"
    return state.fault(message, begin, help)


def _second_colon_in_line(state: ParserState, text: str, column: int) -> Diagnostic:
    line = state.at[0]
    closer = _unopened(text)
    if closer is not None:
        mark = text[closer]
        help = f"write `{OPENER[mark]}` where it belongs"
        return state.fault(f"`{mark}` closes nothing on this line", (line, closer), help)
    word = re.search(r"\S*\s*$", text[:column])
    place = (line, word.start() if word else column)
    message = f"a second `:` in one line, after `{text[place[1] : column]}`"
    help = "begin a new line, put the entries in `{...}`, or the text in quotes"
    return state.fault(message, place, help)


def _unopened(text: str) -> int | None:
    """Return the column of the first closing bracket of a line that has no opening one."""
    open_marks: list[str] = []
    for column, char in enumerate(text):
        if char in CLOSER:
            open_marks.append(char)
        elif char in OPENER:
            if not open_marks:
                return column
            open_marks.pop()
    return None


def _no_entry(state: ParserState, place: Place) -> Diagnostic:
    """Say why a line is neither an entry nor an item."""
    word = state.word(place)
    if re.match(r"-\S", word):
        return state.fault("a space is missing after `-`", place, f"write `- {word[1:]}`")
    glued = re.match(r"([\w.]+):(\S.*)", word)
    if glued:
        help = f"write `{glued[1]}: {glued[2]}`"
        return state.fault(f"a space is missing after the colon of `{glued[1]}`", place, help)
    help = "write a colon and a space after a key; a text over several lines is indented deeper"
    return state.fault(f"`{word}` is neither `key: value` nor `- item`", place, help)


def simple_key(state: ParserState) -> Diagnostic | None:
    """A line without a colon among entries."""
    return _no_entry(state, state.start) if "simple key" in state.context else None


def indentation(state: ParserState) -> Diagnostic | None:
    """A line whose column is that of no line above, or one next to a line that is misindented."""
    at, column = state.at
    outer = state.blocks[-1] if state.blocks else None
    first = state.closed[-1] if state.closed else outer
    if first is None or at >= len(state.lines) or column != state.indent(at):
        return None
    if outer and column == outer[1]:
        return None  # the column is right, the kind is not
    suspects = [at, *_above(state, at), first[0], *_above(state, first[0])]
    lines = list(dict.fromkeys(suspects))
    glued = next((n for n in lines if re.match(r"\s*-[^-\s\d.]", state.line(n))), None)
    if glued is not None:
        return _no_entry(state, (glued, state.indent(glued)))
    columns = {column, *(p[1] for p in (*state.closed, *state.blocks))}
    move = misindented_line(state.lines, at, lines, columns)
    place = (move.line, state.indent(move.line))
    remarks = [(state.at, "the first line that does not fit")]
    if move.line == at:
        begin = f"what stands above begins here, in column {first[1] + 1}"
        remarks = [(first, begin)] if state.closed else []
    message, help = _misindentation(state, place, move.column)
    return state.fault(message, place, help, *remarks)


def _misindentation(state: ParserState, place: Place, column: int) -> tuple[str, str]:
    """Return what is wrong with a line that should begin in `column`, and the way out."""
    if place[1] != column:
        message = (
            f"this line begins in column {place[1] + 1}, its neighbours in column {column + 1}"
        )
        help = "give the entries of one mapping, and the items of one list, the same column"
        return message, help
    word = state.word(place)
    help = "a key that opens a mapping or a list ends with `:`"
    if "#" in word:
        help += "; a `#` after a space begins a comment"
    return f"`{word}` opens nothing, and the lines below it stand deeper", help


def _above(state: ParserState, number: int) -> list[int]:
    """Return the line above one, past empty ones."""
    while number > 0:
        number -= 1
        if state.line(number).strip():
            return [number]
    return []


def stray(state: ParserState) -> Diagnostic | None:
    """A character that nothing begins with, where an entry or item is expected."""
    char, help = state.char(state.at), "take it out, or put the whole value in quotes"
    if char == ",":
        return state.fault("`,` stands outside of any `{...}` or `[...]`", state.at, "take it out")
    if char == ":":
        return state.fault(
            "no key stands before this `:`", state.at, "write the key, or take it out"
        )
    if char in MEANS:
        return state.fault(MEANS[char], state.at, help)
    return None


def neighbour(state: ParserState) -> Diagnostic | None:
    """An item among entries, an entry among items, or text after a value that is complete."""
    line, column = state.at
    scalar = state.before
    if "document start" in state.problem and isinstance(scalar, yaml.ScalarToken):
        return _no_entry(state, place_of(scalar.start_mark))
    word = state.word(state.at)
    if column != state.indent(line):
        message = f"`{word}` follows a value that is complete"
        help = "take it out, or put the whole value in quotes"
        if isinstance(scalar, yaml.ScalarToken) and scalar.style in ("'", '"'):
            escape = "is written twice" if scalar.style == "'" else "has a `\\` before it"
            help += f"; inside {scalar.style}...{scalar.style} a {scalar.style} {escape}"
        return state.fault(message, state.at, help)
    begin = state.blocks[-1] if state.blocks else state.start
    if word.startswith("- "):
        message = "an item of a list, `- ...`, stands among the keys of a mapping"
        help, remark = "indent the list deeper than its key", (begin, "the keys begin here")
        above = next((n for n in range(line - 1, begin[0], -1) if state.indent(n) == column), line)
        keys = [((above, column), "the last key before it")] if above < line else []
        return state.fault(message, state.at, help, remark, *keys)
    if "block collection" in state.context:
        if re.match(r"-\S", word):
            return _no_entry(state, state.at)
        message = f"`{word}` stands among the items of a list, which begin with `- `"
        help = "indent it as its neighbours, or write `- ` before it"
        return state.fault(message, state.at, help, (begin, "the list begins here"))
    return None
