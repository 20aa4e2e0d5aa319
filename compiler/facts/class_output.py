"""Which output of a network has the class scores, and whether they are logits or probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from compiler.errors import UsageError, spelled
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph, Node, Output, Shape
from compiler.ops import (
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Linear,
    Norm,
    Normalize,
    PReLU,
    Scale,
    Slice,
    Softmax,
)

USUAL = (224, 224)
"""Height and width that are offered where a spec leaves its own open."""
Numbers = Literal["logits", "probabilities", "independent"]
"""What the numbers of classes are: logits, a softmax of them, or a sigmoid of each."""


@dataclass(frozen=True, slots=True)
class ClassOutput:
    """An output with one number a class; `index` is its place among those in evaluation."""

    name: str
    index: int
    classes: int
    numbers: Numbers
    doubt: str = ""
    """Why its values may be no class scores, unless as many names are known; else empty."""


def picture_size(graph: Graph, *, declared: Callable[[], Graph] | None = None) -> tuple[int, int]:
    """Return the height and width of the one picture that a network takes, in RGB or in grey.

    Args:
        graph: a checked graph.
        declared: makes the network with the sizes that its spec declares.

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
    if len(shape) != 3 or shape[0] not in (1, 3):
        text = f"the input `{name}` of `{graph.name}` is {shape}, not an RGB or grey picture"
        raise UsageError(text)
    _check_sizes(graph, declared)
    return shape.numbers[1], shape.numbers[2]


def _check_sizes(graph: Graph, declared: Callable[[], Graph] | None) -> None:
    """Refuse a network whose input sizes are open; the message states how they are set."""
    for name in graph.inputs:
        shape = graph.nodes[name].shape
        if not shape.is_known:
            size = declared().nodes[name].shape if declared else shape
            if not size.is_known:
                size = next(shapes_near(graph, USUAL))[name]
            example = f"{name}={'x'.join(map(str, size))}"
            raise UsageError(
                f"the input `{name}` is {shape.paper}, a size is left open; "
                f"say {spelled('--input', example)}"
            )


def class_output(graph: Graph, name: str | None = None, *, option: str = "--output") -> ClassOutput:
    """Return the output of a network, as targets get it, that has the class scores.

    Args:
        graph: what `target_graph` returned.
        name: of the output; None: the only one that is a vector.
        option: which gives the name.

    Raises:
        UsageError: there is none, there are several, or it has no classes.
    """
    outputs = [o for o in graph.outputs if not o.training_only]
    sizes = {o.name: graph.nodes[o.node].shape for o in outputs}
    listed = ", ".join(f"`{o}` {shape.paper}" for o, shape in sizes.items())
    if name is not None and name not in sizes:
        raise UsageError(f"{spelled(option, name)}: the outputs of `{graph.name}` are {listed}")
    able = [o for o in outputs if _is_vector(sizes[o.name])] if name is None else []
    if name is None and not able:
        raise UsageError(f"`{graph.name}` has no output with a number a class: it gives {listed}")
    if len(able) > 1:
        raise UsageError(
            f"`{graph.name}` gives several vectors ({listed}); say which with {spelled(option)}"
        )
    found = able[0] if able else next(o for o in outputs if o.name == name)
    return _checked(graph, found, outputs.index(found))


def check_names(graph: Graph, names: int, file: object) -> None:
    """Refuse names of classes where no output has as many.

    Raises:
        UsageError: none has; the message lists what they have.
    """
    shapes = {o.name: graph.nodes[o.node].shape for o in graph.outputs}
    if not any(_is_vector(shape) and shape[0] == names for shape in shapes.values()):
        listed = ", ".join(f"`{name}` {shape.paper}" for name, shape in shapes.items())
        raise UsageError(f"{file} names {names:,} classes, and `{graph.name}` gives {listed}")


def check_doubt(output: ClassOutput, has_names: bool) -> None:
    """Refuse an output that may have no classes, where no names confirm that it has.

    Raises:
        UsageError: it is refused.
    """
    if output.doubt and not has_names:
        raise UsageError(
            f"{output.doubt}; where they are classes after all, name them with {spelled('--names')}"
        )


def _checked(graph: Graph, output: Output, index: int) -> ClassOutput:
    shape = graph.nodes[output.node].shape
    source = graph.source(output.node, Dropout, Flatten, Identity)  # change no number
    numbers: Numbers = "logits"
    what = doubt = ""
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
    if not what and graph.returns != "logits":  # there a softmax follows it
        standing, maker = _standing(graph, output.node)
        if standing != "scores":
            doubt = _features(graph, output, maker)
        if standing == "features":
            raise UsageError(doubt)
    if what:
        raise UsageError(f"the output `{output.name}` of `{graph.name}` is {what}, no classes")
    return ClassOutput(output.name, index, shape.numbers[0], numbers, doubt)


def _features(graph: Graph, output: Output, maker: Node) -> str:
    """Return what an output is that no classifier makes, and what to do."""
    count = graph.nodes[output.node].shape.numbers[0]
    made = f"`{maker.name}` ({maker.op.printed_kind})"
    return (
        f"the output `{output.name}` of `{graph.name}` is {count:,} features of {made}, no "
        "classes: no linear layer or 1x1 convolution ends it; `build` makes the module that gives "
        "them, and a layer {linear: CLASSES} at the end would classify"
    )


_KEEPING = (
    Activation,
    AdaptiveAvgPool2d,
    AvgPool2d,
    Norm,
    Dropout,
    GlobalPool2d,
    Identity,
    PReLU,
    Scale,
    Slice,
)
"""Operations behind which a number is still that of the same class."""


def _standing(graph: Graph, name: str) -> tuple[Literal["scores", "hidden", "features"], Node]:
    """Return whether a tensor has a score of each class, and the node that decides it.

    Scores come from a linear layer or a 1x1 convolution (one over the whole map is the same), past
    what keeps a number a class: means over the map, slices, sums of scores. What is rectified or
    normalised behind one is hidden: a classifier (SqueezeNet's is), or a layer before it.
    """
    node, is_hidden = graph.nodes[name], False
    while _keeps_classes(graph, node):
        if isinstance(node.op, (Activation, Norm, PReLU)) and node.op != Activation("sigmoid"):
            is_hidden = True
        node = graph.nodes[node.inputs[0]]
    if isinstance(node.op, (Add, Concat)) and not is_hidden and _is_vector(node.shape):
        parts = {_standing(graph, source)[0] for source in node.inputs}
        return "scores" if parts == {"scores"} else "features", node
    is_scores = isinstance(node.op, (Linear, Softmax)) or (
        isinstance(node.op, Conv2d) and (node.op.kernel_size == (1, 1) or node.shape.grid == (1, 1))
    )
    if not is_scores:
        return "features", node
    return "hidden" if is_hidden else "scores", node


def _keeps_classes(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, (Add, Concat)):
        return len(node.inputs) == 1
    if isinstance(node.op, Flatten):
        return _is_vector(graph.nodes[node.inputs[0]].shape)
    return isinstance(node.op, _KEEPING)


def _is_vector(shape: Shape) -> bool:
    return shape.grid in ((), (1, 1))
