"""The stage table: counts of open inputs are formulas, small ones are seen, unknown is no zero."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from compiler.cli.summary import as_json, as_text
from compiler.facts.summarize import summarize
from compiler.graph import Symbolic
from compiler.pipeline import load_graph


def summary_of(tmp_path: Path, inputs: str, layers: str) -> tuple[str, dict[str, Any]]:
    """Return a network's summary as text and as JSON."""
    spec = tmp_path / "t.yaml"
    spec.write_text(f"network: t\ninput: {{image: {inputs}}}\nlayers: {layers}\n")
    summary = summarize(load_graph(spec))
    return as_text(summary), json.loads(json.dumps(as_json(summary)))


def test_counts_of_an_open_input(tmp_path: Path) -> None:
    layers = "[{conv: 3x3, filters: 8}, {conv: 3x3, filters: 4, stride: 2, padding: V}]"
    text, data = summary_of(tmp_path, "[3, H, W]", layers)
    lines = text.splitlines()
    assert lines.pop(2) == "sizes that fit: heights and widths from 3"
    assert data["fits"] == "heights and widths from 3"
    assert [re.split(" {2,}", line) for line in (*lines[5:7], lines[8])] == [
        ["3x3 Conv (8 Linear)", "HxWx8", "224", "216*H*W", "32*H*W", "3x3"],
        [
            "3x3 Conv (4 stride 2 V Li...",
            "((H+1)//2-1)x((W+1)//2-1)x4",
            "292",
            "~72*H*W",
            "~4*H*W",
            "5x5",
        ],
        ["total", "516", "~288*H*W", "~48*H*W"],
    ]
    assert lines[10:] == [
        "288*((H+1)//2)*((W+1)//2)+216*H*W+288-288*((H+1)//2)-288*((W+1)//2) MAC for one",
        "sample (1 MAC = 2 FLOP)",
    ]
    assert (data["macs"], data["parameters"]) == (None, 516)
    assert [stage["macs_formula"] for stage in data["stages"]] == [
        "216*H*W",
        "288*((H+1)//2-1)*((W+1)//2-1)",
    ]
    assert data["stages"][0]["activation_bytes_formula"] == "32*H*W"


def test_the_formula_of_a_network_is_its_count_at_every_size() -> None:
    whole = summarize(load_graph("inception_v4", inputs=["3xHxW"]))
    for height, width in ((75, 75), (299, 299), (331, 160)):
        fixed = summarize(load_graph("inception_v4", inputs=[f"3x{height}x{width}"]))
        values = {"H": height, "W": width}
        assert isinstance(whole.macs, Symbolic)
        assert whole.macs.at(values) == fixed.macs
        assert isinstance(whole.activation_bytes, Symbolic)
        assert whole.activation_bytes.at(values) == fixed.activation_bytes
    assert whole.parameters == 42_679_816


def test_a_long_formula_is_shown_by_its_growth() -> None:
    text = as_text(summarize(load_graph("inception_v4", inputs=["3xHxW"])))
    assert text.splitlines()[-1] == (
        "about 162,252*H*W MAC for one sample; the whole formula is in `--format json`"
    )


def test_a_vector_of_open_length(tmp_path: Path) -> None:
    text, data = summary_of(tmp_path, "[3, H, W]", "[flatten, softmax]")
    assert data["outputs"] == {"softmax": ["3*H*W"]}
    assert data["macs"] == 0
    assert "0 MAC = 0 FLOP for one sample" in text


@pytest.mark.parametrize(
    ("size", "filters", "cells", "said"),
    [
        (4, 5, ["2,160", "320"], "2,160 MAC = 4,320 FLOP for one sample"),
        (32, 5, ["138", "20.0"], "0.138 MMAC = 0.276 MFLOP for one sample"),
        (256, 64, ["113", "16.0"], "0.113 GMAC = 0.226 GFLOP for one sample"),
    ],
)
def test_a_unit_that_shows_it(
    tmp_path: Path, size: int, filters: int, cells: list[str], said: str
) -> None:
    layers = f"[{{conv: 3x3, filters: {filters}}}]"
    text, data = summary_of(tmp_path, f"[3, {size}, {size}]", layers)
    (row,) = [line for line in text.splitlines() if line.startswith("3x3 Conv")]
    assert row.split()[-3:-1] == cells
    assert text.splitlines()[-1] == said
    assert data["macs"] == 27 * filters * size * size


def test_a_few_among_many_are_no_zero(tmp_path: Path) -> None:
    layers = "[{conv: 3x3, filters: 64}, {max_pool: 256x256, padding: V}, {conv: 1x1, filters: 2}]"
    text, _ = summary_of(tmp_path, "[3, 256, 256]", layers)
    assert [line.split()[-3] for line in text.splitlines()[5:8]] == ["113", "0.0", "0.0001"]


def test_stages_bear_the_names_of_the_spec(tmp_path: Path) -> None:
    layers = """
  - {layers: [{conv: 3x3, filters: 3, bias: false}, relu], repeat: 4}
  - {layers: [relu], name: trunk, repeat: 2}
  - {layers: [relu]}
  - {add: [image, trunk], name: sum}
  - {multiply: [sum, layers_2]}"""
    text, _ = summary_of(tmp_path, "[3, 8, 8]", layers)
    stages = [re.split(" {2,}", line)[0] for line in text.splitlines()[5:10]]
    assert stages == ["4 x layers", "2 x trunk", "layers_2", "sum (+)", "multiply (\u00d7)"]


@pytest.mark.parametrize(
    ("layer", "title"),
    [
        ("{conv: 3x3, filters: 8, repeat: 3}", "3 x 3x3 Conv (8 Linear)"),
        ("{conv: 3x3, filters: 8 * (index + 1), repeat: 3}", "3 x 3x3 Conv"),
        ("{conv: k, filters: 8, name: wide, for: {k: [3x3, 5x5]}}", "2 x wide"),
        ("{layers: [{conv: 1x1, filters: n}], name: pair, for: {n: [8, 16]}}", "2 x pair"),
    ],
)
def test_copies_are_called_by_what_they_have_in_common(
    layer: str, title: str, tmp_path: Path
) -> None:
    _, data = summary_of(tmp_path, "[8, 16, 16]", f"[{layer}]")
    assert [stage["title"] for stage in data["stages"]] == [title]
