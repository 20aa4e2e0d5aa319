"""Whether a network fits into the available memory, checked before any of it is allocated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from compiler.errors import NOWHERE, BackendError, limit, variable_of
from compiler.facts.buffers import peak_elements
from compiler.graph import Graph, Node

FLOAT = 4
"""Bytes of a number as modules are made."""
DRAWN = 4
"""Tensors of the size of a layer's weight beside it while its first numbers are drawn."""


def check_memory(graph: Graph, copies: int = 1, batch: int = 1, drawn: int = DRAWN) -> None:
    """Refuse a network whose tensors do not fit into the memory that is free here.

    Counted are parameters and statistics, the drawing of the largest, and the activations that are
    alive at once; what an open input leaves unknown is not.

    Args:
        graph: a checked graph.
        copies: how often all the parameters are held at once.
        batch: samples that run at once.
        drawn: tensors as large as the largest layer that its first numbers take.

    Raises:
        BackendError: it needs more than there is; nothing was made.
    """
    free = available_bytes()
    if free is None or not graph.nodes:
        return
    held = {node.name: FLOAT * _held(graph, node) for node in graph.nodes.values()}
    need = copies * sum(held.values()) + drawn * max(held.values()) + batch * _alive(graph)
    if need * 100 <= free * limit("memory_percent"):
        return
    most = max(graph.nodes.values(), key=lambda node: max(held[node.name], _output(node)))
    own, output = held[most.name], _output(most)
    what = f"its parameters take {show_bytes(own)}"
    if own < output:
        what = f"what it gives takes {show_bytes(output)}"
    place = "" if most.info.span == NOWHERE else f", {most.info.span}"
    raise BackendError(
        f"`{graph.name}` needs about {show_bytes(need)} of memory, "
        f"and {show_bytes(free)} are free here\n"
        f"  the largest layer is `{most.name}`{place}: {what}\n"
        "  help: make it smaller, or go where there is more memory; "
        f"{variable_of('memory_percent')}=1000 tries all the same"
    )


def check_bytes(what: str, need: int) -> None:
    """Refuse bytes that a file would take in memory where that many are not free.

    Raises:
        BackendError: there are fewer.
    """
    free = available_bytes()
    if free is not None and need * 100 > free * limit("memory_percent"):
        raise BackendError(
            f"{what} needs {show_bytes(need)} of memory, and {show_bytes(free)} are free here"
        )


def show_bytes(count: int) -> str:
    """Return a number of bytes in a unit that fits.

    >>> show_bytes(999), show_bytes(1_234_567), show_bytes(7_680_000_000), show_bytes(10**19)
    ('999 B', '1.2 MB', '7.7 GB', '10,000 PB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.0f} PB"


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that this process can still take: of machine, container and `ulimit -v`.

    Args:
        root: where the system's files are.

    Returns:
        Bytes, None where the system does not report it.
    """
    found = [*_of_machine(root), *_of_groups(root), *_of_process(root)]
    return max(0, min(found)) if found else None


def _held(graph: Graph, node: Node) -> int:
    """Return the elements of parameters and statistics that a node owns, 0 where unknown."""
    counts = (graph.count_params(node), graph.count_buffers(node))
    return sum(count for count in counts if isinstance(count, int))


def _alive(graph: Graph) -> int:
    try:
        return FLOAT * peak_elements(graph)
    except ValueError:  # the input is left open
        return 0


def _output(node: Node) -> int:
    elements = FLOAT
    for dim in node.shape:
        elements *= dim if isinstance(dim, int) else 0
    return elements


def _of_machine(root: Path) -> Iterator[int]:
    text = _read(root / "proc/meminfo")
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
            return
    names = getattr(os, "sysconf_names", {})
    if not text and "SC_PHYS_PAGES" in names:  # no Linux: at least what it has in all
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_groups(root: Path) -> Iterator[int]:
    """Yield what is left in every enclosing control group of this process, of version 1 or 2."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        base = root / "sys/fs/cgroup"
        if "memory" in controllers.split(","):
            base /= "memory"
            files = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        elif not controllers:
            files = "memory.max", "memory.current", "inactive_file"
        else:
            continue
        place = base / path.strip("/")
        # Inside a container the path is often the host's; what is mounted is then its end.
        for folder in (place, *place.parents):
            yield from _left(folder, *files)
            if folder == base:
                break


def _left(folder: Path, most: str, used: str, cached: str) -> Iterator[int]:
    limit_text, used_text = _read(folder / most).strip(), _read(folder / used).strip()
    if not (limit_text.isdigit() and used_text.isdigit()):  # `max`, or no such group
        return
    cache = 0  # of files, which the system evicts before it refuses memory
    for line in _read(folder / "memory.stat").splitlines():
        if line.startswith(f"{cached} "):
            cache = int(line.split()[1])
    yield int(limit_text) - max(0, int(used_text) - cache)


def _of_process(root: Path) -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows
        return
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _read(root / "proc/self/statm").split()
    if most != resource.RLIM_INFINITY:
        yield most - (int(pages[0]) * resource.getpagesize() if pages else 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
