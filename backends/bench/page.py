"""docs/PERFORMANCE.md and a page per machine: `python -m backends.bench.page [--check]`.

The runs are what `netdraft bench SPEC -o DIR` wrote, kept in docs/performance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.bench.aims import aims_section
from backends.bench.machine_page import machine_page
from backends.bench.records import FOLDER, Machine, Table, median_of, read_machines


def pages() -> dict[Path, str]:
    """Return every page by its path."""
    machines = read_machines()
    front = "\n".join([INTRO, aims_section(machines), MACHINES])
    return {
        FOLDER.parent / "PERFORMANCE.md": front,
        FOLDER / "notes.md": _remains(machines),
        **{FOLDER / f"{machine.name}.md": machine_page(machine) for machine in machines},
    }


INTRO = """# Performance

Recorded by `netdraft bench`, wins and losses. The page of each machine has all times, made from the
raw ones in `docs/performance/` by `make docs`; a test fails when they are stale.
[Notes](performance/notes.md) say what remains, and why.

All subjects of a table are interleaved in one process. The peer of Inception-v4 is timm's module;
of the paper's two Inception-ResNets no package has the very network, so there it is the module of
the spec itself, in eager mode and compiled, and the two runtimes on its plain graph. Weights and
statistics keep activations near unit scale: with torch's default initialisation the signal dies
before the head and every comparison passes.
"""

MACHINES = """## Machines

- **AMD EPYC** ([all tables](performance/amd_epyc.md)), of 2026-11-25 and so **older than the
  code**: there were no batch norms in one call with their ReLUs, no siblings as one convolution in
  training, no weights that are fetched ahead; the tables of memory and of the compiled training
  step are older still. Direct products run at the speed of a large matrix product, so only fewer of
  them would help.
- **Intel Xeon with AMX** ([all tables](performance/intel_xeon_amx.md)), of 2026-11-28; what runs in
  inference at batch 1 and 8 is a few hours older than the rest and has not changed since. Matrix
  tiles take bfloat16 sixteen times as fast as float32, so there bytes decide. It has two states, in
  which a ratio moves by a tenth.
- **AMD EPYC of the Zen 5 kind** ([all tables](performance/amd_epyc_zen5.md)), of 2026-11-29, its
  inference and memory; training was seen there once, without raw times: a step of
  Inception-ResNet-v2 took 0.84 and 0.94 of the peer's. Threads of other engines that still spin
  after a run slow `native` down there: Inception-v4 took 64 ms in turns with them and no pause, and
  takes 37 with the pause that `tune` and `bench` make before each run.
- **A GPU**: nothing was measured, none was at hand. `make gpu` measures one in steps of 8 minutes
  together, and goes on where it stopped; `make gpu-wheels` collects what a machine without a
  network lacks. The same in one line: `python3 -m backends.bench.gpu`.

## Again

`make bench` runs it for Inception-v4; `netdraft bench SPEC -o DIR` for any network, with `--batch
1,8`, `--training 4`, `--memory`, `--profile`, `--device cuda`.
"""


def _remains(machines: Sequence[Machine]) -> str:
    tables = [table for machine in machines for table in machine.inference]
    direct = " and ".join(map(_direct_products, machines))
    gains = sorted(
        median_of(table, "netdraft", runtime) / median_of(table, "peer", runtime)
        for table in tables
        for runtime in ("onnxruntime", "openvino")
        if runtime in {row["subject"] for row in table["rows"] if row["side"] == "peer"}
    )
    return REMAINS.format(direct, gains[0], gains[-1], _in_tf32(machines))


def _in_tf32(machines: Sequence[Machine]) -> str:
    """Return the times of tf32 beside float32, where a run has both of a network."""
    for machine in machines:
        for table in machine.inference:
            if table["dtype"] != "tf32":
                continue
            wide = next(
                t
                for t in machine.inference
                if (t["network"], t["dtype"]) == (table["network"], "float32")
            )
            ours, error = median_of(table, "netdraft", "native"), _error(table, "native")
            others = median_of(wide, "netdraft", "native"), median_of(table, "peer", "openvino")
            return (
                f":\n  {table['network']} in {ours:.0f} ms with an error of {error:.0e}, beside "
                f"{others[0]:.0f} of the native engine\n  in float32 and {others[1]:.0f} of "
                "OpenVINO"
            )
    return ""


def _error(table: Table, subject: str) -> float:
    rows = [row for row in table["rows"] if (row["side"], row["subject"]) == ("netdraft", subject)]
    return float(rows[0]["error"])


def _direct_products(machine: Machine) -> str:
    tables = [table for table in machine.inference if table["dtype"] == "float32"]
    parts = [100 * part for table in tables for part in _parts_of_ceiling(table)]
    return f"{min(parts):.0f} to {max(parts):.0f} % ({machine.title.partition(',')[0]})"


def _parts_of_ceiling(table: Table) -> Iterator[float]:
    """Yield the rates of direct products that take a twentieth of the time or more."""
    shares = table.get("profile", ())
    least = sum(share["milliseconds"] for share in shares) / 20
    for share in shares:
        if share["gmacs"] and "F(" not in share["what"] and share["milliseconds"] >= least:
            rate = 2e3 * share["gmacs"] / share["milliseconds"]
            yield rate / table["limits"]["matmul_gflops"]


REMAINS = """# What remains, and why

The tables are on the pages of the [machines](../PERFORMANCE.md).

- **Direct products in float32** leave little on the EPYC, more on the Xeon. In the profiles of
  their pages, the 1x1 convolutions and those of stride 2 that take a twentieth of the time or more
  run at {0}
  of what a large matrix product reaches (in the same run, minutes apart). At that wall only fewer
  multiplications help: a 1x1 has none to save; a 3x3 of stride 2 could be split into phases with
  shorter filters (0.56 of the products), which is not built.
- **Short convolutions** compute the 3x3 and the 1x7, 7x1 of stride 1 in float32, for rounding their
  operands to bfloat16 would be amplified by the transforms; so in bfloat16 the gain is smaller.
  Transforms, and moving what is transformed, take about as long as the products that are left.
- **Matrix tiles.** A Xeon with AMX multiplies bfloat16 sixteen times as fast as float32, so there
  no short convolution pays, and bytes decide: one core's tiles could take 4 KB in 64 cycles from
  the second-level cache, which gives about 30 bytes a cycle. So a block of 32 pixels and 32 output
  channels, which reads each of its 4 KB once per step, reaches half of the unit's rate; keeping
  weights in the first-level cache meant storing sums, and gained nothing. The epilogue of a block
  runs between the products of the next. Where rows of 17 pixels break blocks of 16, pixels are
  copied for each tap: a fifth of a 1x7's time. In `tf32` the native engine takes float32 in two
  parts by the same tiles, three products for one{3}.
- **Two states of a shared host.** For seconds to minutes at a time everything that two threads do
  together costs more. On the EPYC it looks as if the two cores then had no cache in common (64 MB
  are copied in half the time, one thread alone is as fast as before): the native engine suffers
  most, the first Inception-ResNet in bfloat16 takes 34 ms instead of 27 there, OpenVINO 32.7
  instead of 29.6; Inception-v4 in float32 83 instead of 70, OpenVINO 117 instead of 108. Its table
  of Inception-v4 in float32 is from that state. On the Xeon two threads that only multiply and add
  in registers reach 340 GFLOP/s or 165, one alone always 170: as if both then shared one core.
  Matrix tiles take up to three times as long (a large product in bfloat16 reaches 2,100 GFLOP/s or
  770), medians and bests are far apart, and a ratio moves by a tenth from run to run, with two
  threads on bfloat16 by a fifth: modules that do the same work were 0.76 to 1.08 of each other in
  the tables of training, and torch alone in bfloat16 on the second Inception-ResNet took 1.04 of
  the peer's time in a run of 15 rounds, 0.89 in the one of 21 that is recorded, and 0.82, 0.89 and
  0.93 in three of 60 rounds with only three subjects.
- **Runtimes on our graph** take {1:.2f} to {2:.2f} of their time on the plain one: they fold as
  well as we do, and merged siblings cost them copies, so they get the graph without merging.
- **A training step** is four fifths convolutions. In float32 those of stride 1 are short where that
  measures faster, forward and both gradients; a 1x1 is a matrix product where that does (three
  fifths of the time of oneDNN's gradient of a weight 896 x 128); stride 2 is oneDNN's on either
  side. In bfloat16 (autocast) the products of short ones are float32's, at half the rate: that pays
  for the large convolutions of Inception-v4, hardly for the Inception-ResNets. With matrix tiles
  all but the first convolution and the input gradients of stride 2 may go by tiles, which saves
  most in the gradients of weights (nearly half of the time of all convolutions in oneDNN). A batch
  norm and its ReLU are one call forward and one backward, which read their inputs twice and write
  once: a fifth to two thirds of PyTorch's time, each timed alone. The sibling convolutions of a
  block are one, whose slices the batch norms read and, backward, write: their input is read once,
  its gradient is one product instead of a sum of some. A residual block's scale, sum and ReLU are
  one call too. What is left is memory traffic on either side: the optimiser, weights cast and
  packed in every step; and, with tiles, the input gradients of stride 2 (a twentieth). All this is
  for the CPU: on a GPU a step is PyTorch's.
- **torch alone** is the eager and the compiled network: the same oneDNN convolutions as the peer's,
  fewer of them, and the slices of merged siblings are copied (2 % of a run of Inception-ResNet-v2).
  Telling it convolutions as matrix products was faster on the Xeon (0.83 to 0.92 of `compile` in
  float32) but nowhere the fastest, and was given up with its code; the tables still have it.
- **The first call** of Inception-v4 took 77 s when it tried everything (AMD EPYC, 2 threads,
  nothing cached): 55 s in three kinds of `compile`, of which one is left (22 s), 10 s measuring, 8
  s in `native`, kernels compiled, and 3 s in all others. Within the budget of 15 s there is no time
  for `compile`, nor for more rounds of what is far slower; `netdraft tune` takes it.
- **Compiling each block once**, the blocks of a class together, is not built in, for the frozen
  network in one piece is ready sooner and runs faster; torch 2.14 takes no frozen weights into a
  region (`torch.compiler.nested_compile_region`), and in training refuses what changes buffers
  there, as batch norms do. First call and then a run, in seconds and milliseconds (AMD EPYC, 2
  threads, torch 2.13, nothing cached, batch 1, one run each):

  | inference | `compile`: flat, frozen | whole module | block by block |
  |---|---|---|---|
  | Inception-v4 | 19.0 s, 60 ms | 31.2 s, 75 ms | 22.3 s, 73 ms |
  | Inception-ResNet-v1 | 12.2 s, 32 ms | 22.9 s, 43 ms | 17.1 s, 41 ms |
  | Inception-ResNet-v2 | 13.0 s, 43 ms | 24.9 s, 54 ms | 18.7 s, 61 ms |
  | ResNet-50 | 11.1 s, 22 ms | 17.2 s, 31 ms | 17.6 s, 33 ms |

  In training block by block compiles sooner, but on this processor a step of what is compiled
  takes longer than one of what is not, either way (batch 8, without the native kernels, other work
  beside the Inception-ResNets):

  | training | not compiled | whole module | block by block |
  |---|---|---|---|
  | Inception-v4 | 1.69 s a step | 118 s, then 1.75 s | 72 s, then 1.82 s |
  | Inception-ResNet-v1 | 1.06 s | 69 s, then 1.19 s | 44 s, then 1.35 s |
  | Inception-ResNet-v2 | 1.59 s | 77 s, then 1.86 s | 52 s, then 1.98 s |
  | ResNet-50 | 0.72 s | 39 s, then 0.77 s | 50 s, then 0.80 s |

  Of a GPU nothing is known yet: `make gpu` times both.
- **Memory:** the weights alone are 0.8 of timm's peak at batch 1 in float32, so `native_lean` keeps
  them in a file, mapped, and in memory while a layer reads them: 3 % more time in float32, an
  eighth in bfloat16. What the system caches of the file while it has room isn't counted. Short
  convolutions pay for their speed with packed filters of up to seven times the weights: `native`
  takes more memory than timm at batch 1.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the pages; with `--check` say whether one is stale: 0 fresh, 1 stale."""
    parser = argparse.ArgumentParser(description="write docs/PERFORMANCE.md and its parts")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if one is stale")
    if parser.parse_args(arguments).check:
        made = pages()
        known = {path: path.read_text(encoding="utf-8") for path in made if path.exists()}
        return int(made != known)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
