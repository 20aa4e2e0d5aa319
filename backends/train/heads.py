"""What of a network's outputs training looks at: the classes, and auxiliary outputs by weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from compiler.errors import UsageError, did_you_mean
from compiler.facts.class_output import class_output
from compiler.graph import Graph
from compiler.recipe import RecipeSpec

OPTION = "--head"
"""Names the output with the classes, where there are several; `train -o` is a folder."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Places of outputs: of the class scores, and of auxiliary ones with the weights of losses."""

    name: str
    classes: int
    main: int
    auxiliary: Mapping[int, float]
    smoothing: float = 0.0

    def scores(self, outputs: Any) -> Tensor:
        """Return the class scores (N, classes) of what `forward` returned, in either mode."""
        found: Tensor = outputs if isinstance(outputs, Tensor) else outputs[self.main]
        return found.flatten(1)

    def loss(self, outputs: Any, labels: Tensor) -> Tensor:
        """Return the mean loss of a part, with those of auxiliary outputs times their weights."""
        total = self._cross_entropy(self.scores(outputs), labels)
        for index, weight in self.auxiliary.items():
            total = total + weight * self._cross_entropy(outputs[index].flatten(1), labels)
        return total

    def _cross_entropy(self, scores: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(scores.float(), labels, label_smoothing=self.smoothing)


def heads_of(graph: Graph, recipe: RecipeSpec, output: str | None, classes: int) -> Heads:
    """Return what training looks at.

    Args:
        graph: what `target_graph` returned.
        recipe: with the weights of auxiliary outputs.
        output: the name of the one with the classes; None: the only vector.
        classes: how many the pictures have.

    Raises:
        UsageError: no output has as many logits, or the recipe names an output that there is not.
    """
    found = class_output(graph, output, option=OPTION)
    if found.numbers != "logits":
        raise UsageError(
            f"the output `{found.name}` of `{graph.name}` gives {found.numbers}, and a recipe "
            "trains with logits; let the layer before it leave"
        )
    lasting = [o for o in graph.outputs if not o.training_only]
    passing = [o.name for o in graph.outputs if o.training_only]
    weights = _weights(recipe, passing)
    auxiliary = {len(lasting) + i: weights[name] for i, name in enumerate(passing)}
    for name, count in [(found.name, found.classes), *((n, _count(graph, n)) for n in passing)]:
        if count != classes:
            raise UsageError(
                f"the pictures have {classes:,} classes, and the output `{name}` of "
                f"`{graph.name}` has {count:,}{_way_out(graph, classes)}"
            )
    return Heads(found.name, found.classes, found.index, auxiliary, recipe.label_smoothing)


def _count(graph: Graph, output: str) -> int:
    node = next(o.node for o in graph.outputs if o.name == output)
    channels = graph.nodes[node].shape[0]
    assert isinstance(channels, int)
    return channels


def _way_out(graph: Graph, classes: int) -> str:
    return f"; say --set classes={classes}" if "classes" in graph.arguments else ""


def _weights(recipe: RecipeSpec, names: list[str]) -> dict[str, float]:
    given = recipe.auxiliary
    if not isinstance(given, dict):
        return dict.fromkeys(names, given)
    for name in given:
        if name not in names:
            guess = did_you_mean(name, names) or "; there are none" * (not names)
            raise UsageError(
                f"`auxiliary` of the recipe `{recipe.recipe}` names `{name}`, which is no output "
                f"of training alone{guess}"
            )
    return {name: given.get(name, 0.0) for name in names}
