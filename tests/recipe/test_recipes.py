"""Recipes: what the shipped ones hold, what is refused and where, the learning rate by step."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from compiler.cli.main import main as netdraft
from compiler.errors import CompileError, UsageError
from compiler.recipe import RecipeSpec, load_recipe, rate_at
from compiler.spec import is_recipe, recipe_names
from compiler.spec.shipped import shipped_names

GOOD = """\
recipe: small
batch: 8
epochs: 4
rate: 0.1
optimizer: sgd
schedule: constant
"""


CASES = [
    case.splitlines()
    for case in Path(__file__).with_name("faults.txt").read_text().strip().split("\n\n")
]
"""A line that is added to `GOOD`, and the fault that it is."""


def written(folder: Path, text: str) -> Path:
    path = folder / "small.yaml"
    path.write_text(text)
    return path


def faults(path: Path) -> list[tuple[int, int, str]]:
    with pytest.raises(CompileError) as caught:
        load_recipe(path)
    return [(d.span.line, d.span.column, d.message) for d in caught.value.diagnostics]


def test_the_paper_s_recipe() -> None:
    """Section 4 of the paper, as FACTS has it; what it leaves open from the authors' scripts."""
    recipe = load_recipe("paper")
    rmsprop, schedule = recipe.optimizer.rmsprop, recipe.schedule.exponential
    assert rmsprop is not None
    assert schedule is not None
    assert recipe.average is not None
    assert (rmsprop.decay, rmsprop.epsilon, rmsprop.momentum) == (0.9, 1.0, 0.9)
    assert (recipe.rate, schedule.factor, schedule.every) == (0.045, 0.94, 2)
    assert (recipe.weight_decay, recipe.batch, recipe.average.decay) == (4e-5, 32, 0.9999)


def test_the_modern_recipe() -> None:
    recipe = load_recipe("modern")
    assert recipe.optimizer.sgd is not None
    assert recipe.optimizer.sgd.momentum == 0.9
    assert (recipe.rate, recipe.warmup, recipe.epochs) == (0.045, 5, 200)
    assert (recipe.weight_decay, recipe.label_smoothing) == (4e-5, 0.1)
    assert "80.98 % top-1" in " ".join(recipe.doc.split())


@pytest.mark.parametrize("name", ["paper", "modern"])
def test_every_value_of_a_published_recipe_has_a_source(name: str) -> None:
    recipe = load_recipe(name)
    values = recipe.model_fields_set - {"recipe", "doc", "cite", "sources"}
    assert values - recipe.sources.keys() == set()


def test_recipes_are_no_specs() -> None:
    assert recipe_names() >= ("modern", "paper")
    assert is_recipe("recipes/paper")
    assert not is_recipe("inception_v4")
    assert [name for name in shipped_names() if name.startswith("recipes")] == []


def test_a_word_alone_takes_the_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, f"{GOOD}augment: [flip, {{erase: {{}}}}]\n"))
    assert recipe.optimizer.sgd is not None
    assert recipe.optimizer.sgd.momentum == 0.9
    assert recipe.augment[0].flip is not None
    assert recipe.augment[0].flip.probability == 0.5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_fault_is_said_at_its_place(case: list[str], tmp_path: Path) -> None:
    line, wanted = case
    path = written(tmp_path, f"{GOOD}{line}\n")
    assert [f"{line}:{column}: {text}" for line, column, text in faults(path)] == [wanted]


@pytest.mark.parametrize(
    ("optimizer", "fault"),
    [
        ("{sgd: {momentum: 0, nesterov: true}}", "5:42: `nesterov` takes a `momentum` above 0"),
        (
            "{adamw: {beta1: 1}}",
            "5:28: `beta1` of `optimizer`: expected a number from 0 to below 1, found `1`",
        ),
    ],
)
def test_what_torch_s_optimisers_refuse_is_a_fault(
    optimizer: str, fault: str, tmp_path: Path
) -> None:
    path = written(tmp_path, GOOD.replace("optimizer: sgd", f"optimizer: {optimizer}"))
    assert [f"{line}:{column}: {text}" for line, column, text in faults(path)] == [fault]


def test_all_faults_are_said_in_one_run(tmp_path: Path) -> None:
    text = "recipe: r\nbatch: 1.5\nrate: -1\noptimizer: {adam: {}}\n"
    text += "schedule: {exponential: {every: 2}}\n"
    assert faults(written(tmp_path, text)) == [
        (1, 1, "a recipe needs `epochs`"),
        (2, 8, "`batch` of a recipe: expected a whole number from 1, found `1.5`"),
        (3, 7, "`rate` of a recipe: expected a number above 0, found `-1`"),
        (4, 13, "`optimizer` has no key `adam` (did you mean `adamw`?)"),
        (5, 25, "`exponential` needs `factor`"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network: n\n", "the file is a network, not a recipe"),
        ("blocks: {}\n", "the file is a library, not a recipe"),
        ("map: m\n", "the file is a map, not a recipe"),
    ],
)
def test_another_kind_of_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    assert faults(written(tmp_path, text)) == [(1, 1, message)]


def test_an_unknown_name_has_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe("papr")
    assert str(caught.value).startswith(
        "papr is no recipe and no file (did you mean `paper`?); the recipes are "
    )


def test_check_takes_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, GOOD)
    assert netdraft(["check", str(good), "recipes/paper"]) == 0
    assert capsys.readouterr().out == (
        f"{good}: a recipe of training: ok\nrecipes/paper: a recipe of training: ok\n"
    )
    bad = written(tmp_path, f"{GOOD}clip: 0\n")
    assert netdraft(["check", str(bad)]) == 1
    out, err = capsys.readouterr()
    assert out == f"{bad}: 1 error\n"
    assert err.startswith("error[bad-value]: `clip` of a recipe")


def test_a_recipe_in_the_place_of_a_network_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netdraft(["summary", str(written(tmp_path, GOOD))]) == 1
    assert "error[not-a-spec]: the file is a recipe of training, not a network" in (
        capsys.readouterr().err
    )


def recipe(text: str, folder: Path) -> RecipeSpec:
    return load_recipe(written(folder, text))


def test_the_paper_s_rate_by_hand() -> None:
    paper = load_recipe("paper")
    assert [rate_at(paper, step, 100) for step in (0, 199, 200, 400)] == pytest.approx(
        [0.045, 0.045, 0.045 * 0.94, 0.045 * 0.8836]
    )


def test_exponential_is_torch_s_step_rate() -> None:
    paper = load_recipe("paper")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], paper.rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2 * 7, gamma=0.94)
    for step in range(60):
        assert rate_at(paper, step, 7) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_cosine_is_torch_s_after_the_warm_up(tmp_path: Path) -> None:
    text = GOOD.replace("schedule: constant", "schedule: {cosine: {end: 0.01}}\nwarmup: 1")
    mine = recipe(text, tmp_path)
    assert [rate_at(mine, step, 5) for step in range(5)] == pytest.approx(
        [0.02, 0.04, 0.06, 0.08, 0.1]
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15, eta_min=0.01)
    for step in range(5, 20):
        assert rate_at(mine, step, 5) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_a_warm_up_as_long_as_the_training_ends_at_the_rate(tmp_path: Path) -> None:
    mine = recipe(f"{GOOD.replace('constant', 'cosine')}warmup: 4\n", tmp_path)
    assert rate_at(mine, 19, 5) == pytest.approx(0.1)
    assert math.isfinite(rate_at(mine, 20, 5))


def test_a_name_that_begins_with_a_digit(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        load_recipe(written(tmp_path, GOOD.replace("small", "3x")))
    (found,) = caught.value.diagnostics
    assert (found.message, found.help) == (
        "`recipe` of a recipe: `3x` is not a name: a letter or `_` first, then letters, digits "
        "or `_`",
        "write `recipe_3x`",
    )
