"""Values of a frame's parameters as formulas: given, by default, by the network's defaults."""

from __future__ import annotations

from contextlib import suppress

from pydantic_core import PydanticCustomError

from compiler.errors import Report
from compiler.facts.numbers.frame import LIVE, Frame, Reading, key
from compiler.facts.numbers.terms import Json, value_json
from compiler.graph import Decision, Region, formulas_of
from compiler.lower.defaults import layer_defaults
from compiler.spec import READERS, BlockLayer, BrokenParam, ParamSpec, Spec
from compiler.text import Expr, Value


class Arguments:
    """Writes the arguments of a spec's blocks and network."""

    def __init__(self, reading: Reading, spec: Spec) -> None:
        self.reading = reading
        self.spec = spec
        assert spec.network is not None
        usual = layer_defaults(spec.network, Report()).get("block")
        self.usual = usual.arguments if isinstance(usual, BlockLayer) else {}

    def of_network(self) -> list[Json]:
        """Return [name, formula] of the parameters whose default is one."""
        reading, network = self.reading, self.spec.network
        assert network is not None
        values = reading.graph.arguments
        found = [
            (name, self._decided(reading.root, _read(param, param.default), values[name]))
            for name, param in network.params.items()
        ]
        return [[name, formula] for name, formula in found if formula is not None]

    def of_block(self, outer: Frame, region: Region) -> tuple[dict[str, Json], Frame, list[Json]]:
        """Return the arguments of an instance over the names around it, its frame, its defaults."""
        reading = self.reading
        arguments = {name: self._argument(outer, region, name) for name in region.arguments}
        live = frozenset(n for n, a in arguments.items() if reading.is_live(outer, a))
        names = frozenset((*region.arguments, *region.names))
        frame = Frame(region.name, region.name, names, live)
        own: list[Json] = []
        for name, param in self.spec.blocks[str(region.definition)].params.items():
            if name not in arguments or name in self.usual or _is_written(region, name):
                continue
            formula = self._decided(frame, _read(param, param.default), region.arguments[name])
            if formula is not None:
                own.append([name, formula])
                del arguments[name]
                if reading.is_live(frame, formula):
                    frame.live |= {name}
        return arguments, frame, own

    def _argument(self, outer: Frame, region: Region, name: str) -> Json:
        value = region.arguments[name]
        formula = formulas_of(region.traced).get(name)
        if formula is not None:
            return self.reading.formula(outer, formula, value)
        if name in self.usual and not _is_written(region, name):
            written = self._usual(region, name)
            if written is not None:
                return written
        return value_json(value)

    def _usual(self, region: Region, name: str) -> Json | None:
        """Return what the network's defaults give, as a formula over its own names."""
        param = self.spec.blocks[str(region.definition)].params[name]
        read = _read(param, self.usual[name])
        written = self._decided(self.reading.root, read, region.arguments[name])
        return None if written is None else ["net", written]

    def _decided(self, frame: Frame, read: Expr | None, value: Value) -> Json | None:
        """Return a formula whose value was decided in a frame, None where it was not."""
        if read is None:
            return None
        decision = Decision(read, value)
        if key(decision) not in map(key, self.reading.graph.regions[frame.region].decisions):
            return None
        frame.said[key(decision)] += 1
        return self.reading.formula(frame, read, value)


def _is_written(region: Region, name: str) -> bool:
    """True for an argument that the instance itself gives."""
    written = region.info.written
    if written is None:
        return False
    given = (written.get("with"), written.get("for"))
    return any(name in getattr(node, "entries", ()) for node in given)


def _read(param: ParamSpec, written: object) -> Expr | None:
    """Return a value of a parameter that is a formula over names."""
    if isinstance(param, BrokenParam) or param.type not in LIVE or written is None:
        return None
    with suppress(PydanticCustomError):
        read = READERS[param.type](written)
        if isinstance(read, Expr) and read.names:
            return read
    return None
