"""`why` as a user meets it."""

from __future__ import annotations

import json

import pytest

from compiler.cli.main import main


def test_a_number_is_derived_as_text_and_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "inception_v4", "reduction_a.n"]) == 0
    assert capsys.readouterr().out == (
        "reduction_a.n\n384: n: 384 (filters of the single branch), Table 1\n"
        "    specs/inception_v4.yaml:26:60\n"
    )
    assert main(["why", "inception_v4", "reduction_a.channels", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["value"] == 1024
    assert data["place"] == {"file": "specs/blocks/reduction_a.yaml", "line": 23, "column": 11}
    assert [(term["label"], term["value"]) for term in data["terms"]] == [
        ("pool", 384), ("n, Table 1", 384), ("m, Table 1", 256),
    ]  # fmt: skip


def test_a_setting_is_where_its_number_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "inception_v4", "logits.channels", "--set", "classes=10"]) == 0
    assert capsys.readouterr().out == (
        "logits.channels\n10 = classes  Figure 9  specs/inception_v4.yaml:32:14\n"
        "  10 (classes): --set classes=10 (width of the classifier)\n"
    )


def test_a_wrong_spec_is_answered_beside_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "printed/inception_resnet_v2", "b.0.up.channels"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("b.0.up.channels\n1154: filters: 1154, Figure 17")
    assert "error[shape-mismatch]: `b.0.add` cannot add 17x17x1154 with 17x17x1152" in err


def test_what_there_is_not_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "inception_v4", "stem"]) == 2
    assert capsys.readouterr().err.startswith("error: `stem` is a layer; ask for one of `channels`")
