"""No change to a value of a spec makes the compiler stumble: findings or a graph, never a crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from compiler.errors import CompileError, UsageError
from compiler.pipeline import draft_graph
from compiler.spec import shipped_specs
from tests.cases.mutations import mutate

SPECS = ("inception_v4", "inception_resnet_v1", "blocks/reduction_a", "zoo/inception_v3")
TRIES = 40


def spec_text(name: str) -> str:
    return (shipped_specs() / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SPECS)
def test_only_findings_come_out(name: str, tmp_path: Path) -> None:
    plain = yaml.safe_load(spec_text(name))
    path = tmp_path / "mutated.yaml"
    for seed in range(TRIES):
        spec = mutate(plain, random.Random(seed), 1 + seed % 3)
        path.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True), "utf-8")
        try:
            draft_graph(path)
        except (CompileError, UsageError):
            continue
