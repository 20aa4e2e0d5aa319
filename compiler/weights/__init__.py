"""Published weights: maps between their names and ours, as data, and how they are checked."""
