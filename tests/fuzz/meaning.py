"""What a spec means, worked out from specs/README.md without the compiler.

Spec data in, a network of tensors out. The record of an operation is the compiler's own
dataclass; everything else (names, scopes, expressions, sizes) is done anew, so that a fault of
the lowering shows as a difference. Whatever is no valid spec raises `Invalid`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any

from compiler.ops import (
    ACTIVATIONS,
    OP_LAYERS,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Input,
    Linear,
    Maximum,
    MaxPool2d,
    Multiply,
    Normalize,
    Op,
    Scale,
    Softmax,
    Subtract,
    activation_of,
    spelled,
)
from compiler.ops import Layer as LayerModel
from compiler.ops.norm import NORM_WORDS
from tests.fuzz.arithmetic import Invalid, need, sizes_after
from tests.fuzz.expressions import Entries, evaluate
from tests.fuzz.tensors import Network, Output, Tensor

Layer = dict[str, Any]
Pair = tuple[int, int]
JOINS: Mapping[str, Callable[[], Op]] = {
    **{"concat": Concat, "add": Add, "subtract": Subtract},
    **{"multiply": Multiply, "maximum": Maximum},
}
STRUCTURES = ("block", "layers", "branches", "split", "residual")
SIZES = ("channels", "height", "width")
PADDINGS = ("same", "SAME", "V", "valid", "VALID", "half")
BY_HAND = frozenset((
    *("adaptive_avg_pool", "global_avg_pool", "global_max_pool", "scale", "softmax"),
    *("dropout", "drop_path"),
    *("flatten", "normalize", "identity", "prelu", *ACTIVATIONS),
))  # fmt: skip
"""Ops of one operation whose meaning is worked out here; that of others is their model's."""

MOST_FACTORS = 6
"""How often a tensor may be a factor of itself: beyond, float32 overflows."""


@dataclass(eq=False)
class Named:
    """What a name stands for; `force` computes it where it is read before its turn."""

    force: Callable[[], object] | None = None
    tensor: Tensor | None = None
    inner: Scope | None = None
    made: list[Tensor] = field(default_factory=list)
    """What has parameters in it, in order."""
    layer: Layer | None = None
    """What the spec says of it."""
    is_left_out: bool = False

    def settle(self) -> None:
        """Compute it where that is still to be done."""
        if self.tensor is None and self.force is not None:
            self.force()

    def get(self) -> Tensor:
        self.settle()
        need(self.tensor is not None, "a name that is read and left out")
        assert self.tensor is not None
        return self.tensor


@dataclass(eq=False)
class Frame:
    """A network, or one instance of a block: parameters and inputs."""

    params: dict[str, Any]
    inputs: dict[str, Tensor]
    sizes_hold: bool = False
    """True where sizes that layers state are those of the input at hand."""


@dataclass(eq=False)
class Scope:
    """A list of layers and the names in it."""

    frame: Frame
    parent: Scope | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    """`index` and what a `for` goes over, in a copy."""
    names: dict[str, Named] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def child(self, **variables: Any) -> Scope:
        return Scope(self.frame, self, {**self.variables, **variables})

    def find(self, name: str) -> Named | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def automatic(self, base: str) -> str:
        """Return a name made from `base` that is free here."""
        while True:
            self.counts[base] = count = self.counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self.names:
                return name

    def take(self, name: str) -> Named:
        need(name not in self.names, f"two layers `{name}`")
        self.names[name] = Named()
        return self.names[name]


@dataclass(eq=False)
class Place:
    """Where a layer's formulas stand: its scope, and what enters it."""

    scope: Scope
    previous: Tensor | None

    def lookup(self, name: str) -> Any:
        frame = self.scope.frame
        if name in frame.params:
            return frame.params[name]
        if name in self.scope.variables:
            return self.scope.variables[name]
        if name in (*ACTIVATIONS, *PADDINGS, "none", "batch_norm"):
            return "valid" if name in ("V", "VALID") else name.replace("SAME", "same")
        head, _, size = name.rpartition(".")
        need(size in SIZES, f"no name `{name}`")
        tensor = self._tensor(head)
        need(tensor is not None, f"no layer `{head}` before")
        assert tensor is not None
        at = SIZES.index(size)
        need(at < len(tensor.sizes), f"a vector has no {size}")
        return tensor.sizes[at]

    def _tensor(self, head: str) -> Tensor | None:
        if head == "prev":
            return self.previous
        if head == "in":
            return next(iter(self.scope.frame.inputs.values()), None)
        if head in self.scope.frame.inputs:
            return self.scope.frame.inputs[head]
        found = self.scope.find(head)
        return found.tensor if found else None

    def value(self, written: Any) -> Any:
        """Return a written value, evaluated where it is text."""
        return evaluate(written, self.lookup) if isinstance(written, str) else written

    def whole(self, written: Any, least: int = 1) -> int:
        value = self.value(written)
        need(type(value) is int and value >= least, f"{written} = {value}")
        return int(value)

    def copies(self, layer: Layer, kinds: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return what the copies of a layer are made with; `kinds` are types of what takes it."""
        if "repeat" in layer:
            return [{}] * self.whole(layer["repeat"], 0)
        series = [
            [typed(kinds[name], v, self) if name in kinds else self.whole(v) for v in values]
            for name, values in layer["for"].items()
        ]
        return [dict(zip(layer["for"], row, strict=True)) for row in zip(*series, strict=True)]

    def pair(self, written: Any, least: int = 1) -> tuple[int, int]:
        if isinstance(written, str) and written.replace("x", "").isdigit() and "x" in written:
            height, _, width = written.partition("x")
            return self.pair([int(height), int(width)], least)
        if isinstance(written, (list, tuple)):
            return self.whole(written[0], least), self.whole(written[1], least)
        value = self.value(written)
        if isinstance(value, tuple):
            return self.pair(value, least)
        return self.whole(value, least), self.whole(value, least)

    def pads(self, written: Any, kernel: Pair, dilation: Pair = (1, 1)) -> Any:
        if isinstance(written, str) and written not in PADDINGS:
            found = self.scope.frame.params.get(written)
            written = written if found is None else found
        if written == "half":
            rows, columns = (d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
            return (rows, rows), (columns, columns)
        if isinstance(written, str) and written in PADDINGS:
            return "same" if written.lower() == "same" else ((0, 0), (0, 0))
        if isinstance(written, list) and isinstance(written[0], list):
            return self.pair(written[0], 0), self.pair(written[1], 0)
        rows, columns = self.pair(written, 0)
        return (rows, rows), (columns, columns)

    def flag(self, written: Any) -> bool:
        value = self.value(written)
        need(isinstance(value, bool), f"{written} is neither true nor false")
        return bool(value)

    def word(
        self,
        written: str,
        known: tuple[str, ...],
        is_one: Callable[[object], bool] = lambda value: False,
    ) -> str:
        if written not in known:
            written = self.scope.frame.params.get(written, written)
        need(written in known or is_one(written), f"no {written}")
        return written

    def activation(self, written: Any) -> str:
        """Return an activation in the one spelling that its value has."""
        if isinstance(written, dict):
            ((word, argument),) = written.items()
            need(word in ("leaky_relu", "elu", "gelu", "prelu"), f"no argument of {word}")
            is_word = word in ("gelu", "prelu")
            return spelled(word, argument if is_word else float(self.value(argument)))
        value = self.scope.frame.params.get(written, written)
        is_value = isinstance(value, str) and value.startswith("{")
        return value if is_value else self.word(written, ("none", *ACTIVATIONS, "prelu"))


@dataclass(eq=False)
class Reader:
    """The fields of a layer for its model's `operations`, without the compiler's reader."""

    model: type[LayerModel]
    says: Mapping[str, Any]
    place: Place
    incoming: Tensor
    norms: Mapping[str, Op] = field(default_factory=dict)
    traced: dict[str, Any] = field(default_factory=dict)
    what: str = ""

    @property
    def channels(self) -> int:
        return self.incoming.sizes[0]

    def raw(self, key: str) -> Any:
        return self.says.get(key, self.model.model_fields[key].default)

    def integer(self, key: str, attribute: str = "", least: int = 1) -> int:
        return self.place.whole(self.raw(key), least)

    def number(self, key: str, attribute: str = "") -> float:
        return float(self.place.value(self.raw(key)))

    def pair(self, key: str, attribute: str = "", least: int = 1) -> tuple[int, int]:
        return self.place.pair(self.raw(key), least)

    def padding(self, op: str, kernel: Pair, dilation: Pair = (1, 1)) -> Any:
        return self.place.pads(self.raw("padding"), kernel, dilation)

    def where(self, key: str) -> Any:
        """Refuse the layer: the place of a key is asked for where its value is wrong."""
        raise Invalid(f"{key} = {self.raw(key)}")

    def number_in(self, key: str, word: str, type: str = "number") -> Any:
        written = self.raw(key)[word]
        return self.place.whole(written) if type == "channels" else self.place.value(written)

    is_sized_by_layer = False

    def factor_or_size(self, key: str) -> Any:
        written = self.raw(key)
        height, width = self.place.pair(written)
        is_one = isinstance(written, int) or (isinstance(written, str) and "x" not in written)
        return height if is_one and height == width else (height, width)

    def sides(self, key: str, attribute: str = "") -> Any:
        return self.place.pads(self.raw(key), (1, 1))

    def range(self, key: str) -> tuple[int, int]:
        start, stop = (self.place.whole(end, -(10**7)) for end in self.raw(key))
        return start + self.channels * (start < 0), stop + self.channels * (stop < 0)

    def flag(self, key: str) -> bool:
        return self.place.flag(self.raw(key))

    def activation(self, key: str) -> str:
        return self.place.activation(self.raw(key))

    def word(
        self,
        key: str,
        known: tuple[str, ...],
        is_one: Callable[[object], bool] = lambda value: False,
    ) -> str:
        return self.place.word(self.raw(key), known, is_one)


class Meaning:
    """Lowers spec data; one for a network."""

    def __init__(
        self, blocks: Mapping[str, Any], defaults: Mapping[str, Any], most: int = 10**12
    ) -> None:
        self.blocks = blocks
        self.defaults = defaults
        self.most = most
        """Elements of one tensor that are not too many."""
        self.made: list[Tensor] = []

    def chain(self, layers: list[Any], scope: Scope, incoming: Tensor) -> list[Tensor]:
        """Return what leaves a list of layers: one tensor, or the ends of a split."""
        rows = [as_mapping(layer) for layer in layers]
        named = [self.declare(row, scope) for row in rows]
        ends: dict[int, list[Tensor]] = {-1: [incoming]}
        busy: set[int] = set()

        def at(i: int) -> list[Tensor]:
            if i not in ends:
                need(i not in busy, "layers in a circle")
                busy.add(i)
                found = self.layer(rows[i], named[i], scope, lambda: at(i - 1)[-1])
                ends[i] = at(i - 1)[-1:] if found is None else found
                named[i].is_left_out = found is None
                named[i].tensor = None if found is None else found[-1]
            return ends[i]

        for i, one in enumerate(named):
            one.force = partial(at, i)
        for i in range(len(rows)):
            need("split" not in rows[i] or i == len(rows) - 1, "a split that is not the last")
            at(i)
        for one in named:
            one.force = None
        return ends[len(rows) - 1]

    def declare(self, layer: Layer, scope: Scope) -> Named:
        """Give a layer its name."""
        op, argument = next(iter(layer.items()))
        if "name" in layer:
            named = scope.take(layer["name"])
        elif op == "block":
            named = scope.take(argument)
        else:
            named = scope.take(scope.automatic(automatic_name(op, argument)))
        named.layer = layer
        return named

    def layer(
        self, layer: Layer, named: Named, scope: Scope, before: Callable[[], Tensor]
    ) -> list[Tensor] | None:
        """Return what leaves a layer; None where it is left out."""
        if "when" in layer and not Place(scope, None).flag(layer["when"]):
            return None
        operands = self.operands(layer, scope, before)
        first = next(iter(operands.values()))
        if "repeat" not in layer and "for" not in layer:
            return self.one(layer, named, scope, operands)
        need("split" not in layer, "a repeated split")
        copies = Scope(scope.frame)
        named.inner = copies
        for index, variables in enumerate(Place(scope, first).copies(layer, self.takers(layer))):
            inner = scope.child(index=index, **variables)
            inner.names, inner.counts = scope.names, scope.counts
            copy = copies.take(str(index))
            (first,) = self.one(layer, copy, inner, {**operands, next(iter(operands)): first})
            copy.tensor = first
            named.made += copy.made
        return [first]

    def takers(self, layer: Layer) -> dict[str, str]:
        """Return the parameters of an instance's block that a loop gives, with their types."""
        params = self.blocks[layer["block"]].get("params", {}) if "block" in layer else {}
        given = layer.get("with", {})
        return {n: declaration(d)[0] for n, d in params.items() if n not in given}

    def operands(
        self, layer: Layer, scope: Scope, before: Callable[[], Tensor]
    ) -> dict[str, Tensor]:
        """Return what a layer reads: by place, or by a block's input."""
        op = next(iter(layer))
        written = layer[op] if op in JOINS else layer.get("from", "prev")
        if isinstance(written, str):
            written = [written]
        if isinstance(written, list):
            written = {str(i): name for i, name in enumerate(written)}
        need(len(written) == 1 or op in JOINS or op == "block", f"{op} reads one layer")
        return {k: self.tensor(name, scope, before) for k, name in written.items()}

    def tensor(self, ref: str, scope: Scope, before: Callable[[], Tensor]) -> Tensor:
        """Return what a reference means: of `a or b` the first that no `when` leaves out."""
        *first, last = ref.split(" or ")
        for name in first:
            named = scope.find(name.partition(".")[0])
            if named is not None:
                named.settle()
            if named is None or not named.is_left_out:
                return self.plain_tensor(name, scope, before)
        return self.plain_tensor(last, scope, before)

    def plain_tensor(self, ref: str, scope: Scope, before: Callable[[], Tensor]) -> Tensor:
        """Return what one name means."""
        if ref == "prev":
            return before()
        if ref == "in":
            return next(iter(scope.frame.inputs.values()))
        head, *rest = ref.split(".")
        named = scope.find(head)
        if named is None:
            need(ref in scope.frame.inputs, f"no layer `{ref}`")
            return scope.frame.inputs[ref]
        tensor = named.get()
        return inside(named, rest).get() if rest else tensor

    def one(
        self, layer: Layer, named: Named, scope: Scope, operands: dict[str, Tensor]
    ) -> list[Tensor]:
        """Lower one copy of a layer."""
        op = next(iter(layer))
        before = len(self.made)
        first = next(iter(operands.values()))
        place = Place(scope, first)
        has_scope = not {"name", "repeat", "for"}.isdisjoint(layer) or op == "block"
        inner = scope.child() if has_scope else scope
        if has_scope and op in STRUCTURES:
            named.inner = inner
        if op == "block":
            out = [self.block(layer, named, place, operands)]
        elif op == "layers":
            out = self.chain(layer[op], inner, first)
            need(len(out) == 1, "a split in a sequence")
        elif op in ("branches", "split"):
            out = self.branches(layer[op], inner, first)
            if op == "branches":
                inner.take(inner.automatic(layer["join"]))
                out = [self.add(JOINS[layer["join"]](), out)]
        elif op == "residual":
            out = [self.residual(layer[op], inner, first)]
        elif op in JOINS:
            out = [self.add(JOINS[op](), list(operands.values()))]
        else:
            out = [self.operation(op, layer, place, first)]
        if "size" in layer and scope.frame.sizes_hold:
            need(printed(out[-1]) == str(layer["size"]), "another size than is stated")
        named.made = self.made[before:]
        if "share" in layer:
            self.share(layer["share"], named, scope)
        return out

    def share(self, ref: str, named: Named, scope: Scope) -> None:
        """Let what was made use the parameters of another layer."""
        head, *rest = ref.split(".")
        owner = scope.find(head)
        need(owner is not None and owner.tensor is not None, f"no `{ref}` to share with")
        assert owner is not None
        owner = inside(owner, rest)
        need({"repeat", "for"}.isdisjoint(owner.layer or {}), "several copies to share with")
        twins = owner.made
        need(bool(named.made) and len(twins) == len(named.made), "nothing alike to share")
        for mine, twin in zip(named.made, twins, strict=True):
            alike = mine.op == twin.op and mine.operands[0].sizes[0] == twin.operands[0].sizes[0]
            need(alike, "parameters that are not alike")
            mine.owner = twin.owner or twin

    def add(self, op: Op, operands: list[Tensor]) -> Tensor:
        """Make a tensor."""
        degrees = [o.degree for o in operands]
        degree = sum(degrees) if isinstance(op, Multiply) else max(degrees)
        need(degree <= MOST_FACTORS, "values beyond measure")
        sizes = sizes_after(op, [o.sizes for o in operands])
        need(prod(sizes) <= self.most, f"{op.kind} leaves {prod(sizes)} elements")
        out = Tensor(op, tuple(operands), sizes, degree=degree)
        if out.has_parameters:
            self.made.append(out)
        return out

    def block(
        self, layer: Layer, named: Named, place: Place, operands: dict[str, Tensor]
    ) -> Tensor:
        """Lower an instance of a block."""
        block = self.blocks[layer["block"]]
        wanted = block.get("inputs", ["x"])
        keys = wanted if set(operands) == set(wanted) else [str(i) for i in range(len(wanted))]
        need(set(keys) == set(operands), "inputs that the block does not have")
        params: dict[str, Any] = {}
        usual = self.defaults.get("block", {}).get("with", {})
        for name, declared in block.get("params", {}).items():
            kind, default = declaration(declared)
            if name in layer.get("with", {}):
                params[name] = typed(kind, layer["with"][name], place)
            elif name in layer.get("for", {}):
                params[name] = place.scope.variables[name]
            elif name in usual:
                params[name] = typed(kind, usual[name], Place(Scope(Frame({}, {})), None))
            else:
                need(default is not None, f"no value for `{name}`")
                params[name] = typed(kind, default, Place(Scope(Frame(params, {})), None))
        frame = Frame(params, {w: operands[k] for w, k in zip(wanted, keys, strict=True)})
        settle_names(block, frame)
        frame.sizes_hold = block.get("input_size") == printed(next(iter(frame.inputs.values())))
        inner = Scope(frame)
        named.inner = inner
        first = next(iter(frame.inputs.values()))
        body = {k: block[k] for k in ("branches", "residual", "join") if k in block}
        (out,) = self.chain(block.get("layers", [body]), inner, first)
        return out

    def branches(self, branches: dict[str, Any], scope: Scope, first: Tensor) -> list[Tensor]:
        """Return the ends of parallel chains."""
        need(bool(branches), "no branches")
        ends = []
        for name, written in branches.items():
            named = scope.take(name)
            row = written if isinstance(written, dict) else {"layers": written}
            if not Place(scope, first).flag(row.get("when", True)):
                named.is_left_out = True
                continue
            named.inner = scope.child()
            found = self.chain(row["layers"], named.inner, first)
            named.tensor = found[-1]
            ends += found
        need(bool(ends), "no branch that is left")
        return ends

    def residual(self, part: dict[str, Any], scope: Scope, first: Tensor) -> Tensor:
        """Shortcut + scale * body, then the activation."""
        scope.take(scope.automatic("body"))
        (body,) = self.chain(part["body"], scope, first)
        shortcut = scope.take(scope.automatic("shortcut"))
        shortcut.inner = scope.child()
        place = Place(scope, first)
        written = part.get("shortcut", [])
        row = written if isinstance(written, dict) else {"layers": written}
        shortcut.is_left_out = not place.flag(row.get("when", True))
        aside = None
        if not shortcut.is_left_out:
            (aside,) = self.chain(row["layers"], shortcut.inner, first)
            shortcut.tensor = aside
        if "scale" in part:
            scope.take(scope.automatic("scale"))
            body = self.add(Scale(float(place.value(part["scale"]))), [body])
        scope.take(scope.automatic("add")).is_left_out = aside is None
        out = body if aside is None else self.add(Add(), [aside, body])
        function = place.activation(part.get("activation", "none"))
        if function != "none":
            scope.take(scope.automatic("act"))
            out = self.add(activation_of(function), [out])
        return out

    def operation(self, op: str, layer: Layer, place: Place, first: Tensor) -> Tensor:
        """Lower a layer that is no structure."""

        def says(key: str, default: Any) -> Any:
            return layer.get(key, self.defaults.get(op, {}).get(key, default))

        if op == "conv":
            return self.conv(layer, place, first, says)
        if op == "linear":
            made = Linear(place.whole(layer[op]), place.flag(says("bias", True)))
            return self.activated(self.add(made, [first]), place, says("activation", "none"))
        if op in ("max_pool", "avg_pool"):
            kernel = place.pair(layer[op])
            window = (
                kernel,
                place.pair(says("stride", 1)),
                place.pads(says("padding", "same"), kernel),
                place.flag(says("ceil", False)),
            )
            if op == "max_pool":
                return self.add(MaxPool2d(*window), [first])
            counted = place.flag(says("count_include_pad", False))
            return self.add(AvgPool2d(*window, counted), [first])
        if op == "batch_norm":
            usual = dict(self.defaults.get(op, {}))
            if "momentum" in layer:
                usual.pop("decay", None)
            if "decay" in layer:
                usual.pop("momentum", None)
            return self.add(batch_norm({**usual, **layer}, place), [first])
        if op in BY_HAND:
            return self.add(plain_op(op, layer, place), [first])
        return self.derived(op, layer, place, first)

    def derived(self, op: str, layer: Layer, place: Place, first: Tensor) -> Tensor:
        """Lower a layer by its own model, with the fields as they are read here."""
        need(op in OP_LAYERS, f"no op `{op}`")
        model = OP_LAYERS[op]
        says = {**self.defaults.get(op, {}), **layer}
        reader: Any = Reader(model, says, place, first, self.norms(first))
        for _, made in model.model_construct().operations(reader):
            first = self.add(made, [first])
        return first

    def norms(self, first: Tensor) -> dict[str, Op]:
        """Return the norms that follow convolutions, by the network's defaults."""
        nowhere = Place(Scope(Frame({}, {})), None)
        usual = batch_norm(self.defaults.get("batch_norm", {}), nowhere)
        out: dict[str, Op] = {"batch_norm": usual}
        for word in ("layer_norm", "instance_norm", "group_norm"):
            says = {word: 1, **self.defaults.get(word, {})}
            reader: Any = Reader(OP_LAYERS[word], says, nowhere, first)
            ((_, out[word]),) = OP_LAYERS[word].model_construct().operations(reader)
        return out

    def conv(
        self, layer: Layer, place: Place, first: Tensor, says: Callable[[str, Any], Any]
    ) -> Tensor:
        """Convolution, norm, activation."""
        linear = place.flag(says("linear", False))
        norm = "none" if linear else says("norm", "none")
        if not isinstance(norm, dict):
            norm = place.word(norm, NORM_WORDS)
        groups, bias = says("groups", 1), says("bias", None)
        kernel, dilation = place.pair(layer["conv"]), place.pair(says("dilation", 1))
        made = Conv2d(
            out_channels=place.whole(says("filters", None)),
            kernel_size=kernel,
            stride=place.pair(says("stride", 1)),
            padding=place.pads(says("padding", "same"), kernel, dilation),
            dilation=dilation,
            groups=first.sizes[0] if groups == "depthwise" else place.whole(groups),
            bias=norm == "none" if bias is None else place.flag(bias),
        )
        out = self.add(made, [first])
        norms = self.norms(first)
        if isinstance(norm, dict):
            groups = place.whole(norm["group_norm"])
            of_groups: Any = norms["group_norm"]
            out = self.add(replace(of_groups, groups=groups), [out])
        elif norm != "none":
            out = self.add(norms[norm], [out])
        return self.activated(out, place, "none" if linear else says("activation", "none"))

    def activated(self, tensor: Tensor, place: Place, written: Any) -> Tensor:
        function = place.activation(written)
        return tensor if function == "none" else self.add(activation_of(function), [tensor])


def plain_op(op: str, layer: Layer, place: Place) -> Op:
    """Return an operation that needs no defaults."""
    match op:
        case "global_avg_pool" | "global_max_pool":
            function: Any = "avg" if op == "global_avg_pool" else "max"
            return GlobalPool2d(function, place.flag(layer.get("keep_grid", False)))
        case "adaptive_avg_pool":
            return AdaptiveAvgPool2d(place.pair(layer[op]))
        case "scale":
            return Scale(float(place.value(layer[op])))
        case "dropout" | "drop_path":
            ((word, share),) = layer[op].items()
            rate = float(place.value(share))
            need(0 <= rate <= 1, "a share that is none")
            rate = rate if word == "drop" else round(1 - rate, 12)
            return Dropout(rate, per_sample=op == "drop_path")
        case "softmax":
            return Softmax()
        case "flatten":
            return Flatten()
        case "normalize":
            return Normalize()
        case "identity":
            return Identity()
    need(op in (*ACTIVATIONS, "prelu"), f"no op `{op}`")
    return activation_of(op if layer[op] is True else place.activation({op: layer[op]}))


def printed(tensor: Tensor) -> str:
    """Return sizes as they are stated: height x width x channels."""
    return "x".join(map(str, (*tensor.sizes[1:], tensor.sizes[0])))


def batch_norm(says: Mapping[str, Any], place: Place) -> BatchNorm:
    """Return a batch norm as its keys have it."""
    momentum = place.value(says.get("momentum", 0.1))
    if "decay" in says:
        momentum = round(1 - float(place.value(says["decay"])), 12)
    eps = place.value(says.get("eps", 1e-5))
    scale, shift = (place.flag(says.get(key, True)) for key in ("scale", "shift"))
    return BatchNorm(float(eps), float(momentum), scale, shift)


def as_mapping(layer: Any) -> Layer:
    """Return a layer that may be a word alone."""
    return {layer: True} if isinstance(layer, str) else layer


def inside(named: Named, rest: list[str]) -> Named:
    """Follow a path into a layer."""
    for step in rest:
        need(named.inner is not None and step in named.inner.names, f"no `{step}` inside")
        assert named.inner is not None
        named = named.inner.names[step]
    return named


def automatic_name(op: str, argument: Any) -> str:
    """Return the name of a layer that is given none: its op and its kernel."""
    if op not in ("conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_avg_pool"):
        return op
    parts = argument.split("x") if isinstance(argument, str) else argument
    if isinstance(parts, int):
        parts = [parts, parts]
    is_kernel = len(parts) == 2 and all(str(p).isdigit() for p in parts)
    return f"{op}_{parts[0]}x{parts[1]}" if is_kernel else op


def declaration(declared: Any) -> tuple[str, Any]:
    """Return type and default of a parameter."""
    if isinstance(declared, dict):
        return declared["type"], declared.get("default")
    if isinstance(declared, list) and len(declared) != 2:
        return "list", declared
    if isinstance(declared, bool):
        return "bool", declared
    if isinstance(declared, int):
        return "int", declared
    if isinstance(declared, str) and declared.replace("x", "").isdigit():
        return "kernel", declared
    if declared in ("same", "valid", "V", "half"):
        return "padding", declared
    is_word = declared in (*ACTIVATIONS, "prelu", "none")
    return ("activation" if is_word else "number"), declared


def typed(kind: str, written: Any, place: Place) -> Any:
    """Return the value of a parameter of a type."""
    match kind:
        case "text":
            return written
        case "norm":
            return place.word(written, ("none", "batch_norm", "layer_norm", "instance_norm"))
        case "activation":
            return place.activation(written)
        case "padding":
            return written if isinstance(written, list) else _padding(written, place)
        case "kernel":
            return place.pair(written)
        case "bool":
            return place.flag(written)
        case "number":
            return place.value(written)
        case "list":
            if isinstance(written, str):
                return place.value(written)
            return Entries(place.value(entry) for entry in written)
    return place.whole(written, 1 if kind == "channels" else -(10**7))


def _padding(written: Any, place: Place) -> Any:
    if isinstance(written, str) and written in PADDINGS:
        return written
    found = place.scope.frame.params.get(written) if isinstance(written, str) else None
    return place.value(written) if found is None else found


def meaning_of(
    spec: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    letters: Mapping[str, int] | None = None,
    given: Mapping[str, list[int]] | None = None,
) -> Network:
    """Return the network of a spec whose imports and variants are resolved.

    Args:
        spec: the data of one file.
        settings: parameter -> value, over the defaults.
        letters: open size -> number.
        given: input -> its sizes, over the declared ones.

    Raises:
        Invalid: it means none.
    """
    declared = _params(spec, {})
    params = _params(spec, settings) if settings else declared
    sizes = {name: _sizes(dims, params, letters) for name, dims in spec["input"].items()}
    chosen = {name: tuple((given or {}).get(name, own)) for name, own in sizes.items()}
    inputs = {name: Tensor(Input(own), (), own) for name, own in chosen.items()}
    meaning = Meaning(spec.get("blocks", {}), spec.get("defaults", {}))
    is_as_declared = params == declared and chosen == sizes and not letters
    frame = Frame(dict(params), inputs, sizes_hold=is_as_declared)
    settle_names(spec, frame)
    scope = Scope(frame)
    scope.names.update({name: Named(tensor=tensor) for name, tensor in inputs.items()})
    (end,) = meaning.chain(spec["layers"], scope, next(iter(inputs.values())))
    if not spec.get("outputs"):
        return Network(inputs, (Output("", end),), listed=False)
    return Network(inputs, tuple(_outputs(spec["outputs"], meaning, scope, end)), listed=True)


def settle_names(where: Mapping[str, Any], frame: Frame) -> None:
    """Add the names of a `let` to the parameters of its block or network."""
    place = Place(Scope(frame), None)
    for name, written in where.get("let", {}).items():
        need(name not in frame.params, f"two names `{name}`")
        is_list = isinstance(written, list)
        value = typed("list", written, place) if is_list else place.value(written)
        frame.params[name] = value


def _params(spec: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a network's parameters, a default over those before it."""
    params: dict[str, Any] = {}
    alone = Place(Scope(Frame(params, {})), None)
    for name, declared in spec.get("params", {}).items():
        kind, default = declaration(declared)
        params[name] = typed(kind, settings.get(name, default), alone)
    return params


def _sizes(
    dims: list[Any], params: Mapping[str, Any], letters: Mapping[str, int] | None
) -> tuple[int, ...]:
    return tuple(_dim(d, params, letters or {}) for d in dims)


def _dim(written: Any, params: Mapping[str, Any], letters: Mapping[str, int]) -> int:
    if isinstance(written, str):
        need(written in params or written in letters, f"no size `{written}`")
        return int(params[written] if written in params else letters[written])
    need(type(written) is int and written > 0, f"{written} is no size")
    return int(written)


def _outputs(written: list[Any], meaning: Meaning, scope: Scope, end: Tensor) -> list[Output]:
    out = []
    for item in written:
        if isinstance(item, str):
            item = {"name": item.rpartition(".")[2], "from": item}
        if "when" in item and not Place(scope, None).flag(item["when"]):
            continue
        tensor = meaning.tensor(item.get("from", item["name"]), scope, lambda: end)
        out.append(Output(item["name"], tensor, item.get("training_only", False)))
    need(bool(out), "no outputs")
    need(any(not o.training_only for o in out), "outputs for training alone")
    return out
