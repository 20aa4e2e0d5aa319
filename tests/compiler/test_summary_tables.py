"""The stage table as Markdown, CSV and LaTeX: the rows of the text, with exact numbers."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from compiler.__main__ import main
from compiler.cli.summary import as_json
from compiler.facts.summarize import Summary, summarize
from compiler.facts.summary_tables import as_csv, as_latex, as_markdown
from compiler.pipeline import load_graph

TITLES = r"a|b_c*d <e> & 50 % of $x \ {y} #1 ~ ^"
SPEC = """network: small_net
title: "{title}"
input: {{image: {input}}}
blocks:
  one:
    title: '{block}'
    layers: [{{conv: 3x3, filters: 8, norm: batch_norm}}, {{max_pool: 2}}]
layers: [{{block: one}}, global_avg_pool, {{linear: 10}}, softmax]
"""


def small(
    folder: Path, title: str = "Small", block: str = "One", input: str = "[3, 8, 8]"
) -> Summary:
    spec = folder / "small.yaml"
    spec.write_text(SPEC.format(title=title, block=block, input=input))
    return summarize(load_graph(spec), depth=2)


def test_markdown(tmp_path: Path) -> None:
    # 27 * 8 weights and 2 * 8 of the norm; 27 * 8 * 64 products; 2 * 512 floats.
    caption, _, *table = as_markdown(small(tmp_path)).splitlines()
    assert caption == (
        "Small for image 8x8x3 (height x width x channels): output size, learned parameters, "
        "multiply-accumulates (MAC) and bytes of activations in float32 for one sample, "
        "receptive field in pixels"
    )
    assert len({len(line) for line in table}) == 1
    assert [re.sub("(?<= ) +|(?<=-)-+", "", line) for line in table] == [
        "| stage | output | parameters | MAC | bytes | sees |",
        "| - | -: | -: | -: | -: | -: |",
        "| One | 8x8x8 | 232 | 13,824 | 6,144 | 4x4 |",
        "| &nbsp;&nbsp;3x3 Conv (8 no activation) | 8x8x8 | 232 | 13,824 | 4,096 | 3x3 |",
        "| &nbsp;&nbsp;2x2 MaxPool | 8x8x8 | 0 | 0 | 2,048 | 4x4 |",
        "| Average Pooling | 8 | 0 | 0 | 32 | all |",
        "| Fully connected (10) | 10 | 90 | 80 | 40 | all |",
        "| Softmax | 10 | 0 | 0 | 40 | all |",
        "| **total** | | **322** | **13,904** | **7,024** | |",
    ]


def test_csv_has_plain_numbers_and_one_line_of_names(tmp_path: Path) -> None:
    assert as_csv(small(tmp_path), buffers=True).splitlines() == [
        "stage,name,depth,output,parameters,macs,activation_bytes,receptive_field,buffers",
        "One,one,1,8x8x8,232,13824,6144,4x4,16",
        "3x3 Conv (8 no activation),one.conv_3x3,2,8x8x8,232,13824,4096,3x3,16",
        "2x2 MaxPool,one.max_pool_2x2,2,8x8x8,0,0,2048,4x4,0",
        "Average Pooling,global_avg_pool,1,8,0,0,32,all,0",
        "Fully connected (10),linear,1,10,90,80,40,all,0",
        "Softmax,softmax,1,10,0,0,40,all,0",
        "total,,,,322,13904,7024,,16",
    ]


def test_latex(tmp_path: Path) -> None:
    lines = as_latex(small(tmp_path)).splitlines()
    assert lines[:3] == ["% needs \\usepackage{booktabs}", r"\begin{table}", r"  \centering"]
    assert lines[3].startswith(r"  \caption{Small for image 8$\times$8$\times$3 (height x width")
    assert lines[4:] == [
        r"  \label{tab:small-net}",
        r"  \begin{tabular}{lrrrrr}",
        r"    \toprule",
        r"    stage & output & parameters & MAC & bytes & sees \\",
        r"    \midrule",
        r"    One & 8$\times$8$\times$8 & 232 & 13,824 & 6,144 & 4$\times$4 \\",
        r"    \quad 3$\times$3 Conv (8 no activation) & 8$\times$8$\times$8 & 232 & 13,824 & 4,096 "
        r"& 3$\times$3 \\",
        r"    \quad 2$\times$2 MaxPool & 8$\times$8$\times$8 & 0 & 0 & 2,048 & 4$\times$4 \\",
        r"    Average Pooling & 8 & 0 & 0 & 32 & all \\",
        r"    Fully connected (10) & 10 & 90 & 80 & 40 & all \\",
        r"    Softmax & 10 & 0 & 0 & 40 & all \\",
        r"    \midrule",
        r"    total &  & 322 & 13,904 & 7,024 &  \\",
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]


@pytest.mark.parametrize("spec", ["inception_v4", "zoo/googlenet"])
def test_the_numbers_are_those_of_json(spec: str) -> None:
    summary = summarize(load_graph(spec), depth=2)
    data = as_json(summary)
    *rows, total = csv.DictReader(io.StringIO(as_csv(summary)))
    counts = ("parameters", "macs", "activation_bytes")
    stages = [[stage["title"], *(str(stage[key]) for key in counts)] for stage in data["stages"]]
    assert [[row["stage"], *(row[key] for key in counts)] for row in rows] == stages
    assert [total[key] for key in counts] == [str(data[key]) for key in counts]
    for text in (as_markdown(summary), as_latex(summary)):
        last = [line for line in text.splitlines() if "total" in line][-1]
        assert [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", last)] == [
            data[key] for key in counts
        ]


def test_formulas_of_an_open_input(tmp_path: Path) -> None:
    summary = small(tmp_path, input="[3, H, W]")
    first = next(csv.DictReader(io.StringIO(as_csv(summary))))
    assert (first["macs"], first["output"]) == ("216*H*W", "HxWx8")
    assert r"|        216\*H\*W |" in as_markdown(summary)
    assert r"H$\times$W$\times$8 & 232 & 216*H*W &" in as_latex(summary)


def test_what_a_document_would_obey_is_escaped(tmp_path: Path) -> None:
    summary = small(tmp_path, block=TITLES)
    assert r"a\|b\_c\*d \<e\> &amp; 50 % of \$x \\ {y} \#1 \~ ^" in as_markdown(summary)
    assert (
        r"a\textbar{}b\_c*d \textless{}e\textgreater{} \& 50 \% of \$x \textbackslash{} \{y\} "
        r"\#1 \textasciitilde{} \textasciicircum{}" in as_latex(summary)
    )
    assert next(csv.DictReader(io.StringIO(as_csv(summary))))["stage"] == TITLES


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("t.md", "Inception-v4 for image"),
        ("t.csv", "stage,name,depth,"),
        ("t.tex", "% needs \\usepackage{booktabs}\n\\begin{table}\n"),
        ("t.txt", "Inception-v4  (inception_v4)\n"),
        ("t.json", '{\n  "name": "inception_v4"'),
    ],
)
def test_the_name_of_the_file_says_the_format(
    tmp_path: Path, name: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    assert main(["summary", "inception_v4", "-o", str(path)]) == 0
    assert path.read_text().startswith(start)
    assert capsys.readouterr().out == f"wrote {path}\n"


def test_a_file_whose_name_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.doc"
    assert main(["summary", "inception_v4", "-o", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"error: -o {path}: its name ends in none of .txt, .json, .md, .csv, .tex; say --format\n"
    )
    assert main(["summary", "inception_v4", "-o", str(path), "--format", "csv"]) == 0
    assert path.read_text().startswith("stage,")


def test_latex_compiles(tmp_path: Path) -> None:
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("no pdflatex is installed")
    tables = as_latex(small(tmp_path, TITLES.replace("\\", "/"), TITLES), True)
    tables += as_latex(summarize(load_graph("inception_resnet_v2"), depth=2))
    packages = "\\documentclass{article}\\usepackage{booktabs}"
    (tmp_path / "t.tex").write_text(f"{packages}\\begin{{document}}{tables}\\end{{document}}")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
