"""Files -> Spec: imports, variants, and everything that the text refers to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compiler.errors import (
    NOWHERE,
    Diagnostic,
    Remark,
    Report,
    Span,
    fail,
    limit,
    way_out,
)
from compiler.spec.file import NOTHING_UNSAVED, check_version, display, find_spec, read_yaml
from compiler.spec.mentions import mentions
from compiler.spec.model import BlockSpec, ErratumSpec, NetworkSpec
from compiler.spec.read import read_block, read_errata, read_network
from compiler.spec.read_layers import read_chain
from compiler.spec.read_params import check_name
from compiler.spec.tree import Tree
from compiler.spec.validate import as_meant
from compiler.text import (
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    describe,
    describe_text,
    plain,
)
from compiler.text.names import read_layer_name

Chain = dict[str, Path]
"""The files that are open, by what they really are; each is named by the one before."""
TOP_KEYS = [
    "netdraft",
    "network",
    "title",
    "doc",
    "cite",
    "errata",
    "import",
    "blocks",
    "params",
    "let",
    "input",
    "defaults",
    "layers",
    "outputs",
    "assert",
    "drawing",
    "claims",
    "moved",
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
    bases: tuple[Mapping, ...] = ()
    """What the file extends, as it is written."""
    written: Mapping | None = None
    """The file itself, as it is written."""
    base: Path | None = None
    """The file that it extends."""
    texts: dict[str, str] = field(default_factory=dict)
    """File as spans name it -> text, for showing lines."""

    def use_in_base(self, name: str) -> Span | None:
        """Return where a base reads a parameter of the network."""
        found = [span for base in self.bases for word, span in mentions(base) if word == name]
        return min(found, key=lambda s: (s.file, s.line, s.column), default=None)


def load_spec(
    path: str | Path,
    report: Report,
    texts: dict[str, str] | None = None,
    unsaved: Mapping_[str, str] = NOTHING_UNSAVED,
    left_out: Span = NOWHERE,
    looked_for: set[Path] | None = None,
) -> Spec:
    """Read a spec by path or shipped name, with its imports; faults go to `report`.

    Args:
        path: a file or a shipped name.
        report: gets the findings.
        texts: gets the texts of the files, as spans name them.
        unsaved: real path of a file -> the text that it has in an editor.
        left_out: what stands there, a key with its value or an item, is not read.
        looked_for: gets the paths of the files that it names, whether they are there or not.

    Raises:
        CompileError: the file cannot be parsed at all.
        UsageError: there is no such file.
    """
    is_new = os.path.realpath(path) in unsaved  # in an editor, and not yet on disk
    found = Path(path) if is_new else find_spec(path)
    tree = Tree(found, looked_for)
    loader = _Loader(tree, report, {} if texts is None else texts, unsaved, left_out)
    root, nodes = loader.network_mapping(found)
    blocks = {
        name: b
        for name, node in nodes.items()
        if node is not None and (b := read_block(name, node, report))
    }
    network = None
    if report.is_partial and not root.entries.keys() >= {"network", "input", "layers"}:
        pass  # what it lacks may stand in what was lost
    elif "network" in root.entries or "layers" in root.entries:
        network = read_network(root, report)
    elif not nodes and not loader.errata:
        report.add(
            Diagnostic(
                "not-a-spec",
                "the file says neither `network` nor `blocks`",
                root.span,
                help="a network has `network`, `input` and `layers`, a library has `blocks`",
            )
        )
    faulty = frozenset(nodes) - frozenset(blocks)
    own, bases = tuple(loader.own), tuple(loader.bases)
    return Spec(
        found,
        network,
        blocks,
        loader.errata,
        faulty,
        own,
        bases,
        loader.written,
        loader.base,
        loader.texts,
    )


class _Loader:
    """Follows `extends` and `import`, keeping to the folders that a spec may read."""

    def __init__(
        self,
        tree: Tree,
        report: Report,
        texts: dict[str, str],
        unsaved: Mapping_[str, str],
        left_out: Span,
    ) -> None:
        self.report = report
        self.unsaved = unsaved
        self.left_out = left_out
        self.texts = texts
        self.tree = tree
        self.blocks: dict[str, list[tuple[Span, Node]]] = {}
        """Name -> its definitions, a base's before those of its variants."""
        self.depths: dict[str, int] = {}
        self.redefining: set[int] = set()
        """How far below the variant the files are that define a block of their base anew."""
        self.errata: dict[str, ErratumSpec] = {}
        self.own: list[str] = []
        self.bases: list[Mapping] = []
        self.written: Mapping | None = None
        self.base: Path | None = None
        self.done: set[str] = set()
        self.guesses: set[Span] = set()
        """What stands under another key than `extends` and `import`: maybe no file is meant."""

    def network_mapping(self, path: Path) -> tuple[Mapping, dict[str, Node | None]]:
        """Return a file's mapping, overlaid on the file that it extends, and all blocks by name.

        A block that extends what there is not is None; that is reported.
        """
        variants: list[tuple[Mapping, Path]] = []
        chain: Chain = {}
        found: Path | None = path
        while found is not None:
            chain[self.tree.real(found)] = found
            node = self._parse(found)
            variants.append((node, found))
            base = node.get("extends")
            found = None if base is None else self._target(base, found, chain, "extends")
        if len(variants) > 1:
            self._check_base(variants[-2][0], variants[-1][0])
        self.bases = [node for node, _ in variants[1:]]
        self.written = variants[0][0]
        self.base = variants[1][1] if self.bases else None
        own = variants[0][0].get("blocks")
        self.own = list(own.entries) if isinstance(own, Mapping) else []
        for depth, (node, file) in reversed(list(enumerate(variants))):
            self._collect_all(node, file, depth)
        changes = variants[-1][0].entries.get("changes")
        if changes is not None and "extends" not in variants[-1][0].entries:
            help = "name the network that it changes: `extends: FILE`, or a shipped name"
            message = "a network has `changes` and extends nothing"
            self.report.add(Diagnostic("bad-change", message, changes.key_span, help=help))
        return self._resolved([node for node, _ in variants])

    def _resolved(self, variants: list[Mapping]) -> tuple[Mapping, dict[str, Node | None]]:
        """Return the base with what varies it laid over it, and each block with what it extends."""
        blocks: dict[str, Node | None] = {name: d[-1][1] for name, d in self.blocks.items()}
        if len(variants) == 1 and not any(map(_is_variant, blocks.values())):
            return variants[0], blocks
        from compiler.spec.block_variants import BlockVariants  # on use, for start-up time
        from compiler.spec.variant import overlay

        inner = BlockVariants(self.blocks, self.report)
        merged = variants[-1]
        for depth, node in reversed(list(enumerate(variants[:-1]))):
            redefines = depth in self.redefining
            merged = overlay(merged, node, redefines, inner.reach(), self.report)
        return merged, inner.resolved()

    def _check_base(self, variant: Mapping, base: Mapping) -> None:
        """Report a base that holds blocks or errata alone."""
        keys, target = base.entries.keys(), variant.entries["extends"].node
        if keys & {"network", "layers", "input", "extends"} or not keys & {"blocks", "errata"}:
            return
        name = target.text if isinstance(target, Scalar) else ""
        message = f"`{describe_text(name)}` is a library, not a network that could be extended"
        help = f"import it: `import: [{describe_text(name)}]`"
        self.report.add(Diagnostic("bad-import", message, target.span, help=help))
        self.report.is_partial = True

    def _collect_all(self, node: Mapping, path: Path, depth: int) -> None:
        """Take what a file and its imports define, those that it imports first."""
        opened = [self._collect(node, path, {}, depth)]
        while opened:
            inner = next(opened[-1], None)
            opened.append(inner) if inner is not None else opened.pop()

    def _collect(
        self, node: Mapping, path: Path, chain: Chain, depth: int
    ) -> Iterator[Iterator[Any]]:
        """Take a file's blocks and errata, and yield this for each file that it imports.

        `depth` is how far below the variant it is.
        """
        real = self.tree.real(path)
        self.done.add(real)
        chain[real] = path
        for item in _items(node.get("import")):
            target = self._target(item, path, chain, "import")
            if target is not None and self.tree.real(target) not in self.done:
                inner = self._parse(target)
                if "layers" in inner.entries:  # of a network only the blocks are taken
                    read_chain(inner.get("layers"), "`layers`", self.report)
                yield self._collect(inner, target, chain, depth)
        del chain[real]
        blocks = node.get("blocks")
        if isinstance(blocks, Mapping):
            self.report.spend("entries", len(blocks.entries), blocks.span)
            for name, entry in blocks.entries.items():
                self._define(name, entry, depth)
        elif blocks is not None:
            message = f"`blocks` is {describe(plain(blocks))}, not a mapping"
            help = "name each: `blocks: {NAME: {layers: [...]}}`"
            self.report.add(Diagnostic("bad-value", message, blocks.span, help=help))
        self.errata.update(read_errata(node.get("errata"), self.report))

    def _define(self, name: str, entry: Entry, depth: int) -> None:
        """Add a block; a variant's block takes the place of its base's."""
        check_name(name, read_layer_name, entry.key_span, "the name of a block", self.report)
        before = self.blocks.get(name)
        if before and self.depths[name] == depth:
            if before[-1][0] == entry.key_span:
                return
            self.report.add(
                Diagnostic(
                    "duplicate-name",
                    f"block `{name}` is defined twice",
                    entry.key_span,
                    remarks=(Remark(before[-1][0], "it is defined here first"),),
                    help="rename one; only a variant (`extends`) may define a block anew",
                )
            )
            return
        if before:
            self.redefining.add(depth)
        self.blocks.setdefault(name, []).append((entry.key_span, entry.node))
        self.depths[name] = depth

    def _parse(self, path: Path) -> Mapping:
        written = read_yaml(path, self.report, self.texts, self.unsaved)
        if "recipe" in written.entries and "network" not in written.entries:
            message = "the file is a recipe of training, not a network"
            help = "name a network, and this file with `train --recipe`"
            raise fail("not-a-spec", message, written.entries["recipe"].key_span, help=help)
        check_version(written)
        node = as_meant(written, TOP_KEYS, "a spec", self.report)
        if self.left_out.file == node.span.file:
            from compiler.spec.origins import without  # on use, for start-up time

            node = without(node, self.left_out)
        for key in {"extends", "import"} - set(written.entries):
            for item in _items(node.get(key)):
                self.guesses.add(item.span)
        return node

    def _target(self, node: Node, base: Path, chain: Chain, key: str) -> Path | None:
        """Return the file that an `import` or `extends` names, or None after reporting.

        `chain` holds the files that are open, each named by the one before.
        """
        target = self._found(node, base, chain, key)
        self.report.is_partial |= target is None
        return target

    def _found(self, node: Node, base: Path, chain: Chain, key: str) -> Path | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            if node.span in self.guesses:
                return None
            message = f"`{key}` takes a file name, found {describe(plain(node))}"
            self.report.add(Diagnostic("bad-import", message, node.span, help=_WRITTEN[key]))
            return None
        found = self.tree.find(node.value, base.parent)
        if isinstance(found, str):
            if node.span in self.guesses:
                return None
            complaint = Diagnostic("bad-import", found, node.span, help=_IMPORT_HELP)
            self.report.add(complaint, self.tree.near(node.value, base.parent))
            return None
        if (real := self.tree.real(found)) in chain:
            names = [display(p) for p in (*chain.values(), found)]
            raise fail(
                "import-cycle",
                f"the files import each other: {' -> '.join(names[list(chain).index(real) :])}",
                node.span,
                help="move what they share into a third file",
            )
        if len(chain) > (most := limit("import_depth")):
            message = f"`{key}` leads through more than {most:,} files in a row"
            help = (
                f"name several files in one, not each in the one before; {way_out('import_depth')}"
            )
            raise fail("too-deep", message, node.span, help=help)
        return found


_WRITTEN = {
    "extends": "write `extends: inception_v4`, a shipped name, or `extends: mine.yaml`",
    "import": "write `import: [blocks/mine.yaml]`",
}


def _is_variant(block: Node | None) -> bool:
    """True for a block that extends another one."""
    return isinstance(block, Mapping) and bool({"extends", "changes"} & block.entries.keys())


_IMPORT_HELP = "paths are relative to this file, inside its folder tree or the shipped specs"


def _items(node: Node | None) -> Iterator[Node]:
    if isinstance(node, Sequence):
        yield from node.items
    elif node is not None:
        yield node
