"""A map between published names and ours: data -> `WeightMap`, one-to-one or refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from compiler.errors import UsageError
from compiler.suggest import did_you_mean, listing

FOLDER = Path(__file__).with_name("maps")
CAPTURE = re.compile(r"\{i(?:\+(\d+))?\}")


@dataclass(frozen=True, slots=True)
class Head:
    """Layers that a network may have or not, and the settings that decide it."""

    what: str
    present: str
    """The setting with which the network has them; `{classes}` stands for the file's number."""
    absent: str


@dataclass(frozen=True)
class WeightMap:
    """The layers of a published network and ours, pair by pair.

    The last step of a tensor's name (`weight`, `running_mean`) is PyTorch's on both sides, so
    layers say everything.
    """

    name: str
    spec: str
    """The shipped spec that it fits."""
    source: str
    layout: str
    classes: str
    layers: Mapping[str, str]
    """Their layer -> ours."""
    heads: tuple[str, ...]
    """Our layers with one output a class."""
    optional: Mapping[str, Head] = field(default_factory=dict)
    """Our layer -> the optional part that it belongs to."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Another name that their layer goes by -> the name in `layers`."""

    @cached_property
    def back(self) -> Mapping[str, str]:
        """Our layer -> theirs."""
        return {ours: theirs for theirs, ours in self.layers.items()}

    def ours(self, tensor: str) -> str | None:
        """Return our name of their tensor, or None where the map has no such layer."""
        layer, _, leaf = tensor.rpartition(".")
        mine = self.layers.get(self.aliases.get(layer, layer))
        return None if mine is None else f"{mine}.{leaf}"

    def theirs(self, tensor: str) -> str | None:
        """Return their name of our tensor, or None where the map has no such layer."""
        layer, _, leaf = tensor.rpartition(".")
        return f"{self.back[layer]}.{leaf}" if layer in self.back else None


def map_names() -> tuple[str, ...]:
    """Return the names of the maps that netdraft ships."""
    return tuple(sorted(f"{p.parent.name}:{p.stem}" for p in FOLDER.glob("*/*.yaml")))


def load_map(name: str) -> WeightMap:
    """Return a map by its name, such as `timm:inception_v4`.

    Raises:
        UsageError: there is no such map.
    """
    known = map_names()
    if name not in known:
        raise UsageError(
            f"unknown map: {name}{did_you_mean(name, known)}; the maps are {listing(known)}"
        )
    import yaml  # on use: nothing else here needs it

    text = FOLDER.joinpath(*f"{name}.yaml".split(":")).read_text(encoding="utf-8")
    return parse_map(yaml.safe_load(text))


def parse_map(data: Mapping[str, Any]) -> WeightMap:
    """Return the map that a mapping describes.

    Raises:
        ValueError: two layers of one side go to the same layer of the other.
    """
    layers: dict[str, str] = {}
    optional: dict[str, Head] = {}
    taken: dict[str, str] = {}
    for section in data["sections"]:
        head = _head(section.get("optional"))
        for theirs, ours in _pairs(section, data["parts"]):
            if theirs in layers or ours in taken:
                other = f"`{layers[theirs]}`" if theirs in layers else f"from `{taken[ours]}`"
                raise ValueError(f"`{theirs}` goes to `{ours}`, but there is also {other}")
            layers[theirs], taken[ours] = ours, theirs
            if head is not None:
                optional[ours] = head
    return WeightMap(
        name=data["map"],
        spec=data["spec"],
        source=data["source"],
        layout=data["layout"],
        classes=str(data["classes"]),
        layers=layers,
        heads=tuple(data["heads"]),
        optional=optional,
        aliases=data.get("aliases", {}),
    )


def _head(data: Mapping[str, str] | None) -> Head | None:
    return None if data is None else Head(data["what"], data["with"], data["without"])


def _pairs(section: Mapping[str, Any], parts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (their layer, our layer) of a section, for each value of its capture."""
    for value in _values(section):
        theirs = _filled(section.get("theirs", ""), value)
        ours = _filled(section.get("ours", ""), value)
        for there, here in section.get("units", {}).items():
            for part_there, part_here in parts.items():
                yield _path(theirs, there, part_there), _path(ours, here, part_here)
        for there, here in section.get("layers", {}).items():
            yield _path(theirs, there), _path(ours, here)


def _values(section: Mapping[str, Any]) -> Sequence[int | str]:
    each: Sequence[int | str] = section.get("each", range(section.get("count", 1)))
    return each


def _filled(pattern: str, value: int | str) -> str:
    """Return a pattern with its capture filled in: `features.{i+6}` and 1 is `features.7`."""

    def fill(found: re.Match[str]) -> str:
        return str(value) if found[1] is None else str(int(value) + int(found[1]))

    return CAPTURE.sub(fill, pattern)


def _path(*steps: object) -> str:
    return ".".join(str(step) for step in steps if step != "")
