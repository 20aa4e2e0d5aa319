"""Copies that differ in single values as a loop over these: `for n in (64, 128, 256)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backends.torch.docs import unused, variable
from backends.torch.expressions import Call, Code, Conditional, Copies, Listing, Loop, laid_out
from backends.torch.forward import one_line

HOLDERS = ("nn.Sequential", "nn.ModuleList")
POSITIONS = ("channels", "filters", "kernel")
"""What the arguments without names are, of blocks and of convolutions."""
LEAST = 3
"""Copies of which a loop is made."""

Path = tuple[int, ...]
"""Argument of an argument."""


def looped(code: Code) -> Code:
    """Return a constructor with loops in it, where these are shorter than what they make."""
    if isinstance(code, Conditional):
        return replace(code, code=looped(code.code))
    if not isinstance(code, Call):
        return code
    code = replace(code, args=tuple((name, looped(arg)) for name, arg in code.args))
    if code.function not in HOLDERS or not code.args:
        return code
    is_list = code.function == "nn.ModuleList"
    listed = code.args[0][1].items if isinstance(code.args[0][1], Listing) else None
    parts = listed if listed is not None else tuple(arg for _, arg in code.args)
    copies = _expanded(parts)
    loop = _loop(copies) if copies is not None and (listed is not None or not is_list) else None
    if loop is None:
        return code
    made = replace(loop, opening="[", closing="]") if is_list else loop
    short = Call(code.function, (("", made),))
    return short if _height(short) <= _height(code) else code


def _height(code: Code) -> int:
    return len(laid_out("self.block = ", code, "", 2, str))


def _expanded(parts: Sequence[Code]) -> list[Call] | None:
    """Return the copies one by one, None where there are not enough, or their number is open."""
    out: list[Call] = []
    for part in parts:
        times = part.count if isinstance(part, Copies) else "1"
        code = part.code if isinstance(part, Copies) else part
        if not isinstance(code, Call) or not times.isdigit() or code.function == "nn.Identity":
            return None
        out += [code] * int(times)
    return out if len(out) >= LEAST and len(parts) > 1 else None


@dataclass(slots=True)
class _Leaf:
    """A place in a copy: what it is called, and its values."""

    name: str
    values: tuple[str, ...]

    @property
    def is_varied(self) -> bool:
        """True where the copies differ."""
        return len(set(self.values)) > 1


def _loop(copies: Sequence[Call]) -> Loop | None:
    """Return the loop that makes some copies, None where they are not of one form."""
    leaves: dict[Path, _Leaf] = {}
    if not _gather(copies, (), "", leaves):
        return None
    kept = " ".join(leaf.values[0] for leaf in leaves.values() if not leaf.is_varied)
    taken = {*re.findall(r"[^\W\d]\w*", f"{kept} {_functions(copies[0])}")}
    columns: dict[tuple[str, ...], str] = {}
    chosen: dict[Path, str] = {}
    for path, leaf in leaves.items():
        if leaf.is_varied:
            if leaf.values not in columns:
                columns[leaf.values] = unused(variable(leaf.name), {*taken, *columns.values()})
            chosen[path] = columns[leaf.values]
    element = _replaced(copies[0], (), chosen)
    return Loop(element, tuple(columns.values()), tuple(columns))


def _gather(codes: Sequence[Code], path: Path, name: str, leaves: dict[Path, _Leaf]) -> bool:
    """Find the leaves of copies; False where the copies differ in more than these."""
    if all(isinstance(code, str) for code in codes):
        leaves[path] = _Leaf(name, tuple(str(code) for code in codes))
        return True
    calls = [code for code in codes if isinstance(code, Call)]
    if len(calls) < len(codes):
        return len({one_line(code) for code in codes}) == 1
    first = calls[0]
    names = [name for name, _ in first.args]
    for call in calls:
        if call.function != first.function or [name for name, _ in call.args] != names:
            return False
    return all(
        _gather([c.args[i][1] for c in calls], (*path, i), n or _position(i), leaves)
        for i, n in enumerate(names)
    )


def _position(index: int) -> str:
    return POSITIONS[index] if index < len(POSITIONS) else "value"


def _functions(code: Code) -> str:
    if not isinstance(code, Call):
        return "" if isinstance(code, str) else one_line(code)
    return " ".join([code.function, *(_functions(arg) for _, arg in code.args)])


def _replaced(code: Code, path: Path, chosen: dict[Path, str]) -> Code:
    if path in chosen:
        return chosen[path]
    if not isinstance(code, Call):
        return code
    args = ((n, _replaced(a, (*path, i), chosen)) for i, (n, a) in enumerate(code.args))
    return replace(code, args=tuple(args))
