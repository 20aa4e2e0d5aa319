"""What `make test` says at its end."""

from __future__ import annotations

from pathlib import Path

from tests.suite import counted, skipped

REPORT = """<testsuites><testsuite tests="4" failures="1" errors="0" skipped="2">
<testcase name="a"/>
<testcase name="b"><failure message="no"/></testcase>
<testcase name="c"><skipped type="pytest.skip" message="there is no `dot` (graphviz)"/></testcase>
<testcase name="d"><skipped type="pytest.skip" message="there is no `dot` (graphviz)"/></testcase>
</testsuite></testsuites>"""


def test_skipped_tests_are_counted_by_reason(tmp_path: Path) -> None:
    (tmp_path / "core.xml").write_text(REPORT)
    reports = [tmp_path / "core.xml", tmp_path / "lint.xml"]
    assert skipped(reports) == {"there is no `dot` (graphviz)": 2}
    assert counted(tmp_path / "core.xml", 1) == {"passed": 1, "failed": 1, "skipped": 2}
