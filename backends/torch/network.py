"""The network's own class: its outputs, in training and in evaluation, and its main program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backends.torch.class_builder import ClassBuilder, ModuleWriter, literal, parameter_name
from backends.torch.class_text import (
    Row,
    annotation,
    as_rows,
    constructor,
    returns_directly,
    with_comment,
)
from backends.torch.docs import unused, variable
from backends.torch.expressions import INDENT, Code, Listing, call, laid_out
from backends.torch.formulas import Formulas
from backends.torch.forward import RESULT, ForwardBody, Variables, render
from backends.torch.scopes import ModuleScope
from backends.torch.traced import Trace, arguments_of
from compiler.errors import BackendError
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph, Output
from compiler.ops import Standardize
from compiler.passes.outputs import keep_only

TRIAL_SIZE = (299, 299)
"""Height and width of a trial run where they are left open, or the next that fit."""


@dataclass(slots=True)
class Network:
    """A graph made ready for emission, and its outputs."""

    graph: Graph
    outputs: tuple[Output, ...]
    taps: Mapping[str, str]
    features: bool

    @property
    def returned(self) -> list[str]:
        """Nodes whose tensors `forward` returns."""
        outputs = () if self.features else tuple(o.node for o in self.outputs)
        return [*outputs, *self.taps.values()]

    @property
    def lasting(self) -> tuple[Output, ...]:
        """Outputs in training and evaluation alike."""
        return tuple(o for o in self.outputs if not o.training_only)

    @property
    def passing(self) -> tuple[Output, ...]:
        """Outputs of training alone."""
        return () if self.features else tuple(o for o in self.outputs if o.training_only)


def prepare(graph: Graph, taps: Mapping[str, str], features: bool) -> Network:
    """Take out what feature maps do not need.

    Raises:
        BackendError: nothing is left to return.
    """
    if not features:
        return Network(graph, graph.outputs, taps, False)
    if not taps:
        raise BackendError(f"`{graph.name}` has no feature maps to return")
    return Network(keep_only(graph, taps.values()), graph.outputs, taps, True)


_PARDON = "  # type: ignore[assignment]"
"""Behind an output that is called as a method of tuples, `count`, which it shadows."""


@dataclass(slots=True)
class NetworkClass:
    """Writes the class of a network."""

    network: Network
    name: str
    tuple_name: str
    """What the NamedTuple of several outputs is called."""
    doc: list[str]
    builder: ClassBuilder

    def lines(self) -> list[str]:
        """Return the NamedTuple of several outputs, if there are, and the class."""
        rows: list[Row] = [("", ""), *constructor(self.builder, self._signature()), ("", "")]
        rows += self._forward()
        if self._gives_logits:
            rows += [("", ""), *self._probabilities()]
        head = f"class {self.name}(nn.Module):"
        return [*self._outputs_class(), head, *self.doc, *map(with_comment, rows)]

    def _signature(self) -> list[str]:
        formulas, out = self.builder.formulas, []
        for name, symbol in formulas.inputs.items():
            if name in formulas.used:
                out.append(f"{name}: int = {symbol.value}")
        for parameter in self.network.graph.params:
            if parameter.name in formulas.used:
                value = formulas.used[parameter.name]
                kind = annotation(value, parameter.type)
                out.append(f"{parameter_name(parameter.name)}: {kind} = {literal(value)}")
        return out

    @property
    def _gives_logits(self) -> bool:
        return self.network.graph.returns == "logits" and not self.network.features

    @property
    def _has_tuple(self) -> bool:
        network = self.network
        return not network.features and len(network.lasting) + len(network.passing) > 1

    @property
    def _is_plain(self) -> bool:
        """True when forward returns one tensor and nothing else."""
        return not (self._has_tuple or self.network.features or self.network.taps)

    def _outputs_class(self) -> list[str]:
        if not self._has_tuple:
            return []
        network = self.network
        fields = [o.name for o in (*network.lasting, *network.passing)]
        alone = " and ".join(o.name for o in network.lasting)
        words = f"What training returns; evaluation returns {alone} alone."
        return [
            f"class {self.tuple_name}(NamedTuple):",
            f'{INDENT}"""{words if network.passing else "What the network returns."}"""',
            "",
            *(f"{INDENT}{name}: Tensor{_PARDON * hasattr(tuple, name)}" for name in fields),
            "",
            "",
        ]

    def _forward(self) -> list[Row]:
        network, body = self.network, self.builder.body
        results = tuple(body.resolved(n) for n in network.returned)
        body.results = results
        self._mark_training()
        lines = body.folded()
        is_alone = len(network.lasting) == 1 and not (network.taps or network.features)
        alone = results[0] if is_alone else None
        names = Variables(lines, results, dict(body.inputs), alone).choose()
        args = ("self", *(f"{v}: Tensor" for v in body.inputs.values()))
        head = call("forward", *args)
        rows: list[Row] = [
            (t, "") for t in laid_out("def ", head, f" -> {self._returns()}:", 1, str)
        ]
        rows.append((f'{INDENT * 2}"""{self._promise()}"""', ""))
        guarded = False
        for line in lines:
            if line.training_only and not guarded:
                rows.append((f"{INDENT * 2}if self.training:", ""))
            guarded = line.training_only
            if line is lines[-1] and self._is_plain and returns_directly(line, results):
                text = laid_out("return ", line.code, "", 2, names.__getitem__)
                return rows + as_rows(text, line)
            rows += as_rows(render(line, names, alone, 3 if guarded else 2), line)
        return rows + self._return(names, guarded)

    def _mark_training(self) -> None:
        network = self.network
        if not network.passing:
            return
        lasting = [*network.graph.inputs, *(o.node for o in network.lasting)]
        always = network.graph.ancestors([*lasting, *network.taps.values()])
        for line in self.builder.body.lines:
            line.training_only = not any(t in always for t in line.targets)

    def _return(self, names: dict[str, str], guarded: bool) -> list[Row]:
        """Return the last statements: the outputs in evaluation and in training."""
        network, resolved = self.network, self.builder.body.resolved
        tapped = {t: names[resolved(n)] for t, n in network.taps.items()}
        if network.features:
            return _statement("return ", Listing(tuple(tapped.values())), 2)
        lasting = [names[resolved(o.node)] for o in network.lasting]
        passing = [names[resolved(o.node)] for o in network.passing]
        rows: list[Row] = []
        if tapped:
            pairs = tuple(f'"{t}": {v}' for t, v in tapped.items())
            rows = _statement("taps = ", Listing(pairs, "{", "}"), 2)
        whole: Code = lasting[0]
        if len(lasting) > 1:
            whole = (
                Listing(tuple(lasting), "(", ")") if passing else call(self.tuple_name, *lasting)
            )
        if passing:
            if rows or not guarded:
                rows.append((f"{INDENT * 2}if self.training:", ""))
            rows += self._returned(call(self.tuple_name, *lasting, *passing), 3)
        return rows + self._returned(whole, 2)

    def _returned(self, value: Code, depth: int) -> list[Row]:
        return _statement("return ", value, depth, ", taps" if self.network.taps else "")

    def _returns(self) -> str:
        network = self.network
        if network.features:
            return "list[Tensor]"
        kinds: list[str] = []
        if len(network.lasting) == 1:
            kinds.append("Tensor")
        elif network.passing:
            kinds.append(f"tuple[{', '.join(['Tensor'] * len(network.lasting))}]")
        if self._has_tuple:
            kinds.append(self.tuple_name)
        kind = " | ".join(kinds)
        return f"tuple[{kind}, dict[str, Tensor]]" if network.taps else kind

    def _promise(self) -> str:
        """Return the docstring of forward."""
        network = self.network
        if network.features:
            return "Return the feature maps, the finest first."
        what = "the outputs" if self._has_tuple else "the output"
        if self._gives_logits:
            what = "logits"
        tapped = ", and the tapped tensors by name" if network.taps else ""
        more = "; in training the auxiliary outputs too" if network.passing else ""
        return f"Return {what}{tapped}{more}."

    def _probabilities(self) -> list[Row]:
        inputs = list(self.builder.body.inputs.values())
        args = ", ".join(["self", *(f"{v}: Tensor" for v in inputs)])
        what = "Return class probabilities: the softmax that ends the network."
        rows = [
            (f"{INDENT}def probabilities({args}) -> Tensor:", ""),
            (f'{INDENT * 2}"""{what}"""', ""),
        ]
        result = f"self({', '.join(inputs)})"
        if self.network.taps:
            rows.append((f"{INDENT * 2}{RESULT}, _ = {result}", ""))
            result = RESULT
        return [*rows, (f"{INDENT * 2}return F.softmax({result}, dim=1)", "")]

    def main(self) -> list[str]:
        """Return the main program: what the file prints of itself."""
        network, graph = self.network, self.network.graph
        shapes = next(shapes_near(graph, TRIAL_SIZE)).values()
        zeros = ", ".join(f"torch.zeros(1, {', '.join(map(str, s))})" for s in shapes)
        out = [
            'if __name__ == "__main__":',
            f"{INDENT}model = {self.name}().eval()",
            f"{INDENT}count = sum(p.numel() for p in model.parameters())",
            f"{INDENT}with torch.no_grad():",
        ]
        result = f"model({zeros})"
        printed = [f'{INDENT}print(f"{graph.name}: {{count:,}} parameters")']
        shape = "tuple({}.shape)"
        if network.features:
            out.append(f"{INDENT * 2}maps = {result}")
            printed.append(f'{INDENT}print("feature maps:", *(tuple(m.shape) for m in maps))')
        elif len(network.lasting) == 1 and not network.taps:
            out.append(f"{INDENT * 2}output = {result}")
            printed.append(f'{INDENT}print(f"output: {{{shape.format("output")}}}")')
        else:
            out.append(f"{INDENT * 2}output{', tapped' if network.taps else ''} = {result}")
            each = "output" if len(network.lasting) > 1 else "[output]"
            printed.append(f'{INDENT}print("output:", *(tuple(o.shape) for o in {each}))')
            if network.taps:
                printed.append(f"{INDENT}for name, tensor in tapped.items():")
                printed.append(f'{INDENT * 2}print(f"{{name}}: {{tuple(tensor.shape)}}")')
        return [*out, *printed]


def _statement(head: str, code: Code, depth: int, tail: str = "") -> list[Row]:
    return [(line, "") for line in laid_out(head, code, tail, depth, str)]


def network_frame(
    writer: ModuleWriter, graph: Graph, scope: ModuleScope, fixed: frozenset[str]
) -> ClassBuilder:
    """Return the empty frame of the network's class, with the inputs as arguments of forward.

    The channels of the inputs and the parameters are arguments of the constructor, but `fixed`
    ones; of a graph that passes have rewritten none is. Mean and deviation inside are of as many
    channels as they have numbers.
    """
    inputs = {name: variable(name) for name in graph.inputs}
    channels_of = _input_channels(graph, inputs)
    if graph.is_rewritten:
        fixed |= {*graph.arguments, *channels_of.values()}
    inside = [node for node in graph.nodes.values() if isinstance(node.op, Standardize)]
    fixed |= {channels_of[name] for node in inside for name in node.inputs if name in channels_of}
    params = arguments_of(graph.arguments, graph.params, fixed)
    formulas = Formulas(graph, params, Trace(fixed))
    for name, text in channels_of.items():
        channels = graph.nodes[name].shape.channels
        assert isinstance(channels, int), f"input {name} has {channels} channels"
        formulas.learn_input(name, text, channels)
    if not graph.is_rewritten:
        formulas.learn_names(scope.region)
    return ClassBuilder(writer, scope, formulas, ForwardBody(inputs, ()))


def _input_channels(graph: Graph, inputs: Mapping[str, str]) -> dict[str, str]:
    """Return input -> the argument for its channels."""
    names = (*graph.arguments, *graph.regions[""].names)
    used = {n for name in names for n in (name, parameter_name(name))}
    if len(inputs) == 1:
        return dict.fromkeys(inputs, unused("in_channels", used))
    return {name: unused(f"{text}_channels", used) for name, text in inputs.items()}
