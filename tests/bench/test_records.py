"""What was recorded, and what follows from it for the engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import mean

from backends.bench.records import read_machines
from backends.run.targets import TARGETS

SLOW_TO_BUILD = ("compile", "tensorrt")
NOT_RECORDED = ("cuda_graph", "tensorrt")


def test_targets_are_tried_in_the_order_of_their_wins() -> None:
    wins: Counter[str] = Counter()
    places: defaultdict[str, list[int]] = defaultdict(list)
    for machine in read_machines():
        for table in (*machine.inference, *machine.batches):
            rows = [row for row in table["rows"] if row["side"] == "netdraft"]
            names = [row["subject"] for row in sorted(rows, key=lambda row: row["median_ms"])]
            wins[names[0]] += 1
            for place, name in enumerate(names):
                places[name].append(place)
    ordered = sorted(places, key=lambda name: (-wins[name], mean(places[name])))
    quick = [name for name in ordered if name in TARGETS and name not in SLOW_TO_BUILD]
    assert quick == [name for name in TARGETS if name not in (*SLOW_TO_BUILD, *NOT_RECORDED)]
    assert list(TARGETS)[-len(SLOW_TO_BUILD) :] == list(SLOW_TO_BUILD)
    assert set(wins) == {"native", "openvino"}
