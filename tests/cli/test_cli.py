"""The commands as a user meets them, through a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}


def netdraft(
    *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what came of it."""
    return subprocess.run(
        [sys.executable, "-m", "compiler", *arguments],
        cwd=ROOT,
        env={**PLAIN, **(env or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("check", "specs/inception_v4.yaml"), 0, ""),
        (("check", "tests/cases/errors/shape-mismatch.yaml"), 1, "error[shape-mismatch]"),
        (("summary", "tests/cases/errors/shape-mismatch.yaml"), 1, "error[shape-mismatch]"),
        (("check", "missing.yaml"), 2, "error: there is no spec missing.yaml"),
        (("check", "specs"), 2, "error: specs is a folder; name a spec file in it"),
        (
            ("check", ""),
            2,
            "error: '' names no spec; give a file, or a shipped name such as inception_v4",
        ),
        (("verify", "nowhere.py", "inception_v4"), 2, "error: nowhere.py does not exist"),
        (("verify", "specs", "inception_v4"), 2, "error: specs is a folder, not a file"),
        (("check",), 2, "the following arguments are required: SPEC"),
        ((), 2, "usage: netdraft"),
        (("chek", "x.yaml"), 2, "invalid choice: 'chek'"),
        (("check", "inception_v4", "--set", "clases=10"), 2, "(did you mean `classes`?)"),
        (("check", "inception_v4", "--set", "classes"), 2, "--set classes: write NAME=VALUE"),
        (("check", "inception_v4", "--set", ""), 2, "--set '': write NAME=VALUE"),
        (("check", "inception_v4", "--set", "classes=ten"), 2, "is not a whole number"),
        (("check", "inception_v4", "--input", "3x0x5"), 2, "a size is at least 1"),
        (("check", "inception_v4", "--input", "3xx5"), 2, "write C x H x W, as in 3x299x299 or "),
        (("check", "inception_v4", "--input", "img=3x5x5"), 2, "there is no input `img`"),
        (
            ("build", "inception_v4", "--target", "tf"),
            2,
            "unknown target: tf (must be one of torch",
        ),
        (
            ("build", "inception_v4", "--features", ""),
            2,
            "argument --features: `` has an empty name; several with commas, as a,b",
        ),
        (("build", "inception_v4", "--taps", "a,,b"), 2, "argument --taps: `a,,b` has an empty"),
        (("build", "inception_v4", "--target", ","), 2, "argument --target: `,` has an empty"),
        (("render", "inception_v4", "--show", ""), 2, "argument --show: `` has an empty name"),
        (("build", "specs/blocks/stem_v4.yaml"), 2, "is a library of blocks; name a network"),
    ],
)
def test_exit_code(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = netdraft(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_summary_has_the_numbers_of_the_paper() -> None:
    data = json.loads(netdraft("summary", "specs/inception_v4.yaml", "--format", "json").stdout)
    assert data["name"] == "inception_v4"
    assert data["parameters"] == 42679816
    assert data["macs"] == pytest.approx(12.254e9, rel=1e-3)
    assert [s["output"] for s in data["stages"][:7]] == [
        [384, 35, 35],
        [384, 35, 35],
        [1024, 17, 17],
        [1024, 17, 17],
        [1536, 8, 8],
        [1536, 8, 8],
        [1536],
    ]
    assert sum(s["parameters"] for s in data["stages"]) == data["parameters"]
    assert sum(s["macs"] for s in data["stages"]) == data["macs"]


def test_an_input_that_is_too_small_names_the_layer_and_the_smallest_size() -> None:
    done = netdraft("check", "inception_v4", "--input", "3x74x74")
    assert done.returncode == 1
    assert "error[empty-output]: `reduction_b.pool.max_pool_3x3`" in done.stderr
    assert "no room on a 2x2 grid" in done.stderr
    assert "the smallest input of this network is 75x75" in done.stderr


@pytest.mark.parametrize(
    ("size", "grid"), [("75x75", [1, 1]), ("350x400", [9, 11]), ("150x150", [3, 3])]
)
def test_other_inputs(size: str, grid: list[int]) -> None:
    done = netdraft("summary", "inception_v4", "--input", f"3x{size}", "--format", "json")
    stages = json.loads(done.stdout)["stages"]
    assert [s["output"] for s in stages if s["name"] == "c"] == [[1536, *grid]]


def test_settings_reach_the_network() -> None:
    done = netdraft("summary", "inception_v4", "--set", "classes=10", "--format", "json")
    assert json.loads(done.stdout)["parameters"] == 41158186


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_findings_as_data(format: str) -> None:
    done = netdraft("check", "specs/printed/inception_v4.yaml", "--format", format)
    data = json.loads(done.stdout)
    found = data if format == "json" else data["runs"][0]["results"]
    assert [f.get("code", f.get("ruleId")) for f in found] == ["shape-mismatch"]
    if format == "json":
        assert found[0]["file"] == "specs/printed/blocks/stem_v4.yaml"
        assert found[0]["errata"] == ["E1"]


def test_findings_as_annotations() -> None:
    done = netdraft("check", "tests/cases/errors/unknown-block.yaml", "--format", "github")
    assert done.stdout.startswith(
        "::error file=tests/cases/errors/unknown-block.yaml,line=7,col=13,endLine=7,endColumn=23,"
        "title=unknown-block::there is no block `inceptionA` (did you mean `inception_a`?)"
    )


def test_colour_only_where_it_is_wanted() -> None:
    case = "tests/cases/errors/empty-file.yaml"
    assert "\x1b[" in netdraft("check", case, env={"FORCE_COLOR": "1"}).stderr
    for env in ({}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        assert "\x1b[" not in netdraft("check", case, env=env).stderr


def test_any_locale_reads_and_says(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# 残差块 ×10\nnetwork: x\nlayers: [{rélu: 1}]\n", encoding="utf-8")
    done = netdraft(
        "check", str(path), env={"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 1
    assert "there is no op `r?lu` (did you mean `relu`?)" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("check", "inception_v4"), ("summary", "inception_v4"), ("--help",)]
)
def test_answers_without_loading_a_backend(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys; from compiler.__main__ import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'onnx', 'graphviz', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_process_ends_without_a_last_collection() -> None:
    """What exists is frozen by then; what is registered first is called last."""
    code = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n"
        "from compiler.__main__ import main; main(['check', 'inception_v4'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"


def test_emitted_stages_are_stable_under_hash_seeds() -> None:
    texts = {
        netdraft("check", "inception_v4", "--emit", "shapes", env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("0", "1")
    }
    assert len(texts) == 1
    assert "%stem.mixed_3a.concat = Concat(" in next(iter(texts))


def test_an_emitted_spec_is_a_spec_again(tmp_path: Path) -> None:
    text = netdraft("check", "released/inception_resnet_v1_facenet", "--emit", "spec").stdout
    errata = (ROOT / "specs" / "errata.yaml").read_text(encoding="utf-8")
    (tmp_path / "errata.yaml").write_text(errata, encoding="utf-8")
    (tmp_path / "flat.yaml").write_text("import: [errata.yaml]\n" + text, encoding="utf-8")
    done = netdraft("summary", str(tmp_path / "flat.yaml"), "--format", "json")
    assert json.loads(done.stdout)["parameters"] == 23482624


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        (("render", "zoo/resnet18", "-o", ""), "-o/--output"),
        (("build", "zoo/resnet18", "-o", ""), "-o/--output"),
        (("predict", "zoo/resnet18", "", "--weights", "w"), "IMAGE"),
        (("verify", "", "zoo/resnet18"), "FILE.py"),
        (("weights", "zoo/resnet18", ""), "FILE"),
    ],
)
def test_an_empty_argument_is_no_folder(
    arguments: tuple[str, ...], argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(
        f"error: argument {argument}: '' names no file and no folder\n"
    )


def test_a_variant_of_nothing_is_not_counted_as_blocks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("extends: nope\nnetwork: x\n")
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out == f"{path}: 1 error\n"
