"""Lines: entries `key: value`, items `- value`, and their indentation."""

from __future__ import annotations

import re

import yaml

from compiler.errors import Diagnostic
from compiler.text.syntax.marks import MEANS
from compiler.text.syntax.odd_line import odd_line
from compiler.text.syntax.site import CLOSER, OPENER, QUOTE_HELP, Place, Site, place_of


def list_beside_key(site: Site) -> Diagnostic | None:
    """A list that begins on the line of its key."""
    if "block sequence entries are not allowed" not in site.problem:
        return None
    help = "begin the list on the next line, or write `[a, b]`"
    return site.fault("a list of `- ` items cannot begin on the line of its key", site.at, help)


def second_colon(site: Site) -> Diagnostic | None:
    """A colon where the line, or the value above it, was already complete."""
    if "mapping values are not allowed" not in site.problem:
        return None
    line, column = site.at
    text = site.line(line)
    begin = (line, site.indent(line))
    scalar = site.before
    above = place_of(scalar.start_mark) if isinstance(scalar, yaml.ScalarToken) else begin
    if above[0] == line:
        return _second_colon_in_line(site, text, column)
    if above[1] == begin[1] and above[1] == site.indent(above[0]):
        return _no_entry(site, above)
    word = site.word(above)
    key = text.strip().partition(":")[0]
    help = "give it the column of its neighbours; " + (
        f"a word with keys of its own is written `{word}: true`"
        if site.line(above[0]).lstrip().startswith("- ") and word.isidentifier()
        else QUOTE_HELP
    )
    message = f"`{key}` stands deeper than the line above, whose value `{word}` is complete"
    return site.fault(message, begin, help)


def _second_colon_in_line(site: Site, text: str, column: int) -> Diagnostic:
    line = site.at[0]
    closer = _unopened(text)
    if closer is not None:
        mark = text[closer]
        help = f"write `{OPENER[mark]}` where it belongs"
        return site.fault(f"`{mark}` closes nothing on this line", (line, closer), help)
    word = re.search(r"\S*\s*$", text[:column])
    place = (line, word.start() if word else column)
    message = f"a second `:` in one line, after `{text[place[1] : column]}`"
    help = "begin a new line, put the entries in `{...}`, or the text in quotes"
    return site.fault(message, place, help)


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


def _no_entry(site: Site, place: Place) -> Diagnostic:
    """Say why a line is neither an entry nor an item."""
    word = site.word(place)
    if re.match(r"-\S", word):
        return site.fault("a space is missing after `-`", place, f"write `- {word[1:]}`")
    glued = re.match(r"([\w.]+):(\S.*)", word)
    if glued:
        help = f"write `{glued[1]}: {glued[2]}`"
        return site.fault(f"a space is missing after the colon of `{glued[1]}`", place, help)
    help = "write a colon and a space after a key; a text over several lines is indented deeper"
    return site.fault(f"`{word}` is neither `key: value` nor `- item`", place, help)


def simple_key(site: Site) -> Diagnostic | None:
    """A line without a colon among entries."""
    return _no_entry(site, site.start) if "simple key" in site.context else None


def indentation(site: Site) -> Diagnostic | None:
    """A line whose column is that of no line above, or a neighbour of one that is moved."""
    at, column = site.at
    outer = site.blocks[-1] if site.blocks else None
    first = site.closed[-1] if site.closed else outer
    if first is None or at >= len(site.lines) or column != site.indent(at):
        return None
    if outer and column == outer[1]:
        return None  # the column is right, the kind is not
    suspects = [at, *_above(site, at), first[0], *_above(site, first[0])]
    lines = list(dict.fromkeys(suspects))
    glued = next((n for n in lines if re.match(r"\s*-[^-\s\d.]", site.line(n))), None)
    if glued is not None:
        return _no_entry(site, (glued, site.indent(glued)))
    columns = {column, *(p[1] for p in (*site.closed, *site.blocks))}
    move = odd_line(site.lines, at, lines, columns)
    place = (move.line, site.indent(move.line))
    remark = (site.at, "the first line that does not fit") if move.line != at else None
    message, help = _odd_words(site, place, move.column)
    return site.fault(message, place, help, remark)


def _odd_words(site: Site, place: Place, column: int) -> tuple[str, str]:
    """Return what is wrong with a line that should begin in `column`, and the way out."""
    if place[1] != column:
        message = (
            f"this line begins in column {place[1] + 1}, its neighbours in column {column + 1}"
        )
        help = "give the entries of one mapping, and the items of one list, the same column"
        return message, help
    word = site.word(place)
    help = "a key that opens a mapping or a list ends with `:`"
    if "#" in word:
        help += "; a `#` after a space begins a comment"
    return f"`{word}` opens nothing, and the lines below it stand deeper", help


def _above(site: Site, number: int) -> list[int]:
    """Return the line above one, past empty ones."""
    while number > 0:
        number -= 1
        if site.line(number).strip():
            return [number]
    return []


def stray(site: Site) -> Diagnostic | None:
    """A character that nothing begins with, where an entry or item is expected."""
    char, help = site.char(site.at), "take it out, or put the whole value in quotes"
    if char == ",":
        return site.fault("`,` stands outside of any `{...}` or `[...]`", site.at, "take it out")
    if char == ":":
        return site.fault("no key stands before this `:`", site.at, "write the key, or take it out")
    if char in MEANS:
        return site.fault(MEANS[char], site.at, help)
    return None


def neighbour(site: Site) -> Diagnostic | None:
    """An item among entries, an entry among items, or text after a value that is complete."""
    line, column = site.at
    scalar = site.before
    if "document start" in site.problem and isinstance(scalar, yaml.ScalarToken):
        return _no_entry(site, place_of(scalar.start_mark))
    word = site.word(site.at)
    if column != site.indent(line):
        message = f"`{word}` follows a value that is complete"
        help = "take it out, or put the whole value in quotes"
        if isinstance(scalar, yaml.ScalarToken) and scalar.style in ("'", '"'):
            escape = "is written twice" if scalar.style == "'" else "has a `\\` before it"
            help += f"; inside {scalar.style}...{scalar.style} a {scalar.style} {escape}"
        return site.fault(message, site.at, help)
    if word.startswith("- "):
        message = "an item of a list, `- ...`, stands among the keys of a mapping"
        return site.fault(message, site.at, "indent the list deeper than its key")
    if "block collection" in site.context:
        if re.match(r"-\S", word):
            return _no_entry(site, site.at)
        message = f"`{word}` stands among the items of a list, which begin with `- `"
        help = "indent it as its neighbours, or write `- ` before it"
        return site.fault(message, site.at, help)
    return None
