"""Characters that mean something: tabs, quotes, brackets, commas, `@ % & * ! | > ?`."""

from __future__ import annotations

import re

from compiler.errors import Diagnostic
from compiler.text.syntax.site import CLOSER, OPENER, QUOTE_HELP, STRUCTURE, Place, Site


def tab(site: Site) -> Diagnostic | None:
    """A tab in the indentation, or where a value begins."""
    line, column = site.at
    tab = site.line(line)[: site.indent(line)].find("\t")
    if tab < 0 and site.char(site.at) != "\t":
        return None
    where = "a tab stands in the indentation" if tab >= 0 else "a tab stands where a value begins"
    span = site.span((line, tab if tab >= 0 else column))
    help = "YAML is indented with spaces; replace the tab"
    return Diagnostic("yaml-tab", where, span, help=help)


def open_quote(site: Site) -> Diagnostic | None:
    """A quotation mark that swallows the lines after it."""
    end: Place | None = None
    start = site.start
    if site.quote and site.quote[1][0] >= site.at[0] - 1:
        start, end = site.quote
    elif not ("unexpected" in site.problem or "simple key" in site.context):
        return None
    mark = site.char(start)
    if mark not in ("'", '"') or start[0] == site.at[0]:
        return None
    other = "'" if mark == '"' else '"'
    help = (
        f"close it with {mark} where the text ends, or take it out; a text that holds {mark} "
        f"stands between {other} and {other}"
    )
    remark = ((end[0], end[1] - 1), "the text in quotes ends only here") if end else None
    return site.fault(f"the quote {mark} that opens here is not closed", start, help, remark)


def question(site: Site) -> Diagnostic | None:
    """A `?` that begins a key of several lines."""
    place = site.at if "mapping keys are not allowed" in site.problem else site.asked
    if place is None:
        return None
    message = "`?` before a space begins a key of several lines, which no spec has"
    return site.fault(message, place, "take the `?` out, or put the text in quotes")


MEANS = {
    "&": "`&` gives the value after it a name, and no name follows",
    "*": "`*` repeats a value that has a name, and no name follows",
    "!": "`!` begins a tag, and a spec is plain data",
    "%": "a line that begins with `%` is an order to YAML itself",
    "|": "`|` begins a text on the lines below, and more stands on its own line",
    ">": "`>` begins a text on the lines below, and more stands on its own line",
}


def character(site: Site) -> Diagnostic | None:
    """A character that means something else where a value begins."""
    char = site.char(site.start)
    if "cannot start any token" in site.problem:
        message = f"no value begins with `{site.char(site.at)}`"
    elif re.search(r"scanning an? (anchor|alias|tag|directive|block scalar)", site.context):
        message = MEANS.get(char, "")
    elif "parsing a tag" in site.context or "undefined tag handle" in site.problem:
        message = MEANS["!"]
    else:
        return None
    if not message:
        return None
    help = "take it out, or put the whole value in quotes"
    return site.fault(message, site.start if char in MEANS else site.at, help)


def escape(site: Site) -> Diagnostic | None:
    """A backslash in double quotes."""
    if "quoted scalar" not in site.context or "end of stream" in site.problem:
        return None
    at = site.line(site.at[0]).rfind("\\", 0, site.at[1] + 1)
    place = (site.at[0], max(at, 0))
    shown = site.line(site.at[0])[place[1] : place[1] + 2]
    message = f"`{shown}` is no escape that YAML knows between double quotes"
    return site.fault(message, place, "write `\\\\` for a backslash, or use single quotes")


def bracket(site: Site) -> Diagnostic | None:
    """A bracket that is open where the next entry of the spec begins, or at the end."""
    if not site.flow:
        return None
    line = site.flow[0][0]
    least = site.indent(line)
    after = range(line + 1, min(site.at[0] + 1, len(site.lines)))
    next_entry = next((n for n in after if _is_outside(site, n, least)), None)
    at_end = site.at[0] >= len(site.lines) or site.char(site.at) == ""
    if next_entry is None and not (at_end and "expected" in site.problem):
        return None
    inside = [p for p in site.flow if next_entry is None or p[0] < next_entry]
    opener = inside[-1]
    mark, rest = site.char(opener), site.line(opener[0])[opener[1] :]
    help = f"put `{CLOSER[mark]}` where it ends"
    if re.search(r"\s#", rest):
        help += "; a `#` after a space begins a comment, which takes the rest of the line"
    return site.fault(f"the `{mark}` that opens here is not closed", opener, help)


def _is_outside(site: Site, number: int, least: int) -> bool:
    """True for a line that cannot belong to a bracket opened on a line indented by `least`."""
    line = site.line(number)
    is_entry = STRUCTURE.match(line) is not None
    return is_entry and (site.indent(number) <= least or line.lstrip().startswith("- "))


def closer(site: Site) -> Diagnostic | None:
    """A closing bracket of the wrong kind, or one that closes nothing."""
    mark = site.char(site.at)
    if mark not in OPENER:
        return None
    if not site.flow:
        help = f"take it out, or write `{OPENER[mark]}` where it belongs"
        return site.fault(f"`{mark}` closes nothing", site.at, help)
    opener = site.flow[-1]
    open_mark = site.char(opener)
    if CLOSER[open_mark] == mark:
        return site.fault(f"a value is missing before `{mark}`", site.at, "write it, or `null`")
    message = f"`{mark}` stands where `{CLOSER[open_mark]}` is expected"
    help = f"close `{open_mark}` first, with `{CLOSER[open_mark]}`"
    return site.fault(message, site.at, help, (opener, f"`{open_mark}` opens here"))


def entries(site: Site) -> Diagnostic | None:
    """Inside brackets: two entries without a comma, or a comma without an entry."""
    if not site.flow:
        return None
    mark, help = site.char(site.at), "write `, ` between two entries; " + QUOTE_HELP
    if mark == ",":
        return site.fault("a comma stands where a value is expected", site.at, "take it out")
    place = site.at
    if mark == ":":
        line = site.line(place[0])[: place[1]]
        word = re.search(r"[^\s,{}\[\]]*\s*$", line)
        place = (place[0], word.start() if word else place[1])
    return site.fault(f"a comma is missing before `{site.word(place)}`", place, help)
