"""Random valid specs, one file or several, over the whole language."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from compiler.ops import Input
from tests.fuzz.arithmetic import Invalid
from tests.fuzz.dice import Dice, references
from tests.fuzz.files import MAIN, Data, Written, layer_name
from tests.fuzz.layers import Maker
from tests.fuzz.meaning import Frame, Meaning, Named, Place, Scope, meaning_of
from tests.fuzz.tensors import Tensor

ERRATA = {
    "E1": {
        "where": "Figure 3", "printed": "`V`", "built": "`same`", "why": "it fits",
        "sources": ["a", "b"], "severity": "wording", "explains": ["label", "size"],
    }
}  # fmt: skip

LARGEST = 40_000
"""Elements of one tensor that a random spec may have."""


@st.composite
def specs(draw: st.DrawFn) -> Written:
    """Draw a spec that means a network."""
    dice = Dice(draw)
    letters = {"H": dice.upto(12, 5), "W": dice.upto(12, 5)} if dice.chance(20) else {}
    dice.is_open = bool(letters)
    data = whole(dice, letters)
    flow = dice.pick([None, None, None, False, True])
    written = Written(divided(dice, data), letters, flow, op_last=dice.chance(10))
    try:
        meaning_of(written.data, letters=letters)
    except Invalid:
        reject()  # names that only clash when the layers stand in their lists
    return written


def whole(dice: Dice, letters: dict[str, int]) -> Data:
    """Draw a spec as the data of one file."""
    data: Data = {"network": dice.pick(["t", "Net", "a1", "net_2"])}
    blocks: Data = {}
    defaults = drawn_defaults(dice) if dice.chance(35) else {}
    meaning = Meaning(blocks, defaults, LARGEST)
    maker = Maker(dice, meaning, blocks)
    nowhere = Place(Scope(Frame({}, {})), None)
    declared, values = maker.params(nowhere, "") if dice.chance(50) else ({}, {})
    inputs = drawn_inputs(dice, letters, values)
    tensors = {}
    for name, dims in inputs.items():
        known = {**letters, **values}
        sizes = tuple(known[d] if isinstance(d, str) else d for d in dims)
        tensors[name] = Tensor(Input(sizes), (), sizes)
    frame = Frame(dict(values), tensors, sizes_hold=not letters)
    named = maker.names(frame, "known")
    scope = Scope(frame)
    scope.names.update({n: Named(tensor=t) for n, t in tensors.items()})
    layers, end = maker.chain(scope, next(iter(tensors.values())), 3, 7, False)
    layers += head(dice, maker, scope, end)
    if not layers:
        layers = [dice.pick(["relu", "softmax", "identity", {"scale": 2}])]
        meaning.chain(layers, scope, end)
    data.update(metadata(dice))
    if declared:
        data["params"] = declared
    if named:
        data["let"] = named
    data["input"] = inputs
    keep_declared(defaults, blocks)
    if defaults:
        data["defaults"] = defaults
    if blocks:
        data["blocks"] = blocks
    data["layers"] = layers
    if dice.chance(8):
        data["assert"] = dice.pick([["out.channels > 0"], [{"that": "parameters >= 0"}]])
    outputs = drawn_outputs(dice, scope)
    if outputs:
        data["outputs"] = outputs
    data.update(moved(dice, layers))
    if dice.chance(5):
        data["drawing"] = dice.pick([{"sizes": "trunk"}, {"sizes": "none", "input": "Picture"}])
    return data


def moved(dice: Dice, layers: list[Any]) -> Data:
    """Draw what a layer was called, or nothing."""
    names = [row["name"] for row in layers if isinstance(row, dict) and "name" in row]
    return {"moved": {f"was_{names[0]}": names[0]}} if names and dice.chance(8) else {}


def keep_declared(defaults: Data, blocks: Data) -> None:
    """Take out what blocks would get by default and none declares."""
    if "block" not in defaults:
        return
    declared = {name for block in blocks.values() for name in block.get("params", {})}
    kept = {k: v for k, v in defaults["block"]["with"].items() if k in declared}
    defaults["block"] = {"with": kept}
    if not kept:
        del defaults["block"]


def drawn_inputs(dice: Dice, letters: dict[str, int], values: Data) -> Data:
    """Draw inputs: maps, or vectors; sizes may be letters and parameters."""
    out: Data = {}
    names = dice.pick([["image"], ["x"], ["left", "right"], ["image", "mask", "vec"]])
    grid: list[Any] = list(letters) if letters else [dice.upto(10, 1), dice.upto(10, 1)]
    for name in names[: 1 if dice.chance(75) else None]:
        sizes = [n for n, v in values.items() if type(v) is int and v > 0 and n[0] in "fv"]
        channels: Any = dice.pick(sizes) if sizes and dice.chance(20) else dice.upto(6, 1)
        if name == "vec" or dice.chance(5):
            out[name] = [channels]
        else:
            out[name] = [channels, *(grid if dice.chance(80) or letters else [4, 6])]
    return out


def drawn_defaults(dice: Dice) -> Data:
    """Draw what layers take where they do not say."""
    out: Data = {}
    if dice.chance(80):
        out["conv"] = dice.pick([
            {"norm": "batch_norm", "activation": "relu"}, {"activation": "silu"},
            {"padding": "V"}, {"padding": "half"}, {"norm": "batch_norm", "bias": True},
            {"padding": 1, "activation": "relu"}, {"dilation": 2}, {"linear": True}, {"filters": 3},
            {"stride": 2},
        ])  # fmt: skip
    if dice.chance(40):
        out["batch_norm"] = dice.pick(
            [
                {"eps": 1e-3},
                {"momentum": 0.01},
                {"decay": 0.9},
                {"scale": False, "eps": 0.01},
                {"shift": False},
            ]
        )
    if dice.chance(25):
        out["max_pool"] = dice.pick([{"stride": 2}, {"ceil": True}, {"padding": "V"}])
    if dice.chance(25):
        out["avg_pool"] = dice.pick([{"count_include_pad": True}, {"stride": 2, "padding": "V"}])
    if dice.chance(30):
        pairs = [
            ("f", 2), ("f_b", 3), ("v", 1), ("v2", 2), ("q", True), ("q_b", False), ("g", "silu"),
            ("g2", "none"), ("m", "batch_norm"), ("k", "1x1"), ("r", 0.5), ("pad", "V"),
        ]  # fmt: skip
        out["block"] = {"with": dict(dice.pick(pairs) for _ in range(4))}
    if dice.chance(25):
        out["linear"] = dice.pick([{"bias": False}, {"activation": "relu"}])
    return out


def head(dice: Dice, maker: Maker, scope: Scope, end: Tensor) -> list[Any]:
    """Draw how a network ends: a classifier, or nothing."""
    out: list[Any] = []

    def add(layer: Any) -> None:
        nonlocal end
        made = maker.lowered(layer, scope, end)
        if made is not None:
            out.append(layer)
            end = made

    if dice.chance(45):
        if len(end.sizes) == 3:
            add(dice.pick(["global_avg_pool", "global_max_pool", "flatten"]))
        for layer in ({"dropout": {"keep": 0.8}}, {"linear": 4}, "softmax", "identity"):
            if dice.chance(50):
                add(layer)
    return out


def metadata(dice: Dice) -> Data:
    """Draw what a network says besides its computation."""
    out: Data = {}
    if dice.chance(10):
        out["title"] = dice.pick(["A net", "Ünïcode: <&>", 'it\'s "quoted"'])
    if dice.chance(6):
        out["doc"] = dice.pick(["Words.", 'It says """ and \\ and \n another line.'])
    if dice.chance(6):
        out["cite"] = {"figure": 9}
    if dice.chance(4):
        out["errata"] = ["E1"]
    if dice.chance(6):
        claims = [
            {"of": "parameters", "value": 1000, "source": "somewhere", "erratum": "E1"},
            {"of": "macs", "value": 7, "source": "a table"},
            {"of": "text", "text": "it is large", "source": "a sentence"},
        ]
        out["claims"] = claims[: dice.upto(3, 1)]
    return out


def drawn_outputs(dice: Dice, scope: Scope) -> list[Any]:
    """Draw `outputs`, or none."""
    if not dice.chance(40):
        return []
    place = Place(scope, None)
    found: list[Any] = []
    names: set[str] = set()
    seen: set[int] = set()
    readable = references(scope)
    for _ in range(dice.upto(3, 1)):
        ref, tensor = readable[-1 - dice.upto(len(readable) - 1)]
        last = ref.rpartition(".")[2]
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        is_name = last[0].isalpha() and (last == ref or last not in scope.names)
        if dice.chance(50) and last not in names and is_name:
            names.add(last)
            found.append(ref)
            continue
        name = dice.pick(["logits", "aux", "probs", "o1", "o2", "o3"])
        if name in names or name in scope.names:
            continue
        names.add(name)
        item: Data = {"name": name, "from": ref}
        if found and dice.chance(40):
            item["training_only"] = True
        if found and dice.chance(25):
            item["when"] = dice.flag(place)
        found.append(item)
    return found


# files


def divided(dice: Dice, data: Data) -> dict[str, Data]:
    """Spread a spec over files: libraries that it imports, a base that it extends."""
    main = dict(data)
    files: dict[str, Data] = {MAIN: main}
    text = str(data)
    if "'E1'" in text:
        files["errata.yaml"] = {"errata": ERRATA}
        main["import"] = ["errata.yaml"]
    if "blocks" in main and dice.chance(30):
        _move_blocks(dice, main, files)
    if dice.chance(25):
        _extend(dice, main, files)
    for name, content in files.items():
        files[name] = _in_order(content)
    return files


def _move_blocks(dice: Dice, main: Data, files: dict[str, Data]) -> None:
    blocks = dict(main.pop("blocks"))
    moved = {n: blocks.pop(n) for n in list(blocks) if dice.chance(70)}
    if blocks:
        main["blocks"] = blocks
    main["import"] = [*main.get("import", []), "lib/blocks.yaml"]
    if len(moved) > 1 and dice.chance(50):
        first = next(iter(moved))
        files["lib/more.yaml"] = {"blocks": {first: moved.pop(first)}}
        files["lib/blocks.yaml"] = {"import": ["more.yaml"], "blocks": moved}
    else:
        files["lib/blocks.yaml"] = {"blocks": moved}


def _in_order(content: Data) -> Data:
    """Return a file's keys in the order in which people write them."""
    keys = ["extends", "network", "title", "import"]
    return {k: content[k] for k in [*keys, *content] if k in content}


def _extend(dice: Dice, main: Data, files: dict[str, Data]) -> None:
    """Make the main file a variant of a base that differs from it."""
    base = {k: main.pop(k) for k in list(main) if k not in ("title", "claims", "outputs")}
    main["extends"] = "base.yaml"
    if dice.chance(60):
        main["network"] = base["network"] + "_child"
    if "params" in base and dice.chance(60):
        _move_defaults(dice, main, base)
    if "outputs" in main and dice.chance(40):
        base["outputs"] = main.pop("outputs")
    if "blocks" in base and dice.chance(30):
        name = next(iter(base["blocks"]))
        main["blocks"] = {name: base["blocks"][name]}
        base["blocks"] = {**base["blocks"], name: {"layers": ["relu"]}}
    if dice.chance(20):
        main["input"] = base["input"]
        base["input"] = {n: [7] * len(dims) for n, dims in main["input"].items()}
    changes = _changes(dice, base)
    if changes:
        main["changes"] = changes
    files["base.yaml"] = _in_order(base)


def _move_defaults(dice: Dice, main: Data, base: Data) -> None:
    """Let the variant give the defaults of parameters that its base has otherwise."""
    others = {"int": 9, "channels": 9, "bool": False, "kernel": "7x7", "number": 0.25}
    params = dict(base["params"])
    mine: Data = {}
    for name, declared in params.items():
        if isinstance(declared, dict) and declared["type"] in others and dice.chance(50):
            mine[name] = declared["default"]
            params[name] = {**declared, "default": others[declared["type"]]}
            if isinstance(mine[name], (list, dict)):
                del mine[name]
                params[name] = declared
    if mine:
        main["params"] = mine
        base["params"] = params


def _changes(dice: Dice, base: Data) -> list[Data]:
    """Return changes that make a base's layers the ones that it has now, and undo them in it."""
    layers = list(base["layers"])
    named = [layer for layer in layers if isinstance(layer, dict) and "name" in layer]
    out: list[Data] = []
    for layer in named:
        if not dice.chance(40):
            continue
        at, name = next(i for i, one in enumerate(layers) if one is layer), layer["name"]
        names = [layer_name(one) for one in layers]
        # What is moved gets its name where it is put: it is not one of several of an op.
        is_free = [
            names.count(name) == 1 and (not isinstance(one, dict) or "name" not in one)
            for name, one in zip(names, layers, strict=True)
        ]
        kinds = ["set", "replace", "remove"]
        kinds += ["after"] * 2 * (at + 1 < len(layers) and is_free[at + 1])
        kinds += ["before"] * 2 * (at > 0 and is_free[at - 1])
        kind = dice.pick(kinds)
        if kind == "set":
            keys = [k for k in list(layer)[1:] if k != "name"]
            if keys:
                key = dice.pick(keys)
                layers[at] = {k: v for k, v in layer.items() if k != key}
                if key == "join":  # without which a base is no spec
                    layers[at] = {**layer, key: "concat"}
                out.append({"set": name, key: layer[key]})
        elif kind == "replace":
            layers[at] = {"conv": "5x5", "filters": 11, "name": name}
            out.append({"replace": name, "by": [layer]})
        elif kind == "remove":
            layers.insert(at + 1, {"conv": "5x5", "filters": 11, "name": f"gone_{name}"})
            out.append({"remove": f"gone_{name}"})
        elif kind == "after":
            out.append({"after": name, "insert": [layers.pop(at + 1)]})
        else:
            out.append({"before": name, "insert": [layers.pop(at - 1)]})
    base["layers"] = layers
    return out
