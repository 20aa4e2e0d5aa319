"""compiler/text/module_names.py, written from torch: `python -m backends.torch.module_names`.

`compiler/` imports no torch, so what no layer can be called is kept there as data.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from compiler.text import module_names

FILE = Path(module_names.__file__)
_HEAD = '''"""Names that torch's modules use themselves. `make docs` adds to it; a name here stays.

Torch refuses a layer of such a name, or takes it and then finds its own attribute instead.
"""

from __future__ import annotations

'''


def attributes(*modules: nn.Module) -> set[str]:
    """Return what torch calls its own on these modules; `__x__` is Python's in any case."""
    return {name for m in modules for name in dir(m) if not name.startswith("__")}


def names_of_modules() -> set[str]:
    """Return the attributes of every module."""
    return attributes(nn.Module())


def names_of_containers() -> set[str]:
    """Return what the containers of named layers have besides."""
    return attributes(nn.Sequential(), nn.ModuleDict()) - names_of_modules()


def page() -> str:
    """Return the file: what is in it, for other versions of torch, and what the installed has."""
    modules = module_names.MODULE_NAMES | names_of_modules()
    containers = (module_names.CONTAINER_NAMES | names_of_containers()) - modules
    return (
        f"{_HEAD}MODULE_NAMES = {_listing(modules)}\n"
        '"""Attributes of nn.Module."""\n\n'
        f"CONTAINER_NAMES = {_listing(containers)}\n"
        '"""What nn.Sequential and nn.ModuleDict have besides: no names for layers in them."""\n'
    )


def _listing(names: Iterable[str]) -> str:
    lines = "".join(f'        "{name}",\n' for name in sorted(names))
    return f"frozenset(\n    [\n{lines}    ]\n)"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    sys.exit()
