"""One class for the variants of a block: what a `when` leaves out passes its input on.

Instances of a block differ where a `when` of its layers does. Each is written by itself first, over
the same arguments; here their constructors and forward passes are laid over one another. A module
that is missing in some is `nn.Identity()` there, an operation that is missing is not computed, and
a number that differs is chosen by the same condition. What does not fit so stays several classes.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backends.torch.class_builder import ClassBuilder
from backends.torch.conditions import ArgumentCondition, are_equal
from backends.torch.docs import unused
from backends.torch.expressions import (
    Call,
    Code,
    Conditional,
    Copies,
    Joined,
    Listing,
    LocalVariable,
    values_in,
)
from backends.torch.forward import Line, one_line
from backends.torch.symbols import argument, from_term
from compiler.graph import Graph, formulas_of
from compiler.ops import Add, Conv2d, ConvTranspose2d, Linear, Slice
from compiler.text import ExprError, parse
from compiler.text.module_names import MODULE_NAMES

IDENTITY = "nn.Identity()"


class Different(Exception):
    """The variants do not fit into one class."""


@dataclass(slots=True)
class Merger:
    """Lays the variants of a block over the first of them, which has every layer."""

    graph: Graph
    variants: Sequence[ClassBuilder]
    truths: dict[str, tuple[bool, ...]] = field(default_factory=dict)
    """Text of a condition -> whether it holds, by variant; of those that differ."""
    conditions: dict[str, ArgumentCondition] = field(default_factory=dict)
    used: dict[str, ArgumentCondition] = field(default_factory=dict)
    """Those that the class reads."""
    gaps: dict[str, set[int]] = field(default_factory=dict)
    """What reads -> how many conditions leave out what it would have read, in some variant."""
    instead: dict[str, str] = field(default_factory=dict)
    """Node of a conditional line -> the one whose tensor is read where it is left out."""

    @property
    def whole(self) -> ClassBuilder:
        """The variant that has every layer."""
        return self.variants[0]

    def merge(self) -> None:
        """Make the first variant the class of all.

        Raises:
            Different: they do not fit into one class.
        """
        self._find_conditions()
        self._check_locals()
        lines = [_lines(variant) for variant in self.variants]
        fields = self._fields()
        self._check_lines(lines)
        if any(1 not in counts for counts in self.gaps.values()):
            raise Different  # what is read where only one of two layers is left out is not known
        builder = self.whole
        builder.fields = fields
        kept = {t: c for t, c in builder.formulas.trace.conditions.items() if t not in self.truths}
        builder.formulas.trace.conditions = kept
        for variant in self.variants:
            builder.formulas.used.update(variant.formulas.used)
            builder.formulas.written |= variant.formulas.written
            builder.stored.update(variant.stored)
        for condition in self.used.values():
            for symbol in condition.symbols:
                builder.write(symbol)

    def _find_conditions(self) -> None:
        """Find the conditions that hold in some variants and not in others."""
        of = [variant.formulas.trace.conditions for variant in self.variants]
        for text, condition in of[0].items():
            opposite = condition.opposite.text
            held = tuple(text in there for there in of)
            if not all(held) and any(text not in there and opposite not in there for there in of):
                raise Different
            if not all(held):
                self.truths[text] = held
                self.conditions[text] = condition
        known = {*of[0], *(c.opposite.text for c in self.conditions.values())}
        inner = {c.text for v in self.variants for c in v.formulas.trace.inner}
        if any(not there.keys() <= known for there in of) or not inner.isdisjoint(self.truths):
            raise Different

    def _check_locals(self) -> None:
        """Refuse local variables that are not the same in all variants."""
        texts = [{n: s.text for n, s in v.formulas.locals.items()} for v in self.variants]
        if any(text != texts[0] for text in texts):
            raise Different

    def released(self) -> frozenset[str]:
        """Return the conditions that a caller need not hold: as many channels leave, anyway."""
        ends = {
            tuple(variant.formulas.channels[name].text for name in variant.scope.exports)
            for variant in self.variants
        }
        deciding = {text for name in self.whole.scope.exports for text in self._deciding(name)}
        if len(ends) > 1 or not self._has_all_patterns(deciding) or not self._are_read_alike():
            return frozenset()
        return frozenset(
            text for c in self.conditions.values() for text in (c.text, c.opposite.text)
        )

    def _deciding(self, name: str) -> set[str]:
        """Return the conditions on which the number of channels of a tensor may depend."""
        graph, builder = self.graph, self.whole
        if not name.startswith(f"{builder.scope.name}."):
            return set()
        node = graph.nodes[name]
        block = _block_around(graph, name, builder.scope.name)
        inputs = graph.regions[block].inputs if block else node.inputs
        found = [self._deciding(i) for i in inputs]
        if block is None and isinstance(node.op, (Conv2d, ConvTranspose2d, Linear, Slice)):
            found = []
        elif block is None and isinstance(node.op, Add):  # the operands have as many
            found = [min(found, key=len)]
        own = self._conditions_around(block or name)
        if own:
            instead = self.instead.get(name, inputs[0])
            found.append(rest := self._deciding(instead))
            channels = builder.formulas.channels
            if rest or instead not in channels or channels[name].text != channels[instead].text:
                found.append(own)
        return {text for texts in found for text in texts}

    def _has_all_patterns(self, conditions: Collection[str]) -> bool:
        """True where every combination of some conditions is that of some variant."""
        found = {tuple(self.truths[t][i] for t in conditions) for i in range(len(self.variants))}
        return len(found) == 1 << len(conditions)

    # -- the constructor -------------------------------------------------------------------------

    def _fields(self) -> list[tuple[str, Code]]:
        """Return the attributes of the class."""
        prefix = self.whole.scope.name
        codes = [dict(variant.fields) for variant in self.variants]
        if any(not there.keys() <= codes[0].keys() for there in codes):
            raise Different
        order = list(codes[0])
        for there in codes[1:]:
            if list(there) != [name for name in order if name in there]:
                raise Different
        return [
            (name, self._merged([there.get(name) for there in codes], f"{prefix}.{name}"))
            for name in order
        ]

    def _conditions_before(self, path: str) -> set[str]:
        """Return the conditions of layers that are computed before one: they decide its numbers.

        Raises:
            Different: one of them is not known, as it holds in some copies of a layer alone.
        """
        found: set[str] = set()
        for node in self.whole.scope.nodes():
            if node.name == path or node.name.startswith(f"{path}."):
                break
            found |= self._conditions_around(node.name)
        return found

    def _conditions_around(self, path: str) -> set[str]:
        """Return the conditions of a layer and of what it is in, that differ between variants."""
        decided = self.whole.formulas.decided
        written = set(_conditions_around(self.graph, path, self.whole.scope.name))
        if any(decided.get(text, text) is None for text in written):
            raise Different
        known = (decided.get(text) for text in written)
        return {c.text for c in known if c is not None} & self.truths.keys()

    def _merged(self, codes: Sequence[Code | None], path: str) -> Code:
        """Return one constructor for those of all variants; None is a layer that is left out."""
        there = [code for code in codes if code is not None]
        whole = there[0]
        if len(there) < len(codes):
            text = self._condition_of(path)
            if text is None or self.truths[text] != tuple(code is not None for code in codes):
                raise Different
            inner = self._merged([code or whole for code in codes], path)
            return Conditional(inner, self._use(text), IDENTITY)
        if all(one_line(code) == one_line(whole) for code in there):
            return whole
        if isinstance(whole, Copies):
            return self._merged_copies(there, path)
        if isinstance(whole, Call) and all(
            isinstance(code, Call) and code.function == whole.function for code in there
        ):
            return self._merged_call([c for c in there if isinstance(c, Call)], path)
        return self._chosen(there, path)

    def _merged_call(self, calls: Sequence[Call], path: str) -> Code:
        """Return one call for several of a function; what `chain` lacks in some passes on."""
        whole = calls[0]
        if whole.function == "chain":
            given = [dict(call.args) for call in calls]
            if any(not there.keys() <= given[0].keys() for there in given):
                raise Different
            for there in given:
                self._note_gaps(path, list(given[0]), there)
            parts = [[there.get(name) for there in given] for name in given[0]]
            inner = (f"{path}.{name}" for name in given[0])
            args = (self._merged(c, p) for c, p in zip(parts, inner, strict=True))
            return Call("chain", tuple(zip(given[0], args, strict=True)))
        names = [name for name, _ in whole.args]
        if whole.function == "nn.Sequential":
            calls = [_with_tail(whole, call) for call in calls]
        if any([name for name, _ in call.args] != names for call in calls):
            raise Different
        columns = zip(*([code for _, code in call.args] for call in calls), strict=True)
        paths = _paths(whole, path)
        merged = (self._merged(c, p) for c, p in zip(columns, paths, strict=True))
        return Call(whole.function, tuple(zip(names, merged, strict=True)))

    def _note_gaps(self, path: str, names: Sequence[str], there: Container[str]) -> None:
        """Note which layers are left out one after the other in a row of them."""
        gap: list[str] = []
        for name in [*names, ""]:
            if name in there or not name:
                self._note_gap(f"{path}.{name}", [f"{path}.{n}" for n in gap])
                gap = []
            else:
                gap.append(name)

    def _note_gap(self, reader: str, left_out: Sequence[str]) -> None:
        """Note how many conditions leave out what is between a layer and what it reads."""
        if left_out:
            count = len({self._condition_of(path) for path in left_out})
            self.gaps.setdefault(reader, set()).add(count)

    def _merged_copies(self, codes: Sequence[Code], path: str) -> Code:
        """Return copies for those of all variants, as many in each."""
        whole = codes[0]
        copies = [code for code in codes if isinstance(code, Copies)]
        if not isinstance(whole, Copies) or [c.count for c in copies] != [whole.count] * len(codes):
            raise Different
        return replace(whole, code=self._merged([c.code for c in copies], path))

    def _chosen(self, codes: Sequence[Code], path: str) -> Code:
        """Return a number that a condition of a layer before this one decides."""
        if not all(isinstance(code, str) for code in codes) or not self._are_read_alike():
            raise Different
        before = self._conditions_before(path)
        if not self._has_all_patterns(before):
            raise Different  # what another pattern would come to is not known
        for text in before:
            yes = {one_line(c) for c, holds in zip(codes, self.truths[text], strict=True) if holds}
            no = {
                one_line(c) for c, holds in zip(codes, self.truths[text], strict=True) if not holds
            }
            if len(yes) == len(no) == 1:
                first, second = yes.pop(), no.pop()
                condition = self.conditions[text]
                if _is_same_there(condition.opposite, first, second):
                    return first
                if _is_same_there(condition, second, first):
                    return second
                return Conditional(first, self._use(text), second)
        raise Different

    def _are_read_alike(self) -> bool:
        """True where the variants differ in their conditions alone, not in what else is decided."""
        first, *others = map(_numbers_read, self.variants)
        return all(there.items() <= first.items() for there in others)

    def _condition_of(self, path: str) -> str | None:
        """Return the condition of the layer at a path, where it differs between the variants."""
        written = set(_conditions_at(self.graph, path))
        if len(written) != 1:
            return None
        condition = self.whole.formulas.decided.get(written.pop())
        return condition.text if condition is not None and condition.text in self.truths else None

    def _use(self, text: str) -> str:
        self.used[text] = self.conditions[text]
        return text

    # -- the forward pass ------------------------------------------------------------------------

    def _check_lines(self, lines: Sequence[Mapping[str, Line]]) -> None:
        """Make lines that some variants lack conditional, where all else is the same."""
        skipped: dict[str, set[str]] = {}
        for variant, there in zip(self.variants[1:], lines[1:], strict=True):
            for target, instead in self._instead(lines[0], variant, there).items():
                skipped.setdefault(target, instead).intersection_update(instead)
        if any(len(instead) != 1 for instead in skipped.values()):
            raise Different
        prefix = self.whole.scope.name
        names = _tensors(self.whole)
        known = {names[name]: name for name in self.whole.body.inputs}
        for target, line in lines[0].items():
            if target in skipped:
                self._make_conditional(line, f"{prefix}.{target}", known.get(*skipped[target]))
            known[target] = line.targets[0]

    def _instead(
        self, whole: Mapping[str, Line], variant: ClassBuilder, lines: Mapping[str, Line]
    ) -> dict[str, set[str]]:
        """Return the tensors that a variant lacks, each with what may be read in their place.

        Where other layers are left out as well, several tensors are the same one there.
        """
        if [t for t in whole if t in lines] != list(lines):
            raise Different
        passed: dict[str, str] = {}
        missing: dict[str, str | None] = {}
        for target, line in whole.items():
            operands = _reads(self.whole, line)
            if target in lines:
                others = _reads(variant, lines[target])
                if _shape(line.code) != _shape(lines[target].code):
                    raise Different
                self._match(target, operands, others, passed, missing)
            elif _module_path(line.code) and len(operands) == 1:
                passed[target] = operands[0]
            else:
                missing[target] = None
        ends, others = (
            [_tensors(b)[b.body.resolved(name)] for name in b.scope.exports]
            for b in (self.whole, variant)
        )
        self._match("", ends, others, passed, missing)
        if None in missing.values():
            raise Different
        made = [f"<{place}>" for place in range(len(self.whole.body.inputs))] + list(whole)
        return {
            name: {
                t for t in made[: made.index(name)] if _left_out(t, passed, missing)[0] == instead
            }
            for name, instead in missing.items()
        }

    def _match(
        self,
        reader: str,
        names: Sequence[str],
        others: Sequence[str],
        passed: Mapping[str, str],
        missing: dict[str, str | None],
    ) -> None:
        """Compare what is read in the whole and in a variant; learn what stands for the missing."""
        if len(names) != len(others):
            raise Different
        for place, (name, other) in enumerate(zip(names, others, strict=True)):
            settled, left_out = _left_out(name, passed, missing)
            if settled in missing:
                missing[settled] = other
                left_out.append(settled)
            elif settled != other:
                raise Different
            prefix = self.whole.scope.name
            self._note_gap(f"{prefix}.{reader}:{place}", [f"{prefix}.{n}" for n in left_out])

    def _make_conditional(self, line: Line, path: str, instead: str | None) -> None:
        """Let a line be computed only where its condition holds."""
        text = self._condition_of(path)
        if text is None or instead is None or len(line.targets) > 1:
            raise Different
        builder = self.whole
        local = path.rpartition(".")[2]
        used = {*MODULE_NAMES, *(name for name, _ in builder.fields), *builder.flags}
        flag = unused(f"has_{local}", used)
        builder.flags[flag] = self._use(text)
        line.code = Conditional(line.code, f"self.{flag}", LocalVariable(instead))
        self.instead[line.targets[0]] = instead
        line.folds = line.hosts = False


def merged(
    graph: Graph, builders: Sequence[ClassBuilder]
) -> tuple[ClassBuilder, frozenset[str]] | None:
    """Return the class of all instances of a block, and the conditions that it decides itself.

    None where they do not fit into one.
    """
    distinct = {_signature(builder): builder for builder in builders}
    variants = sorted(distinct.values(), key=_size, reverse=True)
    merger = Merger(graph, variants)
    try:
        merger.merge()
        released = merger.released()
    except Different:
        return None
    comments = [{target: line.comment for target, line in _lines(b).items()} for b in builders]
    for target, line in _lines(variants[0]).items():
        if any(there.get(target) != line.comment for there in comments):
            line.comment = ""
    return variants[0], released


def _size(builder: ClassBuilder) -> tuple[int, int]:
    """Return how much a variant has: attributes and lines, then text."""
    text = sum(len(one_line(code)) for _, code in builder.fields)
    return len(builder.fields) + len(builder.body.lines), text


def _signature(builder: ClassBuilder) -> tuple[object, ...]:
    """Return what makes two instances the same class."""
    lines = _lines(builder).items()
    reads = [tuple(_reads(builder, line)) for _, line in lines]
    return (
        tuple((name, one_line(code)) for name, code in builder.fields),
        tuple((target, _shape(line.code)) for target, line in lines),
        tuple(reads),
        tuple(builder.formulas.trace.conditions),
        tuple(_tensors(builder)[builder.body.resolved(name)] for name in builder.scope.exports),
    )


def _is_same_there(condition: ArgumentCondition, text: str, other: str) -> bool:
    """True where two formulas are the same if a condition holds: `c * k` and `c` if `k == 1`."""
    if condition.kind != "==" or condition.sides[0].kind != "name":
        return False
    name, value = condition.sides
    if not value.is_number:
        return False
    try:
        symbols = [from_term(parse(t).root, lambda n: argument(n, 1)) for t in (text, other)]
    except ExprError:
        return False
    if None in symbols:
        return False
    first, second = (s.replaced({name.name: value}) for s in symbols if s is not None)
    return are_equal(first, second)


def _paths(call: Call, path: str) -> Iterator[str]:
    """Yield the path of each argument's layer: the copies in a row have numbers."""
    number = 0
    for _, code in call.args:
        yield f"{path}.{number}" if call.function == "nn.Sequential" else path
        number += int(code.count) if isinstance(code, Copies) and code.count.isdigit() else 1


def _with_tail(whole: Call, call: Call) -> Call:
    """Return a row of copies, none at its end, as one that has those that follow in the whole."""
    tail = whole.args[-1]
    if isinstance(tail[1], Copies) and len(call.args) == len(whole.args) - 1:
        return Call(call.function, (*call.args, tail))
    return call


def _conditions_at(graph: Graph, path: str) -> Iterator[str]:
    """Yield the `when` of a layer, or those of the layers inside it."""
    if path not in graph.regions and path not in graph.nodes:
        return
    if graph.info_of(path).when:
        yield graph.info_of(path).when
    elif path in graph.regions and graph.regions[path].kind != "block":
        for member in graph.regions[path].members:
            yield from _conditions_at(graph, member)


def _conditions_around(graph: Graph, path: str, scope: str) -> Iterator[str]:
    """Yield the `when` of a layer and of what it is in, in a block, not those of blocks inside."""
    found: list[str] = []
    while path != scope:
        if path in graph.regions and graph.regions[path].kind == "block":
            found = []
        if (path in graph.regions or path in graph.nodes) and graph.info_of(path).when:
            found.append(graph.info_of(path).when)
        path = path.rpartition(".")[0]
    yield from found


def _block_around(graph: Graph, path: str, scope: str) -> str | None:
    """Return the outermost block in a scope that a layer is in."""
    found = None
    while (path := path.rpartition(".")[0]) != scope:
        if path in graph.regions and graph.regions[path].kind == "block":
            found = path
    return found


def _numbers_read(builder: ClassBuilder) -> dict[str, object]:
    """Return what the numbers of a variant are made of and its class does not follow."""
    formulas, scope = builder.formulas, builder.scope
    given = {**scope.region.arguments, **{n: s.value for n, s in formulas.inputs.items()}}
    out: dict[str, object] = {n: given.get(n) for n in formulas.trace.fixed | formulas.trace.found}
    for node in scope.nodes():
        local = node.name[len(scope.name) :]
        for formula in formulas_of(node.traced).values():
            grids = (n for n in formula.sizes if not n.endswith(".channels"))
            out |= {f"{local} {n}": formulas.grid_size(n, formula.sizes[n]) for n in grids}
    return out


def _tensors(builder: ClassBuilder) -> dict[str, str]:
    """Return the tensors of a forward pass by node, as every instance of a block calls them."""
    out = {name: f"<{place}>" for place, name in enumerate(builder.body.inputs)}
    for line in builder.body.lines:
        for place, target in enumerate(line.targets):
            path = _module_path(line.code) or target[len(builder.scope.name) + 1 :]
            out[target] = f"{path}:{place}" if place else path
    return out


def _lines(builder: ClassBuilder) -> dict[str, Line]:
    """Return the lines of a forward pass by the first tensor that each makes."""
    tensors = _tensors(builder)
    return {tensors[line.targets[0]]: line for line in builder.body.lines}


def _reads(builder: ClassBuilder, line: Line) -> list[str]:
    """Return the tensors that a line reads."""
    tensors = _tensors(builder)
    return [tensors[name] for name in values_in(line.code)]


def _module_path(code: Code) -> str:
    """Return the path of the module that is called: `short.wide` of `self.short["wide"](x)`."""
    if not isinstance(code, Call) or not code.function.startswith("self."):
        return ""
    return code.function[5:].replace('["', ".").replace('"]', "").replace("[", ".").rstrip("]")


def _left_out(
    name: str, passed: Mapping[str, str], missing: Mapping[str, str | None]
) -> tuple[str, list[str]]:
    """Return the tensor that is read for one, and those that a variant lacks on the way."""
    found: list[str] = []
    while (instead := passed.get(name, missing.get(name))) is not None:
        found.append(name)
        name = instead
    return name, found


def _shape(code: Code) -> str:
    """Return an expression as text, whatever tensors it reads."""
    return one_line(_without_tensors(code))


def _without_tensors(code: Code) -> Code:
    if isinstance(code, LocalVariable):
        return "_"
    if isinstance(code, Call):
        return replace(code, args=tuple((n, _without_tensors(a)) for n, a in code.args))
    if isinstance(code, Listing):
        return replace(code, items=tuple(map(_without_tensors, code.items)))
    if isinstance(code, Joined):
        return replace(code, parts=tuple(map(_without_tensors, code.parts)))
    if isinstance(code, Copies):
        return replace(code, code=_without_tensors(code.code))
    return code
