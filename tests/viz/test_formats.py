"""Every format says what the layout says, and hostile names are text in all of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from compiler.errors import UsageError
from compiler.pipeline import draft_graph, load_graph
from tests.viz.networks import labelled, network
from viz.diagram.faults import find_faults
from viz.formats.png import bounded_zoom
from viz.formats.tikz import tex
from viz.render import WRITERS, Options, render
from viz.style.font import FONT_FILE, font
from viz.style.text import lines_of, visible

SVG = "{http://www.w3.org/2000/svg}"
LABELS = [
    "<conv 3x3>",
    "<in> <out>",
    "a < b & c",
    "R&D",
    "<R&D>",
    "&lt;",
    "he said \"x\" and 'y'",
    "\\",
    "C:\\new\\temp",
    "x\\Ny",
    "trailing\\",
    "a:b",
    "{x|y} [8, 3]",
    "%_^~$#",
    "1\u00d71 \u2192 35\u00d735",
    "\u05d0\u05d1 \u65e5\u672c",
    "</text><script>alert(1)</script>",
    "]]> --> \\end{document}",
]
"""Cases K03 to K06 and K12, and what each format's own syntax would end with."""


def svg_texts(data: bytes) -> list[str]:
    return [element.text or "" for element in ET.fromstring(data).iter(f"{SVG}text")]


def pdf_streams(data: bytes) -> list[str]:
    found = re.findall(rb"stream\n(.*?)\nendstream", data, re.DOTALL)
    return [zlib.decompress(part).decode("latin-1") for part in found]


def pdf_texts(data: bytes) -> list[str]:
    """Return the lines of a PDF as a viewer would copy them: codes through its ToUnicode map."""
    streams = pdf_streams(data)
    table = next(s for s in streams if "beginbfchar" in s)
    pairs = re.findall(r"<([0-9A-F]{4})><([0-9A-F]+)>", table.partition("beginbfchar")[2])
    unicode = {code: bytes.fromhex(char).decode("utf-16-be") for code, char in pairs}
    content = next(s for s in streams if " Tj " in s)
    shown = re.findall(r"<([0-9A-F]*)> Tj", content)
    return ["".join(unicode[c] for c in re.findall("....", codes)) for codes in shown]


def dot_labels(text: str) -> list[str]:
    """Return labels as Graphviz reads them: quoted strings, escapes, then entities."""
    quoted = re.findall(r'n\d+ \[label="((?:[^"\\]|\\.)*)"', text)
    meaning = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    plain = [re.sub(r"\\.", lambda m: meaning[m[0]], label) for label in quoted]
    return [label.replace("&amp;", "&") for label in plain]


@pytest.mark.parametrize("label", LABELS)
def test_a_hostile_label_is_text_in_every_format(label: str) -> None:
    graph = network(labelled(label))

    assert label in svg_texts(render(graph, "svg"))
    assert label in pdf_texts(render(graph, "pdf"))
    assert json.loads(render(graph, "json"))["nodes"][1]["label"] == label
    assert dot_labels(render(graph, "dot").decode())[1] == label
    assert f"{{{tex(label)}}}" in render(graph, "tikz").decode()
    Image.open(BytesIO(render(graph, "png"))).verify()


def test_nothing_in_an_svg_could_act() -> None:
    data = render(network(labelled("</text><script>alert(1)</script>")), "svg")
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(data).iter()}

    assert tags <= {"svg", "title", "desc", "rect", "path", "polygon", "g", "text", "ellipse"}
    assert b"href" not in data


def test_an_svg_says_what_is_to_be_seen() -> None:
    """Figure 6 has 13 boxes and 17 arrows, and a concat at each end."""
    root = ET.fromstring(render(load_graph("inception_v4"), "svg", Options(figure=6)))

    assert (root[0].tag, root[0].text) == (f"{SVG}title", "Inception-C")
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text == (
        "13 boxes and 17 arrows, from Filter concat at the bottom to Filter concat at the top."
    )


FAILED = {
    "svg": 'fill="#f4cccc" stroke="#cc0000" stroke-width="1.6"',
    "tikz": "draw=ndfailed,fill=ndfailedfill,line width=1.6bp",
    "dot": 'color="#cc0000" fillcolor="#f4cccc" penwidth=2',
}


@pytest.mark.parametrize(("format", "mark"), FAILED.items())
def test_the_edge_of_what_failed_is_thicker(format: str, mark: str) -> None:
    """Printed without colours, red is grey."""
    graph, report, _ = draft_graph("printed/inception_v4")
    options = Options(figure=3, faults=find_faults(graph, report.diagnostics))

    assert mark in render(graph, format, options).decode()


def test_a_line_break_makes_two_lines() -> None:
    """Case K08."""
    graph = network(labelled("name\n149x149x32"))

    assert {"name", "149x149x32"} <= set(svg_texts(render(graph, "svg")))
    assert dot_labels(render(graph, "dot").decode())[1] == "name\n149x149x32"


def test_controls_and_bidi_marks_are_shown_not_obeyed() -> None:
    graph = network(labelled("a\u202eb\u0007"))

    assert "a\\u202eb\\u0007" in svg_texts(render(graph, "svg"))
    for format in ("svg", "pdf", "tikz", "dot"):
        assert "\u202e".encode() not in render(graph, format)


def test_ten_kilobytes_are_all_drawn_inside_their_box() -> None:
    long = "q" * 5000 + " " + "word " * 1000
    texts = svg_texts(render(network(labelled(long)), "svg"))

    assert "".join(texts).replace(" ", "").count("q") >= 5000
    assert " ".join(texts).count("word") == 1000
    assert max(font().width(t, 9.0) for t in texts) <= 24 * 9.0


@pytest.mark.parametrize("size", [7.0, 9.0, 14.0])
def test_widths_are_those_of_the_font(size: float) -> None:
    """The bundled font has Arial's widths: in 1/2048 em, A 1366, space 569, W 1933, i 455."""
    assert font().width("A Wi", size) == pytest.approx((1366 + 569 + 1933 + 455) * size / 2048)


def test_lines_break_at_brackets_spaces_and_in_the_end_anywhere() -> None:
    assert lines_of("3x3 Conv (96 stride 2 V)", 9, 216, True) == ("3x3 Conv", "(96 stride 2 V)")
    assert lines_of("3x3 Conv (96 stride 2 V)", 9, 216, False) == ("3x3 Conv (96 stride 2 V)",)
    assert lines_of("aaaa bbbb", 10, font().width("aaaa b", 10), False) == ("aaaa", "bbbb")
    assert lines_of("aaaa", 10, font().width("aa", 10), False) == ("aa", "aa")


def test_visible_keeps_what_can_be_seen() -> None:
    assert visible("\u00d7 \u05d0 \u65e5\t") == "\u00d7 \u05d0 \u65e5 "
    assert visible("\u200f\x00") == "\\u200f\\u0000"


def test_tex_leaves_nothing_that_latex_acts_on() -> None:
    assert tex("50% of $5 & #1_a") == r"50\% of \$5 \& \#1\_a"
    assert tex(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert tex("a--b") == "a-{}-{}b"
    assert tex("\u65e5") == r"\texttt{U+65E5}"


def test_tikz_is_one_picture_that_a_document_takes() -> None:
    graph = load_graph("inception_v4")
    text = render(graph, "tikz", Options(figure=6)).decode()
    lines = [line for line in text.splitlines() if not line.startswith("%")]

    assert text.count("{") == text.count("}")
    assert lines[0].startswith(r"\begin{tikzpicture}")
    assert lines[-1] == r"\end{tikzpicture}%"
    assert not {"fontfamily", "documentclass", "usepackage"} & set(
        re.findall(r"\w+", "".join(lines))
    )
    assert text.count(r"\node[anchor=") == len(svg_texts(render(graph, "svg", Options(figure=6))))


def test_boxes_are_named_nodes_of_tikz() -> None:
    text = render(load_graph("inception_v4"), "tikz", Options(depth=1)).decode()
    names = re.findall(r"\] \(([^)]*)\) at ", text)

    assert len(names) == len(set(names)) == 67
    assert "reduction-a-long-conv-3x3-2" in names
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in names)


def test_tikz_is_a_document_of_its_own_on_request() -> None:
    text = render(load_graph("inception_v4"), "tikz", Options(figure=6, standalone=True)).decode()

    assert text.startswith("\\documentclass[border=0pt]{standalone}\n\\usepackage{tikz}\n")
    assert text.endswith("\\end{tikzpicture}%\n\\end{document}\n")


def test_pdf_has_language_title_and_words_for_who_cannot_see() -> None:
    data = render(load_graph("inception_v4"), "pdf", Options(figure=9))
    words = re.search(rb"/S/Figure.*?/Alt<FEFF([0-9A-F]*)>", data)

    assert b"/Lang(en)/MarkInfo<</Marked true>>" in data
    assert b"/DisplayDocTitle true" in data
    assert words
    assert bytes.fromhex(words[1].decode()).decode("utf-16-be").startswith("10 boxes and 9 arrows")
    assert pdf_streams(data)[0].splitlines()[0] == "/Figure<</MCID 0>>BDC"
    assert pdf_streams(data)[0].splitlines()[-1] == "EMC"


def test_png_says_its_resolution() -> None:
    data = render(load_graph("inception_v4"), "png", Options(figure=9))
    place = data.index(b"pHYs")

    assert data[place - 4 : place] == b"\x00\x00\x00\x09"
    assert int.from_bytes(data[place + 4 : place + 8]) == 11811  # 300 / 0.0254
    assert data[place + 12] == 1  # a metre


def test_pdf_cross_references_point_at_their_objects() -> None:
    data = render(load_graph("inception_v4"), "pdf", Options(figure=6))
    table = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    entries = re.findall(rb"(\d{10}) 00000 n ", data[table:])

    for number, entry in enumerate(entries, start=1):
        assert data[int(entry) :].startswith(b"%d 0 obj" % number)
    assert b"/Count 1" in data
    assert b"/FontFile2" in data


def test_pdf_holds_few_letters_of_the_font() -> None:
    data = render(load_graph("inception_v4"), "pdf", Options(figure=6))

    assert len(data) < 20_000 < FONT_FILE.stat().st_size


def test_png_has_300_pixels_an_inch_and_fewer_where_it_must() -> None:
    data = render(load_graph("inception_v4"), "png", Options(figure=4))
    svg = ET.fromstring(render(load_graph("inception_v4"), "svg", Options(figure=4)))
    width = float(svg.attrib["width"].removesuffix("pt"))

    assert Image.open(BytesIO(data)).width == pytest.approx(width * 300 / 72, abs=1)
    assert bounded_zoom(100, 10_000) == pytest.approx(3.2767)
    with pytest.raises(UsageError, match="too large for a readable PNG; draw it as svg or pdf"):
        bounded_zoom(100, 40_000)


def test_png_shows_the_papers_colours() -> None:
    image = Image.open(BytesIO(render(load_graph("inception_v4"), "png"))).convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 24) or []}

    # Input, stem, Inception, Reduction, dropout, softmax, outline
    for code in ("fff2cc", "ead1dc", "e6b8af", "d9ead3", "d9d9d9", "cfe2f3"):
        assert tuple(bytes.fromhex(code)) in colours


def test_all_formats_show_the_same_words() -> None:
    graph = load_graph("inception_resnet_v1")
    options = Options(figure=10)
    svg, pdf = (render(graph, f, options) for f in ("svg", "pdf"))

    assert sorted(svg_texts(svg)) == sorted(pdf_texts(pdf))


@pytest.mark.parametrize("format", WRITERS)
def test_titles_and_names_of_graphs_may_be_anything(format: str) -> None:
    """Case K07: a dash, a keyword or a digit in front broke hand-written DOT."""
    for name in ("node", "graph", "subgraph", "digraph", "edge"):
        text = (
            f"network: {name}\ntitle: '3d -- {name}'\ninput: {{image: [8, 8, 8]}}\n"
            f"blocks:\n  {name}:\n    title: 'strict-{name}'\n"
            "    layers: [{conv: 1x1, filters: 8}, {conv: 1x1, filters: 4}]\n"
            f"layers:\n  - {{block: {name}, name: {name}}}\n"
        )
        assert render(network(text), format, Options(depth=1))


def test_every_cluster_of_dot_has_its_caption() -> None:
    text = render(load_graph("inception_v4"), "dot", Options(depth=1)).decode()
    captions = re.findall(r'subgraph cluster_\d+ \{\n\s+color="[^"]*" label="([^"\\]*)', text)

    assert captions == [
        "Stem",
        "4 x Inception-A",
        "Reduction-A",
        "7 x Inception-B",
        "Reduction-B",
        "3 x Inception-C",
    ]


def test_names_in_dot_are_our_own() -> None:
    """Case K05: a colon in a name made a third node."""
    text = render(load_graph("inception_v4"), "dot", Options(figure=6)).decode()
    ends = re.findall(r"^\s+(\w+) -> (\w+)\b(?! \[style=invis)", text, re.MULTILINE)

    assert len(ends) == 17
    assert {name for pair in ends for name in pair} == {f"n{i}" for i in range(13)}


def laid_out_by_dot(text: bytes) -> bytes:
    """Return the SVG that Graphviz's own program makes of DOT text, without a complaint."""
    program = shutil.which("dot")
    if program is None:
        pytest.skip("there is no `dot` (graphviz)")
    done = subprocess.run([program, "-Tsvg"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.mark.exe
@pytest.mark.parametrize("label", LABELS)
def test_graphviz_reads_a_label_as_we_mean_it(label: str) -> None:
    made = svg_texts(laid_out_by_dot(render(network(labelled(label)), "dot")))
    assert label in [text.replace("\u00a0", " ") for text in made]


@pytest.mark.exe
@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2", "zoo/googlenet"])
def test_graphviz_draws_every_box_and_arrow(name: str) -> None:
    text = render(load_graph(name), "dot")
    classes = [g.get("class") for g in ET.fromstring(laid_out_by_dot(text)).iter(f"{SVG}g")]
    assert classes.count("node") == len(re.findall(rb"^\s+n\d+ \[", text, re.MULTILINE)) > 5
    assert (
        classes.count("edge")
        == len(re.findall(rb"^\s+n\d+ -> n\d+\b(?! \[style=invis)", text, re.MULTILINE))
        > 5
    )


@pytest.mark.exe
@pytest.mark.parametrize("label", ["3x3 Conv (96 stride 2 V)", *LABELS])
def test_latex_makes_a_page_of_the_same_size(tmp_path: Path, label: str) -> None:
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("there is no `pdflatex` (texlive-latex-extra, texlive-pictures)")
    graph = network(labelled(label))
    (tmp_path / "figure.tex").write_bytes(render(graph, "tikz", Options(standalone=True)))
    options = ["-interaction=nonstopmode", "-halt-on-error", "-jobname=figure"]
    command = [program, *options, r"\pdfobjcompresslevel=0\input{figure.tex}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    pages = [(tmp_path / "figure.pdf").read_bytes(), render(graph, "pdf")]
    latex, ours = (re.search(rb"/MediaBox *\[([^]]*)\]", page) for page in pages)
    assert latex
    assert ours
    wanted = [float(n) for n in ours[1].split()]
    assert [float(n) for n in latex[1].split()] == pytest.approx(wanted, abs=0.05)


@pytest.mark.exe
@pytest.mark.parametrize("options", [Options(figure=4), Options(depth=1)])
def test_graphviz_keeps_the_branches_of_inception_a_in_order(options: Options) -> None:
    """Left to right as in Figure 4; in clusters it turned them round."""
    graph = load_graph("inception_v4")
    drawn = ET.fromstring(laid_out_by_dot(render(graph, "dot", options)))
    groups = [g for g in drawn.iter(f"{SVG}g") if g.get("class") == "node"]
    places = [
        (float(text.get("x", 0)), -float(text.get("y", 0)), text.text)
        for group in groups
        for text in group.iter(f"{SVG}text")
    ]
    pooling = next(p for p in places if p[2] == "Avg Pooling" and p[1] < 1e9)
    wanted = ["Avg Pooling", "1x1 Conv (96)", "1x1 Conv (64)", "1x1 Conv (64)"]
    rows = [sorted(p for p in places if abs(p[1] - q[1]) < 1) for q in places if q[2] == pooling[2]]

    assert wanted in [[word for _, _, word in row] for row in rows]


@pytest.mark.exe
def test_graphviz_puts_the_title_of_a_cluster_at_its_upper_edge() -> None:
    drawn = ET.fromstring(
        laid_out_by_dot(render(load_graph("inception_v4"), "dot", Options(depth=1)))
    )
    cluster = next(g for g in drawn.iter(f"{SVG}g") if g.get("class") == "cluster")
    corners = cluster.find(f"{SVG}polygon").get("points").split()  # type: ignore[union-attr]
    ys = [float(corner.partition(",")[2]) for corner in corners]
    title = cluster.find(f"{SVG}text").get("y")  # type: ignore[union-attr]

    assert abs(float(title or 0) - min(ys)) < 20 < max(ys) - min(ys)
