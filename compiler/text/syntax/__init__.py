"""Why a text is no YAML: where the fault opens, and the way out, in place of libyaml's words.

libyaml stops where a text becomes impossible, which is often far below the mistake. Its tokens up
to there say what is still open (`state`), and each rule knows one kind of mistake by that: `marks`
for single characters, `lines` for entries, items and indentation. A text, its file's name and
libyaml's error come in, one diagnostic goes out; what the values mean does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable

import yaml

from compiler.errors import Diagnostic
from compiler.text.syntax.lines import (
    indentation,
    list_beside_key,
    neighbour,
    second_colon,
    simple_key,
    stray,
)
from compiler.text.syntax.marks import (
    bracket,
    character,
    closer,
    entries,
    escape,
    index,
    open_quote,
    question,
    spaceless_colon,
    tab,
)
from compiler.text.syntax.parser_state import ParserState, place_of

__all__ = ["explain"]


def explain(text: str, file: str, error: yaml.MarkedYAMLError) -> Diagnostic:
    """Return the diagnostic of a text that libyaml refused: the place, the fault, a way out."""
    mark = error.problem_mark or error.context_mark
    at = place_of(mark) if mark else (0, 0)
    start = place_of(error.context_mark) if error.context_mark else at
    state = ParserState(
        file, text.splitlines(), error.problem or "", error.context or "", at, start
    )
    try:
        for token in yaml.scan(text, Loader=yaml.CLoader):
            if place_of(token.start_mark) >= at and not isinstance(token, yaml.BlockEndToken):
                break
            state.take(token)
    except yaml.YAMLError:
        pass  # the same error: all tokens before it are read
    found = (rule(state) for rule in _RULES)
    return next(d for d in found if d is not None)


def _otherwise(state: ParserState) -> Diagnostic:
    word = state.word(state.at)
    message = f"the text is not YAML here, at `{word}`" if word else "the text is not YAML here"
    help = "look for a quote, a bracket or an indentation that is wrong in this line or before it"
    return state.fault(message, state.at, help)


_RULES: tuple[Callable[[ParserState], Diagnostic | None], ...] = (
    open_quote,
    tab,
    question,
    character,
    escape,
    bracket,
    spaceless_colon,
    closer,
    index,
    entries,
    list_beside_key,
    second_colon,
    simple_key,
    stray,
    indentation,
    neighbour,
    _otherwise,
)
"""From what is sure to what is likely."""
