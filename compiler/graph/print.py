"""Graph -> stable text: what `--emit` and goldens show, and `parse_graph` reads again."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.graph.graph import Graph, Node, Region
from compiler.graph.regions import Border, borders
from compiler.graph.spelling import argument_text, attribute_text, quoted
from compiler.text import Value


def print_graph(graph: Graph, shapes: bool = True) -> str:
    """Return a graph as text: regions as indented blocks, one line a node.

    `%mixed.concat = Concat(%a, %b) : (N, 160, 73, 73)`; with `shapes=False` the part after
    the colon is left out. A region says what it reads, and which tensor leaves it (`-> %a`), only
    where its lines do not: in the order of first use, and the last one.
    """
    border = borders(graph.regions, graph.nodes.values())
    top = f"network {graph.name}{_arguments(graph.arguments)} {quoted(graph.title)}"
    first = graph.outputs[0].node if graph.outputs else ""
    lines = [f"{top}{_leaving(graph.regions[''], first)} {{"]
    lines += [_node(graph.nodes[name], shapes, 1) for name in graph.inputs]
    stack: list[tuple[str, int]] = [(m, 1) for m in reversed(graph.regions[""].members)]
    while stack:
        name, depth = stack.pop()
        if name == "}":
            lines.append("  " * depth + "}")
        elif name in graph.regions:
            region = graph.regions[name]
            lines.append("  " * depth + _region(region, border[name]))
            stack.append(("}", depth))
            stack += [(m, depth + 1) for m in reversed(region.members)]
        elif name not in graph.inputs:
            lines.append(_node(graph.nodes[name], shapes, depth))
    lines += [f"  ${name} = {derivation}" for name, derivation in graph.derivations.items()]
    outputs = ", ".join(
        f"{o.name} = %{o.node}" + (" (training only)" if o.training_only else "")
        for o in graph.outputs
    )
    returns = "" if graph.returns == "outputs" else f" ({graph.returns})"
    return "\n".join([*lines, f"  return {outputs}{returns}", "}"]) + "\n"


def _arguments(arguments: Mapping[str, Value]) -> str:
    text = ", ".join(f"{name}={argument_text(value)}" for name, value in arguments.items())
    return f"({text})" if text else ""


def _region(region: Region, border: Border) -> str:
    what: str = region.kind
    if region.kind == "block":
        what = f"{region.definition}{_arguments(region.arguments) or '()'}"
    if region.kind == "repeat":
        what = f"repeat x{len(region.members)}"
    if region.transparent:
        what = f"transparent {what}"
    return f"{region.name}: {what}{_reading(region, border)}{_leaving(region, border.last)} {{"


def _reading(region: Region, border: Border) -> str:
    if region.inputs == usual_inputs(border, region.output):
        return ""
    return f" reads {', '.join(f'%{name}' for name in region.inputs)}"


def usual_inputs(border: Border, output: str) -> tuple[str, ...]:
    """Return what a region has as inputs where a printed graph does not say it."""
    return border.reads if border.last else (output,)


def _leaving(region: Region, usual: str) -> str:
    return "" if region.output == usual else f" -> %{region.output}"


def _node(node: Node, shapes: bool, depth: int) -> str:
    operands = ", ".join(f"%{i}" for i in node.inputs)
    attributes = [f"{k}={attribute_text(k, v)}" for k, v in node.op.printed_attributes().items()]
    text = f"%{node.name} = {node.op.printed_kind}({operands})"
    if attributes:
        text += f" {{{', '.join(attributes)}}}"
    if node.share:
        text += f" shares %{node.share}"
    return "  " * depth + text + (f" : {node.shape}" if shapes else "")
