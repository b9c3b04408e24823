"""The version, which files and sweeps keep, and packaging reads."""

__all__ = ["__version__"]

__version__ = "0.2.0"
