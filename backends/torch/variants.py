"""One class for the variants of a block: what a `when` leaves out passes its input on.

Instances of a block differ where a `when` of its layers does. Each is written by itself first, over
the same arguments; here their constructors and forward passes are laid over one another. A module
that is missing in some is `nn.Identity()` there, an operation that is missing is not computed, and
a number that differs is chosen by the same condition. What does not fit so stays several classes.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backends.torch.class_builder import ClassBuilder
from backends.torch.conditions import ArgumentCondition, are_equal
from backends.torch.docs import unused
from backends.torch.expressions import (
    Call,
    Code,
    Conditional,
    Copies,
    LocalVariable,
)
from backends.torch.forward import Line, one_line
from backends.torch.symbols import argument, from_term
from backends.torch.variant_conditions import Different, VariantConditions
from backends.torch.variant_lines import (
    AGAIN,
    left_out_before,
    lines_of,
    module_path,
    tensors_of,
    tensors_read,
    text_of,
)
from compiler.graph import Graph
from compiler.text import ExprError, parse
from compiler.text.module_names import MODULE_NAMES

IDENTITY = "nn.Identity()"


class NotPassedOn(Exception):
    """What reads the tensor of a module, where that is left out, does not read what it would have.

    Args:
        tensor: that of the module.
    """

    def __init__(self, tensor: str) -> None:
        super().__init__(tensor)
        self.tensor = tensor


@dataclass(slots=True)
class Merger:
    """Lays the variants of a block over the first of them, which has every layer."""

    conditions: VariantConditions
    used: dict[str, ArgumentCondition] = field(default_factory=dict)
    """Those that the class reads."""
    gaps: dict[str, set[int]] = field(default_factory=dict)
    """What reads -> how many conditions leave out what it would have read, in some variant."""
    instead: dict[str, str] = field(default_factory=dict)
    """Node of a conditional line -> the one whose tensor is read where it is left out."""
    skipped: set[str] = field(default_factory=set)
    """Tensors of modules in place of which some variant reads another tensor than what they do."""

    @property
    def whole(self) -> ClassBuilder:
        """The variant that has every layer."""
        return self.conditions.whole

    @property
    def variants(self) -> Sequence[ClassBuilder]:
        """All of them."""
        return self.conditions.variants

    def merge(self) -> None:
        """Make the first variant the class of all.

        Raises:
            Different: they do not fit into one class.
        """
        self.conditions.find()
        self._check_locals()
        lines = [lines_of(variant) for variant in self.variants]
        fields = self._fields()
        self._check_lines(lines)
        if any(1 not in counts for counts in self.gaps.values()):
            raise Different  # what is read where only one of two layers is left out is not known
        builder = self.whole
        builder.fields = fields
        kept = {
            t: c
            for t, c in builder.formulas.trace.conditions.items()
            if t not in self.conditions.truths
        }
        builder.formulas.trace.conditions = kept
        for variant in self.variants:
            builder.formulas.used.update(variant.formulas.used)
            builder.formulas.written |= variant.formulas.written
            builder.stored.update(variant.stored)
        for condition in self.used.values():
            for symbol in condition.symbols:
                builder.write(symbol)

    def _check_locals(self) -> None:
        """Refuse local variables that are not the same in all variants."""
        texts = [{n: s.text for n, s in v.formulas.locals.items()} for v in self.variants]
        if any(text != texts[0] for text in texts):
            raise Different

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

    def _merged(self, codes: Sequence[Code | None], path: str) -> Code:
        """Return one constructor for those of all variants; None is a layer that is left out."""
        there = [code for code in codes if code is not None]
        whole = there[0]
        if len(there) < len(codes):
            text = self.conditions.condition_of(path)
            if text is None or self.conditions.truths[text] != tuple(
                code is not None for code in codes
            ):
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
            count = len({self.conditions.condition_of(path) for path in left_out})
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
        if not all(isinstance(code, str) for code in codes) or not self.conditions.are_read_alike():
            raise Different
        before = self.conditions.before(path)
        if not self.conditions.have_all_patterns(before):
            raise Different  # what another pattern would come to is not known
        for text in before:
            yes = {
                one_line(c)
                for c, holds in zip(codes, self.conditions.truths[text], strict=True)
                if holds
            }
            no = {
                one_line(c)
                for c, holds in zip(codes, self.conditions.truths[text], strict=True)
                if not holds
            }
            if len(yes) == len(no) == 1:
                first, second = yes.pop(), no.pop()
                condition = self.conditions.known[text]
                if _is_same_there(condition.opposite, first, second):
                    return first
                if _is_same_there(condition, second, first):
                    return second
                return Conditional(first, self._use(text), second)
        raise Different

    def _use(self, text: str) -> str:
        self.used[text] = self.conditions.known[text]
        return text

    # -- the forward pass ------------------------------------------------------------------------

    def _check_lines(self, lines: Sequence[Mapping[str, Line]]) -> None:
        """Make lines that some variants lack conditional, where all else is the same."""
        skipped = self._skipped(lines)
        if any(len(instead) != 1 for instead in skipped.values()):
            raise Different
        prefix = self.whole.scope.name
        names = tensors_of(self.whole)
        known = {names[name]: name for name in self.whole.body.inputs}
        for target, line in lines[0].items():
            if target in skipped:
                self._make_conditional(line, f"{prefix}.{target}", known.get(*skipped[target]))
            known[target] = line.targets[0]

    def _skipped(self, lines: Sequence[Mapping[str, Line]]) -> dict[str, set[str]]:
        """Return the lines that some variants skip, with the tensors that may be read instead."""
        skipped: dict[str, set[str]] = {}
        for variant, there in zip(self.variants[1:], lines[1:], strict=True):
            try:
                found = self._instead(lines[0], variant, there)
            except NotPassedOn as refused:
                self.skipped.add(refused.tensor)
                return self._skipped(lines)
            for target, instead in found.items():
                skipped.setdefault(target, instead).intersection_update(instead)
        return skipped

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
            operands = tensors_read(self.whole, line)
            if target in lines:
                others = tensors_read(variant, lines[target])
                if text_of(line.code) != text_of(lines[target].code):
                    raise Different
                self._match(target, operands, others, passed, missing)
            elif AGAIN in target:
                raise Different  # the module is there for another layer, and does not pass on
            elif module_path(line.code) and len(operands) == 1 and target not in self.skipped:
                passed[target] = operands[0]
            else:
                missing[target] = None
        ends, others = (
            [tensors_of(b)[b.body.resolved(name)] for name in b.scope.exports]
            for b in (self.whole, variant)
        )
        self._match("", ends, others, passed, missing)
        if None in missing.values():
            raise Different
        made = [f"<{place}>" for place in range(len(self.whole.body.inputs))] + list(whole)
        return {
            name: {
                t
                for t in made[: made.index(name)]
                if left_out_before(t, passed, missing)[0] == instead
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
            settled, left_out = left_out_before(name, passed, missing)
            if settled in missing:
                missing[settled] = other
                left_out.append(settled)
            elif settled != other:
                passing = next((tensor for tensor in left_out if tensor in passed), None)
                raise Different if passing is None else NotPassedOn(passing)
            prefix = self.whole.scope.name
            self._note_gap(f"{prefix}.{reader}:{place}", [f"{prefix}.{n}" for n in left_out])

    def _make_conditional(self, line: Line, path: str, instead: str | None) -> None:
        """Let a line be computed only where its condition holds."""
        text = self.conditions.condition_of(path)
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
    conditions = VariantConditions(graph, variants)
    merger = Merger(conditions)
    try:
        merger.merge()
        released = conditions.released(merger.instead)
    except Different:
        return None
    comments = [{target: line.comment for target, line in lines_of(b).items()} for b in builders]
    for target, line in lines_of(variants[0]).items():
        if any(there.get(target) != line.comment for there in comments):
            line.comment = ""
    return variants[0], released


def _size(builder: ClassBuilder) -> tuple[int, int]:
    """Return how much a variant has: attributes and lines, then text."""
    text = sum(len(one_line(code)) for _, code in builder.fields)
    return len(builder.fields) + len(builder.body.lines), text


def _signature(builder: ClassBuilder) -> tuple[object, ...]:
    """Return what makes two instances the same class."""
    lines = lines_of(builder).items()
    reads = [tuple(tensors_read(builder, line)) for _, line in lines]
    formulas = builder.formulas
    return (
        tuple((n, s.text) for n, s in formulas.locals.items() if n in formulas.written),
        tuple((name, one_line(code)) for name, code in builder.fields),
        tuple((target, text_of(line.code)) for target, line in lines),
        tuple(reads),
        tuple(formulas.trace.conditions),
        tuple(tensors_of(builder)[builder.body.resolved(name)] for name in builder.scope.exports),
    )


def _is_same_there(condition: ArgumentCondition, text: str, other: str) -> bool:
    """True where two formulas are the same if a condition holds: `c * k` and `c` if `k == 1`."""
    if condition.kind != "==" or condition.sides[0].kind != "name":
        return False
    name, value = condition.sides
    try:
        symbols = [from_term(parse(t).root, lambda n: argument(n, 1)) for t in (text, other)]
    except ExprError:
        return False
    if None in symbols:
        return False
    first, second = (s.substituted({name.name: value}) for s in symbols if s is not None)
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
