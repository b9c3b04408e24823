"""Files of numbers that people have: recognised by their first bytes, read within bounds, refused in words."""
