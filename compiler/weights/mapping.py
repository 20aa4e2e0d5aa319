"""A map between published names and ours, one-to-one, and where maps are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from compiler.errors import UsageError, by_channel, did_you_mean, listing
from compiler.weights.misfits import layer_of

FOLDER = Path(__file__).with_name("maps")


@dataclass(frozen=True, slots=True)
class Head:
    """Layers that a network may have or not, and the settings that decide it."""

    what: str
    present: str
    """The setting with which the network has them; `{classes}` is replaced by the file's number."""
    absent: str


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes the network's input: RGB values x -> (x - mean) / deviation."""

    source: str
    range: int
    """The largest value of a pixel before that: 1 or 255."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    interpolation: str
    crop: str
    """Side of the middle that is cut out, as a share of the shorter side: `7/8`, `299/342`."""

    @property
    def words(self) -> str:
        """What becomes of a picture: `bicubic, middle 7/8, (x - 0.5) / 0.5 for x from 0 to 1`."""
        mean, deviation = by_channel(self.mean), by_channel(self.deviation)
        crop = "whole" if self.crop == "1" else f"middle {self.crop}"
        is_plain = (mean, deviation) == ("0", "1")
        values = "x as it is," if is_plain else f"(x - {mean}) / {deviation} for x"
        return f"{self.interpolation}, {crop}, {values} from 0 to {self.range}"

    def of_channels(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and deviation for an input in colours (3 channels) or in grey (1).

        Raises:
            UsageError: it is in grey, and each colour has a number of its own.
        """
        for values in (self.mean, self.deviation):
            if channels == 1 and len({*values}) > 1:
                raise UsageError(
                    f"the network takes grey pictures, and the preprocessing has a number for each "
                    f"colour ({', '.join(f'{v:g}' for v in values)}); give one number three times"
                )
        return self.mean[:channels], self.deviation[:channels]

    def as_data(self) -> dict[str, object]:
        """Return it as JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True)
class WeightMap:
    """The layers of a published network and ours, pair by pair.

    The last step of a tensor's name (`weight`, `running_mean`) is PyTorch's on both sides, so
    layers are everything.
    """

    name: str
    spec: str
    """The spec that it fits: a shipped name, or a path that is relative to `folder`; or nothing."""
    source: str
    layout: str
    classes: str
    layers: Mapping[str, str]
    """Their layer -> ours; a tensor with another last step is a pair of its own."""
    heads: tuple[str, ...]
    """Our layers with one output a class."""
    optional: Mapping[str, Head] = field(default_factory=dict)
    """Our layer -> the optional part that it belongs to."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Another name that their layer goes by -> the name in `layers`."""
    folder: Path = FOLDER
    preprocessing: Preprocessing | None = None
    """What the weights were trained on; None where the map has none."""
    names: tuple[str, ...] = ()
    """Of the classes, without TensorFlow's background; empty where the map has none."""

    @cached_property
    def back(self) -> Mapping[str, str]:
        """Our layer -> theirs."""
        return {ours: theirs for theirs, ours in self.layers.items()}

    def ours(self, tensor: str) -> str | None:
        """Return our name of their tensor, or None where the map has no such layer."""
        if tensor in self.layers:
            return self.layers[tensor]
        layer, _, leaf = tensor.rpartition(".")
        mine = self.layers.get(self.aliases.get(layer, layer))
        return None if mine is None else f"{mine}.{leaf}"

    def theirs(self, tensor: str) -> str | None:
        """Return their name of our tensor, or None where the map has no such layer."""
        if tensor in self.back:
            return self.back[tensor]
        layer, leaf = layer_of(tensor), tensor.rpartition(".")[2]
        return f"{self.back[layer]}.{leaf}" if layer in self.back else None


def map_names() -> tuple[str, ...]:
    """Return the names of the maps that netdraft ships."""
    return tuple(sorted(f"{p.parent.name}:{p.stem}" for p in FOLDER.glob("*/*.yaml")))


def load_map(name: str | Path) -> WeightMap:
    """Return a map by its name, such as `timm:inception_v4`, or by the path of its file.

    Raises:
        CompileError: the file is at fault; it holds every diagnostic of the run.
        UsageError: there is no such map.
    """
    from compiler.weights.map_file import read_map  # on use: it loads pydantic

    known = map_names()
    if str(name) in known:
        return read_map(FOLDER.joinpath(*f"{name}.yaml".split(":")))
    path = Path(name)
    if path.is_file():
        return read_map(path)
    what = "is a folder, not the file of a map" if path.is_dir() else "is no map and no file"
    guess = did_you_mean(str(name), known)
    raise UsageError(f"{name} {what}{guess}; the maps are {listing(known)}")
