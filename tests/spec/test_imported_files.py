"""Which files a spec may name, and what is said of those that it may not."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from compiler.errors import CompileError, Diagnostic, UsageError
from compiler.pipeline import draft_graph

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"


def errors_of(folder: Path, text: str) -> list[Diagnostic]:
    (folder / "s.yaml").write_text(text)
    try:
        return list(draft_graph(folder / "s.yaml")[1].errors)
    except CompileError as error:
        return list(error.diagnostics)


def importing(*names: str) -> str:
    return f"{HEAD}import: [{', '.join(names)}]\nlayers: [relu]\n"


def counting(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """Return a list that grows with every call of a function of the system."""
    calls: list[object] = []
    module, _, function = name.rpartition(".")
    called = getattr(sys.modules[module], function)

    def count(*arguments: object, **more: object) -> object:
        calls.append(arguments)
        return called(*arguments, **more)

    monkeypatch.setattr(sys.modules[module], function, count)
    return calls


def complaint(folder: Path, name: str) -> str:
    (error,) = errors_of(folder, importing(name))
    assert error.code == "bad-import"
    return error.message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe.yaml", "`pipe.yaml` is a pipe, not a file"),
        ("folder.yaml", "`folder.yaml` is a folder, not a file"),
        ("zero.yaml", "`zero.yaml` is a device, not a file"),
        ("nowhere.yaml", "`nowhere.yaml` is a link that leads nowhere, not a file"),
        ("loop.yaml", "`loop.yaml` is a link that leads nowhere, not a file"),
        ("lib.yml", "there is no file `lib.yml` (did you mean `inner/lib.yaml`?)"),
        ("'a\\0b'", "there is no file `a\\0b`"),
        ('"a\\0b"', "`a\0b` is not a relative path"),
        ("x" * 300, f"there is no file `{'x' * 57}...`"),
        ("/etc/passwd", "`/etc/passwd` is not a relative path"),
        ("outside.yaml", "`outside.yaml` lies outside the spec's folder tree"),
    ],
)
def test_what_can_not_be_imported(tmp_path: Path, name: str, message: str) -> None:
    folder = tmp_path / "net"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "lib.yaml").write_text("blocks: {b: {layers: [relu]}}\n")
    (tmp_path / "other.yaml").write_text("blocks: {b: {layers: [relu]}}\n")
    (folder / "folder.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    for link, target in {
        "zero.yaml": "/dev/zero",
        "nowhere.yaml": "gone.yaml",
        "loop.yaml": "loop.yaml",
        "outside.yaml": "../other.yaml",
    }.items():
        (folder / link).symlink_to(target)
    signal.alarm(20)  # a pipe that is opened waits for ever
    assert complaint(folder, name) == message
    signal.alarm(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "is a pipe, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
        (lambda path: path.symlink_to(path), "is a link that leads nowhere, not a file"),
        (os.mkdir, "is a folder; name a spec file in it"),
    ],
    ids=["a pipe", "a device", "a link to itself", "a folder"],
)
def test_what_is_no_spec(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "s.yaml"
    assert callable(make)
    make(path)
    with pytest.raises(UsageError) as found:
        draft_graph(path)
    assert str(found.value) == f"{path} {message}"


def test_a_wrong_name_beside_a_large_tree_looks_at_a_thousand_entries_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(30):
        (tmp_path / f"d{i}").mkdir()
        for j in range(60):
            (tmp_path / f"d{i}" / f"f{j}.yaml").touch()
    (tmp_path / "blocks.yaml").write_text("blocks: {b: {layers: [relu]}}\n")
    looks = counting(monkeypatch, "os.scandir")
    errors = errors_of(tmp_path, importing(*(f"block{i}.yaml" for i in range(40))))
    assert errors[0].message == ("there is no file `block0.yaml` (did you mean `blocks.yaml`?)")
    assert len(errors) == 40
    assert len(looks) <= 20  # 32 in the folder, then 60 in each


def test_files_that_import_each_other_in_every_way_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(90):
        names = ", ".join(f"f{j}.yaml" for j in range(i + 1, 91))
        (tmp_path / f"f{i}.yaml").write_text(
            f"import: [{names}]\nblocks: {{b{i}: {{layers: [relu]}}}}\n"
        )
    (tmp_path / "f90.yaml").write_text("blocks: {b90: {layers: [relu]}}\n")
    real = counting(monkeypatch, "os.path.realpath")
    assert errors_of(tmp_path, importing("f0.yaml")) == []
    assert len(real) <= 300


def test_a_file_by_several_names_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("blocks: {b: {layers: [relu]}}\n")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "here").symlink_to(".")
    names = ("a.yaml", "b.yaml", "./a.yaml", "here/a.yaml", "here/here/here/b.yaml")
    assert errors_of(tmp_path, importing(*names)) == []


def test_a_circle_through_links_is_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("import: [here/b.yaml]\nblocks: {a: {layers: [relu]}}\n")
    (tmp_path / "b.yaml").write_text("import: [here/a.yaml]\nblocks: {b: {layers: [relu]}}\n")
    (tmp_path / "here").symlink_to(".")
    (error,) = errors_of(tmp_path, importing("a.yaml"))
    assert error.code == "import-cycle"


@pytest.mark.parametrize("key", ["doc", "with", "layers"])
def test_aliases_in_aliases_count_as_levels(tmp_path: Path, key: str) -> None:
    levels = "".join(f"  - &a{i + 1} [*a{i}]\n" for i in range(900))
    text = f"{HEAD}doc:\n  - &a0 [x]\n{levels}layers: [{{block: b, with: {{k: *a900}}}}]\n"
    (error,) = errors_of(tmp_path, text.replace("doc:", f"{key}:", 1))
    assert error.message == "the file nests deeper than 100 levels"
