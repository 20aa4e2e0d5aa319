"""What a small file multiplies beyond measure is refused before it is made, by a named limit."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiler.errors import LIMITS, CompileError, Diagnostic, Report, UsageError, limit, variable_of
from compiler.errors.diagnose import as_text
from compiler.lower import check_library
from compiler.lower.arguments import parameter_default
from compiler.lower.builder import Builder
from compiler.pipeline import draft_graph
from compiler.spec import load_spec

ROOT = Path(__file__).resolve().parents[2]
HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"
TWICE = "  b#: {layers: [{block: b@, name: x}, {block: b@, name: y}]}\n"
"""A block that holds the one before twice."""


def of_each(count: int, text: str) -> str:
    return "".join(text.replace("#", str(i + 1)).replace("@", str(i)) for i in range(count))


def doubling(levels: int) -> str:
    return "blocks:\n  b0: {layers: [relu]}\n" + of_each(levels, TWICE)


def variant(folder: Path) -> str:
    (folder / "base.yaml").write_text(f"{HEAD}layers: [{{relu: true, name: a}}]\n")
    layers = ", ".join(["relu"] * 1000)
    changes = of_each(449, "  - {after: a, insert: *x}\n")
    first = f"  - {{after: a, insert: &x [{layers}]}}\n"
    return f"network: v\nextends: base.yaml\nchanges:\n{first}{changes}"


def chain(key: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        for i in range(1500):
            text = f"{key}: f{i + 1}.yaml\n" + (f"network: n{i}\n" if key == "extends" else "")
            (folder / f"f{i}.yaml").write_text(text)
        (folder / "f1500.yaml").write_text(f"{HEAD}layers: [relu]\n")
        return f"network: t\n{key}: f0.yaml\n"

    return write


def many_files(folder: Path) -> str:
    for i in range(1001):
        (folder / f"f{i}.yaml").write_text(f"blocks: {{b{i}: {{layers: [relu]}}}}\n")
    return f"{HEAD}import: [{', '.join(f'f{i}.yaml' for i in range(1001))}]\nlayers: [relu]\n"


BOMBS: dict[str, tuple[str | Callable[[Path], str], str, str]] = {
    "a library of doubling blocks": (
        doubling(30),
        "block `b17` and those before it make 262,143 operations or more, 200,000 at most",
        "blocks of blocks multiply: write fewer levels of them; ",
    ),
    "doubling blocks": (
        f"{HEAD}{doubling(18)}layers: [{{block: b18}}]\n",
        "this layer makes 262,144 operations or more, 200,000 at most",
        "blocks of blocks multiply: write fewer levels of them; ",
    ),
    "doubling blocks, behind a condition": (
        f"{HEAD}params: {{deep: true}}\n{doubling(18)}layers: [{{block: b18, when: deep}}]\n",
        "this layer makes 262,145 operations or more, 200,000 at most",
        "blocks of blocks multiply: write fewer levels of them; ",
    ),
    "a repeat": (
        f"{HEAD}layers: [{{relu: true, repeat: 999999}}]\n",
        "`repeat: 999999` makes 999,999 operations or more, 200,000 at most",
        "lower the `repeat`, here or inside; ",
    ),
    "a repeat by a parameter": (
        f"{HEAD}params: {{n: 999999}}\nlayers: [{{relu: true, repeat: n}}]\n",
        "`repeat: 999999` makes 1,000,000 operations or more, 200,000 at most",
        "lower the `repeat`, here or inside; ",
    ),
    "repeats side by side": (
        f"{HEAD}layers: [{', '.join(['{relu: true, repeat: 100000}'] * 3)}]\n",
        "`repeat: 100000` makes 300,000 operations or more, 200,000 at most",
        "lower the `repeat`, here or inside; ",
    ),
    "repeats in repeats": (
        f"{HEAD}layers: [{{layers: [{{layers: [], repeat: 1000}}], repeat: 1000}}]\n",
        "`repeat: 1000` makes 1,000,000 operations or more, 200,000 at most",
        "lower the `repeat`, here or inside; ",
    ),
    "layers that are left out": (
        f"{HEAD}blocks: {{b: {{layers: [{', '.join(['{relu: true, when: false}'] * 99)}]}}}}\n"
        "layers: [{block: b, repeat: 9999}]\n",
        "there are more than 200,000 layers that a `when` leaves out in one graph",
        "",
    ),
    "operands": (
        f"{HEAD}layers:\n  - {{relu: true, name: a}}\n"
        f"  - {{add: [{', '.join(['a'] * 999)}], repeat: 9999}}\n",
        "there are more than 500,000 operands and arguments in one graph",
        "",
    ),
    "arguments": (
        f"{HEAD}blocks: {{b: {{params: {{{', '.join(f'p{i}: 1' for i in range(999))}}}, "
        "layers: [relu]}}\nlayers: [{block: b, repeat: 9999}]\n",
        "there are more than 500,000 operands and arguments in one graph",
        "",
    ),
    "long names": (
        f"{HEAD}layers: [{{relu: true, repeat: 9999, name: {'x' * 9999}}}]\n",
        "there are more than 50,000,000 letters in the names of one graph",
        "shorten the names; ",
    ),
    "aliased layers": (
        f"{HEAD}layers: [&a relu{', *a' * 449_999}]\n",
        "there are more than 200,000 layers, parameters and other entries in one spec",
        "write what is the same once: a block, or `repeat`; ",
    ),
    "aliased mappings": (
        f"{HEAD}layers: [&a {{relu: true}}{', *a' * 899_999}]\n",
        "there are more than 500,000 values in one spec, those that aliases repeat included",
        "use a block with `repeat` instead of aliases of aliases; ",
    ),
    "parameters": (
        f"{HEAD}params: {{{of_each(200_001, 'p#: 1, ')}}}\nlayers: [relu]\n",
        "there are more than 200,000 layers, parameters and other entries in one spec",
        "",
    ),
    "changes that insert an alias": (
        variant,
        "there are more than 200,000 layers, parameters and other entries in one spec",
        "",
    ),
    "changes": (
        lambda folder: f"{variant(folder)}{of_each(1601, '  - {remove: relu}' + chr(10))}  - *x\n",
        "there are more than 2,000 changes in one variant, what it extends included",
        "",
    ),
    "a chain of imports": (
        chain("import"),
        "`import` leads through more than 100 files in a row",
        "name several files in one, not each in the one before; ",
    ),
    "a chain of variants": (
        chain("extends"),
        "`extends` leads through more than 100 files in a row",
        "name several files in one, not each in the one before; ",
    ),
    "files": (many_files, "there are more than 1,000 files in one spec", ""),
    "a long file": (
        f"{HEAD}doc: {'x' * 2**24}\nlayers: [relu]\n",
        "there are more than 16,777,216 bytes of YAML in one spec, what it imports included",
        "",
    ),
    "empty lists": (
        f"{HEAD}x: [{'[],' * 1_000_000}]\nlayers: [relu]\n",
        "there are more than 500,000 values in one spec, those that aliases repeat included",
        "",
    ),
}


def write(folder: Path, what: str) -> Path:
    text = BOMBS[what][0]
    (folder / "s.yaml").write_text(text if isinstance(text, str) else text(folder))
    return folder / "s.yaml"


def errors_of(path: Path) -> list[Diagnostic]:
    """Return the errors of a network or a library."""
    report = Report()
    try:
        spec = load_spec(path, report)
        if spec.network is None:
            check_library(spec, report)
        else:
            draft_graph(path)
    except CompileError as error:
        report.add_all(error.diagnostics)
    return list(report.errors)


def limit_of(what: str) -> str:
    """Return the limit that a bomb meets."""
    message = BOMBS[what][1]
    found = [n for n, each in LIMITS.items() if message.endswith(each.what)]
    if found:
        return found[0]
    return "import_depth" if "in a row" in message else "operations"


@pytest.mark.parametrize("what", BOMBS)
def test_it_is_refused_by_a_named_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = write(tmp_path, what)
    made = 0
    add = Builder.add

    def counting(*arguments: object, **more: object) -> str:
        nonlocal made
        made += 1
        return add(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Builder, "add", counting)
    (error,) = errors_of(path)
    name = limit_of(what)
    assert error.message == BOMBS[what][1]
    assert error.help == BOMBS[what][2] + (
        f"the limit is {limit(name):,}; {variable_of(name)} sets another"
    )
    assert made <= 6000


@pytest.mark.parametrize("what", BOMBS)
def test_it_costs_little(tmp_path: Path, what: str) -> None:
    path = write(tmp_path, what)

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    done = subprocess.run(
        [sys.executable, "-m", "compiler", "check", str(path)],
        cwd=ROOT,
        preexec_fn=bounded,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert f"{variable_of(limit_of(what))} sets" in " ".join(done.stderr.split())
    assert len(done.stderr) < 5000


def test_a_limit_is_set_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.yaml").write_text(f"{HEAD}layers: [{{relu: true, repeat: 5}}]\n")
    monkeypatch.setenv("NETDRAFT_LIMIT_OPERATIONS", "5")
    (error,) = errors_of(tmp_path / "s.yaml")
    assert error.message == "`repeat: 5` makes 6 operations or more, 5 at most"
    monkeypatch.setenv("NETDRAFT_LIMIT_OPERATIONS", "6")
    assert errors_of(tmp_path / "s.yaml") == []


@pytest.mark.parametrize("value", ["0", "-1", "many", "1e6", "²"])
def test_a_limit_that_is_no_number_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "s.yaml").write_text(f"{HEAD}layers: [relu]\n")
    monkeypatch.setenv("NETDRAFT_LIMIT_VALUES", value)
    with pytest.raises(UsageError) as found:
        draft_graph(tmp_path / "s.yaml")
    assert str(found.value) == (
        f"NETDRAFT_LIMIT_VALUES is `{value}`, not a whole number greater than 0"
    )


def test_a_hundred_thousand_layers_are_fine(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(HEAD + "layers: [" + "relu, " * 100_000 + "]\n")
    graph, report, _ = draft_graph(tmp_path / "s.yaml")
    assert len(graph.nodes) == 100_001
    assert report.counts["error"] == 0


def test_a_default_that_reads_nothing_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.yaml").write_text(
        f"{HEAD}blocks:\n  b:\n    params: {{a: 1, b: a + 1, c: 3, k: 3x3}}\n"
        "    layers: [{conv: k, filters: b + c}]\nlayers: [{block: b, repeat: 50}]\n"
    )
    read: list[str] = []
    real = parameter_default

    def counting(report: Report, name: str, *more: Any) -> Any:
        read.append(name)
        return real(report, name, *more)

    monkeypatch.setattr("compiler.lower.arguments.parameter_default", counting)
    graph, report, _ = draft_graph(tmp_path / "s.yaml")
    assert report.counts["error"] == 0
    assert Counter(read) == {"a": 1, "b": 50, "c": 1, "k": 1}
    assert graph.tensor("b.49").shape == (5, 8, 8)


def test_a_line_as_long_as_a_file_is_shown_near_the_fault(tmp_path: Path) -> None:
    text = f"{HEAD}layers: [{'relu, ' * 5000}nope, {'relu, ' * 5000}]\n"
    (tmp_path / "s.yaml").write_text(text)
    (error,) = errors_of(tmp_path / "s.yaml")
    shown = as_text([error], {error.span.file: text}).splitlines()
    line = next(i for i, row in enumerate(shown) if row.startswith("3 |"))
    near = "relu, nope, relu, relu, relu, relu, relu, relu, relu, relu, relu, r..."
    assert shown[line] == f"3 | ..., {near}"
    assert shown[line + 1].rstrip() == "  |            ^^^^"
