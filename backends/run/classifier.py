"""A network with weights and all that is needed to name a picture's class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.state.fit_weights import load_weights, notes_of
from backends.state.photo import load_photo
from backends.torch.module import build_module, computed_graph, taps_of
from backends.torch.module import notes_of as notes_of_module
from compiler.errors import BackendError, UsageError, spelled
from compiler.facts.available_memory import check_memory
from compiler.facts.class_output import ClassOutput, check_doubt, class_output, picture_size
from compiler.facts.prediction import ClassScore, Prediction
from compiler.graph import Graph
from compiler.ops import Standardize
from compiler.weights.mapping import Preprocessing, WeightMap
from compiler.weights.notes import Notes
from compiler.weights.pictures import needed, preprocessing_from, read_names
from compiler.weights.standardize import with_plain_range


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings of a user, which override those stored with the weights."""

    output: str | None = None
    """The output with the classes, where there are several."""
    names: tuple[str, ...] = ()
    named_in: str = "`names`"
    """What to call the source of the names in messages."""
    preprocessing: Preprocessing | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a file's metadata that they take the place of."""
        given = {"names": self.names, "preprocessing": self.preprocessing}
        return tuple(key for key, value in given.items() if value)


def parse_overrides(
    output: str | None, names: str | Path | Sequence[str] | None, preprocessing: str | None
) -> Overrides:
    """Parse the settings of a user that override those stored with the weights.

    Raises:
        CompileError: the preprocessing is at fault.
        UsageError: there is no such file or map.
    """
    how = None if preprocessing is None else preprocessing_from(preprocessing)
    if isinstance(names, str | Path):
        return Overrides(output, read_names(Path(names)), str(names), how)
    return Overrides(output, tuple(names or ()), preprocessing=how)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A network with weights, in evaluation mode, and how its output is read."""

    graph: Graph
    module: nn.Module
    output: ClassOutput
    notes: Notes
    preprocessing: Preprocessing
    warnings: tuple[str, ...] = ()
    """What is doubtful about the weights, in lines."""

    def __post_init__(self) -> None:
        self.preprocessing.of_channels(self.channels)  # refused before a picture is read

    @property
    def channels(self) -> int:
        """Those of a picture: 3, or 1 in grey."""
        (name,) = self.graph.inputs
        return self.graph.nodes[name].shape.numbers[0]

    def predict(self, image: Path, top: int) -> Prediction:
        """Return the best classes of a picture.

        Raises:
            BackendError: a value is not finite.
            UsageError: there is no such picture, or it cannot be read.
        """
        where = next(self.module.parameters(), torch.empty(0))
        size = picture_size(self.graph)
        picture = load_photo(image, *size, self.preprocessing, self.channels)
        values, shares = _values(self.module, picture.to(where), self.output)
        names = self.notes.names
        best = shares.topk(min(top, self.output.classes)).indices.tolist()
        classes = tuple(
            ClassScore(i, names[i] if names else None, float(shares[i]), float(values[i]))
            for i in best
        )
        return Prediction(str(image), classes)


def load_classifier(
    graph: Graph,
    file: Path,
    weights: WeightMap | None,
    overrides: Overrides,
    *,
    drop_background: bool = False,
    device: str = "cpu",
) -> Classifier:
    """Return a classifier with the weights of a file.

    Args:
        graph: what `target_graph` returns.
        file: safetensors, or a torch checkpoint.
        weights: the map of its names; None: they are the network's own.
        overrides: settings that override those of the file and the map.
        drop_background: leave the first of 1001 classes behind.
        device: where it runs.

    Raises:
        BackendError: the weights do not fit, or need more memory than is free.
        UsageError: the network has no classes of a picture, there is no such file, or nothing says
            how a picture becomes the input.
    """
    picture_size(graph)
    output = class_output(graph, overrides.output)
    check_memory(graph, copies=2)  # the module's and the file's
    module = build_module(graph, seed=None)
    # In part, so that what does not fit is told here: half a network predicts nothing, and advice
    # to load it so would lead nowhere.
    report = load_weights(
        module, file, weights, graph=graph, partial=True, drop_background=drop_background
    )
    if not report.match.is_complete:
        raise BackendError(report.refusal("predicted"))
    notes, how = _settled(overrides, notes_of(report, overrides.keys), output, str(file))
    warnings = tuple(report.warnings)
    return Classifier(graph, module.to(device).eval(), output, notes, how, warnings)


def predict_with(
    module: nn.Module, images: Iterable[Path], top: int, overrides: Overrides
) -> tuple[Prediction, ...]:
    """Return the best classes of pictures by a module that netdraft built, as it is.

    It computes in evaluation mode, and is left in the mode in which it was.

    Raises: what `classifier_of` and `Classifier.predict` raise.
    """
    modes = {part: part.training for part in module.modules()}
    try:
        classifier = classifier_of(module, overrides)
        return tuple(classifier.predict(image, top) for image in images)
    finally:
        for part, is_training in modes.items():
            part.training = is_training


def classifier_of(module: nn.Module, overrides: Overrides) -> Classifier:
    """Return a classifier of a module with the weights that it has, in evaluation mode from now.

    Raises:
        BackendError: the names are not as many as its classes.
        UsageError: it has no classes of a picture, or nothing says how a picture becomes its input.
        ValueError: netdraft did not build it.
    """
    graph = computed_graph(module)
    if taps_of(module):
        raise UsageError(
            f"this module of `{graph.name}` gives taps or feature maps, not its outputs alone; "
            "build one without"
        )
    picture_size(graph)
    output = class_output(graph, overrides.output)
    notes, how = _settled(overrides, notes_of_module(module) or Notes(), output, "the module")
    if any(isinstance(node.op, Standardize) for node in graph.nodes.values()):
        how = with_plain_range(how)
    return Classifier(graph, module.eval(), output, notes, how)


def _settled(
    overrides: Overrides, found: Notes, output: ClassOutput, source: str
) -> tuple[Notes, Preprocessing]:
    """Return notes and preprocessing, overrides first, checked against the output."""
    names = overrides.names or found.names
    if names and len(names) != output.classes:
        where = overrides.named_in if overrides.names else source
        text = (
            f"{where} lists names of {len(names):,} classes, and the "
            f"output `{output.name}` has {output.classes:,}"
        )
        if overrides.names:
            raise UsageError(text)
        raise BackendError(f"{text}; name them with {spelled('--names', 'FILE')}")
    check_doubt(output, bool(names))
    lack = (
        f"{source} does not say how a picture becomes the input, and a guess would give "
        "wrong classes"
    )
    how = needed(overrides.preprocessing or found.preprocessing, lack)
    return Notes(found.map, found.source, how, names), how


def _values(module: nn.Module, picture: Tensor, output: ClassOutput) -> tuple[Tensor, Tensor]:
    """Return the values of an output for one picture, and the probability of each class.

    Args:
        module: in evaluation mode.
        picture: (1, 3, height, width), on the module's device.
        output: the one with the classes; what its numbers are decides what is made of them.

    Returns:
        Both (classes,), float64, on the CPU.

    Raises:
        BackendError: a value is not finite.
    """
    with torch.inference_mode():
        out: Any = module(picture)
    found: Tensor = out if isinstance(out, Tensor) else out[output.index]
    values = found[0].flatten().double().cpu()
    if not bool(torch.isfinite(values).all()):
        raise BackendError(
            f"the output `{output.name}` has values that are not finite; look at the weights"
        )
    return values, values.softmax(0) if output.numbers == "logits" else values
