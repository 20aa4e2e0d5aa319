"""Small changes to the values of a spec, for tests that no change makes the compiler stumble."""

from __future__ import annotations

import copy
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 10**9, 0.5, 1.5, -0.0, 1e300, float("inf"), "", "x", "3x3"),
    *("0x0", "1x7", "in", "prev", "index", "in.channels", "prev.height", "k/0", "(", "a.b.c", "É"),
    *("relu", "none", "same", "V", "conv", "~", "1e999", "k" * 5000, "-" * 60 + "1", "not 1"),
    *("2*", "min(1, 2)", "stem", "image", "concat", "x" * 41, "'", "{", "%s %d {0}", "\u2028"),
    *([], {}, [1], [1, 2], [1, 2, 3], [[1, 2], [3, 4]], ["a", "a"], [None], [[]], {"a": 1}),
    *({"conv": "3x3", "filters": 8}, {"relu": True}, ["relu"], [{"conv": 1, "filters": 2}]),
    *({"type": "int"}, {"default": 3}, {"name": "x", "from": "y"}, {"keep": "k"}, {"body": []}),
    *({"block": "stem"}, {"branches": {"a": [], "b": ["relu"]}, "join": "add"}),
)
KEYS = (
    *("conv", "filters", "stride", "padding", "dilation", "groups", "bias", "norm", "activation"),
    *(
        "linear",
        "name",
        "from",
        "repeat",
        "when",
        "share",
        "size",
        "label",
        "cite",
        "errata",
        "doc",
    ),
    *("with", "block", "branches", "join", "split", "residual", "body", "shortcut", "scale"),
    *("layers", "inputs", "params", "type", "default", "input", "outputs", "defaults", "drawing"),
    *("import", "extends", "changes", "network", "title", "blocks", "claims", "input_size", "ceil"),
    *("", "1", "x", "a b", "__class__", "é"),
)


def mutate(spec: Any, dice: random.Random, times: int) -> Any:
    """Return a copy of a spec's plain data with some values, keys and items changed."""
    out = copy.deepcopy(spec)
    for _ in range(times):
        places = list(_collections(out))
        if places:
            _change(dice.choice(places), dice)
    return out


def _collections(data: Any) -> Any:
    if isinstance(data, (dict, list)):
        yield data
        for inner in list(data.values() if isinstance(data, dict) else data):
            yield from _collections(inner)


def _change(place: Any, dice: random.Random) -> None:
    value = copy.deepcopy(dice.choice(VALUES))
    if isinstance(place, dict):
        key = dice.choice(list(place)) if place else ""
        action = dice.randrange(5)
        if action == 0:
            place[dice.choice(KEYS)] = value
        elif action == 1:
            place.pop(key, None)
        elif action == 2:
            items = list(place.items())
            dice.shuffle(items)
            place.clear()
            place.update(items)
        elif action == 3:
            place[dice.choice(KEYS)] = place.pop(key, None)
        else:
            place[key] = value
    elif place:
        at = dice.randrange(len(place))
        action = dice.randrange(4)
        if action == 0:
            del place[at]
        elif action == 1:
            place.insert(at, value)
        elif action == 2:
            place.insert(at, copy.deepcopy(place[dice.randrange(len(place))]))
        else:
            place[at] = value
