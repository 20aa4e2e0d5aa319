"""Trained networks, alone or together, on pictures with classes: top-1 and top-5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from backends.state.fit_weights import load_weights, notes_of
from backends.torch.module import build_module
from backends.train.crops import crops_of
from backends.train.examples import Examples, evaluation_parts
from backends.train.heads import OPTION
from backends.train.pictures import Pictures
from backends.train.step import Accuracy, accuracy_of
from backends.train.transforms import Frame
from compiler.errors import UsageError
from compiler.facts.available_memory import check_memory
from compiler.facts.class_output import ClassOutput, class_output, picture_size
from compiler.graph import Graph
from compiler.weights.mapping import Preprocessing, WeightMap
from compiler.weights.pictures import needed


@dataclass(frozen=True, slots=True)
class Member:
    """A network with its weights, ready to evaluate."""

    graph: Graph
    module: nn.Module
    frame: Frame
    output: ClassOutput
    file: Path

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return the probabilities of inputs (N, C, H, W): (N, classes), float32."""
        found = self.module(inputs)
        values: Tensor = found if isinstance(found, Tensor) else found[self.output.index]
        values = values.flatten(1).float()
        return values.softmax(1) if self.output.numbers == "logits" else values


def load_member(
    graph: Graph,
    file: Path,
    weights: WeightMap | None = None,
    *,
    how: Preprocessing | None = None,
    output: str | None = None,
    drop_background: bool = False,
    device: str = "cpu",
) -> Member:
    """Return a network with the weights of a file.

    Args:
        graph: what `target_graph` returned.
        file: safetensors, or a torch checkpoint.
        weights: the map of its names; None: the network's own.
        how: how a picture becomes the input; None: what the weights say.
        output: the name of the one with the classes; None: the only vector.
        drop_background: leave the first of 1001 classes behind.
        device: where it computes.

    Raises:
        BackendError: the weights do not fit.
        UsageError: the network gives no classes of a picture, or nothing says how one becomes the
            input.
    """
    picture_size(graph)
    found = class_output(graph, output, option=OPTION)
    check_memory(graph, copies=2)
    module = build_module(graph, seed=None)
    report = load_weights(module, file, weights, graph=graph, drop_background=drop_background)
    notes = notes_of(report)
    lack = f"{file} does not say how a picture becomes the input, which decides the accuracy"
    (name,) = graph.inputs
    channels, height, width = graph.nodes[name].shape.numbers
    frame = Frame(channels, height, width, needed(how or notes.preprocessing, lack))
    return Member(graph, module.to(device).eval(), frame, found, file)


@torch.inference_mode()
def evaluate_members(
    members: Sequence[Member],
    pictures: Pictures,
    *,
    crops: int = 1,
    batch: int = 64,
    workers: int = 0,
) -> Accuracy:
    """Return the accuracy of the mean of probabilities over crops and members.

    So do Szegedy et al. (arXiv 1409.4842, section 7) with crops and classifiers alike.

    Args:
        members: with the classes of the pictures, in their order.
        pictures: with their classes.
        crops: 1, 12 or 144 of each picture.
        batch: crops that are computed at once.
        workers: processes that read pictures.

    Raises:
        UsageError: a member has another number of classes, or a picture cannot be read.
    """
    for member in members:
        if member.output.classes != len(pictures.classes):
            raise UsageError(
                f"the pictures have {len(pictures.classes):,} classes, and the output "
                f"`{member.output.name}` of `{member.graph.name}` has {member.output.classes:,}"
            )
    size = max(batch // crops, 1)
    loaders = [
        evaluation_parts(Examples(pictures, crops_of(m.frame, crops), 0), size, workers=workers)
        for m in members
    ]
    counts = torch.zeros(4, dtype=torch.float64)
    for parts in zip(*loaders, strict=True):
        labels = parts[0][1]
        found = [_over_crops(m, x, batch) for m, (x, _) in zip(members, parts, strict=True)]
        counts += counts_of_probabilities(torch.stack(found).mean(0), labels)
    return accuracy_of(counts)


def _over_crops(member: Member, inputs: Tensor, batch: int) -> Tensor:
    """Return the mean of probabilities over crops: (N, crops, C, H, W) -> (N, classes)."""
    device = next(member.module.parameters()).device
    flat = inputs.flatten(0, 1)
    parts = torch.split(flat, batch)
    found = torch.cat([member.probabilities(part.to(device)).cpu() for part in parts])
    return found.view(*inputs.shape[:2], -1).mean(1)


def counts_of_probabilities(values: Tensor, labels: Tensor) -> Tensor:
    """Return pictures, right ones, those right among five, and the sum of -log p: (4,)."""
    best = values.topk(min(5, values.shape[1]), dim=1).indices == labels[:, None]
    own = values.gather(1, labels[:, None]).clamp_min(torch.finfo(values.dtype).tiny)
    rows = (torch.tensor(len(labels)), best[:, 0].sum(), best.sum(), -own.log().sum())
    return torch.stack([row.double() for row in rows])
