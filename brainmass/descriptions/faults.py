"""What is wrong with a description: the error names the file, and the place in it."""

from __future__ import annotations

from brainmass._common.messages import Argument, ArgumentError, argument_error

__all__ = ["Place"]


class Place(str):
    """A place in a file as messages name it: "Equation of `x` in jansen_rit.yaml"."""

    file: str

    def __new__(cls, file: str, text: str) -> Place:
        made = super().__new__(cls, f"{text} in {file}")
        made.file = file
        return made

    def other(self, text: str) -> Place:
        """Another place in the same file."""
        return Place(self.file, text)

    def fault(
        self, rule: str, given: str = "", example: str = "", *, hint: str = "", kind: type[Exception] = ValueError
    ) -> ArgumentError:
        """The error that says how this place must be, and how it is."""
        return argument_error(Argument("path", "load_model", text=self), rule, given, example, hint=hint, kind=kind)
