"""A comparison with the paper as text and as data."""

from __future__ import annotations

from typing import Any

from compiler.paper.findings import Comparison, Count, Finding


def as_text(comparison: Comparison, is_buildable: bool = True) -> str:
    """Return one line for each figure or table, the deviations under it, and a verdict.

    An erratum is printed in full where it first explains a deviation.

    Args:
        comparison: what was found.
        is_buildable: the spec has no other errors.
    """
    if not comparison.findings:
        return "beside the paper: nothing here cites a figure or a table\n"
    printed: set[str] = set()
    lines = ["beside the paper (arXiv 1602.07261):"]
    for finding in comparison.findings:
        lines.append(f"  {finding.place:<9} {_title(finding)}: {_counts(finding.counts)}")
        lines += _deviations(finding, printed)
    lines.append(f"  {verdict(comparison, is_buildable)}")
    return "\n".join(lines) + "\n"


def _title(finding: Finding) -> str:
    return f"{finding.title} (`{finding.region}`)" if finding.region else finding.title


def _counts(counts: dict[str, Count]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "nothing to compare"


def _deviations(finding: Finding, printed: set[str]) -> list[str]:
    lines = []
    for deviation in finding.deviations:
        ids = ", ".join(e.id for e in deviation.errata) or "no erratum"
        lines.append(f"            {ids}: {deviation.text}")
        for erratum in deviation.errata:
            if erratum.id not in printed:
                printed.add(erratum.id)
                lines.append(f"                {erratum.why}")
    if finding.note:
        lines.append(f"            {finding.note}")
    if finding.remarks:
        lines.append(f"            also recorded: {', '.join(e.id for e in finding.remarks)}")
    return lines


def verdict(comparison: Comparison, is_buildable: bool = True) -> str:
    """Return the comparison in one line."""
    totals = _counts(comparison.totals())
    deviations, unexplained = len(comparison.deviations), len(comparison.unexplained)
    if unexplained:
        open_ones = f"{unexplained} of {deviations} deviations are not explained"
        return f"unlike the paper: {totals} as printed; {open_ones}"
    if not is_buildable:
        word = "as printed, and cannot be built"
    else:
        word = "consistent with the paper" if comparison.is_as_printed else "agrees with the paper"
    explained = f"; {deviations} deviation{'s' * (deviations != 1)}, each explained by an erratum"
    return f"{word}: {totals}{explained if deviations else ''}"


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison for JSON."""
    return {
        "agrees": not comparison.unexplained,
        "as_printed": comparison.is_as_printed,
        "totals": _count_data(comparison.totals()),
        "findings": [_finding_data(finding) for finding in comparison.findings],
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    return {
        "place": finding.place,
        "name": finding.region,
        "title": finding.title,
        **_count_data(finding.counts),
        "deviations": [
            {
                "text": d.text,
                "errata": [e.id for e in d.errata],
                "file": d.span.file,
                "line": d.span.line,
                "column": d.span.column,
            }
            for d in finding.deviations
        ],
        "remarks": [e.id for e in finding.remarks],
        "note": finding.note,
    }


def _count_data(counts: dict[str, Count]) -> dict[str, dict[str, int]]:
    return {word: {"same": count.same, "total": count.total} for word, count in counts.items()}
