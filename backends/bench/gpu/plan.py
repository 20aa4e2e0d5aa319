"""What `make gpu` measures, the most telling first: small tables, whose steps are named."""

from __future__ import annotations

from dataclasses import dataclass

Arguments = dict[str, object]


@dataclass(frozen=True)
class Step:
    """One process: what it does, with what, and the seconds that it may take."""

    name: str
    task: str
    """A function of `steps.py`."""
    arguments: Arguments
    seconds: int


@dataclass(frozen=True)
class Size:
    """How much there is to measure."""

    network: str
    """Of times, memory and the profile."""
    networks: tuple[str, ...]
    """Of correctness, besides the odd ones."""
    repeating: tuple[str, ...]
    """Those whose repeated blocks may be compiled once."""
    odd: int
    """How many odd networks."""
    batches: tuple[int, ...]
    dtypes: tuple[str, ...]
    training: int
    """The batch of a training step."""
    rounds: int


FULL = Size(
    "inception_v4",
    ("inception_v4", "inception_resnet_v1", "inception_resnet_v2"),
    ("inception_v4", "inception_resnet_v1", "inception_resnet_v2", "zoo/resnet50"),
    odd=10**6,
    batches=(1, 128, 256),
    dtypes=("bfloat16", "tf32", "float32"),
    training=64,
    rounds=15,
)
_TINY = "tests/every_target/networks/projection_shortcut.yaml"
SMALL = Size(_TINY, (_TINY,), (_TINY,), 3, (1, 2), ("bfloat16", "float32"), 2, 2)
"""A rehearsal, which says nothing of a machine."""

_QUICK = ("cuda_graph", "eager", "plain")
_NUMBERS = ("float32", "tf32", "bfloat16", "float16")


def steps_of(size: Size) -> list[Step]:
    """Return the steps in order; those with minutes of compiling come last."""
    return [
        Step("machine", "machine", {}, 60),
        Step(
            "odd_networks",
            "correctness",
            {"specs": [], "odd": size.odd, "targets": _QUICK, "dtypes": _NUMBERS},
            90,
        ),
        Step(
            "networks",
            "correctness",
            {"specs": size.networks, "odd": 0, "targets": _QUICK, "dtypes": _NUMBERS},
            120,
        ),
        *_bench(size, _QUICK, ("eager", "channels_last"), "", 60),
        Step("profile", "profile", {"spec": size.network, "dtype": size.dtypes[0]}, 60),
        *(
            Step(
                f"training_{dtype}",
                "bench",
                {
                    "spec": size.network,
                    "batch": 0,
                    "dtype": dtype,
                    "training": size.training,
                    "rounds": size.rounds,
                },
                90,
            )
            for dtype in (size.dtypes[0], "float32")
        ),
        Step(
            "memory",
            "memory",
            {"spec": size.network, "dtype": size.dtypes[0], "batches": size.batches[:2]},
            120,
        ),
        *_bench(size, ("compile",), ("compile",), "_compiled", 300),
        Step(
            "odd_networks_compiled",
            "correctness",
            {"specs": [], "odd": size.odd, "targets": ("compile",), "dtypes": ("float32",)},
            300,
        ),
        *(
            Step(f"regions_{n}", "regions", {"spec": spec, "dtype": size.dtypes[0]}, 240)
            for n, spec in enumerate(size.repeating)
        ),
    ]


def _bench(
    size: Size, targets: tuple[str, ...], peers: tuple[str, ...], suffix: str, seconds: int
) -> list[Step]:
    return [
        Step(
            f"bench_{dtype}_{batch}{suffix}",
            "bench",
            {
                "spec": size.network,
                "batch": batch,
                "dtype": dtype,
                "targets": targets,
                "peers": peers,
                "rounds": size.rounds,
            },
            seconds,
        )
        for dtype in size.dtypes
        for batch in size.batches
    ]
