"""Edits of a spec's text: spans are replaced, and every other byte stays as it is."""
