"""Experiments written down in a file: what is run, swept or fitted, and what is made of it."""
