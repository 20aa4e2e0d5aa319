"""Graph -> stable text: what `--emit`, goldens and blame messages show."""

from __future__ import annotations

from compiler.graph.graph import Graph, Node, Region
from compiler.graph.op import Op
from compiler.graph.words import padding_text
from compiler.text import show_value


def print_graph(graph: Graph, shapes: bool = True) -> str:
    """Return a graph as text: regions as indented blocks, one line a node.

    `%mixed.concat = Concat(%a, %b) : (N, 160, 73, 73)`; with `shapes=False` the part after
    the colon is left out.
    """
    lines = [f'network {graph.name} "{_quoted(graph.title)}" {{']
    lines += [_node(graph.nodes[name], shapes, 1) for name in graph.inputs]
    stack: list[tuple[str, int]] = [(m, 1) for m in reversed(graph.regions[""].members)]
    while stack:
        name, depth = stack.pop()
        if name == "}":
            lines.append("  " * depth + "}")
        elif name in graph.regions:
            region = graph.regions[name]
            lines.append("  " * depth + _region(region))
            stack.append(("}", depth))
            stack += [(m, depth + 1) for m in reversed(region.members)]
        elif name not in graph.inputs:
            lines.append(_node(graph.nodes[name], shapes, depth))
    outputs = ", ".join(
        f"{o.name} = %{o.node}" + (" (training only)" if o.training_only else "")
        for o in graph.outputs
    )
    return "\n".join([*lines, f"  return {outputs}", "}"]) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _region(region: Region) -> str:
    what: str = region.kind
    if region.definition:
        arguments = ", ".join(f"{k}={show_value(v)}" for k, v in region.arguments.items())
        what = f"{region.definition}({arguments})"
    if region.kind == "repeat":
        what = f"repeat x{len(region.members)}"
    return f"{region.name}: {what} {{"


def _node(node: Node, shapes: bool, depth: int) -> str:
    operands = ", ".join(f"%{i}" for i in node.inputs)
    attributes = op_attributes(node.op)
    text = f"%{node.name} = {node.op.printed_kind}({operands})"
    if attributes:
        text += " {" + ", ".join(f"{k}={v}" for k, v in attributes.items()) + "}"
    if node.share:
        text += f" shares %{node.share}"
    return "  " * depth + text + (f" : {node.shape}" if shapes else "")


def op_attributes(op: Op) -> dict[str, str]:
    """Return the attributes of an operation as short text, defaults of the op left out."""
    out = {}
    for name, value in op.printed_attributes().items():
        if name == "padding":
            out[name] = padding_text(value)  # type: ignore[arg-type]
        elif isinstance(value, tuple):
            out[name] = "x".join(map(str, value))
        elif isinstance(value, float):
            out[name] = f"{value:g}"
        else:
            out[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return out
