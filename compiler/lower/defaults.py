"""What a network's `defaults` say for layers that do not say it themselves."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.errors import Diagnostic, Report, guessing
from compiler.ops import NORMS, Layer, Op
from compiler.spec import (
    LAYERS,
    LAYERS_OWN,
    WITH_DEFAULTS,
    BlockLayer,
    BlockSpec,
    Defaults,
    LayerValues,
    NetworkSpec,
    validate,
)
from compiler.text import Mapping as YamlMapping
from compiler.text import describe, describe_text, plain

FAULTS_OF_VALUES = ("bad-value", "bad-expression", "unknown-parameter", "frozen-norm")


def layer_defaults(network: NetworkSpec, report: Report) -> dict[str, Layer]:
    """Return op -> a layer that says what layers of that op need not say themselves."""
    out: dict[str, Layer] = {}
    node = network._node
    given = node.get("defaults") if isinstance(node, YamlMapping) else None
    if not isinstance(given, YamlMapping):
        return out
    for op, entry in given.entries.items():
        if op not in WITH_DEFAULTS:
            report.add(
                Diagnostic(
                    "bad-defaults",
                    f"`defaults` has no place for `{describe_text(op)}`",
                    entry.key_span,
                ),
                guessing(op, WITH_DEFAULTS, "it takes mappings for {words}"),
            )
            continue
        if not isinstance(entry.node, YamlMapping):
            found = describe(plain(entry.node))
            message = f"`defaults` of `{op}` is {found}, not a mapping"
            help = f"write `{op}: {{KEY: VALUE}}`"
            report.add(Diagnostic("bad-defaults", message, entry.node.span, help=help))
            continue
        for key in entry.node.entries.keys() & {op, *LAYERS_OWN}:
            what = f"what opens a layer, `{op}: ...`" if key == op else f"`{key}`"
            message = f"`defaults` of `{op}` cannot give {what}"
            help = f"every `{op}` says that itself; take the key out"
            span = entry.node.entries[key].key_span
            report.add(Diagnostic("bad-defaults", message, span, help=help))
        kept = [k for k in entry.node.entries if k not in (op, *LAYERS_OWN, "cite", "doc")]
        model = validate(LAYERS[op], entry.node, f"`{op}`", report, WITH_DEFAULTS[op], kept)
        if model is not None:
            out[op] = model
    return out


def _check_names(layer: BlockLayer, blocks: Mapping[str, BlockSpec], report: Report) -> None:
    """Report what blocks shall take where their instances do not say, and no block declares."""
    declared = {name: None for block in blocks.values() for name in block.params}
    for name in layer.arguments:
        if name not in declared:
            message = f"no block has a parameter `{describe_text(name)}`"
            found = Diagnostic("unknown-parameter", message, layer.key_span("with", name))
            report.add(found, guessing(name, declared, "their parameters are {words}"))


def try_defaults(defaults: Defaults, blocks: Mapping[str, BlockSpec], report: Report) -> None:
    """Report what is wrong with a network's defaults, those too that no layer takes.

    Each is tried on a layer that says nothing else.
    """
    found = Report()
    for op, layer in defaults.layers.items():
        assert isinstance(layer, Layer)
        if isinstance(layer, BlockLayer):
            _check_names(layer, blocks, found)
            continue
        layer.operations(LayerValues(layer, f"`{op}`", defaults, found))
    report.add_all(d for d in found.diagnostics if d.code in FAULTS_OF_VALUES)


def default_norms(defaults: Defaults, report: Report) -> dict[str, Op]:
    """Return word -> the norm that follows a convolution: the network's default, or the usual."""
    out = dict(NORMS)
    for word in NORMS:
        layer = defaults.layers.get(word)
        if isinstance(layer, Layer):
            values = LayerValues(layer, f"`{word}`", defaults, report)
            values.decisions = defaults.decisions
            ((_, out[word]),) = layer.operations(values)
    return out
