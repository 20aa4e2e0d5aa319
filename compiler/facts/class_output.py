"""Which output of a network says the class, and what its numbers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.errors import UsageError
from compiler.graph import Graph, Node, Output, Shape
from compiler.ops import Activation, Dropout, Flatten, Identity, Normalize, Softmax

Numbers = Literal["logits", "probabilities", "independent"]
"""What the numbers of classes are: logits, a softmax of them, or a sigmoid of each."""


@dataclass(frozen=True, slots=True)
class ClassOutput:
    """An output with one number a class; `index` is its place among those in evaluation."""

    name: str
    index: int
    classes: int
    numbers: Numbers


def picture_size(graph: Graph) -> tuple[int, int]:
    """Return the height and width of the one picture that a network takes.

    Raises:
        UsageError: it takes something else.
    """
    if len(graph.inputs) != 1:
        names = ", ".join(f"`{name}`" for name in graph.inputs)
        raise UsageError(
            f"`{graph.name}` takes {len(graph.inputs)} inputs ({names}), not one picture"
        )
    (name,) = graph.inputs
    shape = graph.nodes[name].shape
    if len(shape) != 3 or shape[0] != 3:
        raise UsageError(f"the input `{name}` of `{graph.name}` is {shape}, not an RGB picture")
    check_sizes(graph)
    return shape.numbers[1], shape.numbers[2]


def check_sizes(graph: Graph) -> None:
    """Refuse a network whose input sizes are open.

    Raises:
        UsageError: one is; the text says how it is given.
    """
    for name in graph.inputs:
        shape = graph.nodes[name].shape
        if not shape.is_known:
            raise UsageError(
                f"the input `{name}` is {shape.paper}, a size is left open; "
                f"say --input {name}=3x299x299"
            )


def class_output(graph: Graph, name: str | None = None) -> ClassOutput:
    """Return the output of a network, as targets get it, that says the class.

    Args:
        graph: what `target_graph` returned.
        name: of the output; None: the only one that is a vector.

    Raises:
        UsageError: there is none, there are several, or it has no classes.
    """
    outputs = [o for o in graph.outputs if not o.training_only]
    sizes = {o.name: graph.nodes[o.node].shape for o in outputs}
    listed = ", ".join(f"`{o}` {shape.paper}" for o, shape in sizes.items())
    if name is not None and name not in sizes:
        raise UsageError(f"--output {name}: the outputs of `{graph.name}` are {listed}")
    able = [o for o in outputs if _is_vector(sizes[o.name])] if name is None else []
    if name is None and not able:
        raise UsageError(f"`{graph.name}` has no output with a number a class: it gives {listed}")
    if len(able) > 1:
        raise UsageError(
            f"`{graph.name}` gives several vectors ({listed}); say which with --output"
        )
    found = able[0] if able else next(o for o in outputs if o.name == name)
    return _checked(graph, found, outputs.index(found))


def check_names(graph: Graph, names: int, file: object) -> None:
    """Refuse names of classes where no output has as many.

    Raises:
        UsageError: none has; what the outputs have is said.
    """
    shapes = {o.name: graph.nodes[o.node].shape for o in graph.outputs}
    if not any(_is_vector(shape) and shape[0] == names for shape in shapes.values()):
        listed = ", ".join(f"`{name}` {shape.paper}" for name, shape in shapes.items())
        raise UsageError(f"{file} names {names:,} classes, and `{graph.name}` gives {listed}")


def _checked(graph: Graph, output: Output, index: int) -> ClassOutput:
    shape = graph.nodes[output.node].shape
    source = _source(graph, output.node)
    numbers: Numbers = "logits"
    what = ""
    match source.op:
        case Softmax():
            numbers = "probabilities"
        case Activation("sigmoid"):
            numbers = "independent"
        case Normalize():
            what = f"an embedding of length 1 with {shape.paper} numbers"
    if not _is_vector(shape):
        what = f"{shape.paper}"
    elif shape[0] == 1 and numbers != "independent":
        what = "one number"
    if what:
        raise UsageError(f"the output `{output.name}` of `{graph.name}` is {what}, no classes")
    return ClassOutput(output.name, index, shape.numbers[0], numbers)


def _is_vector(shape: Shape) -> bool:
    return shape.grid in ((), (1, 1))


def _source(graph: Graph, name: str) -> Node:
    """Return the node whose numbers a tensor has, past what changes none in evaluation."""
    node = graph.nodes[name]
    while isinstance(node.op, (Dropout, Flatten, Identity)):
        node = graph.nodes[node.inputs[0]]
    return node
