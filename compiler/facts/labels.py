"""The words in a box: what the paper prints for a layer, a block, a repeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from compiler.graph import Graph, Node, Region, Shown
from compiler.ops import Activation, Conv2d, ConvTranspose2d, Linear, Norm, PReLU, Scale


@dataclass(frozen=True, slots=True)
class Convention:
    """What follows a convolution in most of a network: it goes without saying in a label."""

    norm: str = "batch norm"
    activation: str | None = Activation().label
    """The word of its figure."""


def convention(graph: Graph) -> Convention:
    """Return the most frequent norm and activation after a convolution; the paper's without any."""
    layers = [r.members for r in graph.regions.values() if r.kind == "layer"]
    inside = {name for members in layers for name in members}
    layers += [(name,) for name in graph.nodes if name not in inside]
    counts = Counter(
        _convention_of([graph.nodes[m] for m in members])
        for members in layers
        if any(isinstance(graph.nodes[m].op, Conv2d) for m in members)
    )
    return max(counts, key=lambda c: counts[c]) if counts else Convention()


def _convention_of(nodes: Sequence[Node]) -> Convention:
    norm = next((n.op.words(Shown({}))[0].lower() for n in nodes if isinstance(n.op, Norm)), "")
    word = next((n.op.label for n in nodes if isinstance(n.op, (Activation, PReLU))), None)
    return Convention(norm, word)


class Naming(IntEnum):
    """What of a layer is shown as the spec writes it, not in numbers; each level adds to it."""

    VALUES = 0
    """Nothing."""
    LETTERS = 1
    """Widths, kernels and factors that are parameters: the letters in the paper's figures."""
    PARAMETERS = 2
    """Whatever is a parameter."""
    FORMULAS = 3
    """What depends on sizes (`in.channels`) or on the number of the copy, too."""


LETTERED = frozenset(("out_channels", "out_features", "kernel_size", "groups", "factor"))
"""Attributes that the paper's figures name by a letter."""


def layer_label(
    nodes: Sequence[Node],
    default: Convention,
    naming: Naming,
    ignore_label: bool = False,
    marks: Callable[[Node], Mapping[str, str]] = lambda _: {},
) -> str:
    """Return the words for one layer: its first operation, and how it departs from the convention.

    Args:
        nodes: the operations of the layer in execution order.
        default: the norm and activation that a label need not mention.
        naming: what is shown as it is written (`k`, not `192`).
        ignore_label: the words of the operation even where the spec has a label.
        marks: an operation -> attribute -> what is shown in place of its number.
    """
    head = next((n for n in nodes if isinstance(n.op, Conv2d | ConvTranspose2d | Linear)), nodes[0])
    if head.info.label is not None and not ignore_label:
        return head.info.label
    own, shown = _convention_of(nodes), Shown({**marks(head), **_written(head, naming)})
    words, details = head.op.words(shown)
    if isinstance(head.op, Conv2d | ConvTranspose2d):
        usual = default if isinstance(head.op, Conv2d) else ALONE
        details += _departures(head.op, own, usual, shown)
    elif named := shown.named("activation", "activation"):
        details += named
    elif own.activation and head.op is not nodes[-1].op:
        details.append(own.activation)
    return f"{words} ({' '.join(details)})" if details else words


_DEPENDENT = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]|\bindex\b")
"""In a formula: a size, or the number of the copy."""


def _written(node: Node, naming: Naming) -> dict[str, str]:
    return {
        attribute: traced.text
        for attribute, traced in node.traced.items()
        if traced.text
        and naming >= (Naming.LETTERS if attribute in LETTERED else Naming.PARAMETERS)
        and (naming is Naming.FORMULAS or not _DEPENDENT.search(traced.text))
    }


def _departures(
    op: Conv2d | ConvTranspose2d, own: Convention, default: Convention, shown: Shown
) -> list[str]:
    """Return what sets a convolution apart: `Linear` is the paper's word for no activation."""
    names = [
        *shown.named("norm", "norm"),
        *shown.named("activation", "activation"),
        *shown.named("linear", "Linear if"),
        *shown.named("bias", "bias if"),
    ]
    if names:
        return names
    out = []
    if own.activation != default.activation:
        if own.activation is None:
            out.append("Linear" if not own.norm else "no activation")
        else:
            out.append(own.activation)
    elif own.norm != default.norm:
        out.append(own.norm or "no norm")
    if op.bias == bool(own.norm):
        out.append("bias" if op.bias else "no bias")
    return out


ALONE = Convention("", None)
"""Nothing follows: what a transposed convolution need not say."""
PAPER = Convention()
"""What `Conv` means in the paper: batch norm and ReLU follow, the figures draw neither."""


def label_of(graph: Graph, name: str, by_name: bool = False, default: Convention = PAPER) -> str:
    """Return the words in a box: `3x3 Conv (96 stride 2 V)`, `4 x Inception-A`.

    Args:
        graph: the graph that it is in.
        name: a node, or a region of any kind.
        by_name: show a parameter's name where an attribute was written as one (`k`, not `192`).
        default: the norm and activation that a label need not mention.
    """
    label = graph.info_of(name).label
    return automatic_label(graph, name, by_name, default) if label is None else label


def automatic_label(
    graph: Graph, name: str, by_name: bool = False, default: Convention = PAPER
) -> str:
    """Return the label made from the computation, without the spec's `label`."""
    if name in graph.nodes:
        return layer_label([graph.nodes[name]], default, Naming(by_name), ignore_label=True)
    region = graph.regions[name]
    if region.kind == "repeat":
        return _repeat_label(graph, region, by_name)
    if region.kind == "layer":
        nodes = [graph.nodes[m] for m in region.members]
        return layer_label(nodes, default, Naming(by_name), ignore_label=True)
    return _title(graph, region)


def _title(graph: Graph, region: Region) -> str:
    if region.info.title is not None:
        return region.info.title
    if region.kind == "network":
        return graph.title
    return graph.definitions[region.definition].title if region.definition else region.local_name


def _repeat_label(graph: Graph, region: Region, by_name: bool) -> str:
    """Return `4 x Inception-A`, of copies only what they have in common: `3 x 3x3 Conv`.

    A repeat of one is no repeat, one of none is empty.
    """
    if not region.members:
        return f"0 x {region.local_name}"
    copies = region.members
    labels = {label_of(graph, copy, by_name) for copy in copies}
    heads = {label.partition(" (")[0] for label in labels}
    if region.info.title:
        inner = region.info.title
    elif len(heads) > 1 or copies[0].rpartition(".")[2] in heads:  # a copy is called by its number
        inner = region.local_name
    else:
        (inner,) = labels if len(labels) == 1 else heads
    count = len(region.members)
    return inner if count == 1 else f"{count} x {inner}"


def is_drawn(graph: Graph, name: str) -> bool:
    """True for a node or region that has a box of its own.

    `drawn: false` says so in a spec, and the scaling that `residual` adds is never drawn: no
    figure but 20 shows one (erratum E19), and that one writes it as a layer of its body.
    """
    if not graph.info_of(name).drawn:
        return False
    node = graph.nodes.get(name)
    if node is None or not isinstance(node.op, Scale):
        return True
    return graph.regions[graph.parents[name]].kind != "residual"
