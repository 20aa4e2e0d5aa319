"""docs/ERRATA.md, written from the specs: `python -m docs.pages.errata [--check]`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from compiler.errors import Report
from compiler.graph import Graph, Info, number
from compiler.paper.compare import compare
from compiler.paper.report import verdict
from compiler.pipeline import draft_graph, load_graph
from compiler.spec import ErratumSpec, load_spec, shipped_specs

PAGE = Path(__file__).parents[2] / "docs" / "ERRATA.md"

NETWORKS = (
    "inception_v4",
    "inception_resnet_v1",
    "inception_resnet_v2",
    "printed/inception_v4",
    "printed/inception_resnet_v1",
    "printed/inception_resnet_v2",
    "released/inception_v4_slim",
    "released/inception_resnet_v2_slim",
    "released/inception_resnet_v1_facenet",
)
"""Specs of the paper's networks, in the order of the page's tables."""

SEVERITIES = {
    "unbuildable": "Cannot be built as printed",
    "differs": "Can be built, but is not what was released",
    "wording": "Only words",
}

TOP = """\
# Where the paper and the code disagree

<!-- Written by `python -m docs.pages.errata` from specs/errata.yaml and the specs that
     refer to it; edit those. A test fails when this page is stale. -->

"Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning"
(arXiv 1602.07261; v1 and v2 print the same) has three figures that cannot be built, leaves four
things unsaid that a build needs, and differs from the code that its authors released in several
more. These are all the places that are known, with what netdraft builds instead and why. Each is
recorded in the specs beside the layer that it is about, and `netdraft check SPEC --against paper`
compares every box and arrow with the paper's figures and explains each deviation by its record.

In short:

- **Inception-v4 cannot be built from its figures**: [E1](#e1) needs a stride of 2.
- **Inception-ResNet-v2 cannot be built from its figures**: besides [E1](#e1), its residuals are
  1154 and 2048 channels wide where 1152 and 2144 arrive ([E14](#e14), [E16](#e16)).
- **Inception-ResNet-v1 is consistent.**
- The released Inception-v4 has other kernels in the same sizes ([E3](#e3), [E5](#e5), [E6](#e6),
  [E7](#e7)): **no count of parameters or operations shows the difference, only the weights do.**
- The released Inception-ResNet-v2 is another network: another stem, 10, 20 and 10 blocks for 5, 10
  and 5, and one more convolution ([E28](#e28), [E21](#e21)).
"""


def page() -> str:
    """Return the page's text."""
    records = load_spec("errata", Report()).errata
    uses = _uses()
    graphs = {name: draft_graph(name)[0] for name in NETWORKS}
    parts = [TOP, _networks(graphs), _index(records)]
    for severity, heading in SEVERITIES.items():
        parts.append(f"## {heading}\n")
        parts += [
            _entry(k, r, uses.get(k, [])) for k, r in records.items() if r.severity == severity
        ]
    return "\n".join(parts)


def _networks(graphs: Mapping[str, Graph]) -> str:
    lines = [
        "## The networks\n",
        "| spec | parameters | GMAC | beside the paper's figures |",
        "| --- | ---: | ---: | --- |",
    ]
    for name, graph in graphs.items():
        _, report, _ = draft_graph(name)
        params, macs = _cost(name) if not report.errors else ("", "")
        words = verdict(compare(graph), is_buildable=not report.errors)
        lines.append(f"| [{name}](../specs/{name}.yaml) | {params} | {macs} | {words} |")
    lines.append(
        "\nParameters count batch norm's scale and shift. GMAC are multiply-accumulates of"
        "\nconvolutions and fully connected layers for one image of the spec's size.\n"
    )
    return "\n".join(lines)


def _cost(name: str) -> tuple[str, str]:
    graph = load_graph(name)
    return f"{number(graph.parameters()):,}", f"{number(graph.macs()) / 1e9:.3f}"


def _index(records: Mapping[str, ErratumSpec]) -> str:
    lines = ["## All of them\n", "| | where | printed | built |", "| --- | --- | --- | --- |"]
    for name, record in records.items():
        cells = (f"[{name}](#{name.lower()})", record.where, record.printed, record.built)
        lines.append("| " + " | ".join(_cell(c) for c in cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _entry(name: str, record: ErratumSpec, uses: Sequence[str]) -> str:
    sources = "; ".join(_linked(s) for s in record.sources)
    lines = [
        f'### <a id="{name.lower()}"></a>{name}: {record.where}\n',
        f"- **Printed:** {record.printed}",
        f"- **Built:** {record.built}",
        f"- **Why:** {_linked(record.why)}",
        f"- **Sources:** {sources}",
    ]
    if uses:
        lines.append(f"- **Recorded in:** {', '.join(f'[{u}](../{u})' for u in uses)}")
    return "\n".join(lines) + "\n"


def _linked(source: str) -> str:
    """Return a source with its public threads as links: `tensorflow/models#7041`."""
    return re.sub(
        r"\b([\w.-]+/[\w.-]+)#(\d+)",
        r"[\1#\2](https://github.com/\1/issues/\2)",
        source,
    )


def _uses() -> dict[str, list[str]]:
    """Return erratum -> the spec files that refer to it, in the order of `NETWORKS`."""
    found: dict[str, dict[str, None]] = {}
    for name in NETWORKS:
        graph, _, _ = draft_graph(name)
        for info in _infos(graph):
            for erratum in info.errata:
                if _says(info.span.file, erratum.id):
                    found.setdefault(erratum.id, {})[_shown(info.span.file)] = None
    return {name: list(files) for name, files in found.items()}


def _infos(graph: Graph) -> Iterator[Info]:
    yield graph.info
    yield from (d.info for d in graph.definitions.values())
    yield from (r.info for r in graph.regions.values())
    yield from (n.info for n in graph.nodes.values())


@cache
def _says(file: str, erratum: str) -> bool:
    """True if the file names the erratum: a variant may name it for a layer of its base."""
    return re.search(rf"\b{erratum}\b", Path(file).read_text("utf-8")) is not None


def _shown(file: str) -> str:
    """Return a spec's file as it stands in the repository."""
    return f"specs/{Path(file).resolve().relative_to(shipped_specs()).as_posix()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` say whether it is stale."""
    parser = argparse.ArgumentParser(prog="docs.pages.errata", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the page is stale"
    )
    args = parser.parse_args(arguments)
    text = page()
    if args.check:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print(f"{PAGE.name} is stale: run python -m docs.pages.errata", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE.name}: {text.count('### ')} errata")
    return 0


if __name__ == "__main__":
    sys.exit(main())
