"""Characters that mean something: tabs, quotes, brackets, commas, `@ % & * ! | > ?`."""

from __future__ import annotations

import re

from compiler.errors import Diagnostic
from compiler.text.syntax.parser_state import (
    CLOSER,
    OPENER,
    QUOTE_HELP,
    STRUCTURE,
    ParserState,
    Place,
)


def tab(state: ParserState) -> Diagnostic | None:
    """A tab in the indentation, or where a value begins."""
    line, column = state.at
    tab = state.line(line)[: state.indent(line)].find("\t")
    if tab < 0 and state.char(state.at) != "\t":
        return None
    where = "a tab stands in the indentation" if tab >= 0 else "a tab stands where a value begins"
    span = state.span((line, tab if tab >= 0 else column))
    help = "YAML is indented with spaces; replace the tab"
    return Diagnostic("yaml-tab", where, span, help=help)


def open_quote(state: ParserState) -> Diagnostic | None:
    """A quotation mark that swallows the lines after it."""
    end: Place | None = None
    start = state.start
    if state.quote and state.quote[1][0] >= state.at[0] - 1:
        start, end = state.quote
    elif not ("unexpected" in state.problem or "simple key" in state.context):
        return None
    mark = state.char(start)
    if mark not in ("'", '"') or start[0] == state.at[0]:
        return None
    other = "'" if mark == '"' else '"'
    help = (
        f"close it with {mark} where the text ends, or take it out; a text that holds {mark} "
        f"stands between {other} and {other}"
    )
    remarks = [((end[0], end[1] - 1), "the text in quotes ends only here")] if end else []
    return state.fault(f"the quote {mark} that opens here is not closed", start, help, *remarks)


def question(state: ParserState) -> Diagnostic | None:
    """A `?` that begins a key of several lines."""
    place = state.at if "mapping keys are not allowed" in state.problem else state.question_mark
    if place is None:
        return None
    message = "`?` before a space begins a key of several lines, which no spec has"
    return state.fault(message, place, "take the `?` out, or put the text in quotes")


MEANS = {
    "&": "`&` gives the value after it a name, and no name follows",
    "*": "`*` repeats a value that has a name, and no name follows",
    "!": "`!` begins a tag, and a spec is plain data",
    "%": "a line that begins with `%` is an order to YAML itself",
    "|": "`|` begins a text on the lines below, and more stands on its own line",
    ">": "`>` begins a text on the lines below, and more stands on its own line",
}


def character(state: ParserState) -> Diagnostic | None:
    """A character that means something else where a value begins."""
    char = state.char(state.start)
    if "cannot start any token" in state.problem:
        message = f"no value begins with `{state.char(state.at)}`"
    elif re.search(r"scanning an? (anchor|alias|tag|directive|block scalar)", state.context):
        message = MEANS.get(char, "")
    elif "parsing a tag" in state.context or "undefined tag handle" in state.problem:
        message = MEANS["!"]
    else:
        return None
    if not message:
        return None
    help = "take it out, or put the whole value in quotes"
    return state.fault(message, state.start if char in MEANS else state.at, help)


def escape(state: ParserState) -> Diagnostic | None:
    """A backslash in double quotes."""
    if "quoted scalar" not in state.context or "end of stream" in state.problem:
        return None
    at = state.line(state.at[0]).rfind("\\", 0, state.at[1] + 1)
    place = (state.at[0], max(at, 0))
    shown = state.line(state.at[0])[place[1] : place[1] + 2]
    message = f"`{shown}` is no escape that YAML knows between double quotes"
    return state.fault(message, place, "write `\\\\` for a backslash, or use single quotes")


def bracket(state: ParserState) -> Diagnostic | None:
    """A bracket that is open where the next entry of the spec begins, or at the end."""
    if not state.flow:
        return None
    line = state.flow[0][0]
    least = state.indent(line)
    after = range(line + 1, min(state.at[0] + 1, len(state.lines)))
    next_entry = next((n for n in after if _is_outside(state, n, least)), None)
    at_end = state.at[0] >= len(state.lines) or state.char(state.at) == ""
    if next_entry is None and not (at_end and "expected" in state.problem):
        return None
    inside = [p for p in state.flow if next_entry is None or p[0] < next_entry]
    opener = inside[-1]
    mark, rest = state.char(opener), state.line(opener[0])[opener[1] :]
    help = f"put `{CLOSER[mark]}` where it ends"
    if re.search(r"\s#", rest):
        help += "; a `#` after a space begins a comment, which takes the rest of the line"
    return state.fault(f"the `{mark}` that opens here is not closed", opener, help)


def _is_outside(state: ParserState, number: int, least: int) -> bool:
    """True for a line that cannot belong to a bracket opened on a line indented by `least`."""
    line = state.line(number)
    is_entry = STRUCTURE.match(line) is not None
    return is_entry and (state.indent(number) <= least or line.lstrip().startswith("- "))


def closer(state: ParserState) -> Diagnostic | None:
    """A closing bracket of the wrong kind, or one that closes nothing."""
    mark = state.char(state.at)
    if mark not in OPENER:
        return None
    if not state.flow:
        help = f"take it out, or write `{OPENER[mark]}` where it belongs"
        return state.fault(f"`{mark}` closes nothing", state.at, help)
    opener = state.flow[-1]
    open_mark = state.char(opener)
    if CLOSER[open_mark] == mark:
        return state.fault(f"a value is missing before `{mark}`", state.at, "write it, or `null`")
    message = f"`{mark}` stands where `{CLOSER[open_mark]}` is expected"
    help = f"close `{open_mark}` first, with `{CLOSER[open_mark]}`"
    return state.fault(message, state.at, help, (opener, f"`{open_mark}` opens here"))


def spaceless_colon(state: ParserState) -> Diagnostic | None:
    """Inside brackets: a colon without a space, before something that is no plain value."""
    if "found unexpected ':'" not in state.problem:
        return None
    line, column = state.at
    key = re.search(r"[^\s,{}\[\]]*$", state.line(line)[:column])
    begin, follows = key.start() if key else column, state.line(line)[column + 1 : column + 2]
    name = state.line(line)[begin:column]
    if follows not in CLOSER:
        message = f"a value is missing after `{name}:`"
        return state.fault(message, (line, begin), "write it, or `null`")
    message = f"a space is missing after the colon of `{name}:`"
    return state.fault(message, (line, begin), f"write `{name}: {follows}`")


def index(state: ParserState) -> Diagnostic | None:
    """Inside brackets: a formula with brackets of its own, `widths[0]`."""
    line, column = state.at
    before, rest = state.line(line)[:column], state.line(line)[column:]
    value = re.search(r"[^:{}\[\]\"']*[\w)]$", before)
    if not state.flow or value is None or not rest.startswith("["):
        return None
    text = value[0].lstrip()
    while "," in text and len(cut := _rest("", text)) < len(text):
        text = text[len(cut) + 1 :].lstrip()
    message = f"`[` inside `{{...}}` or `[...]` begins a list, and `{text}` stands before it"
    return state.fault(message, state.at, f'put a formula in quotes: `"{text}{_rest(text, rest)}"`')


def _rest(begin: str, text: str) -> str:
    """Return the part of a text that belongs to the formula that begins before it."""
    depth = begin.count("(") - begin.count(")")
    for number, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth < 0 or (depth == 0 and char in ",{}"):
            return text[:number].rstrip()
    return text


def entries(state: ParserState) -> Diagnostic | None:
    """Inside brackets: two entries without a comma, or a comma without an entry."""
    if not state.flow:
        return None
    mark, help = state.char(state.at), "write `, ` between two entries; " + QUOTE_HELP
    if mark == ",":
        return state.fault("a comma stands where a value is expected", state.at, "take it out")
    place = state.at
    if mark == ":":
        line = state.line(place[0])[: place[1]]
        word = re.search(r"[^\s,{}\[\]]*\s*$", line)
        place = (place[0], word.start() if word else place[1])
    return state.fault(f"a comma is missing before `{state.word(place)}`", place, help)
