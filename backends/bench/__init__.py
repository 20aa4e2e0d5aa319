"""A network beside its peers in one run, and against the machine's limits."""
