"""The file of a recipe -> `Recipe`, checked as a spec is, with every fault at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compiler.errors import (
    CompileError,
    Diagnostic,
    Report,
    Span,
    UsageError,
    did_you_mean,
    in_file_order,
    listing,
)
from compiler.files import check_file
from compiler.recipe.model import RecipeSpec
from compiler.spec import RECIPES, read_yaml, recipe_names, shipped_specs, validate
from compiler.text import Located, Mapping, Sequence, plain
from compiler.weights.pictures import parse_preprocessing

OTHERS = {"network": "a network", "layers": "a network", "blocks": "a library", "map": "a map"}
"""Key of another kind of file -> what that file is."""
EMPTY: dict[str, Any] = {}


def load_recipe(name: str | Path) -> RecipeSpec:
    """Return a recipe by its name, such as `paper`, or by the path of its file.

    Raises:
        CompileError: the file is at fault; it holds every diagnostic of the run.
        UsageError: there is no such recipe.
    """
    report, texts = Report(), dict[str, str]()
    try:
        recipe = read_recipe(read_yaml(find_recipe(name), report, texts), report)
        report.raise_if_errors()
    except CompileError as error:
        raise CompileError(in_file_order(error.diagnostics, texts), texts) from None
    assert recipe is not None
    return recipe


def find_recipe(name: str | Path) -> Path:
    """Return the file of a recipe: a path, or a shipped name.

    Raises:
        UsageError: there is no such recipe.
    """
    path, known = Path(name), recipe_names()
    word = str(name).removeprefix(f"{RECIPES}/")
    if word in known and not path.is_file():
        return shipped_specs() / RECIPES / f"{word}.yaml"
    if path.is_file():
        return path
    if path.exists():
        check_file(path)  # says what else it is
    guess = did_you_mean(str(name), known)
    raise UsageError(f"{name} is no recipe and no file{guess}; the recipes are {listing(known)}")


def read_recipe(node: Mapping, report: Report) -> RecipeSpec | None:
    """Return the recipe that a YAML mapping describes, or None; faults go to `report`."""
    kind = next((OTHERS[key] for key in node.entries if key in OTHERS), None)
    if kind is not None and "recipe" not in node.entries:
        help = "name a recipe; docs/TRAINING.md says what one holds"
        message = f"the file is {kind}, not a recipe"
        report.add(Diagnostic("not-a-recipe", message, node.span, help=help))
        return None
    values: dict[str, Any] = {}
    for key in ("optimizer", "schedule"):
        if key in node.entries:
            values[key] = _as_mapping(plain(node.entries[key].node))
    augment = node.get("augment")
    if isinstance(augment, Sequence):
        values["augment"] = [_as_mapping(plain(item)) for item in augment.items]
    if "preprocessing" in node.entries:
        values["preprocessing"] = parse_preprocessing(node.get("preprocessing"), report)
    recipe = validate(RecipeSpec, node, "a recipe", report, values)
    if recipe is None:
        return None
    _check(recipe, report)
    return recipe


def _as_mapping(value: Any) -> Any:
    """Return `{word: {}}` for a word alone: `schedule: cosine`."""
    if isinstance(value, str):
        return {value: EMPTY}
    if isinstance(value, dict) and len(value) == 1 and next(iter(value.values())) is None:
        return {next(iter(value)): EMPTY}
    return value


def _check(recipe: RecipeSpec, report: Report) -> None:
    """Report what pydantic cannot see: choices that are none or several, sources of nothing."""
    _check_choice(recipe.optimizer, "`optimizer`", recipe.span("optimizer"), report)
    _check_choice(recipe.schedule, "`schedule`", recipe.span("schedule"), report)
    for at, item in enumerate(recipe.augment):
        _check_choice(item, "an item of `augment`", recipe.span("augment", at), report)
    sgd = recipe.optimizer.sgd
    if sgd is not None and sgd.nesterov and not sgd.momentum:
        message = "`nesterov` takes a `momentum` above 0"
        report.add(Diagnostic("bad-value", message, recipe.span("optimizer", "sgd", "nesterov")))
    if recipe.warmup > recipe.epochs:
        message = f"`warmup` is {recipe.warmup:g} epochs, and the recipe has {recipe.epochs}"
        report.add(Diagnostic("bad-value", message, recipe.span("warmup")))
    known = [key for key in RecipeSpec.model_fields if key not in ("recipe", "doc", "sources")]
    for key in recipe.sources:
        if key not in known:
            guess = did_you_mean(key, known)
            message = f"`sources` names `{key}`, which is no key of a recipe{guess}"
            report.add(Diagnostic("unknown-field", message, recipe.key_span("sources", key)))


def _check_choice(model: Located, what: str, span: Span, report: Report) -> None:
    """Report a mapping of which one key is to be chosen, and none or several are."""
    words = list(type(model).model_fields)
    chosen = [word for word in words if getattr(model, word) is not None]
    if len(chosen) != 1:
        found = " and ".join(f"`{word}`" for word in chosen) or "nothing"
        message = f"{what} is one of {listing(words)}, found {found}"
        report.add(Diagnostic("bad-value", message, span))
