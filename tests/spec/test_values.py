"""One value, several ways: a key, a default, a `with`, `--set`. All mean and refuse the same."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import pytest

from compiler.errors import CompileError, UsageError
from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from compiler.spec import READERS, ParamSpec
from compiler.spec.params import guess_type
from compiler.text import parse_value, plain

LAYER = {
    "channels": "{conv: 1x1, filters: V, name: y}",
    "kernel": "{conv: V, filters: 4, padding: 4, name: y}",
    "padding": "{conv: 3x3, filters: 4, padding: V, name: y}",
    "bool": "{conv: 3x3, filters: 4, bias: V, name: y}",
    "activation": "{conv: 3x3, filters: 4, activation: V, name: y}",
    "number": "{scale: V, name: y}",
}
"""Type of a parameter -> a layer with a key of the same kind of value."""

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"
LONG = "9" * 5000


def spec_of(way: str, type: str, value: str) -> str:
    """Return a spec to whose layer a value comes in a way."""
    layer = LAYER[type]
    used = layer.replace("V", "v")
    if way == "key":
        return f"{HEAD}layers:\n  - {layer.replace('V', value)}\n"
    if way in ("default", "set"):
        default = {"default": value, "set": ANY[type]}[way]
        return f"{HEAD}params: {{v: {{type: {type}, default: {default}}}}}\nlayers:\n  - {used}\n"
    default = f", default: {value}" if way == "block" else ""
    given = f", with: {{v: {value}}}" if way == "with" else ""
    return (
        f"{HEAD}blocks:\n  b:\n    params: {{v: {{type: {type}{default}}}}}\n"
        f"    layers:\n      - {used}\nlayers:\n  - {{block: b, name: y{given}}}\n"
    )


ANY = {"channels": "1", "kernel": "1x1", "padding": "V", "bool": "true", "activation": "relu"} | {
    "number": "1"
}
"""Type -> some value, for what is set from outside to take the place of."""
WAYS = ("key", "default", "block", "with", "set")


def outcome(folder: Path, way: str, type: str, value: str) -> tuple[Any, str]:
    """Return the operation that a value makes, or None and the complaint."""
    path = folder / "t.yaml"
    path.write_text(spec_of(way, type, value), encoding="utf-8")
    settings: Mapping[str, str] = {"v": value} if way == "set" else {}
    try:
        graph, report, _ = draft_graph(path, settings)
    except (CompileError, UsageError) as error:
        return None, str(error)
    if report.errors:
        return None, " | ".join(d.message for d in report.errors)
    return made(graph), ""


def made(graph: Graph) -> Any:
    """Return what is said of the layer `y`: its operations."""
    return [n.op for n in graph.nodes.values() if n.name.split(".")[0] == "y"]


def attribute(type: str, ops: list[Any]) -> Any:
    """Return the attribute that the layer of a type sets."""
    if type == "activation":
        return ops[1].function if len(ops) > 1 else "none"
    name = {"channels": "out_channels", "kernel": "kernel_size", "number": "factor"}.get(type)
    return getattr(ops[0], name or {"bool": "bias"}.get(type, type))


NONE, ONE = ((0, 0), (0, 0)), ((1, 1), (1, 1))
TAKEN: list[tuple[str, str, Any]] = [
    *(("channels", v, 8) for v in ("8", "8.0", "0o10", "16 / 2", "8e0", "+8", "008")),
    *(("kernel", v, (3, 3)) for v in ("3", "3x3", "[3, 3]", "'3x3'", "1 + 2", "[1 + 2, 3]")),
    ("kernel", "1x7", (1, 7)),
    ("kernel", "[1, 7]", (1, 7)),
    *(("padding", v, "same") for v in ("same", "SAME", "'same'")),
    *(("padding", v, NONE) for v in ("V", "valid", "VALID", "0", "0x0", "[0, 0]")),
    *(("padding", v, ONE) for v in ("1", "1x1", "[1, 1]", "[[1, 1], [1, 1]]", "3 // 2")),
    *(("padding", v, ((0, 0), (1, 1))) for v in ("0x1", "[0, 1]", "[0, 3 - 2]")),
    ("padding", "[[0, 1], [1, 0]]", ((0, 1), (1, 0))),
    *(("bool", v, True) for v in ("true", "True", "TRUE", "1 < 2", "not false")),
    *(("bool", v, False) for v in ("false", "False", "2 < 1")),
    ("padding", "half", ((1, 1), (1, 1))),
    *(("activation", v, v) for v in ("none", "relu", "hard_swish")),
    *(("number", v, 0.5) for v in ("0.5", "1 / 2", ".5", "5e-1")),
    ("number", "-2", -2.0),
]

NO_SIZE = "is not a size; write one number, `3x3` (height x width) or `[height, width]`"
NO_PADDING = (
    "is not a padding; write `same`, `V` (valid), `half`, a number, `[height, width]` "
    "or `[[top, bottom], [left, right]]`"
)
REFUSED: list[tuple[str, str, str]] = [
    ("channels", "0", "0 is less than 1"),
    ("channels", "-3", "-3 is less than 1"),
    ("channels", "2.5", "2.5 is not a whole number"),
    ("channels", "7 / 2", "7 / 2 = 3.5 is not a whole number"),
    ("channels", "99999999999", "99999999999 is more than 10,000,000"),
    ("channels", "1e999", "1.000e999 is more than 10,000,000"),
    ("channels", LONG, f"`{LONG[:57]}...` is too long for a number (40 digits)"),
    ("channels", "²", "unexpected character `²`"),
    ("channels", "٣", "unexpected character `٣`"),
    ("channels", "'8'", "expected a number, found the quoted text `8`"),
    ("channels", "3x3", "= 3x3 is not a number"),
    ("channels", "[8]", "expected a number or an expression, found a list of 1"),
    ("channels", "{a: 8}", "expected a number or an expression, found a mapping"),
    ("channels", "true", "expected a number or an expression, found `true`"),
    ("channels", "", "is empty"),
    ("channels", "1 // 0", "division by zero"),
    ("channels", ".inf", "unexpected character `.`"),
    ("channels", "1_000", "`1_000` is no number"),
    ("kernel", "0", "0 is less than 1"),
    ("kernel", "0x3", "0 is less than 1"),
    ("kernel", "3x0", "0 is less than 1"),
    ("kernel", "[0, 0]", "0 is less than 1"),
    ("kernel", "[0, 3]", "0 is less than 1"),
    ("kernel", "[3, -1]", "-1 is less than 1"),
    ("kernel", "[3, 2.5]", "2.5 is not a whole number"),
    ("kernel", "[3, 7 / 2]", "7 / 2 = 3.5 is not a whole number"),
    ("kernel", "99999999999x3", "99999999999 is more than 10,000,000"),
    ("kernel", f"{LONG}x3", f"`{LONG[:57]}...` {NO_SIZE}"),
    ("kernel", LONG, "is too long for a number (40 digits)"),
    ("kernel", "²x3", "unexpected character `²`"),
    ("kernel", "٣x٣", f"`٣x٣` {NO_SIZE}"),
    ("kernel", "3x3x3", f"`3x3x3` {NO_SIZE}"),
    ("kernel", "3*3", f"`3*3` {NO_SIZE}"),
    ("kernel", "x3", f"`x3` {NO_SIZE}"),
    ("kernel", "[3]", f"a list of 1 {NO_SIZE}"),
    ("kernel", "[]", f"a list of 0 {NO_SIZE}"),
    ("kernel", "[[1, 1], [1, 1]]", "expected a number or an expression, found a list of 2"),
    ("kernel", "{h: 3}", f"a mapping {NO_SIZE}"),
    ("kernel", "true", f"`true` {NO_SIZE}"),
    ("kernel", "", "is empty"),
    ("kernel", "same", "= same is not a number"),
    ("padding", "-1", "-1 is less than 0"),
    ("padding", "[-1, 0]", "-1 is less than 0"),
    ("padding", "[[0, -1], [0, 0]]", "-1 is less than 0"),
    ("padding", "[1, 2, 3]", f"a list of 3 {NO_PADDING}"),
    ("padding", "[[0, 1], [1]]", f"a list of 1 {NO_PADDING}"),
    ("padding", "sme", "there is no padding `sme` (did you mean `same`?)"),
    ("padding", "99999999999", "99999999999 is more than 10,000,000"),
    ("padding", "٣", f"`٣` {NO_SIZE}"),
    ("padding", "true", f"`true` {NO_PADDING}"),
    ("padding", "", "is empty"),
    ("bool", "3", "expected true or false, found `3`"),
    ("bool", "yes", "expected true or false, found the text `yes`"),
    ("bool", "off", "expected true or false, found the text `off`"),
    ("bool", "[true]", "expected true or false, found a list of 1"),
    ("bool", "1 + 1", "1 + 1 = 2 is neither true nor false"),
    ("bool", "", "is empty"),
    ("activation", "rleu", "there is no activation `rleu` (did you mean `relu`?)"),
    ("activation", "3", "expected an activation, found `3`"),
    ("activation", "[relu]", "expected an activation, found a list of 1"),
    ("activation", "", "is empty"),
    ("number", "1e31", "1.000e31 is out of bounds"),
    ("number", "true", "expected a number or an expression, found `true`"),
    ("number", ".nan", "unexpected character `.`"),
    ("number", "half", "= half is not a number"),
    ("number", "", "is empty"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("type", "value", "meant"), TAKEN)
def test_a_value_means_the_same(
    tmp_path: Path, way: str, type: str, value: str, meant: Any
) -> None:
    ops, complaint = outcome(tmp_path, way, type, value)
    assert complaint == ""
    assert attribute(type, ops) == meant


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("type", "value", "words"), REFUSED, ids=lambda v: str(v)[:20].encode("ascii", "replace")
)
def test_a_value_is_refused_in_the_same_words(
    tmp_path: Path, way: str, type: str, value: str, words: str
) -> None:
    ops, complaint = outcome(tmp_path, way, type, value)
    assert ops is None
    assert words in complaint


@pytest.mark.parametrize(
    ("default", "type"),
    [
        ("true", "bool"),
        ("3", "int"),
        ("0.5", "number"),
        ("1e0", "int"),
        ("2 * 3", "number"),
        ("relu", "activation"),
        ("none", "activation"),
        ("layer_norm", "norm"),
        ("V", "padding"),
        ("SAME", "padding"),
        ("half", "padding"),
        ("0x1", "padding"),
        ("[[0, 1], [1, 0]]", "padding"),
        ("3x3", "kernel"),
        ("[1, 7]", "kernel"),
        ("[0, 1]", "padding"),
        ("[3, 4, 6, 3]", "list"),
        ("[64]", "list"),
        ("[]", "list"),
        ("[relu, silu]", "list"),
        ("[3x3, 1x1]", "list"),
        ("[n, 2 * n, 64]", "list"),
        ("²x3", "number"),
    ],
)
def test_a_default_alone_gives_the_type(default: str, type: str) -> None:
    node = parse_value(default, "t.yaml")
    assert guess_type(plain(node)) == type


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("{n: channels}", ("the default of `n`: unknown name `channels`",
                           "its type is written `n: {type: channels}`", "2:13")),
        ("{mode: basic}", ("the default of `mode`: unknown name `basic`",
                           "a text has a type: `mode: {type: text, default: basic}`", "2:16")),
        ("{wide: 4, n: wid}", ("the default of `n`: unknown name `wid` (did you mean `wide`?)",
                               "a text has a type: `n: {type: text, default: wid}`", "2:22")),
    ],
)  # fmt: skip
def test_a_default_of_one_word_that_is_no_parameter(
    params: str, said: tuple[str, str, str], tmp_path: Path
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        f"network: net\nparams: {params}\ninput: {{image: [3, 8, 8]}}\nlayers: [relu]\n",
        encoding="utf-8",
    )
    with pytest.raises(CompileError) as caught:
        load_graph(path)
    (found,) = caught.value.diagnostics
    assert (found.message, found.help, f"{found.span.line}:{found.span.column}") == said


SETTINGS = (
    HEAD
    + """\
params:
  n: {type: channels, default: 4}
  half: {type: int, default: 2 * n}
  k: {type: kernel, default: 3x3}
  p: {type: padding, default: same}
  act: {type: activation, default: relu}
  deep: {type: bool, default: false}
  mode: {type: text, default: fast}
  widths: [8, n, 2 * n]
layers:
  - {conv: k, filters: half, padding: p, activation: act}
"""
)


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"half": "3 * n"}, "half", 12),
        ({"n": "5"}, "half", 10),
        ({"n": 5}, "half", 10),
        ({"k": (1, 7)}, "k", (1, 7)),
        ({"k": [1, 7]}, "k", (1, 7)),
        ({"k": " 1x7 "}, "k", (1, 7)),
        ({"p": ((0, 1), (1, 0))}, "p", ((0, 1), (1, 0))),
        ({"p": "[[0, 1], [1, 0]]"}, "p", ((0, 1), (1, 0))),
        ({"p": "VALID"}, "p", "valid"),
        ({"deep": True}, "deep", True),
        ({"mode": "5"}, "mode", "5"),
        ({"mode": "[a]"}, "mode", "[a]"),
        ({}, "widths", (8, 4, 8)),
        ({"widths": "[3, n * n]"}, "widths", (3, 16)),
        ({"widths": [1, "n", 0.5]}, "widths", (1, 4, Fraction(1, 2))),
        ({"widths": "[relu, 3x3, true, [1, 2, 3]]"}, "widths", ("relu", (3, 3), True, (1, 2, 3))),
        ({"widths": "'[n, 5] if n > 3 else [1]'"}, "widths", (4, 5)),
    ],
)
def test_settings_are_values_of_the_language(
    tmp_path: Path, given: dict[str, Any], name: str, value: Any
) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    assert load_graph(path, given).arguments[name] == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": "ten"}, "--set n=ten: the value is not a whole number"),
        ({"deep": "ten"}, "--set deep=ten: the value is not true or false"),
        ({"n": "0"}, "--set n=0: the value = 0 is less than 1; it is of type channels"),
        ({"half": "k"}, "--set half=k: the value is not a whole number"),
        (
            {"half": "n / 8"},
            "--set half=n / 8: the value = n / 8 = 0.5 is not a whole number; it is of type int; "
            "round it as you mean it: `floor(...)`, `ceil(...)` or `round(...)`",
        ),
        ({"n": "[1"}, "--set n=[1: the `[` that opens here is not closed"),
        ({"n": object}, "--set n=<class 'object'>: the value: expected a number or an expression, "
         "found `<class 'object'>`"),
        ({"n": float("inf")}, "--set n=inf: the value is not a whole number"),
        ({"widths": "5"}, "--set widths=5: the value: expected a list of values, found `5`; "
         "write `[64, 128, 256]`, or a parameter that is a list"),
        ({"widths": "n"}, "--set widths=n: the value = n = 4 is not a list; it is of type list; "
         "write `[64, 128, 256]`, or a parameter that is a list"),
        ({"widths": "[1, rleu]"}, "--set widths=[1, rleu]: entry 1 of the value: unknown name "
         "`rleu`; a default can use the parameters before it"),
        ({"widths": f"[{'1, ' * 1001}]"}, f"--set widths=[{'1, ' * 18}1,...: the value: there are "
         "more than 1,000 entries in one list of values, those of lists in it included; "
         "the limit is 1,000; NETDRAFT_LIMIT_LIST_ENTRIES sets another"),
        ({"deep": "yes"}, "--set deep=yes: the value: expected true or false, found the text `yes`;"
         " write true"),
        ({"act": "rleu"}, "--set act=rleu: the value: there is no activation `rleu` (did you mean "
         "`relu`?); one of `none`, `relu`, `relu6`, `leaky_relu`, `elu`, `gelu`, `silu`, "
         "`sigmoid`, `tanh`, `softplus`, `hard_sigmoid`, `hard_swish`, `mish`, "
         "`prelu`"),
        ({"n": "9" * 5000}, f"--set n={'9' * 57}...: the value: `{'9' * 57}...` is too long for a "
         "number (40 digits)"),
    ],
)  # fmt: skip
def test_settings_that_are_refused(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_graph(path, given)
    assert str(error.value) == message


def test_a_setting_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_graph(path, {"n": "\udcff"})
    assert str(error.value) == "--set n=?: the value: in `?`: unexpected character `?`"


def test_every_type_has_a_reader() -> None:
    assert set(READERS) == set(get_args(ParamSpec.model_fields["type"].annotation))
