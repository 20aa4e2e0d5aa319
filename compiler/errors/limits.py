"""Bounds on what a spec, a weights file or a picture may cost: each has a name and can be set."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from compiler.errors.report import UsageError


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound: its default, and what it counts."""

    default: int
    what: str


LIMITS: dict[str, Limit] = {
    "verify_seconds": Limit(600, "seconds that a file may take in `verify --run`"),
    "bytes": Limit(16 * 2**20, "bytes of YAML in one spec, what it imports included"),
    "values": Limit(500_000, "values in one spec, those that aliases repeat included"),
    "files": Limit(1_000, "files in one spec"),
    "import_depth": Limit(100, "files in a row through which `import` or `extends` leads"),
    "entries": Limit(200_000, "layers, parameters and other entries in one spec"),
    "changes": Limit(2_000, "changes in one variant, what it extends included"),
    "list_entries": Limit(1_000, "entries in one list of values, those of lists in it included"),
    "operations": Limit(200_000, "operations in one graph"),
    "scopes": Limit(200_000, "blocks, branches and other scopes in one graph"),
    "left_out": Limit(200_000, "layers that a `when` leaves out in one graph"),
    "operands": Limit(500_000, "operands and arguments in one graph"),
    "letters": Limit(50_000_000, "letters in the names of one graph"),
    "errors": Limit(50, "errors that are shown of one run, and warnings"),
    "map_layers": Limit(100_000, "layers in one map of weights"),
    "scaled_pixels": Limit(50_000_000, "pixels of a picture that is scaled to cover the input"),
    "solved_operations": Limit(50_000, "operations over which input sizes that work are solved"),
    "drawn_operations": Limit(5_000, "operations in a block that is drawn as it is defined"),
    "cache_bytes": Limit(16 * 2**20, "bytes in one file that is kept for the next run"),
    "size_classes": Limit(16_384, "classes of sizes in which two formulas are compared"),
    "memory_percent": Limit(100, "percent of the free memory that a network may need"),
    "unpacked_bytes": Limit(64 * 2**20, "bytes to which a weights file may unpack beyond its own"),
    "pickle_steps": Limit(1_000_000, "steps of the pickle in a torch checkpoint"),
    "header_bytes": Limit(4 * 2**20, "bytes in the header of a safetensors file"),
    "picture_bytes": Limit(128 * 2**20, "bytes of a picture's file"),
    "picture_pixels": Limit(48 * 2**20, "pixels of a picture"),
    "picture_memory": Limit(768 * 2**20, "bytes of memory that reading a picture may take"),
    "picture_seconds": Limit(10, "seconds of processor time that reading a picture may take"),
}
"""Name -> limit. `NETDRAFT_LIMIT_OPERATIONS=2000000` in the environment sets another one."""


def limit(name: str) -> int:
    """Return the limit in force: the environment's, else the default.

    Raises:
        UsageError: the environment holds something else than a whole number.
    """
    variable = variable_of(name)
    text = os.environ.get(variable, "")
    if not text:
        return LIMITS[name].default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        raise UsageError(f"{variable} is `{text[:40]}`, not a whole number greater than 0")
    return int(text)


def variable_of(name: str) -> str:
    """Return the environment variable that sets a limit.

    >>> variable_of("yaml_depth")
    'NETDRAFT_LIMIT_YAML_DEPTH'
    """
    return f"NETDRAFT_LIMIT_{name.upper()}"


def way_out(name: str) -> str:
    """Return the last clause of a help text: which limit was reached, and how it is set.

    >>> way_out("operations")
    'the limit is 200,000; NETDRAFT_LIMIT_OPERATIONS sets another'
    """
    return f"the limit is {limit(name):,}; {variable_of(name)} sets another"


def excess(name: str) -> str:
    """Return the sentence that names the limit that was reached.

    >>> excess("operations")
    'there are more than 200,000 operations in one graph'
    """
    return f"there are more than {limit(name):,} {LIMITS[name].what}"


@dataclass(slots=True)
class Budget:
    """What one run has left of its limits."""

    left: dict[str, int] = field(default_factory=dict)

    def remaining(self, name: str) -> int:
        """Return what is left of a limit; less than 0 where more was spent."""
        left = self.left.get(name)
        return limit(name) if left is None else left

    def spend(self, name: str, amount: int = 1) -> bool:
        """Take from what is left of a limit; false where that was less."""
        if name not in self.left:
            self.left[name] = limit(name)
        self.left[name] -= amount
        return self.left[name] >= 0
