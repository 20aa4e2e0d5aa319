"""A text that is no YAML: the message stands at the mistake, in our words, with a way out."""

from __future__ import annotations

import random

import pytest

from compiler.errors import CompileError, Diagnostic
from compiler.spec import shipped_specs
from compiler.text import parse_yaml

INSERTED = " \t\n:,{}[]\"'#-&*!|>%@`?x0"
SPECS = ("inception_v4", "zoo/googlenet", "blocks/stem_v4", "teaching/residual_scaling")
LIBYAML = ("did not find", "could not find", "found unexpected", "found character", "while ")


def fault(text: str) -> Diagnostic | None:
    """Return the first thing that is said of a text, None where it is YAML."""
    try:
        parse_yaml(text, "x.yaml")
    except CompileError as error:
        return error.diagnostics[0]
    return None


def place(text: str) -> tuple[int, int]:
    """Return line and column of the first fault of a text, 0:0 where there is none."""
    found = fault(text)
    return (found.span.line, found.span.column) if found else (0, 0)


def mutants(name: str, count: int) -> list[tuple[str, int]]:
    """Return texts of a shipped spec with one character too many or too few, and its line."""
    text = (shipped_specs() / f"{name}.yaml").read_text(encoding="utf-8")
    text = text.partition("\n")[2]  # without the line for editors
    dice, out = random.Random(name), []
    for _ in range(count):
        at = dice.randrange(len(text))
        new = dice.choice(INSERTED) if dice.random() < 0.8 else ""
        out.append((text[:at] + new + text[at + (not new) :], text.count("\n", 0, at) + 1))
    return out


@pytest.mark.parametrize("name", SPECS)
def test_one_character_is_blamed_where_it_is(name: str) -> None:
    refused = [(d, line) for text, line in mutants(name, 500) if (d := fault(text))]
    far = [(d, line) for d, line in refused if abs(d.span.line - line) > 1]
    assert len(refused) > 100
    assert len(far) <= 0.01 * len(refused), far


@pytest.mark.parametrize("name", SPECS)
def test_every_fault_has_our_words_and_a_way_out(name: str) -> None:
    said = [d for text, _ in mutants(name, 200) if (d := fault(text))]
    assert [d for d in said if not d.help or any(w in d.message for w in LIBYAML)] == []


def test_of_two_lines_the_one_in_a_rare_column_is_odd() -> None:
    text = "a:\n  b:\n    - 1\n    - 2\n   c:\n    - 3\n  d:\n    - 4\n"
    assert place(text) == (5, 4)


def test_a_header_that_is_moved_is_blamed_and_not_what_follows_it() -> None:
    text = "a:\n  b:\n    - 1\n c:\n    - 3\n  d:\n    - 4\n  e:\n    - 4\n"
    assert place(text) == (4, 2)


def test_a_far_fault_costs_little() -> None:
    text = "layers:\n" + "  - {conv: 3x3, filters: 8}\n" * 20_000 + " - relu\n"
    assert place(text) == (20_002, 2)


@pytest.mark.parametrize("seed", range(5))
def test_no_text_makes_it_stumble(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(300):
        fault("".join(dice.choice(INSERTED + "ab\r\x85\\~<=.") for _ in range(dice.randrange(60))))
