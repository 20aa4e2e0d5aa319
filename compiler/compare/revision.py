"""An operand of a comparison: a file, a shipped name, or a file of a git revision."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from compiler.errors import CompileError, Span, UsageError, limit, way_out
from compiler.graph import Graph
from compiler.pipeline import NO_SETTINGS, load_graph

PREFIX = "git:"
SUFFIXES = (".yaml", ".yml")
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Operand:
    """A spec to be compared: where it is read, and what it is called."""

    path: str
    name: str
    folder: str = ""
    """A temporary folder with the files of a revision; empty for a file of the working tree."""
    revision: str = ""

    def renamed(self, error: CompileError) -> CompileError:
        """Return an error whose places are in the revision, not in the temporary folder."""
        if not self.folder:
            return error
        found = [
            replace(
                d,
                span=self._span(d.span),
                remarks=tuple(replace(r, span=self._span(r.span)) for r in d.remarks),
                message=d.message.replace(f"{self.folder}/", f"{self.revision}:"),
            )
            for d in error.diagnostics
        ]
        texts: Mapping[str, str] = {self._name(k): v for k, v in error.texts.items()}
        return CompileError(found, texts)

    def _span(self, span: Span) -> Span:
        return replace(span, file=self._name(span.file))

    def _name(self, file: str) -> str:
        if os.path.isabs(file):
            below = os.path.relpath(file, self.folder)
        else:
            below = os.path.relpath(os.path.abspath(file), self.folder)
        return file if below.startswith("..") else f"{self.revision}:{below}"


def load_operand(
    text: str, settings: Mapping[str, object] = NO_SETTINGS, inputs: Sequence[str] = ()
) -> tuple[Graph, str]:
    """Return the checked graph of the spec that a text names, and what it is called.

    Raises:
        CompileError: the spec is at fault; then nothing is compared.
        UsageError: there is no such spec, revision, parameter or input, or no git.
    """
    with operand(text) as found:
        try:
            return load_graph(found.path, settings, inputs), found.name
        except CompileError as error:
            raise found.renamed(error) from None


@contextlib.contextmanager
def operand(text: str) -> Iterator[Operand]:
    """Give the spec that a text names; `git:REV:PATH` is read from that revision, imports too.

    The files of the revision lie in a temporary folder meanwhile. What a spec imports by the name
    of a shipped file that is not beside it is the program's own.

    Raises:
        UsageError: there is no such revision or file, or no git.
    """
    if not text.startswith(PREFIX):
        yield Operand(text, text)
        return
    revision, colon, path = text.removeprefix(PREFIX).partition(":")
    if not (colon and revision and path) or revision.startswith("-"):
        raise UsageError(f"{text}: write git:REVISION:PATH, as git:HEAD~1:specs/mine.yaml")
    with tempfile.TemporaryDirectory(prefix="netdraft-") as folder:
        root = os.path.realpath(folder)
        inside = _write_tree(revision, path, Path(root))
        yield Operand(os.path.join(root, inside), f"{revision}:{inside}", root, revision)


def _write_tree(revision: str, path: str, folder: Path) -> str:
    """Write the YAML files that a spec of a revision may read, and return its path in there."""
    top = _git("rev-parse", "--show-toplevel").decode().strip()
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(top))
    inside = PurePosixPath(inside).as_posix()
    if inside.startswith(".."):
        raise UsageError(f"git:{revision}:{path}: the path is outside the repository {top}")
    tree = _tree_of(inside)
    spec = commit.decode().strip()
    listed = _git("ls-tree", "-r", "-l", "-z", "--full-tree", spec, "--", tree or ".")
    found = list(_blobs(listed.decode("utf-8", "surrogateescape")))
    blobs = {name: blob for name, blob, _ in found}
    if inside not in blobs:
        raise UsageError(f"git:{revision}:{path}: there is no such file in {revision}")
    if len(blobs) > (most := limit("files")):
        raise UsageError(f"{revision} has {len(blobs):,} specs beside {path}, {most:,} at most")
    if (total := sum(size for _, _, size in found)) > limit("bytes"):
        what = f"the specs beside {path} in {revision} have {total:,} bytes"
        raise UsageError(f"{what}; {way_out('bytes')}")
    contents = _contents(list(blobs.values()))
    for name, data in zip(blobs, contents, strict=True):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return inside


def _tree_of(inside: str) -> str:
    """Return the folder that a spec may read from: one called `specs` around it, or its own."""
    parents = PurePosixPath(inside).parents
    specs = next((p for p in parents if p.name == "specs"), parents[0])
    return "" if str(specs) == "." else str(specs)


def _blobs(listed: str) -> Iterator[tuple[str, str, int]]:
    """Yield path, id and size of the YAML files in what `git ls-tree -lz` prints; no links."""
    for line in filter(None, listed.split("\0")):
        meta, _, name = line.partition("\t")
        mode, _, blob, size = meta.split()
        path = PurePosixPath(name)
        is_inside = not path.is_absolute() and ".." not in path.parts  # whoever made the tree
        if mode.startswith("100") and name.endswith(SUFFIXES) and is_inside:
            yield name, blob, int(size)


def _contents(blobs: list[str]) -> list[bytes]:
    """Return the contents of blobs, in one call."""
    data = _git("cat-file", "--batch", given="\n".join(blobs).encode() + b"\n")
    out, at = [], 0
    for _ in blobs:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[-1])
        out.append(data[end + 1 : end + 1 + size])
        at = end + size + 2
    return out


def _git(*arguments: str, given: bytes | None = None) -> bytes:
    """Return what git prints.

    Raises:
        UsageError: there is no git, or it refuses, in its own words.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], input=given, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise UsageError("git:... needs the program `git`, which is not here") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"`git {arguments[0]}` took more than {TIMEOUT_S} seconds") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        wanted = arguments[-1].removesuffix("^{commit}")
        raise UsageError(f"git: {said.splitlines()[0] if said else f'no revision `{wanted}`'}")
    return done.stdout
