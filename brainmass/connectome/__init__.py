"""Data about connections: where they come from, and in which order their regions are."""
