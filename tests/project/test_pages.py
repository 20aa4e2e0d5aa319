"""Generated pages are what the code would write now."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from backends.bench.page import main as performance_page
from backends.state.picture import FORMATS
from compiler.cli import COMMANDS
from compiler.errors import LIMITS, variable_of
from compiler.spec import LAYERS
from docs.pages.commands import help_page, main
from docs.pages.errors import main as errors
from docs.pages.features import known_features, walk_shipped
from docs.pages.language import PAGE as LANGUAGE
from docs.pages.language import main as language
from docs.pages.limits import PAGE as SECURITY
from docs.pages.limits import main as limits_table
from docs.pages.schema import main as schema
from docs.pages.training import main as training


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words options anew in 3.13")
def test_the_page_of_commands_is_fresh() -> None:
    assert main(["--check"]) == 0, "docs/CLI.md is stale: run `make docs`"


def test_the_page_of_performance_says_what_was_measured() -> None:
    assert performance_page(["--check"]) == 0, "docs/PERFORMANCE.md is stale: run `make docs`"


def test_the_schema_is_fresh() -> None:
    assert schema(["--check"]) == 0, "specs/schema.json is stale: run `make docs`"


@pytest.mark.skipif(not find_spec("backends.native"), reason="backends/native is not here")
def test_the_page_of_the_language_is_fresh() -> None:
    assert language(["--check"]) == 0, "docs/LANGUAGE.md is stale: run `make docs`"


def test_the_page_of_the_language_has_every_feature_that_a_spec_uses() -> None:
    walks = walk_shipped()
    used = {feature for walk in walks.values() for feature in walk.found}
    assert used - known_features().keys() == set()
    words = {word for walk in walks.values() for word in walk.ops}
    assert words <= LAYERS.keys()


@pytest.mark.parametrize(
    "row",
    [
        "| `conv` | `nn.Conv2d`, `SameConv2d`, `PaddedConv2d` | `Conv` | yes | yes "
        "| no Conv2d with groups=2, only with groups=1 | conv |",
        "| `channel_max` | `x.amax(1, keepdim=True)` | `ReduceMax` | yes | yes | no | pool "
        "| [attention](../specs/teaching/attention.yaml",
        "| `drop_path` | `DropPath` | `Identity` | yes | yes | yes | dropout |",
        "| `adaptive_avg_pool` | `F.adaptive_avg_pool2d(x, (7, 7))` | `MatMul` | no |",
        "| `share` | the layer whose parameters it uses | [attention](../specs/teaching",
        "| `kernel` |  | [googlenet](../specs/zoo/googlenet.yaml#L",
    ],
)
def test_the_page_of_the_language_says(row: str) -> None:
    assert f"\n{row}" in LANGUAGE.read_text(encoding="utf-8")


def test_the_page_of_errors_is_fresh() -> None:
    assert errors(["--check"]) == 0, "docs/ERRORS.md is stale: run `make docs`"


def test_the_page_of_training_says_what_was_measured() -> None:
    assert training(["--check"]) == 0, "docs/TRAINING.md is stale: run `make docs`"


def test_every_command_has_a_section() -> None:
    page = help_page()
    assert [name for name in COMMANDS if f"## `netdraft {name}`" not in page] == []


def test_the_page_of_limits_is_fresh() -> None:
    assert limits_table(["--check"]) == 0, "docs/SECURITY.md is stale: run `make docs`"
    page = SECURITY.read_text(encoding="utf-8")
    assert [name for name in LIMITS if f"`{variable_of(name)}`" not in page] == []


def test_the_page_of_security_names_every_format_of_pictures() -> None:
    page = SECURITY.read_text(encoding="utf-8")
    listed = page.partition("Formats are a stated list: ")[2].partition(". EPS")[0]
    names = {name.strip().upper().replace(" ", "") for name in listed.split(",")}
    assert names == set(FORMATS)
