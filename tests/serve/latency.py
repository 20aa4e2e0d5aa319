"""Milliseconds from a save to the new figure in Chromium: `python -m tests.serve.latency SPEC`."""

from __future__ import annotations

import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from compiler.spec import shipped_specs
from tests.conftest import FLAGS
from tests.serve.client import wait_for, watching

TIMES = 20


def main(name: str = "inception_v4") -> None:
    """Save a copy of a shipped network again and again, with another number of some repeat."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "specs"
        shutil.copytree(shipped_specs(), root)
        spec = root / f"{name}.yaml"
        text = spec.read_text(encoding="utf-8")
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        with watching(root.parent, str(spec)) as client:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(client.url)
            page.locator("#live .lamp.on").wait_for()
            page.evaluate(
                "() => new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => {"
                " window.drawn = Date.now(); })))"
                ".observe(document.querySelector('#boxes'), {childList: true, subtree: true})"
            )
            times = [_save(page, spec, text, number) for number in range(TIMES)]
        browser.close()
    print(f"{name}: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms of {TIMES}")


def _save(page: object, spec: Path, text: str, number: int) -> float:
    evaluate = page.evaluate  # type: ignore[attr-defined]
    time.sleep(0.5)
    evaluate("() => { window.drawn = 0; }")
    changed = re.sub(r"repeat: (\d+)", f"repeat: {2 + number % 2}", text, count=1)
    fresh = spec.with_suffix(".tmp")
    fresh.write_text(changed, encoding="utf-8")
    start = time.time()
    fresh.replace(spec)
    wait_for(lambda: evaluate("window.drawn"))
    time.sleep(0.1)
    return float(evaluate("window.drawn")) - start * 1000


if __name__ == "__main__":
    main(*sys.argv[1:])
