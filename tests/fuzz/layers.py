"""Random layers: each is drawn, and lowered by `meaning` at once, so that it fits there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from compiler.ops import JOINS, OP_LAYERS, JoinLayer, WordLayer, read_activation
from compiler.text import grammar
from tests.fuzz.arithmetic import Invalid
from tests.fuzz.dice import WORDS, Dice, left_out, references
from tests.fuzz.meaning import BY_HAND as BY_HAND_MEANT
from tests.fuzz.meaning import (
    Frame,
    Layer,
    Meaning,
    Place,
    Scope,
    declaration,
    printed,
    settle_names,
    typed,
)
from tests.fuzz.tensors import Tensor
from tests.samples import needed, readers, values

NAMES = ("a", "b", "c", "x", "y", "out", "F", "Tensor", "math", "weight", "size", "args",
    "list", "input", "mixed_3a", "_u", "stem", "Conv", "conv_1x7", "net", "n", "main",
    "image_2")  # fmt: skip
TYPES = (
    "channels",
    "int",
    "number",
    "bool",
    "kernel",
    "padding",
    "activation",
    "norm",
    "list",
    "text",
)
BY_HAND = (*BY_HAND_MEANT, "conv", "max_pool", "avg_pool", "batch_norm", "linear")
OTHERS = [w for w in OP_LAYERS if w not in BY_HAND and not issubclass(OP_LAYERS[w], JoinLayer)]
"""Ops that are drawn by the types of their fields; the rest with what is odd about them."""
NORMS = ("batch_norm", "batch_norm", "none", "layer_norm", "instance_norm", {"group_norm": 1})
LETTER = {"channels": "f", "int": "v", "number": "r", "bool": "q", "kernel": "k",
    "padding": "pad", "activation": "g", "norm": "m", "list": "xs", "text": "w"}  # fmt: skip


class Maker:
    """Draws the layers of one spec."""

    def __init__(self, dice: Dice, meaning: Meaning, blocks: dict[str, Any]) -> None:
        self.dice = dice
        self.meaning = meaning
        self.blocks = blocks
        self.budget = 14
        """Layers that may still be drawn."""
        self.taken: dict[int, set[str]] = {}

    # names

    def name(self, scope: Scope) -> str:
        """Return a name that nothing else in this frame bears."""
        taken = self.taken.setdefault(id(scope.frame), set())
        base = self.dice.pick(NAMES) if self.dice.chance(70) else f"n{len(taken)}"
        name, number = base, 2
        while name in taken or name in scope.frame.inputs or name in scope.frame.params:
            name, number = f"{base}_n{number}", number + 1
        taken.add(name)
        return name

    # lists of layers

    def chain(
        self, scope: Scope, incoming: Tensor, depth: int, most: int, keeps: bool
    ) -> tuple[list[Any], Tensor]:
        """Draw layers one after the other; with `keeps`, such as leave the grid as it is."""
        layers: list[Any] = []
        end = incoming
        while len(layers) < most and self.budget > 0 and self.dice.chance(75):
            self.budget -= 1
            before = dict(scope.names), dict(scope.counts)
            layer = self.layer(scope, end, depth, keeps)
            made = self.lowered(layer, scope, end)
            if made is None or (keeps and made.sizes[1:] != incoming.sizes[1:]):
                scope.names, scope.counts = before  # nothing may read what is not there
                continue
            layers.append(layer)
            end = made
        return layers, end

    def lowered(self, layer: Any, scope: Scope, end: Tensor) -> Tensor | None:
        """Lower a layer; None, and nothing changed, where it does not fit."""
        before = dict(scope.names), dict(scope.counts)
        try:
            made = self.meaning.chain([layer], scope, end)
        except Invalid:
            scope.names, scope.counts = before
            return None
        return made[-1]

    def closing(self, sizes: tuple[int, ...], end: Tensor, scope: Scope) -> list[Any]:
        """Return layers that bring a tensor to these sizes."""
        out: list[Any] = []
        if len(sizes) == 1:
            out += ["global_avg_pool"] * (len(end.sizes) == 3)
            return out + [{"linear": sizes[0]}] * (end.sizes[0] != sizes[0])
        if len(end.sizes) == 1:
            return []
        if end.sizes[0] != sizes[0]:
            written: Any = sizes[0]
            if scope.frame.inputs and next(iter(scope.frame.inputs.values())).sizes[0] == written:
                written = self.dice.pick(["in.channels", written])
            out.append({"conv": "1x1", "filters": written})
        if end.sizes[1:] != sizes[1:]:
            out.append({"adaptive_avg_pool": f"{sizes[1]}x{sizes[2]}"})
        return out

    # one layer

    def layer(self, scope: Scope, end: Tensor, depth: int, keeps: bool) -> Any:
        """Draw a layer for what enters it."""
        dice = self.dice
        source, ref = end, None
        readable = references(scope)
        if readable and dice.chance(6):
            ref, source = dice.pick(readable)
        elif dice.chance(4):
            ref, source = dice.pick(
                [("prev", end), ("in", next(iter(scope.frame.inputs.values())))]
            )
        missing = left_out(scope)
        if ref and missing and dice.chance(50):
            ref = f"{dice.pick(missing)} or {ref}"
        elif ref and dice.chance(5):
            ref = f"{ref} or {dice.pick(readable)[0]}" if readable else ref
        is_map = len(source.sizes) == 3
        makers: list[Callable[[Scope, Tensor, int, bool], Any]] = [self.plain] * 6
        if depth > 0:
            makers += [self.branches, self.residual, self.sequence, self.block, self.block]
            makers += [self.gate] * is_map
        makers += [self.join, self.join, self.shared]
        layer = dice.pick(makers)(scope, source, depth, keeps)
        if isinstance(layer, str) and (ref or dice.chance(25)):
            layer = {layer: True}
        if isinstance(layer, dict):
            op = next(iter(layer))
            if ref and "from" not in layer and op not in JOINS:
                layer["from"] = ref
            self.common(layer, scope, source)
        return layer

    def common(self, layer: Layer, scope: Scope, source: Tensor) -> None:
        """Add what every layer may say."""
        dice = self.dice
        op = next(iter(layer))
        is_block = op == "block" and (layer["block"] in scope.names or dice.chance(50))
        if is_block or dice.chance(40):
            layer.setdefault("name", self.name(scope))
        place = Place(scope, source)
        if dice.chance(8) and "split" not in layer and {"repeat", "for"}.isdisjoint(layer):
            layer["repeat"] = dice.count(Place(scope, None), 3, 0)
        if dice.chance(7):
            layer["when"] = dice.flag(Place(scope, None))
        if dice.chance(5):
            key, value = dice.pick([
                ("label", "a label"), ("title", "A title"), ("drawn", False), ("drawn", True),
                ("cite", {"figure": 3}), ("cite", {"table": 1, "section": "3.2", "code": "x.py"}),
                ("errata", ["E1"]), ("doc", "words: of \"it\""), ("cite", {}),
                ("label", "é < & \\"),
            ])  # fmt: skip
            layer[key] = value
        if dice.chance(8) and not dice.is_open and scope.frame.sizes_hold:
            self.state_size(layer, scope, place)

    def state_size(self, layer: Layer, scope: Scope, place: Place) -> None:
        """Add the size that a layer leaves."""
        before = dict(scope.names), dict(scope.counts)
        assert place.previous is not None
        try:
            made = self.meaning.chain([layer], scope, place.previous)[-1]
            layer["size"] = printed(made)
        except Invalid:
            pass
        scope.names, scope.counts = before

    def plain(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Any:
        """Draw an operation."""
        dice, place = self.dice, Place(scope, source)
        if len(source.sizes) == 1:
            return self.of_vector(place)
        if OTHERS and dice.chance(14):
            return self.other(place)
        kind = dice.upto(16 if keeps else 22)
        if kind <= 5:
            return self.conv(place, keeps)
        if kind <= 9:
            return self.pool(place, keeps)
        if kind == 10:
            return self.norm(place)
        return self.simple(place) if kind <= 16 else self.resized(place, kind)

    def simple(self, place: Place) -> Any:
        """Draw an operation on one element, or on all channels of a point."""
        dice = self.dice
        kind = dice.upto(5)
        if kind == 0:
            share = dice.pick([0.5, 0.8, 0.2, 0.25, "1 / 4"])
            op = dice.pick(["dropout", "drop_path"])
            return {op: {dice.pick(["keep", "drop"]): share}}
        if kind == 1:
            return {"scale": dice.constant(place)}
        if kind == 3:
            return dice.with_argument(place)
        return dice.pick(["identity", "softmax"] if kind == 2 else WORDS)

    def other(self, place: Place) -> Any:
        """Draw an operation by the types of its fields alone."""
        dice = self.dice
        draws: dict[Any, Callable[[], Any]] = {
            grammar.read_formula: lambda: dice.count(place, 3),
            grammar.read_pair: lambda: dice.kernel(place, 3),
            grammar.read_padding: lambda: dice.padding(place),
            grammar.read_target: lambda: dice.pick([2, 3, "2x3", [3, 1]]),
            grammar.read_sides: lambda: dice.pick([0, 1, "0x1", [1, 0]]),
            grammar.read_border: lambda: dice.pick([0, 1, "0x1", [[0, 1], [2, 0]]]),
            grammar.read_bool: lambda: dice.flag(place),
            grammar.read_range: lambda: [dice.upto(3), dice.pick([-1, -2, dice.count(place, 6)])],
            read_activation: lambda: dice.activation(place),
        }
        word = dice.pick(OTHERS)
        model = OP_LAYERS[word]
        if issubclass(model, WordLayer):
            return word
        fields = readers(model)
        said = [f for f in fields if f in needed(model) or dice.chance(40)]
        out = {
            f: draws[fields[f]]() if fields[f] in draws else dice.pick(values(f, fields[f]))
            for f in said
        }
        if word == "lrn":
            out[word] = dice.pick([1, 3, 5])  # ONNX has odd ones alone
        elif word == "conv_transpose" and dice.chance(30):
            out |= {"stride": 2, "output_padding": dice.pick([1, "0x1", [1, 0]])}
        return out

    def resized(self, place: Place, kind: int) -> Any:
        """Draw an operation that leaves another grid, or none."""
        dice = self.dice
        if kind == 17:
            return {"max_pool": dice.kernel(place, 2), "stride": 2}
        if kind == 18:
            return {"adaptive_avg_pool": dice.kernel(place, 4)}
        if kind == 19 and not dice.is_open:
            return "flatten"
        op = dice.pick(["global_avg_pool", "global_max_pool"])
        return {op: True, "keep_grid": dice.flag(place)} if dice.chance(50) else op

    def of_vector(self, place: Place) -> Any:
        """Draw an operation on a vector."""
        dice = self.dice
        kind = dice.upto(10)
        if kind <= 3:
            out: Layer = {"linear": dice.count(place, 7)}
            if dice.chance(30):
                out["bias"] = dice.flag(place)
            if dice.chance(30):
                out["activation"] = dice.activation(place)
            return out
        if kind == 4:
            return self.norm(place)
        if kind == 5:
            return {"dropout": {dice.pick(["keep", "drop"]): dice.pick([0.5, 0.8, 0, 1])}}
        if kind == 6:
            return {"scale": dice.constant(place)}
        if kind == 7:
            return "normalize"
        return dice.pick(["softmax", "normalize", "identity", "flatten", *WORDS])

    def conv(self, place: Place, keeps: bool) -> Layer:
        """Draw a convolution."""
        dice = self.dice
        out: Layer = {"conv": dice.kernel(place), "filters": dice.count(place, 8)}
        rare: dict[str, Callable[[], Any]] = {
            "padding": lambda: dice.padding(place),
            "stride": lambda: dice.kernel(place, 2),
            "dilation": lambda: dice.kernel(place, 2),
            "groups": lambda: self.groups(out, place),
            "bias": lambda: dice.flag(place),
            "norm": lambda: dice.pick([*NORMS, *self.texts(place)]),
            "activation": lambda: dice.activation(place),
            "linear": lambda: dice.flag(place),
        }
        for key, make in rare.items():
            if dice.chance(16) and not (keeps and key in ("padding", "stride")):
                out[key] = make()
        if out.get("linear") is True:  # it refuses what it would leave out
            for key in ("norm", "activation"):
                out.pop(key, None)
        return out

    def texts(self, place: Place) -> list[str]:
        return [n for n, v in place.scope.frame.params.items() if v == "batch_norm"]

    def groups(self, layer: Layer, place: Place) -> Any:
        """Draw groups, and the filters that they divide."""
        channels = place.previous.sizes[0] if place.previous else 1
        if self.dice.chance(40):
            layer["filters"] = channels * self.dice.upto(2, 1)
            return "depthwise"
        fits = [n for n in range(1, channels + 1) if channels % n == 0]
        groups = fits[-1 - self.dice.upto(len(fits) - 1)]
        layer["filters"] = groups * self.dice.upto(2, 1)
        names = [n for n in self.dice.numbers(place) if place.value(n) == groups]
        return self.dice.pick([groups, *names[:2]])

    def pool(self, place: Place, keeps: bool) -> Layer:
        """Draw a pooling."""
        dice = self.dice
        op = dice.pick(["max_pool", "avg_pool"])
        out: Layer = {op: dice.kernel(place)}
        if not keeps:
            if dice.chance(40):
                out["stride"] = dice.kernel(place, 3)
            if dice.chance(40):
                out["padding"] = dice.padding(place)
            if dice.chance(25):
                out["ceil"] = dice.flag(place)
        if op == "avg_pool" and dice.chance(30):
            out["count_include_pad"] = dice.flag(place)
        return out

    def norm(self, place: Place) -> Any:
        """Draw a batch norm."""
        dice = self.dice
        out: Layer = {"batch_norm": True}
        if dice.chance(30):
            out["eps"] = dice.pick([1e-3, 1e-5, 0.1])
        if dice.chance(30):
            out.update(dice.pick([{"momentum": 0.01}, {"decay": 0.9997}, {"momentum": 1}]))
        if dice.chance(30):
            out[dice.pick(["scale", "shift"])] = dice.flag(place)
        return out if len(out) > 1 else dice.pick(["batch_norm", out])

    # structures

    def inner_scope(self, scope: Scope, **variables: int) -> Scope:
        return scope.child(**variables)

    def sequence(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw a sequence, mostly to be repeated."""
        repeats = self.dice.chance(60)
        loop = self.loop(scope) if repeats and self.dice.chance(40) else {}
        first = {name: values[0] for name, values in loop.items()}
        inner = self.inner_scope(scope, **({"index": 0} if repeats else {}), **first)
        layers, end = self.chain(inner, source, depth - 1, 3, keeps or repeats)
        if loop:
            width = " + ".join(loop)
            is_map = len(end.sizes) == 3
            layers.append({"conv": "1x1", "filters": width} if is_map else {"linear": width})
            layers += self.closing(source.sizes, replace(end, sizes=(0, *end.sizes[1:])), inner)
        elif repeats:
            layers += self.closing(source.sizes, end, inner)
        out: Layer = {"layers": layers}
        if loop:
            out["for"] = loop
        elif repeats:
            out["repeat"] = self.dice.count(Place(scope, None), 3, 0)
        return out

    def loop(self, scope: Scope) -> dict[str, list[int]]:
        """Draw what a `for` goes over."""
        taken = {*scope.frame.params, *scope.variables}
        names = [name for name in ("v", "w", "u") if name not in taken][: self.dice.upto(2, 1)]
        count = self.dice.upto(3, 1)
        return {name: [self.dice.upto(4, 1) for _ in range(count)] for name in names}

    def residual(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw a residual, with or without a projection."""
        dice, place = self.dice, Place(scope, source)
        body, end = self.chain(self.inner_scope(scope), source, depth - 1, 3, True)
        part: Layer = {"body": body}
        if dice.chance(35):
            part["shortcut"], aside = self.chain(self.inner_scope(scope), source, 0, 2, True)
            part["shortcut"] += self.closing(end.sizes, aside, scope)
            part["shortcut"] = self.perhaps(part["shortcut"], scope)
        else:
            part["body"] = body + self.closing(source.sizes, end, scope)
        if dice.chance(40):
            part["scale"] = dice.constant(place)
        if dice.chance(40):
            part["activation"] = dice.activation(place)
        return {"residual": part}

    def branches(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw parallel chains that end on one grid."""
        dice = self.dice
        join = dice.pick(["concat", "concat", *JOINS])
        stride = {"stride": 2} if not keeps and len(source.sizes) == 3 and dice.chance(15) else None
        branches: dict[str, Any] = {}
        first: tuple[int, ...] | None = None
        for _ in range(2 if join == "subtract" else dice.upto(4, 1)):
            inner = self.inner_scope(scope)
            layers, end = self.chain(inner, source, depth - 1, 3, True)
            if join != "concat" and first is not None:
                layers += self.closing(first, end, scope)
            first = first or end.sizes
            if stride:
                ends: list[Layer] = [{"conv": "3x3", "filters": first[0]}, {"max_pool": "3x3"}]
                last = dice.pick(ends)
                layers.append({**last, **stride})
            elif join == "concat" and depth > 1 and dice.chance(12):
                layers.append(self.split(inner, end, depth - 1))
            branches[self.name(scope)] = self.perhaps(layers, scope)
        return {"branches": branches, "join": join}

    def perhaps(self, layers: list[Any], scope: Scope) -> Any:
        """Return a branch, now and then one with a condition."""
        if not self.dice.chance(8):
            return layers
        return {"when": self.dice.flag(Place(scope, None)), "layers": layers}

    def split(self, scope: Scope, source: Tensor, depth: int) -> Layer:
        """Draw a split: the ends of its branches enter the join around it."""
        parts = {}
        for _ in range(self.dice.upto(3, 1)):
            layers, end = self.chain(self.inner_scope(scope), source, depth - 1, 2, True)
            if depth > 1 and self.dice.chance(20):
                layers.append(self.split(self.inner_scope(scope), end, depth - 1))
            parts[self.name(scope)] = self.perhaps(layers, scope)
        out: Layer = {"split": parts}
        if self.dice.chance(30):
            out["name"] = self.name(scope)
        return out

    def gate(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw a channel gate, or attention by a softmax."""
        dice = self.dice
        end = dice.pick(["sigmoid", "softmax", "hard_sigmoid"])
        pool = {dice.pick(["global_avg_pool", "global_max_pool"]): True, "keep_grid": True}
        squeeze = [pool] if dice.chance(70) else []
        gate = [*squeeze, {"conv": 1, "filters": source.sizes[0]}, end]
        return {"branches": {self.name(scope): [], self.name(scope): gate}, "join": "multiply"}

    def join(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Any:
        """Draw a join of layers that fit each other."""
        dice = self.dice
        readable = references(scope)
        op = dice.pick([*JOINS])
        alike = [
            ref
            for ref, tensor in readable
            if (tensor.sizes[1:] == source.sizes[1:] and len(tensor.sizes) == len(source.sizes))
            and (op == "concat" or tensor.sizes == source.sizes)
        ]
        if not alike:
            return self.plain(scope, source, depth, keeps)
        others = [alike[-1 - dice.upto(len(alike) - 1)] for _ in range(dice.upto(3, 1))]
        if op == "subtract":
            del others[1:]
        gates = [r for r, t in readable if _is_gate(t.sizes, source.sizes)]
        if op == "multiply" and gates and dice.chance(60):
            others.append(dice.pick(gates))
        return {op: [dice.pick(["prev", *alike[:1]]), *others]}

    def shared(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Any:
        """Draw a layer that uses the parameters of one before it."""
        at: Scope | None = scope
        found: list[tuple[str, Layer]] = []
        while at is not None:
            for name, named in at.names.items():
                layer = named.layer or {}
                is_one = {"repeat", "for"}.isdisjoint(layer) and (
                    next(iter(layer), "") in ("conv", "linear", "batch_norm", "block")
                    or "name" in layer
                )
                if named.layer is not None and named.made and named.tensor is not None and is_one:
                    found.append((name, named.layer))
            at = at.parent
        if not found:
            return self.plain(scope, source, depth, keeps)
        name, layer = self.dice.pick(found)
        gone = ("name", "from", "when", "size", "share")
        again = {k: copy.deepcopy(v) for k, v in layer.items() if k not in gone}
        if next(iter(again)) == "branches":
            return self.plain(scope, source, depth, keeps)
        return {**again, "name": self.name(scope), "share": name}

    # blocks

    def block(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw an instance of a block, of a new one or of one that is defined."""
        dice = self.dice
        if self.blocks and dice.chance(55):
            return self.instance(dice.pick(list(self.blocks)), scope, source)
        return self.definition(scope, source, depth, keeps)

    def instance(self, name: str, scope: Scope, source: Tensor) -> Layer:
        """Draw an instance of a block with values of its own."""
        dice, place = self.dice, Place(scope, source)
        block = self.blocks[name]
        given = {}
        for param, declared in block.get("params", {}).items():
            kind, default = declaration(declared)
            if default is None or dice.chance(50):
                given[param] = self.argument(kind, place)
        out: Layer = {"block": name}
        if dice.chance(25):
            loop = self.arguments_of_copies(block, given, place)
            out |= {"for": loop} if loop else {}
        if given:
            out["with"] = given
        inputs = block.get("inputs", ["x"])
        if len(inputs) > 1:
            readable = references(scope)
            out["from"] = self.several(inputs, ["prev", *(r for r, _ in readable)])
        return out

    def arguments_of_copies(
        self, block: Layer, given: dict[str, Any], place: Place
    ) -> dict[str, list[Any]]:
        """Draw values of parameters for copies of an instance; they are given so, and not else."""
        taken = {*place.scope.frame.params, *place.scope.variables}
        count, out = self.dice.upto(3, 1), {}
        for param, declared in block.get("params", {}).items():
            if param not in taken and self.dice.chance(60):
                kind, _ = declaration(declared)
                given.pop(param, None)
                out[param] = [self.argument(kind, place) for _ in range(count)]
        return out

    def several(self, inputs: list[str], refs: list[str]) -> Any:
        chosen = [refs[-1 - self.dice.upto(len(refs) - 1)] for _ in inputs]
        return chosen if self.dice.chance(50) else dict(zip(inputs, chosen, strict=True))

    def argument(self, kind: str, place: Place) -> Any:
        """Draw a value for a parameter of a type."""
        dice = self.dice
        match kind:
            case "channels" | "int":
                return dice.count(place, 5, 1)
            case "number":
                return dice.constant(place)
            case "bool":
                return dice.flag(place)
            case "kernel":
                values = place.scope.frame.params.items()
                names = [n for n, v in values if type(v) is tuple]
                return dice.pick(["3x3", "1x1", "1x3", 2, "2x1", [3, 1], *names])
            case "padding":
                return dice.pick(["same", "V", "valid", 1, 0, "half"])
            case "activation":
                return dice.activation(place)
            case "list":
                return dice.entries(place)
        return dice.pick(["none", "batch_norm"])

    def params(self, place: Place, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draw declarations of parameters, and values for them."""
        dice = self.dice
        declared: dict[str, Any] = {}
        values: dict[str, Any] = {}
        while len(declared) < 4 and dice.chance(55):
            kind = dice.pick(TYPES)
            name = LETTER[kind] + prefix
            if name in declared:
                continue
            default = self.default(kind, values)
            values[name] = typed(kind, default, Place(Scope(Frame(dict(values), {})), None))
            if dice.chance(35) and not isinstance(default, dict):
                declared[name] = default
                if declaration(default)[0] != kind:
                    declared[name] = {"type": kind, "default": default}
            else:
                declared[name] = {"type": kind, "default": default}
                if dice.chance(20):
                    declared[name]["doc"] = "what it is"
                if dice.chance(10):
                    declared[name]["cite"] = {"figure": 4}
        return declared, values

    def default(self, kind: str, values: dict[str, Any]) -> Any:
        """Draw a default; it may be a formula over the parameters before it."""
        place = Place(Scope(Frame(dict(values), {})), None)
        return self.argument(kind, place)

    def definition(self, scope: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw a block with its first instance."""
        dice = self.dice
        declared, values = self.params(Place(scope, source), dice.pick(["", "_b", "2"]))
        inputs, tensors, refs = ["x"], [source], ["prev"]
        readable = references(scope)
        if readable and dice.chance(25):
            inputs = dice.pick([["left", "right"], ["x", "skip"], ["x", "y", "z"]])
            for _ in inputs[1:]:
                ref, tensor = dice.pick(readable)
                refs.append(ref)
                tensors.append(tensor)
        elif dice.chance(10):
            inputs = ["data"]
        frame = Frame(values, dict(zip(inputs, tensors, strict=True)))
        frame.sizes_hold = dice.chance(15)
        named = self.names(frame, "local")
        body = self.body(Scope(frame), source, depth, keeps)
        block: Layer = self.words()
        if frame.sizes_hold:
            block["input_size"] = printed(source)
        if declared:
            block["params"] = declared
        block |= {"let": named} if named else {}
        block |= self.assertions()
        if inputs != ["x"]:
            block["inputs"] = inputs
        block.update(body)
        given = self.without_defaults(declared)
        number = len(self.blocks)
        name = dice.pick(["unit", "Block", "cell_a", "mixed", "net", "x2"]) + str(number)
        self.blocks[name] = block
        out: Layer = {"block": name}
        if given:
            out["with"] = given
        if len(inputs) > 1:
            out["from"] = refs if dice.chance(50) else dict(zip(inputs, refs, strict=True))
        return out

    def assertions(self) -> Layer:
        """Draw what holds of any block, or nothing."""
        holds = ["in.channels == in.channels", {"that": "macs >= 0", "message": "so"}]
        return {"assert": holds} if self.dice.chance(8) else {}

    def names(self, frame: Frame, base: str) -> dict[str, Any]:
        """Draw names for numbers, and add their values to the frame's."""
        dice = self.dice
        out: dict[str, Any] = {}
        while len(out) < 3 and dice.chance(20):
            name = f"{base}{len(out)}"
            out[name] = dice.count(Place(Scope(frame), None), 9)
            settle_names({"let": {name: out[name]}}, frame)
        return out

    def body(self, inner: Scope, source: Tensor, depth: int, keeps: bool) -> Layer:
        """Draw what a block computes."""
        kind = self.dice.pick(["layers", "layers", "branches", "residual"])
        if kind == "layers":
            layers = self.chain(inner, source, depth - 1, 4, keeps)[0]
            return {"layers": layers or ["relu"] * self.dice.chance(70)}
        make = self.branches if kind == "branches" else self.residual
        return make(inner, source, depth, keeps)

    def without_defaults(self, declared: dict[str, Any]) -> dict[str, Any]:
        """Take some defaults away, and return them as what the instance gives."""
        given = {}
        for name, how in declared.items():
            is_plain = isinstance(how, dict) and not _is_formula(how["default"], declared)
            if is_plain and self.dice.chance(50):
                given[name] = how.pop("default")
        return given

    def words(self) -> Layer:
        """Draw what a block says besides its computation."""
        dice = self.dice
        out: Layer = {}
        if dice.chance(30):
            key, value = dice.pick([
                ("title", "A block"), ("doc", "It is one."), ("cite", {"figure": 5}),
                ("errata", ["E1"]), ("drawing", {"input": "Previous Layer", "sizes": "trunk"}),
                ("drawing", {"sizes": "output"}),
            ])  # fmt: skip
            out[key] = value
        return out


def _is_formula(default: Any, declared: dict[str, Any]) -> bool:
    """True for a default that reads other parameters, which a caller could not."""
    return isinstance(default, str) and any(name in default for name in declared)


def _is_gate(sizes: tuple[int, ...], first: tuple[int, ...]) -> bool:
    """True for a map that a product spreads over the grid or the channels of another."""
    return len(sizes) == len(first) == 3 and sizes in ((first[0], 1, 1), (1, *first[1:]))
