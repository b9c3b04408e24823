"""Correlation, spectra and phases of signals: once, for objectives and for statistics worked out in a run."""
