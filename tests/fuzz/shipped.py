"""Random changes to shipped networks, as a user makes them: a file that extends one by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from tests.fuzz.arithmetic import Invalid
from tests.fuzz.dice import Dice
from tests.fuzz.files import MAIN, Data, Written, layer_name
from tests.fuzz.meaning import as_mapping, meaning_of

BASES = ("teaching/residual", "teaching/bottleneck", "zoo/resnet18", "zoo/resnet50",
    "zoo/googlenet", "zoo/inception_v3", "inception_v4", "inception_resnet_v1")  # fmt: skip
DEPTH = 3
"""Names in the longest path."""
LAYERS = ("relu", "identity", {"dropout": {"keep": 0.5}}, {"batch_norm": True},
    {"conv": "1x1", "filters": 8, "name": "extra"}, {"max_pool": "3x3", "stride": 2},
    {"residual": {"body": [{"conv": "3x3", "filters": "in.channels"}]}})  # fmt: skip


@st.composite
def variants(draw: st.DrawFn) -> Written:
    """Draw a file that extends a shipped network."""
    dice = Dice(draw)
    base = dice.pick(BASES)
    plain = Written({MAIN: {"extends": base}}).data
    child: Data = {"extends": base}
    if dice.chance(50):
        child["network"] = "mine"
    params = {k: dice.upto(9, 1) for k in ("classes", "embedding") if k in plain.get("params", {})}
    if params and dice.chance(60):
        child["params"] = params
    if dice.chance(75):
        (name,) = plain["input"]
        size = dice.pick([75, 32, 96, 107, 224, 299, 48])
        child["input"] = {name: [dice.pick([plain["input"][name][0], 3, 1]), size, size]}
    changes = [drawn_change(dice, plain) for _ in range(dice.upto(3))]
    if changes:
        child["changes"] = [c for i, c in enumerate(changes) if _is_first_there(c, changes[:i])]
    written = Written({MAIN: child})
    try:
        meaning_of(written.data)
    except Invalid:
        reject()  # a change that does not fit
    return written


def _is_first_there(change: Data, before: list[Data]) -> bool:
    """Tell whether no change before it is at its place, around it or inside."""
    heads = [next(iter(c.values())).partition(".")[0] for c in (change, *before)]
    return heads[0] not in heads[1:]


def drawn_change(dice: Dice, data: Data) -> Data:
    """Draw a change at a path."""
    path, layer = dice.pick(list(targets(data["layers"], data["blocks"])))
    action = dice.pick(["set", "after", "before", "replace", "remove"])
    if action == "set":
        return {"set": path, **drawn_keys(dice, layer, data["blocks"])}
    if action in ("after", "before"):
        return {action: path, "insert": [dice.pick(LAYERS)]}
    if action == "remove":
        return {"remove": path}
    name = path.rpartition(".")[2]
    by = {"conv": dice.pick(["3x3", "1x1"]), "filters": dice.pick([16, 64, 256]), "name": name}
    return {"replace": path, "by": [by]}


def drawn_keys(dice: Dice, layer: Data, blocks: Data) -> Data:
    """Draw keys of a layer that a change sets or takes away."""
    forms: list[Data] = [{"label": "Mine", "doc": "words"}]
    if "block" in layer:
        params = blocks[layer["block"]].get("params", {})
        counts = [n for n, p in params.items() if p["type"] in ("int", "channels")]
        forms += [{"with": {n: dice.pick([1, 2, 16, 64])}} for n in counts[:2]]
    if "conv" in layer:
        forms += [{"filters": 24}, {"conv": "5x5"}, {"activation": "silu"}, {"stride": 2}]
    if "repeat" in layer:
        forms += [{"repeat": dice.upto(3)}] * 2
    forms += [{key: None} for key in ("stride", "cite", "size", "padding") if key in layer]
    return dice.pick(forms)


def targets(layers: list[Any], blocks: Data, depth: int = DEPTH) -> Iterator[tuple[str, Data]]:
    """Yield the layers of a list and of the blocks in it, by path."""
    seen: set[str] = set()
    for layer in map(as_mapping, layers):
        name = layer_name(layer)
        if name in seen or not ("name" in layer or "block" in layer):
            continue
        seen.add(name)
        yield name, layer
        body = blocks[layer["block"]].get("layers") if "block" in layer and depth > 1 else None
        for path, inner in targets(body or [], blocks, depth - 1):
            yield f"{name}.{path}", inner
