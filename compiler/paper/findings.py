"""What comes of a comparison with the paper: counts, deviations, what explains them."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.errors import Diagnostic, Span
from compiler.graph import Erratum


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is built otherwise than it is printed."""

    place: str
    """Where it is printed: `Figure 7`, `Table 1`."""
    text: str
    """What is printed and what is built: `prints ..., ... is ...`."""
    span: Span
    errata: tuple[Erratum, ...] = ()
    """The records that explain it; without one it is an error."""
    fitting: tuple[str, ...] = ()
    """Errata that would explain it if they were named in the right place."""


@dataclass(frozen=True, slots=True)
class Count:
    """So many of so many are as printed."""

    same: int = 0
    total: int = 0

    def __add__(self, other: Count) -> Count:
        """Return both counts together."""
        return Count(self.same + other.same, self.total + other.total)

    def __str__(self) -> str:
        """Return `7 of 8`."""
        return f"{self.same} of {self.total}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure or table beside what cites it."""

    place: str
    region: str
    """The network (`""`) or block that cites it."""
    title: str
    boxes: Count = Count()
    arrows: Count = Count()
    sizes: Count = Count()
    values: Count = Count()
    deviations: tuple[Deviation, ...] = ()
    remarks: tuple[Erratum, ...] = ()
    """What else is recorded of the figure: it makes no difference to what is drawn."""
    note: str = ""

    @property
    def counts(self) -> dict[str, Count]:
        """Return what was compared, by its name in the plural."""
        named = {
            "boxes": self.boxes,
            "arrows": self.arrows,
            "sizes": self.sizes,
            "values": self.values,
        }
        return {word: count for word, count in named.items() if count.total}


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures and tables that a graph cites."""

    findings: tuple[Finding, ...]

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(d for f in self.findings for d in f.deviations))

    @property
    def unexplained(self) -> tuple[Deviation, ...]:
        """The deviations that no erratum explains."""
        return tuple(d for d in self.deviations if not d.errata)

    @property
    def is_as_printed(self) -> bool:
        """True if every box, arrow, size and value that was compared is as printed."""
        return all(count.same == count.total for count in self.totals().values())

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """An error for each deviation that no erratum explains."""
        return tuple(
            Diagnostic(
                "unlike-paper",
                f"{d.place} {d.text}",
                d.span,
                label=f"not as in {d.place}",
                help=_advice(d),
            )
            for d in self.unexplained
        )

    def totals(self) -> dict[str, Count]:
        """Return what was compared in all figures and tables together."""
        out: dict[str, Count] = {}
        for finding in self.findings:
            for word, count in finding.counts.items():
                out[word] = out.get(word, Count()) + count
        return out


def _advice(deviation: Deviation) -> str:
    if deviation.fitting:
        names = ", ".join(deviation.fitting)
        return f"build what is printed, or say that it is on purpose: `errata: [{names}]`"
    return "build what is printed, or record an erratum and name it here with `errata: [...]`"
