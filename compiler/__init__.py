"""netdraft: YAML specs -> checked graphs, modules, code and figures.

A spec goes down one street. Each room says at its door what it makes of what, and imports only
from the rooms before it:

errors/   what is wrong, where, and what to do
text/     YAML text -> values that know their place; formulas; one reader for each kind of value
graph/    the graph: nodes, regions, shapes, open sizes
ops/      what each operation is
spec/     values -> models of blocks and networks; files, imports, variants
lower/    spec -> graph
passes/   graph -> graph, one function a file
facts/    graph -> numbers and words
paper/    the comparison with the paper
weights/  maps of published weights
recipe/   how a network is trained, as data
pipeline  text -> spec -> graph, and the graph as targets get it
published  the networks that maps of weights are for
edit/     edits of a spec's text that leave all else as it is
compare/  two graphs -> what is different, and what that breaks
server/   what an editor shows of a spec while it is typed
cli/      the commands
api       the functions for use from Python, which `import netdraft` gives
"""

VERSION = "0.2.0"
"""The version of netdraft: the one place where it stands."""
