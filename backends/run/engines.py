"""Engines that others bring: functions registered by name, imported when they are used.

A package registers what it has by entry points of the group `netdraft.engines`, as ours does in
pyproject.toml. A plain name is a target of `for_inference`, and its function takes a `Request` and
returns a `Runner`, see `backends.run.targets`; `NAME.check`, where there is one, takes the graph,
the device and the dtype as soon as that target is asked for, and refuses what it cannot run with
a `BackendError`; `native.training` and `native.profile` are what
`for_training(native=True)` and `bench --profile` call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from compiler.errors import BackendError

GROUP = "netdraft.engines"
OURS = {
    "native": "backends.native.targets:run_native",
    "native_lean": "backends.native.targets:run_native_lean",
    "native.check": "backends.native.targets:check_native",
    "native_lean.check": "backends.native.targets:check_native_lean",
    "native.training": "backends.native.training:train_natively",
    "native.profile": "backends.native.targets:profile_steps",
}
"""What pyproject.toml registers, for a checkout that nobody installed."""


@cache
def registered() -> Mapping[str, str]:
    """Return name -> "module:function" of all that is registered here; ours come first."""
    return OURS | {p.name: p.value for p in entry_points(group=GROUP) if p.name not in OURS}


def engine_targets() -> dict[str, str]:
    """Return the targets among them."""
    return {name: place for name, place in registered().items() if "." not in name}


def load(what: str, place: str) -> Callable[..., Any]:
    """Import the function at "module:function"; `what` names who needs it.

    Raises:
        BackendError: it, or what it imports, is not installed.
    """
    module, _, function = place.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), function)
    except ImportError as error:
        raise BackendError(f"{what} needs {error.name}, which is not installed") from None
    return found


def load_registered(what: str, name: str) -> Callable[..., Any]:
    """Import what is registered under a name, as `load` does."""
    return load(what, registered()[name])
