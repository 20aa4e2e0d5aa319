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
from compiler.facts.notation import in_signs
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
    assert "|        216·H·W |" in as_markdown(summary)
    assert r"$H \times W \times 8$ & 232 & $216\,H W$ &" in as_latex(summary)


OPEN = """network: open
input: {image: [3, H, "2*side_a"]}
layers:
  - {conv: 3x3, filters: 8, stride: 2}
  - {conv: 3x3, filters: 8, padding: V, dilation: 2, stride: [1, 2]}
  - flatten
"""


def opened(folder: Path) -> Summary:
    (folder / "open.yaml").write_text(OPEN)
    return summarize(load_graph(folder / "open.yaml"))


def test_open_sizes_and_counts_as_a_paper_writes_them(tmp_path: Path) -> None:
    # 216 products at each of (H + 1) // 2 heights and side_a widths
    summary = opened(tmp_path)
    caption, _, _, _, *rows, total = as_markdown(summary).splitlines()
    assert caption.startswith(r"open for image Hx2·side\_ax3 (height x width x channels)")
    assert caption.endswith("receptive field in pixels; ≈ is how a longer formula grows")
    assert [re.split(r" *\| *", row)[2:6] for row in rows] == [
        [r"⌊(H+1)/2⌋xside\_ax8", "224", r"216·⌊(H+1)/2⌋·side\_a", r"32·⌊(H+1)/2⌋·side\_a"],
        [r"(⌊(H+1)/2⌋-4)x(⌊(side\_a+1)/2⌋-2)x8", "584", r"≈144·H·side\_a", r"≈8·H·side\_a"],
        [r"8·(⌊(H+1)/2⌋-4)·(⌊(side\_a+1)/2⌋-2)", "0", "0", r"≈8·H·side\_a"],
    ]
    assert total.startswith("| **total**")
    lines = as_latex(summary).splitlines()
    assert r"for image $H \times 2\,\mathit{side\_a} \times 3$ (height" in lines[3]
    assert lines[3].endswith(r"in pixels; $\approx$ is how a longer formula grows}")
    assert lines[10].split(" & ")[1:4] == [
        r"$(\lfloor (H+1)/2\rfloor -4) \times (\lfloor (\mathit{side\_a}+1)/2\rfloor -2) \times 8$",
        "584",
        r"$\approx 144\,H\,\mathit{side\_a}$",
    ]


@pytest.mark.parametrize(
    ("formula", "signs"),
    [
        ("2*(H//2)-(W//3)", "2·⌊H/2⌋-⌊W/3⌋"),
        ("(2*((H+1)//2)+W)//3", "⌊(2·⌊(H+1)/2⌋+W)/3⌋"),
        ("3*(H-2)*(W//2-1)", "3·(H-2)·(⌊W/2⌋-1)"),
        ("((H-2)*(W-2))//5", "⌊((H-2)·(W-2))/5⌋"),
        ("-(H//2)", "-⌊H/2⌋"),
        ("~1,536*H*W", "≈1,536·H·W"),
    ],
)
def test_a_formula_in_the_signs_of_mathematics(formula: str, signs: str) -> None:
    assert in_signs(formula) == signs


def test_stride_and_offset_of_the_field_where_they_are_asked_for(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(
        "network: t\ninput: {image: [3, 9, 9]}\n"
        "layers: [{conv: 3x5, filters: 2, stride: 2, padding: [1, 0]}, global_avg_pool]\n"
    )
    summary = summarize(load_graph(spec))
    names, *rows = as_csv(summary, buffers=True, fields=True).splitlines()
    fields = "receptive_field,receptive_field_stride,receptive_field_offset"
    assert names.endswith(f",activation_bytes,{fields},buffers")
    ends = [row.split(",")[-4:] for row in rows]
    assert ends == [["3x5", "2", "0x2", "0"], ["all", "", "", "0"], ["", "", "", "0"]]
    for text in (as_markdown(summary, fields=True), as_latex(summary, fields=True)):
        assert (
            "receptive field in pixels, its shift from unit to unit, and the centre of the first "
            "unit's" in text
        )
    last = [
        re.split(r" +\| +", r.strip("| "))[-3:]
        for r in as_markdown(summary, fields=True).splitlines()
    ]
    assert last[2] == ["sees", "stride", "offset"]
    assert last[4] == ["3x5", "2", "0x2"]
    assert r"3$\times$5 & 2 & 0$\times$2 \\" in as_latex(summary, fields=True)


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
    tables += as_latex(opened(tmp_path), fields=True)
    packages = "\\documentclass{article}\\usepackage{booktabs}"
    (tmp_path / "t.tex").write_text(f"{packages}\\begin{{document}}{tables}\\end{{document}}")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
