"""Files of numbers: readers of arrays and tables."""

from brainmass._common.reading.contents import read_array

__all__ = ["read_array"]
