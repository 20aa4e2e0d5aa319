"""Forward passes of the instances of a block, told apart by what every instance calls a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backends.torch.class_builder import ClassBuilder
from backends.torch.expressions import Call, Code, Copies, Joined, Listing, LocalVariable, values_in
from backends.torch.forward import Line, one_line

AGAIN = " for "


def tensors_of(builder: ClassBuilder) -> dict[str, str]:
    """Return the tensors of a forward pass by node, as every instance of a block calls them.

    They are called as the modules that make them; what calls a module again has its own name too.
    """
    out = {name: f"<{place}>" for place, name in enumerate(builder.body.inputs)}
    seen: set[str] = set()
    for line in builder.body.lines:
        local = line.targets[0][len(builder.scope.name) + 1 :]
        path = module_path(line.code) or local
        path = f"{path}{AGAIN}{local}" if path in seen else path
        seen.add(path)
        for place, target in enumerate(line.targets):
            out[target] = f"{path}:{place}" if place else path
    return out


def lines_of(builder: ClassBuilder) -> dict[str, Line]:
    """Return the lines of a forward pass by the first tensor that each makes."""
    tensors = tensors_of(builder)
    return {tensors[line.targets[0]]: line for line in builder.body.lines}


def tensors_read(builder: ClassBuilder, line: Line) -> list[str]:
    """Return the tensors that a line reads."""
    tensors = tensors_of(builder)
    return [tensors[name] for name in values_in(line.code)]


def module_path(code: Code) -> str:
    """Return the path of the module that is called: `short.wide` of `self.short["wide"](x)`."""
    if not isinstance(code, Call) or not code.function.startswith("self."):
        return ""
    return code.function[5:].replace('["', ".").replace('"]', "").replace("[", ".").rstrip("]")


def left_out_before(
    name: str, passed: Mapping[str, str], missing: Mapping[str, str | None]
) -> tuple[str, list[str]]:
    """Return the tensor that is read for one, and those that a variant lacks on the way."""
    found: list[str] = []
    while (instead := passed.get(name, missing.get(name))) is not None:
        found.append(name)
        name = instead
    return name, found


def text_of(code: Code) -> str:
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
