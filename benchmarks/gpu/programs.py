"""What a compiled program launches, read from the text that XLA prints of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
_BYTES |= {"s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16}

# What no kernel is launched for.
_FREE = set("parameter constant tuple get-tuple-element bitcast after-all partition-id replica-id".split())
# By operation, what it counts; those of arithmetic that are not named here count as one for each number.
_NO_ARITHMETIC = _FREE | set(
    "broadcast iota reshape transpose copy slice concatenate pad reverse gather scatter".split()
)
_NO_ARITHMETIC |= {"dynamic-slice", "dynamic-update-slice", "bitcast-convert", "real", "imag", "complex"}
LONG = set("divide sqrt rsqrt cbrt exponential exponential-minus-one log log-plus-one logistic tanh erf".split())
LONG |= set("power sine cosine tan atan2 remainder".split())
OF_LONG = 8


class Launch(NamedTuple):
    """A kernel or a copy: how often the program launches it, and what it moves and works out each time.

    `tiles` are the parts that it goes in, each on one multiprocessor; 0 where there are enough for all of them.
    """

    name: str
    is_copy: bool
    times: int
    bytes: int
    operations: int
    tiles: int = 0


class Loop(NamedTuple):
    """Turns of a loop in the whole program, and what is launched in one."""

    name: str
    turns: int
    kernels: int
    copies: int


class _Array(NamedTuple):
    kind: str
    sides: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.sides)

    @property
    def bytes(self) -> int:
        return self.size * _BYTES[self.kind]


@dataclass(frozen=True)
class _Op:
    name: str
    does: str
    arrays: tuple[_Array, ...]
    operands: tuple[str, ...]
    inside: str  # the text between its parentheses
    rest: str
    is_root: bool

    @property
    def bytes(self) -> int:
        return sum(array.bytes for array in self.arrays)

    def called(self, how: str) -> str:
        found = re.search(rf"\b{how}=%?([\w.\-]+)", self.rest)
        if found is None:
            raise ValueError(f"{self.does} {self.name} calls nothing as {how}")
        return found.group(1)

    @property
    def turns(self) -> int:
        found = re.search(r'"known_trip_count":\{"n":"(\d+)"', self.rest)
        if found is None:
            raise ValueError(f"how often loop {self.name} turns is not known when it is compiled")
        return int(found.group(1))


@dataclass
class Program:
    """A compiled program. `launches` has each kernel and copy once, `loops` each loop, outer ones first.

    `kernels` has by name the operations and the tiles of those that are not XLA's own.
    """

    text: str
    kernels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._parts, entry = _computations(self.text)
        self._visit(entry, 1)

    def per_step(self, steps: int, *, copies: bool) -> float:
        """How many kernels, or copies, are launched for a step of a run of so many."""
        return sum(launch.times for launch in self.launches if launch.is_copy == copies) / steps

    def _visit(self, part: str, times: int) -> list[Launch]:
        found: list[Launch] = []
        ops = {op.name: op for op in self._parts[part]}
        for op in ops.values():
            if op.does == "while":
                turns, place = times * op.turns, len(self.loops)
                inner = self._visit(op.called("body"), turns)
                copies = sum(launch.is_copy for launch in inner)
                self.loops.insert(place, Loop(op.name, turns, len(inner) - copies, copies))
            elif op.does == "call":
                found += self._visit(op.called("to_apply"), times)
            elif op.does not in _FREE and not op.does.endswith("-done"):
                found.append(self._launch(op, ops, times))
        self.launches += found
        return found

    def _launch(self, op: _Op, ops: dict[str, _Op], times: int) -> Launch:
        if op.does != "fusion":
            moved = op.bytes + sum(ops[name].bytes for name in op.operands)
            named = re.search(r'\bname = "(\w+)"', op.rest) if op.does == "custom-call" else None
            known = None if named is None else self.kernels.get(named.group(1))
            does, tiles = (self._arithmetic(op, ops), 0) if known is None else known
            return Launch(op.name, op.does.startswith("copy"), times, moved, does, tiles)
        inner = op.called("calls")
        moved = self._written(inner) + sum(self._read(inner, k) for k in range(len(op.operands)))
        return Launch(op.name, False, times, moved, self._operations(inner))

    # --- of a kernel: what it reads, writes and works out -----------------------------------------------------------
    def _read(self, part: str, place: int) -> int:
        """Bytes of a parameter that are read: of one that is only cut or looked up in, no more than comes out."""
        ops = self._parts[part]
        given = next(op for op in ops if op.does == "parameter" and int(op.inside) == place)
        return self._looked_at(ops, given)

    def _looked_at(self, ops: list[_Op], given: _Op) -> int:
        """Bytes of what an operation gives that the others look at."""
        read = 0
        same = {given.name}  # by other shapes
        for op in ops:
            places = [k for k, name in enumerate(op.operands) if name in same]
            if not places:
                continue
            if op.does == "bitcast":
                same.add(op.name)
            elif op.does == "fusion":
                read += sum(self._read(op.called("calls"), k) for k in places)
            elif op.does in ("dynamic-slice", "slice", "gather") and places == [0]:
                # A cut may be cut again: of the rows of five steps, the row of one.
                read += op.bytes if op.is_root else self._looked_at(ops, op)
            elif not (op.does in ("dynamic-update-slice", "scatter") and places == [0]) and op.does != "tuple":
                read += given.bytes
        return min(read, given.bytes)

    def _written(self, part: str) -> int:
        """Bytes that are written: of an array that is changed in its place, those that change."""
        ops = {op.name: op for op in self._parts[part]}
        root = next(op for op in ops.values() if op.is_root)
        total = 0
        for op in [ops[name] for name in root.operands] if root.does == "tuple" else [root]:
            while op.does == "bitcast":
                op = ops[op.operands[0]]
            changed = {"dynamic-update-slice": 1, "scatter": 2}.get(op.does)
            total += op.bytes if changed is None else ops[op.operands[changed]].bytes
        return total

    def _operations(self, part: str) -> int:
        ops = {op.name: op for op in self._parts[part]}
        return sum(self._arithmetic(op, ops) for op in ops.values())

    def _arithmetic(self, op: _Op, ops: dict[str, _Op]) -> int:
        if op.does == "fusion":
            return self._operations(op.called("calls"))
        if op.does in _NO_ARITHMETIC or op.does.startswith("copy"):
            return 0
        if op.does == "reduce":
            return ops[op.operands[0]].arrays[0].size
        if op.does == "dot":
            sides = ops[op.operands[0]].arrays[0].sides
            summed = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", op.rest)
            along = [int(k) for k in summed.group(1).split(",") if k] if summed else []
            return op.arrays[0].size * math.prod(sides[k] for k in along)
        each = OF_LONG if op.does in LONG else 1
        return each * max((array.size for array in op.arrays), default=0)


# --- the text -----------------------------------------------------------------------------------------------------
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_LINE = re.compile(r"^\s*(ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([a-z][a-z0-9\-]*)\((.*)$")
_ARRAY = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")


def _computations(text: str) -> tuple[dict[str, list[_Op]], str]:
    parts: dict[str, list[_Op]] = {}
    entry = ""
    ops: list[_Op] = []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            ops = parts[head.group(2)] = []
            entry = head.group(2) if head.group(1) else entry
        elif found := _LINE.match(line):
            root, name, shape, does, rest = found.groups()
            inside, _, rest = rest.partition(")")
            operands = tuple(re.findall(r"%([\w.\-]+)", inside))
            arrays = tuple(_array(*each) for each in _ARRAY.findall(shape))
            ops.append(_Op(name, does, arrays, operands, inside, rest, bool(root)))
    if not entry:
        raise ValueError("the text has no ENTRY: it is not that of a compiled program")
    return parts, entry


@cache
def _array(kind: str, sides: str) -> _Array:
    return _Array(kind, tuple(int(side) for side in sides.split(",") if side))
