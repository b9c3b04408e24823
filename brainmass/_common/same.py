"""Whether what a user's functions read is still what it was: a program that was made with them serves only so long.

Of `drive`, where `gain` is an array of its module,

    def drive(i, t):
        return gain * t

the picture is, by path:

    input            its code
    input/defaults   None
    input/keywords   None
    input/gain       ("array", "<f8", (1,), b"...")     a digest of its bytes: `gain[0] = 3.0` is seen

A function is read without being called. It is its code, and the values of all that this code can reach: arguments'
defaults, what is closed over, globals that it names, those of its helpers, attributes of objects, items of containers,
arrays by their numbers. What is reached through the machinery of Python alone (`globals()`, a clock, a global random
generator, an open file) cannot be seen so: a program with such a function is made anew for each run, and a warning
says why.
"""

from __future__ import annotations

import builtins
import collections
import dis
import enum
import functools
import hashlib
import itertools
import logging
import pickle
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import brainstate
import brainunit as u
import jax
import numpy as np
from brainstate.nn import Param

from brainmass._common.typing import Numbers

__all__ = ["Picture", "Pictures", "ByIdentity", "Seen", "Unseen", "alike", "environment", "is_known", "picture"]

# Their functions give the same for the same arguments. Of the standard library not those that tell the time, or draw.
_KNOWN = {"jax", "jaxlib", "numpy", "scipy", "brainmass", "brainunit", "brainstate", "braintools", "optax", "equinox"}
_KNOWN |= {"optimistix", "lineax", "nevergrad", "saiunit", "jaxtyping", "ml_dtypes", "numpyro", "blackjax", "diffrax"}
_KNOWN |= {"pandas", "xarray", "sklearn", "matplotlib", "tqdm", "flax", "distrax", *sys.stdlib_module_names}
_RESTLESS = {"random", "time", "datetime", "secrets", "uuid", "os", "posix", "contextvars", "_random", "numpy.random"}
_UNSEEN = {getattr(builtins, n) for n in ("globals", "locals", "eval", "exec", "__import__", "open", "input")}
_PLAIN = (type(None), bool, int, complex, str, bytes, u.Unit, np.dtype, np.generic, range, slice, type(...))
_DRAWS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)

Picture = dict[str, Any]


def environment() -> dict[str, object]:
    """What functions may ask `brainstate.environ` for; time and time step are those of a run."""
    return {str(name): x for name, x in brainstate.environ.all().items() if name not in ("i", "t", "dt")}


class Unseen(Exception):
    """What is in the way."""


def picture(things: Mapping[str, object]) -> Picture:
    """All that things are made of and read, by path: numbers, text, code, arrays as digests of their bytes.

    Raises
    ------
    Unseen
        Where something is reached that has no such picture.
    """
    seen = Seen()
    for name, thing in things.items():
        seen.take(name, thing)
    return seen.parts


class Seen:
    """What was seen of things so far, part by part.

    A picture is flat, from a path to something that is compared by `==`: so that two are compared at once, that the
    paths tell what differs, and that a thing reached twice, or that holds itself, is looked at once.
    """

    most: float = 20_000  # things: a function that reaches more is not looked through at each run
    passing: Collection[str] = ()  # attributes of objects that are not looked at

    def __init__(self) -> None:
        self.parts: Picture = {}
        self._visited: dict[int, tuple[str, Any]] = {}  # and so an id is not given to another

    def take(self, path: str, thing: object) -> None:
        look = _looker(type(thing))
        if look is None:
            self.parts[path] = type(thing), thing
        elif look == "float":
            self.parts[path] = float, repr(thing)  # NaN is not equal to itself
        elif look == "same":
            self.parts[path] = ByIdentity(thing)
        elif id(thing) in self._visited:
            self.parts[path] = "as", self._visited[id(thing)][0]
        elif len(self.parts) > self.most:
            raise Unseen(f"more than {self.most} things")
        else:
            self._visited[id(thing)] = path, thing
            getattr(self, look)(path, thing)

    def _all(self, path: str, parts: Mapping[Any, Any]) -> None:
        for name, part in parts.items():
            self.take(f"{path}/{name}", part)

    # --- containers -------------------------------------------------------------------------------------------------
    def _quantity(self, path: str, thing: Numbers) -> None:
        self._all(path, {"unit": thing.unit, "mantissa": thing.mantissa})

    def _mapping(self, path: str, thing: Any) -> None:
        self._all(path, {_named(key): value for key, value in thing.items()})

    def _sequence(self, path: str, thing: Any) -> None:
        self.parts[path] = type(thing), len(thing)
        self._all(path, dict(enumerate(thing)))

    def _set(self, path: str, thing: Any) -> None:
        self.parts[path] = type(thing), frozenset(map(_named, thing))

    def _state(self, path: str, thing: Any) -> None:
        self._all(path, {"class": type(thing), "value": thing.value})

    def _array(self, path: str, array: np.ndarray) -> None:
        if array.dtype == object:
            self.parts[path] = "objects", array.shape
            return self._all(path, dict(enumerate(array.ravel().tolist())))
        digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()
        _forget_conversions_of(array, digest)
        self.parts[path] = "array", array.dtype.str, array.shape, digest
        return None

    def _param(self, path: str, param: Param) -> None:
        """What gives its value; its cache, with a lock and hooks, is made anew in every copy."""
        parts = {"val": param.val, "t": param.t, "precompute": param.precompute, "reg": param.reg, "fit": param.fit}
        self._all(path, {"class": type(param), **parts})

    # --- functions --------------------------------------------------------------------------------------------------
    def _function(self, path: str, function: Callable) -> None:
        if hasattr(function, "made_of"):  # what it was made with, it keeps
            self.parts[path] = ByIdentity(function)
            return
        package = package_of(function.__globals__.get("__name__", ""))
        inner = getattr(function, "__wrapped__", None)
        # A function that a library has made with a closure may hold one of the user, as those of decorators do.
        # One that stands in a module is there once; one within a function is made anew at each call, of the same code.
        once = "<locals>" not in function.__qualname__
        if package in _KNOWN and not function.__closure__ and inner is None and once:
            self.parts[path] = ByIdentity(function)
            return
        if package in ("jax", "jaxlib", "contextlib", "functools") and inner is not None:
            self.take(f"{path}/wrapped", inner)
        self.parts[path] = function.__code__
        if package in ("jax", "jaxlib"):  # whose own closures hold what is made anew
            return
        self._all(path, {"defaults": function.__defaults__, "keywords": function.__kwdefaults__})
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            with_value = _content(cell)
            self._all(path, {name: with_value[0]} if with_value else {})
        if package in _KNOWN:
            return
        for chain in _chains(function.__code__):
            self._chain(path, function, chain)

    def _chain(self, path: str, function: Callable, chain: tuple[str, ...]) -> None:
        """A global that is named, with the attributes that are asked of it where it is a module."""
        name, *attributes = chain
        if name.startswith("import "):
            thing = sys.modules.get(name.removeprefix("import "))
        elif name in function.__globals__:
            thing = function.__globals__[name]
        else:
            thing = vars(builtins).get(name)
        if isinstance(thing, type | types.BuiltinFunctionType) and thing in _UNSEEN:
            raise Unseen(f"{name}()")
        where = f"{path}/{name}"
        for attribute in attributes:
            if not isinstance(thing, types.ModuleType):
                break
            if thing.__name__ in _RESTLESS:
                break
            # Parts that a module loads late are in no `vars`.
            where, thing = f"{where}.{attribute}", vars(thing).get(attribute, getattr(thing, attribute, None))
        if where not in self.parts:
            self.take(where, thing)

    def _method(self, path: str, thing: Any) -> None:
        self._all(path, {"function": thing.__func__, "self": thing.__self__})

    def _partial(self, path: str, thing: Any) -> None:
        self._all(path, {"function": thing.func, "args": thing.args, "keywords": thing.keywords})

    def _builtin(self, path: str, function: Any) -> None:
        owner = function.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            # Of `os` only `fspath` gives the same for the same arguments.
            if function.__module__ in _RESTLESS and function.__name__ not in ("fspath",):
                raise Unseen(f"{function.__module__}.{function.__name__}")
            self.parts[path] = ByIdentity(function)
        else:
            self._all(path, {"name": function.__name__, "self": owner})

    # --- modules, classes, objects ----------------------------------------------------------------------------------
    def _module(self, path: str, module: types.ModuleType) -> None:
        if module.__name__ in _RESTLESS:
            raise Unseen(module.__name__)
        self.parts[path] = "module", module.__name__
        if package_of(module.__name__) not in _KNOWN:  # as a whole: what is asked of it is not known
            inner = {n: x for n, x in vars(module).items() if not n.startswith("__")}
            self._all(path, {n: x for n, x in inner.items() if not isinstance(x, types.ModuleType)})

    def _class(self, path: str, kind: type) -> None:
        self.parts[path] = "class", kind.__qualname__
        if package_of(kind.__module__) in _KNOWN:
            self.parts[path] = ByIdentity(kind)
            return
        for base in kind.__mro__:
            if package_of(base.__module__) in _KNOWN:
                self.parts[f"{path}/{base.__qualname__}"] = ByIdentity(base)
                continue
            for name, part in vars(base).items():
                if name not in _OF_CLASSES and not isinstance(part, _DESCRIPTORS):
                    for i, inner in enumerate(_behind(part)):
                        self.take(f"{path}/{base.__qualname__}.{name}{i or ''}", inner)

    def _object(self, path: str, thing: Any) -> None:
        kind = type(thing)
        package = package_of(kind.__module__)
        if isinstance(thing, _DRAWS) or kind.__module__ in _RESTLESS:
            raise Unseen(f"a {kind.__module__}.{kind.__qualname__}")
        if kind.__module__ == "_thread":  # a lock, as in brainstate's delays: it holds nothing that is computed with
            self.parts[path] = kind
            return
        if kind is jax.ShapeDtypeStruct:
            self.parts[path] = kind, thing.shape, thing.dtype
            return
        inner = getattr(thing, "__wrapped__", None)
        if inner is not None and package in ("jax", "jaxlib", "functools"):
            self.parts[path] = kind
            self.take(f"{path}/wrapped", inner)
            return
        if package in ("jax", "jaxlib") or kind.__module__ in ("typing", "collections.abc") or _is_alias(thing):
            self.parts[path] = ByIdentity(thing)
            return
        self.take(f"{path}/class", kind)
        state = vars_of(thing)
        if state is not None:
            self._all(path, {name: part for name, part in state.items() if name not in self.passing})
            return
        try:
            self.parts[path] = pickle.dumps(thing)
        except Exception:
            raise Unseen(f"a {kind.__module__}.{kind.__qualname__}") from None


_OF_CLASSES = {"__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__signature__", "__qualname__"}
_OF_CLASSES |= {
    "__slotnames__",
    "__abstractmethods__",
    "_abc_impl",
    "__dataclass_fields__",
    "__firstlineno__",
    "__static_attributes__",
}
_DESCRIPTORS = types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType


_digests: dict[int, tuple[weakref.ref, bytes]] = {}


def _forget_conversions_of(array: np.ndarray, digest: bytes) -> None:
    """JAX keeps what it has made of an array in double precision by the array itself, also when its numbers change."""
    known, before = _digests.get(id(array), (None, digest))
    if known is not None and known() is array and before != digest:
        jax.clear_caches()
    key = id(array)
    _digests[key] = weakref.ref(array, lambda _: _digests.pop(key, None)), digest


@functools.cache
def _looker(kind: type) -> str | None:
    """How things of this kind are looked at: None for those that are equal where they look equal."""
    if kind is float:
        return "float"
    for kinds, look in _LOOKERS.items():
        if issubclass(kind, kinds):
            return look
    return "_object"


_LOOKERS: dict[Any, str | None] = {
    _PLAIN: None,
    (jax.Array, np.ufunc, enum.Enum, logging.Logger): "same",  # which do not change
    np.ndarray: "_array",
    u.Quantity: "_quantity",
    (dict, types.MappingProxyType, collections.ChainMap, collections.UserDict): "_mapping",
    (list, tuple, collections.deque): "_sequence",
    (set, frozenset): "_set",
    types.FunctionType: "_function",
    types.MethodType: "_method",
    functools.partial: "_partial",
    (types.BuiltinFunctionType, types.MethodWrapperType): "_builtin",
    type: "_class",
    types.ModuleType: "_module",
    brainstate.State: "_state",
    Param: "_param",
}


def package_of(module: str | None) -> str:
    return (module or "").partition(".")[0]


def is_known(kind: type) -> bool:
    """Whether a class is one of a library, which does not change between two runs."""
    return package_of(kind.__module__) in _KNOWN


def vars_of(thing: Any) -> dict[str, Any] | None:
    """The attributes of an object that it is made of, as it would be pickled; None where it has none of Python's."""
    kind = type(thing)
    if kind.__reduce__ is not object.__reduce__:  # it says itself what it is made of, as tables of pandas do
        return {"reduced": thing.__reduce_ex__(4)}
    if not hasattr(thing, "__dict__") and not any("__slots__" in vars(base) for base in kind.__mro__):
        return None
    state = thing.__getstate__()
    if isinstance(state, tuple) and len(state) == 2 and all(isinstance(part, dict | None) for part in state):
        return {name: value for part in state for name, value in (part or {}).items()}
    if isinstance(state, dict):
        return state
    return {} if state is None else {"state": state}


def _is_alias(thing: object) -> bool:
    """Whether it is a type as written in a hint, such as `list[int]`."""
    return isinstance(thing, types.GenericAlias | types.UnionType | TypeVar)


def _behind(attribute: object) -> list[Any]:
    """The functions that stand behind an attribute of a class."""
    if isinstance(attribute, property):
        return [f for f in (attribute.fget,) if f is not None]
    if isinstance(attribute, staticmethod | classmethod):
        return [attribute.__func__]
    return [attribute]


def _content(cell: Any) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not yet filled
        return ()


def _named(key: str) -> str:
    return key if isinstance(key, str) else repr(key)


class ByIdentity:
    """Stands for a thing in a key: equal where it is the very same object, whatever it holds.

    For what does not change, or is replaced as a whole. To compare the weights of a connectome at each run would read
    a matrix; whether they are the same array is told at once. The thing is kept alive, as the `id` of one that is gone
    is given to another:

    >>> import numpy as np
    >>> weights = np.ones((2, 2))
    >>> ByIdentity(weights) == ByIdentity(weights), ByIdentity(weights) == ByIdentity(weights.copy())
    (True, False)
    """

    __slots__ = ("thing",)

    def __init__(self, thing: Any):
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


@functools.lru_cache(4096)
def _chains(code: types.CodeType) -> tuple[tuple[str, ...], ...]:
    """The globals that code names, each with the attributes that follow, functions written inside it included."""
    chains: dict[tuple[str, ...], None] = {}
    open_chain: tuple[str, ...] = ()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD") and open_chain:
            open_chain = (*open_chain, step.argval)
            continue
        # Which stand between a name and what is asked of it, in one version of Python or another.
        if step.opname in ("PUSH_NULL", "PRECALL", "CACHE", "COPY", "RESUME"):
            continue
        if open_chain:
            chains[open_chain] = None
        open_chain = ()
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            open_chain = (step.argval,)
        elif step.opname == "IMPORT_NAME":
            chains[(f"import {step.argval}",)] = None
    if open_chain:
        chains[open_chain] = None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            chains.update(dict.fromkeys(_chains(inner)))
    return tuple(chains)


def alike(one: Any, other: Any) -> bool:
    """Whether two keys are equal where arrays that are compared by identity are, by their numbers."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, ByIdentity) and isinstance(other, ByIdentity) and one != other:
        a, b = one.thing, other.thing
        if not isinstance(a, np.ndarray | jax.Array | u.Quantity) or type(a) is not type(b):
            return False
        if u.get_unit(a) != u.get_unit(b):
            return False
        a, b = np.asarray(u.get_mantissa(a)), np.asarray(u.get_mantissa(b))
        return a.dtype == b.dtype and np.array_equal(a, b)
    return bool(one == other)


class Pictures:
    """Numbers for what things read: the same number for as long as it is the same."""

    def __init__(self, what: str = "run") -> None:
        self._what = what
        self._known: list[tuple[int, Picture]] = []
        self._own: set[str] = set()
        self._left: Picture = {}  # what the functions left there, when they were called last
        self._numbers = itertools.count()
        self._told: set[str] = set()

    def number(self, things: Mapping[str, object]) -> int:
        try:
            seen = picture(things)
        except Unseen as way:
            self._tell(str(way))
            return next(self._numbers)
        # The last first: most runs are as the one before.
        for number, known in reversed(self._known):
            if known == seen or not self._differs(known, seen):
                return number
        number = next(self._numbers)
        # Pictures hold what they compare by identity: 16 at most are kept.
        self._known = [*self._known[-15:], (number, seen)]
        return number

    @contextmanager
    def calling(self, things: Mapping[str, object]) -> Iterator[None]:
        """While functions are called to make a program: what they change themselves, such as a log, is no reason."""
        try:
            before = picture(things)
        except Unseen:
            yield
            return
        yield
        try:
            after = picture(things)
        except Unseen:
            return
        self._own.update(_different(before, after))
        self._left.update({name: part for name, part in after.items() if self.is_own(name)})

    def _differs(self, before: Picture, after: Picture) -> list[str]:
        """What is another now; where the functions write themselves, what is another than they left it.

        There a list may have grown since, by the calls of another run: a log is no reason.
        """

        def by_others(name: str) -> bool:
            now, left = after.get(name), self._left.get(name)
            return now is not None and left is not None and now != left and not _is_length(now)

        return [name for name in _different(before, after) if not self.is_own(name) or by_others(name)]

    def is_own(self, name: str) -> bool:
        """Whether functions were seen to write there themselves."""
        return any(name == own or name.startswith(f"{own}/") for own in self._own)

    def _tell(self, way: str) -> None:
        if way not in self._told:
            self._told.add(way)
            warnings.warn(
                f"A function given to this {self._what} reads {way}, of which it cannot be told whether it is what it "
                f"was: the {self._what} is compiled anew each time. Let the function read numbers or arrays instead.",
                RuntimeWarning,
                stacklevel=4,
            )


def _is_length(part: Any) -> bool:
    return isinstance(part, tuple) and part[0] in (list, tuple, collections.deque)


def _different(before: Picture, after: Picture) -> list[str]:
    return [n for n in {**before, **after} if n not in before or n not in after or before[n] != after[n]]
