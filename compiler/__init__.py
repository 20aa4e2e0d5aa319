"""netdraft: YAML specs -> checked graphs, modules, code and figures.

load -> lower (with shapes) -> verify -> optimize -> a backend | viz | summary

source.py    YAML text -> values that know where they stand
read.py      values -> spec models, with all faults of a run
load.py      files -> Spec: imports and variants
lower.py     Spec -> Graph: blocks expanded, hierarchy kept, shapes proved
verify.py    what must hold after every step
passes/      Graph -> Graph, one function a file
summarize.py Graph -> the stage table
"""
