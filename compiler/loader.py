"""Files -> Spec: imports, variants, and everything that the text refers to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compiler.errors import Diagnostic, Remark, Report, Span, UsageError
from compiler.fields import describe_text
from compiler.read import read_block, read_errata, read_network
from compiler.shipped import shipped_specs
from compiler.source import Entry, Mapping, Node, Scalar, Sequence, decode, fail, parse_yaml
from compiler.spec import BlockSpec, ErratumSpec, NetworkSpec
from compiler.suggest import did_you_mean, listing, nearest
from compiler.variant import overlay

MAX_BYTES = 64 * 2**20
TOP_KEYS = [
    "network",
    "title",
    "doc",
    "cite",
    "errata",
    "import",
    "blocks",
    "params",
    "input",
    "defaults",
    "layers",
    "outputs",
    "drawing",
    "claims",
    "extends",
    "changes",
]


@dataclass(slots=True)
class Spec:
    """A network or a library with all that it imports."""

    path: Path
    network: NetworkSpec | None
    blocks: dict[str, BlockSpec] = field(default_factory=dict)
    errata: dict[str, ErratumSpec] = field(default_factory=dict)
    faulty_blocks: frozenset[str] = frozenset()
    """Blocks with faults that are reported already."""
    own_blocks: tuple[str, ...] = ()
    """Blocks that the file itself defines."""
    texts: dict[str, str] = field(default_factory=dict)
    """File as spans name it -> text, for showing lines."""


def load_spec(path: str | Path, report: Report, texts: dict[str, str] | None = None) -> Spec:
    """Read a spec by path or shipped name, with its imports; faults go to `report`.

    Raises:
        CompileError: the file cannot be parsed at all.
        UsageError: there is no such file.
    """
    found = find_spec(path)
    loader = _Loader(found, report, {} if texts is None else texts)
    root = loader.network_mapping(found, ())
    blocks = {name: b for name, n in loader.blocks.items() if (b := read_block(name, n, report))}
    network = None
    if "network" in root.entries or "layers" in root.entries:
        network = read_network(root, report)
    elif not loader.blocks and not loader.errata:
        report.add(
            Diagnostic("not-a-spec", "the file says neither `network` nor `blocks`", root.span)
        )
    faulty = frozenset(loader.blocks) - frozenset(blocks)
    return Spec(found, network, blocks, loader.errata, faulty, tuple(loader.own), loader.texts)


def find_spec(path: str | Path) -> Path:
    """Return the file of a spec: a path, or a shipped name such as `inception_v4`.

    Raises:
        UsageError: there is no such file.
    """
    given = Path(path)
    if _is_file(given):
        return given
    if os.path.isdir(given):
        raise UsageError(f"{path} is a folder; name a spec file in it")
    name = str(path).removesuffix(".yaml")
    shipped = shipped_specs()
    candidate = (shipped / f"{name}.yaml").resolve()
    if _is_file(candidate) and candidate.is_relative_to(shipped):
        return candidate
    names = sorted(str(p.relative_to(shipped).with_suffix("")) for p in shipped.rglob("*.yaml"))
    raise UsageError(f"there is no spec {path}{did_you_mean(name, names)}")


def display(path: Path) -> str:
    """Return a path as diagnostics show it: relative to the current folder where it is below."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def read_yaml(path: Path, report: Report, texts: dict[str, str]) -> Mapping:
    """Return the mapping that a YAML file holds; its text goes to `texts`, faults to `report`.

    Raises:
        CompileError: the file cannot be parsed at all.
        UsageError: it cannot be read, or is too long.
    """
    file = display(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UsageError(f"{file} is {size:,} bytes long, {MAX_BYTES:,} at most")
        texts[file] = decode(path.read_bytes(), file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    return parse_yaml(texts[file], file, report)


class _Loader:
    """Follows `extends` and `import`, keeping to the folders that a spec may read."""

    def __init__(self, root: Path, report: Report, texts: dict[str, str]) -> None:
        self.report = report
        self.texts = texts
        self.roots = (_own_tree(root.resolve()), shipped_specs())
        self.blocks: dict[str, Node] = {}
        self.places: dict[str, tuple[Span, int]] = {}
        self.errata: dict[str, ErratumSpec] = {}
        self.own: list[str] = []
        self.done: set[Path] = set()

    def network_mapping(self, path: Path, chain: tuple[Path, ...], depth: int = 0) -> Mapping:
        """Return a file's mapping, overlaid on the file that it extends."""
        node = self._parse(path)
        self._check_keys(node)
        base = node.get("extends")
        merged = node
        if base is not None:
            target = self._target(base, path, (*chain, path), "extends")
            if target is not None:
                below = self.network_mapping(target, (*chain, path), depth + 1)
                merged = overlay(below, node, self.report)
        self._collect(node, path, (), depth)
        if not chain:
            own = node.get("blocks")
            self.own = list(own.entries) if isinstance(own, Mapping) else []
        return merged

    def _collect(self, node: Mapping, path: Path, chain: tuple[Path, ...], depth: int) -> None:
        """Take a file's imports, blocks and errata; `depth` is how far below the variant it is."""
        self.done.add(path.resolve())
        for item in _items(node.get("import")):
            target = self._target(item, path, (*chain, path), "import")
            if target is not None and target.resolve() not in self.done:
                inner = self._parse(target)
                self._check_keys(inner)
                self._collect(inner, target, (*chain, path), depth)
        blocks = node.get("blocks")
        if isinstance(blocks, Mapping):
            for name, entry in blocks.entries.items():
                self._define(name, entry, depth)
        elif blocks is not None:
            self.report.add(Diagnostic("bad-value", "`blocks` is not a mapping", blocks.span))
        self.errata.update(read_errata(node.get("errata"), self.report))

    def _define(self, name: str, entry: Entry, depth: int) -> None:
        """Add a block; a variant's block takes the place of its base's."""
        before = self.places.get(name)
        if before and before[1] == depth and before[0] != entry.key_span:
            self.report.add(
                Diagnostic(
                    "duplicate-name",
                    f"block `{name}` is defined twice",
                    entry.key_span,
                    remarks=(Remark(before[0], "it is defined here first"),),
                    help="rename one; only a variant (`extends`) may define a block anew",
                )
            )
            return
        self.blocks[name] = entry.node
        self.places[name] = (entry.key_span, depth)

    def _check_keys(self, node: Mapping) -> None:
        for key, entry in list(node.entries.items()):
            if key not in TOP_KEYS:
                meant = nearest(key, TOP_KEYS)
                if meant is not None:  # what it says counts as meant: one mistake, one error
                    node.entries.setdefault(meant, entry)
                self.report.add(
                    Diagnostic(
                        "unknown-field",
                        f"a spec has no key `{key}`{did_you_mean(key, TOP_KEYS)}",
                        entry.key_span,
                        help=f"a spec takes {listing(TOP_KEYS)}",
                    )
                )

    def _parse(self, path: Path) -> Mapping:
        return read_yaml(path, self.report, self.texts)

    def _target(self, node: Node, base: Path, chain: tuple[Path, ...], key: str) -> Path | None:
        """Return the file that an `import` or `extends` names, or None after reporting."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.report.add(Diagnostic("bad-import", f"`{key}` takes a file name", node.span))
            return None
        path = self._resolve(node.value, base)
        if isinstance(path, str):
            self.report.add(Diagnostic("bad-import", path, node.span, help=_IMPORT_HELP))
            return None
        if path.resolve() in [p.resolve() for p in chain]:
            names = [display(p) for p in (*chain, path)]
            start = next(i for i, p in enumerate(chain) if p.resolve() == path.resolve())
            raise fail(
                "import-cycle",
                f"the files import each other: {' -> '.join(names[start:])}",
                node.span,
                help="move what they share into a third file",
            )
        return path

    def _resolve(self, text: str, base: Path) -> Path | str:
        """Return the file a text means: beside the importing file, else shipped; or a complaint."""
        if Path(text).is_absolute() or "\0" in text:
            return f"`{describe_text(text)}` is not a relative path"
        for folder in (base.parent, shipped_specs()):
            path = folder / text
            if not _is_file(path):
                continue
            real = path.resolve()
            if not any(real.is_relative_to(root) for root in self.roots):
                return f"`{text}` lies outside the spec's folder tree"
            return Path(os.path.normpath(path))
        near = [p.name for p in base.parent.rglob("*.yaml")] if base.parent.is_dir() else []
        return (
            f"there is no file `{describe_text(text)}`{did_you_mean(Path(text).name, near[:1000])}"
        )


_IMPORT_HELP = "paths are relative to this file, inside its folder tree or the shipped specs"


def _is_file(path: Path) -> bool:
    """True for a file; false for what no file can be called."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _own_tree(path: Path) -> Path:
    """Return the folder that a spec may read: its own, or an ancestor called `specs`."""
    for folder in path.parents:
        if folder.name == "specs":
            return folder
    return path.parent


def _items(node: Node | None) -> Iterator[Node]:
    if isinstance(node, Sequence):
        yield from node.items
    elif node is not None:
        yield node
