"""`check --against paper`: what agrees, what deviates and why, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compiler.__main__ import main
from compiler.paper.align import Picture, align
from compiler.paper.compare import compare
from compiler.paper.findings import Comparison
from compiler.pipeline import draft_graph

NETWORKS = ("inception_v4", "inception_resnet_v1", "inception_resnet_v2")
RELEASED = (
    "released/inception_v4_slim",
    "released/inception_resnet_v2_slim",
    "released/inception_resnet_v1_facenet",
)
TEACHING = ("teaching/residual", "teaching/bottleneck", "teaching/residual_scaling")


MOST_FIGURES = [
    "Figure 9: 9 of 10 boxes, 9 of 9 arrows, 10 of 10 sizes",
    "Figure 3: 15 of 17 boxes, 19 of 19 arrows, 7 of 7 sizes",
    "Figure 4: 10 of 10 boxes, 12 of 12 arrows, 0 of 0 sizes",
    "Figure 7: 7 of 7 boxes, 8 of 8 arrows, 0 of 0 sizes",
    "Figure 5: 12 of 13 boxes, 15 of 15 arrows, 0 of 0 sizes",
    "Figure 8: 9 of 9 boxes, 10 of 10 arrows, 0 of 0 sizes",
    "Figure 6: 13 of 13 boxes, 17 of 17 arrows, 0 of 0 sizes",
]


def comparison_of(spec: str | Path) -> Comparison:
    graph, _, loaded = draft_graph(spec)
    return compare(graph, loaded.errata)


def explained(comparison: Comparison, place: str) -> dict[str, str]:
    """Return the deviations of one figure: text -> errata."""
    return {
        d.text: " ".join(e.id for e in d.errata) for d in comparison.deviations if d.place == place
    }


def edited(
    tmp_path: Path, source: str, old: str, new: str, file: str = "specs/inception_v4.yaml"
) -> Path:
    """Return a network that uses a shipped one with one of its block files changed."""
    text = Path(source).read_text(encoding="utf-8")
    assert old in text
    folder = tmp_path / "specs"
    (folder / "blocks").mkdir(parents=True)
    blocks = [f"blocks/{path.name}" for path in Path("specs/blocks").glob("*.yaml")]
    networks = ("inception_v4", "inception_resnet_v1", "inception_resnet_v2")
    for name in ("errata.yaml", *(f"{n}.yaml" for n in networks), *blocks):
        (folder / name).write_text(
            Path("specs", name).read_text(encoding="utf-8"), encoding="utf-8"
        )
    (tmp_path / source).write_text(text.replace(old, new, 1), encoding="utf-8")
    return tmp_path / file


@pytest.mark.parametrize(
    "spec", [*NETWORKS, *RELEASED, *TEACHING, *(f"printed/{n}" for n in NETWORKS)]
)
def test_every_deviation_is_explained(spec: str) -> None:
    comparison = comparison_of(spec)
    assert comparison.findings
    assert [d.text for d in comparison.unexplained] == []


def test_inception_v4_deviates_by_its_errata_alone() -> None:
    comparison = comparison_of("inception_v4")
    counted = [
        f"{f.place}: {f.boxes} boxes, {f.arrows} arrows, {f.sizes} sizes"
        for f in comparison.findings
    ]
    assert counted[:-1] == MOST_FIGURES
    assert comparison.findings[-1].place == "Table 1"
    assert str(comparison.findings[-1].values) == "4 of 4"
    assert explained(comparison, "Figure 3") == {
        "prints `3x3 Conv (192 V)`, `mixed_5a.conv.conv_3x3` is `3x3 Conv (192 stride 2 V)`": "E1",
        "prints `MaxPool (stride=2 V)`, "
        "`mixed_5a.pool.max_pool_3x3` is `3x3 MaxPool (stride 2 V)`": "E2",
    }
    assert explained(comparison, "Figure 9") == {
        "prints `Avarage Pooling`, `pool` is `Average Pooling`": "E9",
        "has no box for `logits`, `Fully connected (1000)`": "E10",
    }
    assert explained(comparison, "Figure 5") == {
        "prints `1x7 Conv (256)`, `short.conv_7x1` is `7x1 Conv (256)`": "E5",
        "prints `Avg Pooling`, `pool.avg_pool_3x3` is `3x3 AvgPool`": "E4",
    }


def test_inception_resnet_v2_is_built_with_1152_and_2144() -> None:
    comparison = comparison_of("inception_resnet_v2")
    assert "E14" in explained(comparison, "Figure 17").values()
    assert (
        explained(comparison, "Figure 17")[
            "prints `1x1 Conv (1154 Linear)`, `up` is `1x1 Conv (1152 Linear)`"
        ]
        == "E14"
    )
    assert (
        explained(comparison, "Figure 19")[
            "prints `1x1 Conv (2048 Linear)`, `up` is `1x1 Conv (2144 Linear)`"
        ]
        == "E16"
    )
    assert explained(comparison, "Figure 16") == {
        "has no box for `concat`, `Filter concat`": "E29",
        "has no box for `scale`, `Activation Scaling (0.17)`": "E19",
    }
    assert (
        explained(comparison, "Figure 15")[
            "prints 8x8x1792 beside `Reduction-B`, `reduction_b` gives 8x8x2144"
        ]
        == "E12"
    )


def test_the_released_network_says_what_it_does_otherwise() -> None:
    found = explained(comparison_of("released/inception_resnet_v2_slim"), "Figure 15")
    assert found["prints `5 x Inception-resnet-A`, `a` is `10 x Inception-ResNet-A`"] == "E28"
    assert found["has no box for `mixed_5b`, `Mixed-5b`"] == "E28"
    assert found["has no box for `conv_7b`, `1x1 Conv (1536)`"] == "E21"
    orders = explained(comparison_of("released/inception_v4_slim"), "Figure 6")
    assert [e for text, e in orders.items() if "order" in text] == ["E8", "E8"]


@pytest.mark.parametrize("spec", [f"printed/{n}" for n in NETWORKS])
def test_the_printed_specs_have_all_boxes_and_arrows_of_their_figures(spec: str) -> None:
    totals = comparison_of(spec).totals()
    assert totals["boxes"].same == totals["boxes"].total
    assert totals["arrows"].same == totals["arrows"].total


def test_the_printed_inception_v4_fails_for_the_stated_cause_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "printed/inception_v4", "--against", "paper", "--format", "json"]) == 1
    (error,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert error["code"] == "shape-mismatch"
    assert error["message"] == "`stem.mixed_5a.concat` cannot concat 69x69x192 with 35x35x192"
    assert "E1" in error["errata"]
    assert "Figure 3" in str(error)
    assert error["help"] == "erratum E1: build `3x3 Conv (192 stride 2 V)`"


def test_the_printed_inception_resnet_v2_fails_for_three_causes_in_one_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        main(["check", "printed/inception_resnet_v2", "--against", "paper", "--format", "json"])
        == 1
    )
    errors = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [e["message"] for e in errors] == [
        "`stem.mixed_5a.concat` cannot concat 69x69x192 with 35x35x192",
        "`b.0.add` cannot add 17x17x1154 with 17x17x1152",
        "`c.0.add` cannot add 8x8x2048 with 8x8x2144",
    ]
    for error, erratum, figure, fix in zip(
        errors,
        ("E1", "E14", "E16"),
        (3, 17, 19),
        ("192 stride 2 V", "1152 Linear", "2144 Linear"),
        strict=True,
    ):
        assert erratum in error["errata"]
        assert f"Figure {figure}" in str(error)
        assert fix in error["help"]
        assert error["file"].endswith(
            ("printed/blocks/stem_v4.yaml", "printed/blocks/inception_resnet_v2.yaml")
        )
        line = Path(error["file"]).read_text(encoding="utf-8").splitlines()[error["line"] - 1]
        assert erratum in line


def test_the_printed_inception_resnet_v1_is_consistent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "printed/inception_resnet_v1", "--against", "paper"]) == 0
    out = capsys.readouterr().out
    assert (
        "consistent with the paper: 61 of 61 boxes, 66 of 66 arrows, 18 of 18 sizes, 4 of 4 values"
        in out
    )


def test_text_tells_each_erratum_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "inception_v4", "--against", "paper"]) == 0
    out = capsys.readouterr().out
    assert "  Figure 7  Reduction-A (`reduction_a`): 7 of 7 boxes, 8 of 8 arrows\n" in out
    assert out.count("the code pools 3x3 at stride 1 with SAME padding") == 1
    assert (
        "agrees with the paper: 75 of 79 boxes, 90 of 90 arrows, 17 of 17 sizes, 4 of 4 values"
        in out
    )


def test_what_cites_nothing_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "zoo/googlenet", "--against", "paper"]) == 0
    assert "nothing here cites a figure or a table" in capsys.readouterr().out


# old text, new text, the figure, what must be reported
EDITS = {
    "width": (
        "- {conv: 1x1, filters: 64}",
        "- {conv: 1x1, filters: 63}",
        "Figure 4 prints `1x1 Conv (64)`, `short.conv_1x1` is `1x1 Conv (63)`",
    ),
    "kernels swapped": (
        "{conv: 7x1, filters: 320}",
        "{conv: 1x7, filters: 320}",
        "Figure 8 prints `7x1 Conv (320)`, `long.conv_1x7_2` is `1x7 Conv (320)`",
    ),
    "box too many": (
        "- {conv: 7x1, filters: 320}",
        "- {conv: 7x1, filters: 320}\n        - {conv: 1x1, filters: 320}",
        "Figure 8 has no box for `long.conv_1x1_2`, `1x1 Conv (320)`",
    ),
    "box too few": (
        "        - {conv: 1x7, filters: 256}\n",
        "",
        "Figure 8 prints a box `1x7 Conv (256)`, which `reduction_b` does not have",
    ),
    "another mending": (
        "{conv: 7x1, filters: 256, errata: [E5]}",
        "{conv: 7x7, filters: 256, errata: [E5]}",
        "Figure 5 prints `1x7 Conv (256)`, `short.conv_7x7` is `7x7 Conv (256)`",
    ),
    "record taken away": (
        "{avg_pool: 3x3, label: Avg Pooling, errata: [E4]}\n        - {conv: 1x1, filters: 96}",
        "{max_pool: 3x3, label: Avg Pooling}\n        - {conv: 1x1, filters: 96}",
        "Figure 4 prints `Avg Pooling`, `pool.max_pool_3x3` is `3x3 MaxPool`",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_change_to_a_block_is_an_error_at_its_line(name: str, tmp_path: Path) -> None:
    old, new, message = EDITS[name]
    comparison = comparison_of(edited(tmp_path, "specs/blocks/inception_v4.yaml", old, new))
    (error,) = comparison.diagnostics
    assert (error.code, error.message) == ("unlike-paper", message)
    assert error.span.file.endswith("blocks/inception_v4.yaml")
    advice = "record an erratum and name it here with `errata: [...]`"
    assert error.help == f"build what is printed, or {advice}"
    if "few" not in name:
        line = Path(error.span.file).read_text(encoding="utf-8").splitlines()[error.span.line - 1]
        assert line.strip().removeprefix("- ") in new


def test_advice_names_the_erratum_that_fits(tmp_path: Path) -> None:
    old = "{conv: 7x1, filters: 256, errata: [E5]}"
    spec = edited(tmp_path, "specs/blocks/inception_v4.yaml", old, "{conv: 7x1, filters: 256}")
    (error,) = comparison_of(spec).diagnostics
    assert error.help == "build what is printed, or say that it is on purpose: `errata: [E5]`"


def test_branches_in_another_order_are_an_error_unless_recorded(tmp_path: Path) -> None:
    pool = "      pool:\n        - {max_pool: 3x3, stride: 2, padding: V}\n"
    single = "      single:\n        - {conv: 3x3, filters: n, stride: 2, padding: V}\n"
    spec = edited(tmp_path, "specs/blocks/reduction_a.yaml", pool + single, single + pool)
    (error,) = comparison_of(spec).diagnostics
    order = "`3x3 MaxPool (stride 2 V)`, `3x3 Conv (n stride 2 V)`, `1x1 Conv (k)`"
    assert error.message.startswith(f"Figure 7 prints branches in the order {order}, ")


def test_a_value_of_table_1_is_compared(tmp_path: Path) -> None:
    spec = edited(tmp_path, "specs/inception_v4.yaml", "l: 224", "l: 192")
    (error,) = comparison_of(spec).diagnostics
    assert error.message == "Table 1 prints l = 224 for Inception-v4, `reduction_a` has 192"


def test_a_printed_size_is_compared_with_the_computed_one(tmp_path: Path) -> None:
    spec = edited(
        tmp_path,
        "specs/inception_v4.yaml",
        "repeat: 7, size: 17x17x1024",
        "repeat: 6, size: 17x17x1024",
    )
    assert [d.message for d in comparison_of(spec).diagnostics] == [
        "Figure 9 prints `7 x Inception-B`, `b` is `6 x Inception-B`"
    ]


def test_a_figure_that_the_paper_does_not_have(tmp_path: Path) -> None:
    spec = edited(
        tmp_path, "specs/blocks/inception_v4.yaml", "cite: {figure: 4}", "cite: {figure: 44}"
    )
    (error,) = comparison_of(spec).diagnostics
    assert (
        error.message
        == "Figure 44 is cited by `a.0`; the paper's architecture is in Figures 1 to 20"
    )


def test_alignment_matches_branches_wherever_they_stand() -> None:
    first = Picture(
        ("in", "a", "b", "b2", "join"),
        frozenset({(0, 1), (0, 2), (2, 3), (1, 4), (3, 4)}),
        (0, 0, 1, 1, 0),
    )
    second = Picture(
        ("in", "b", "b2", "a", "join"),
        frozenset({(0, 1), (1, 2), (0, 3), (2, 4), (3, 4)}),
        (0, 0, 0, 1, 0),
    )
    found = align(first, second)
    assert found.pairs == {0: 0, 1: 3, 2: 1, 3: 2, 4: 4}
    assert [(s.first, s.second) for s in found.swaps] == [((1, 2), (1, 3))]


BLOCK_FILES = {
    "specs/blocks/stem_v4.yaml": "inception_v4",
    "specs/blocks/inception_v4.yaml": "inception_v4",
    "specs/blocks/reduction_a.yaml": "inception_v4",
    "specs/blocks/inception_resnet_v1.yaml": "inception_resnet_v1",
    "specs/blocks/inception_resnet_v2.yaml": "inception_resnet_v2",
}


def changes_of(line: str) -> list[str]:
    """Return a layer's line with each number of it changed, or its kernel turned."""
    out = []
    for match in re.finditer(r"(?<=filters: )\d+|(?<=stride: )\d|\dx\d(?=[,}])", line):
        old = match[0]
        new = old[::-1] if old[0] != old[-1] else "5x5" if "x" in old else str(int(old) + 1)
        out.append(line[: match.start()] + new + line[match.end() :])
    return out


@pytest.mark.parametrize("file", BLOCK_FILES)
def test_no_changed_number_of_a_block_goes_unnoticed(file: str, tmp_path: Path) -> None:
    network = BLOCK_FILES[file]
    spec = edited(tmp_path, file, "blocks:", "blocks:", f"specs/{network}.yaml")
    path, unnoticed, tried = tmp_path / file, [], 0
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        for changed in changes_of(line):
            path.write_text(
                "\n".join([*lines[:number], changed, *lines[number + 1 :]]), encoding="utf-8"
            )
            graph, report, _ = draft_graph(spec)
            tried += 1
            if not report.errors and not compare(graph).unexplained:
                unnoticed.append(changed.strip())
    assert tried > 5
    # the one that takes an erratum back: Figure 5 as printed
    assert unnoticed in ([], ["- {conv: 1x7, filters: 256, errata: [E5]}"])


def test_another_network_is_one_error(tmp_path: Path) -> None:
    spec = tmp_path / "long.yaml"
    spec.write_text(
        "network: long\n"
        "cite: {figure: 9}\n"
        "input: {image: [3, 8, 8]}\n"
        "layers:\n" + "  - {conv: 3x3, filters: 3}\n" * 60,
        encoding="utf-8",
    )
    (error,) = comparison_of(spec).diagnostics
    assert error.message == "Figure 9 prints 10 boxes, `long` has 61: it is another network"


def test_a_convolution_without_batch_norm_is_not_the_papers(tmp_path: Path) -> None:
    spec = edited(
        tmp_path,
        "specs/inception_v4.yaml",
        "conv: {norm: batch_norm, activation: relu}",
        "conv: {activation: relu}",
    )
    messages = [d.message for d in comparison_of(spec).diagnostics]
    assert "Figure 4 prints `1x1 Conv (96)`, `pool.conv_1x1` is `1x1 Conv (96 no norm)`" in messages
