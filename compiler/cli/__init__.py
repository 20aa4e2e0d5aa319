"""The commands: name -> module, imported when it is called, so that `check` loads no torch."""

from __future__ import annotations

COMMANDS: dict[str, str] = {
    "build": "compiler.cli.build",
    "check": "compiler.cli.check",
    "summary": "compiler.cli.summary",
    "diff": "compiler.cli.diff",
    "why": "compiler.cli.why",
    "explain": "compiler.cli.explain",
    "fmt": "compiler.cli.fmt",
    "rename": "compiler.cli.rename",
    "render": "compiler.cli.render",
    "watch": "compiler.cli.watch",
    "verify": "compiler.cli.verify",
    "weights": "compiler.cli.weights",
    "predict": "compiler.cli.predict",
    "tune": "compiler.cli.tune",
    "train": "compiler.cli.train",
    "evaluate": "compiler.cli.evaluate",
    "estimate": "compiler.cli.estimate",
    "bench": "compiler.cli.bench",
    "schema": "compiler.cli.schema",
    "lsp": "compiler.cli.lsp",
}
"""Each module has `HELP`, `configure(parser)` and `run(args) -> exit code`."""

SUMMARIES: dict[str, str] = {
    "build": "compile a spec: module, one forward on it, files",
    "check": "report every error of a spec, or of several",
    "summary": "the stage table: sizes, parameters, MACs",
    "diff": "say what changed between two specs, and what that breaks",
    "why": "say where a number comes from, to literals and citations",
    "explain": "say what a code means, with a spec that is wrong and mended",
    "rename": "rename a layer, a block or a parameter wherever it is spoken of",
    "fmt": "set the spaces of specs in order",
    "render": "draw a figure: a network, a block, or figure N of the paper",
    "watch": "serve a page that follows a spec while it is edited",
    "verify": "prove that an edited source file still is the spec",
    "weights": "convert published weights by a map",
    "predict": "name the best classes of pictures",
    "tune": "measure every way to run a network here, keep the fastest",
    "train": "train a network by a recipe",
    "evaluate": "top-1 and top-5 of trained networks, by one crop or many",
    "estimate": "what a training step takes: memory, arithmetic, bytes sent",
    "bench": "time a network beside its peers in one run",
    "lsp": "serve an editor: errors, sizes and definitions while one types",
    "schema": "print the JSON Schema of specs, for editors",
}
"""One line a command, for `--help`, which imports none of them."""
