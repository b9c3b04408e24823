"""A stateful module seen as data: its parameters, states and noises by path, and a copy of it on given values.

The copy is built inside a trace, so that its states hold the tracers of that trace: brainstate refuses to write them
into states made outside. It costs nothing at run time.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import jax
import numpy as np
from brainstate.nn import IdentityT, Param

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass._common.places import two_places
from brainmass._common.precision import default_dtype
from brainmass._common.same import ByIdentity, is_known
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import ParamSpec
from brainmass.dynamics.noise import Noise
from brainmass.forward.observer import Observer
from brainmass.stimuli.algebra import Drive

if TYPE_CHECKING:
    from brainmass.delays.lines import Line

__all__ = [
    "TRANSIENT_ATTRIBUTES",
    "ByPath",
    "Inventory",
    "Template",
    "Values",
    "initialise",
    "initialises_from_key",
    "inventory",
    "refuse_shared_processes",
    "stateful",
    "takes_generator",
]

Values = dict[str, Any]


@jax.tree_util.register_pytree_with_keys_class
class ByPath(dict[str, Any]):
    """Things of parameters by whole path; what is read may be named by an ending that tells it from the others."""

    def __missing__(self, name: str) -> Array:
        try:
            return self[_find("fitted parameter", name, self)]
        except ValueError as error:
            raise KeyError(str(error)) from None

    def tree_flatten_with_keys(self) -> tuple[tuple, tuple[str, ...]]:
        names = tuple(sorted(self))
        return tuple((jax.tree_util.DictKey(name), self[name]) for name in names), names

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: Iterable[Array]) -> ByPath:
        return cls(zip(names, values, strict=True))


# Set while running or initialising, or made from what is listed anyway; they do not change what a program computes.
TRANSIENT_ATTRIBUTES = {"_batch", "_closed", "_handed", "_prepared", "_arranged", "_ends"}


@dataclass
class Inventory:
    """What a module holds, by dotted path. Of a network of two nodes with noise, whose coupling has a delay:

        params    node.a  node.w  node.beta  node.noise_x.sigma  coupling.conn  coupling.k  projections.0.speed
        states    node.x  node.y  projections.0.delays.history, .cursor and .arriving: what a run changes
        tables    projections.0.delays.steps: arrays that a run takes as arguments, and leaves as they are
        noises    node.noise_x
        modules   node.noise_x  node  coupling  projections.0.delays  projections.0  and itself, the empty path
        again     projections.0.coupling, which stood first at coupling
        others    node.init_x and the like

    `structure` is a hashable description of all else but `others`: functions, objects and classes of the user, and
    whatever may change without being replaced, of which `same.picture` tells what they are at the moment.
    """

    params: dict[str, Param] = field(default_factory=dict)
    states: dict[str, tuple[Any, Any, brainstate.State]] = field(default_factory=dict)
    tables: dict[str, brainstate.State] = field(default_factory=dict)
    owners: dict[str, tuple[object, object]] = field(default_factory=dict)  # of the tables
    noises: dict[str, Noise] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)  # where a module stands once more, and where it stood first
    structure: tuple = ()
    others: dict[str, object] = field(default_factory=dict)
    moving: dict[str, ParamSpec] = field(default_factory=dict)  # those of a run that move, and have bounds to stay in

    def raw(self) -> Values:
        """Stored parameter values and tables: what a compiled program takes as its arguments."""
        params = {path: _stored(param) for path, param in self.params.items()}
        return params | {path: table.value for path, table in self.tables.items()}

    def state_values(self) -> Values:
        return {path: state.value for path, (_, _, state) in self.states.items()}

    def find_param(self, name: str) -> str:
        """The path of the parameter with this name, with this ending of its path, or that has these attributes."""
        return self._reached(name) or _find("parameter", name, self.params)

    def _reached(self, name: str) -> str | None:
        """The path of the parameter that is reached from the model by these attributes, if there is one."""
        thing = self.modules.get("model", self.modules.get(""))
        for part in name.removeprefix("model.").split(".") if "." in name else [""]:
            thing = thing[int(part)] if isinstance(thing, list) and part.isdecimal() else getattr(thing, part, None)
        return next((path for path, param in self.params.items() if param is thing), None)

    def find_state(self, name: str) -> str:
        """The path of the state with this name, or with this ending of its path."""
        return _find("state", name, self.states)


def _stored(param: Param) -> Array:
    # brainstate keeps what is trained in a state of its own, and what is not as it is.
    value = param.val
    value = value.value if isinstance(value, brainstate.State) else value
    return jax.tree.map(_strong, value) if _is_weak(getattr(value, "mantissa", value)) else value


def _is_weak(x: Array) -> bool:
    return isinstance(x, int | float) or getattr(x, "weak_type", False)


def _strong(x: Numbers) -> np.ndarray:
    """A number as an array of the usual type: a program is compiled for types, a plain number has another."""
    return np.asarray(x, default_dtype()) if isinstance(x, int | float) else x.astype(x.dtype)


def _find(kind: str, name: str, known: Collection[str]) -> str:
    matches = [path for path in known if path == name or path.endswith(f".{name}")]
    # A whole path wins over longer ones that end alike: "k" of the network, though a coupling has a `k` too.
    exact = [path for path in matches if path in (name, f"model.{name}")]
    matches = exact or matches
    if len(matches) == 1:
        return matches[0]
    public = [path.removeprefix("model.") for path in known]
    if not matches:
        short = [path.rpartition(".")[2] for path in public]
        there = ", ".join(public) or "none"
        hint = f"{suggestion(name, [*public, *short])} There are {there}."
        raise argument_error(Argument(name, text="There"), f"is no {kind} {name!r}", hint=hint)
    full = ", ".join(path.removeprefix("model.") for path in matches)
    raise argument_error(Argument(name, text=repr(name)), f"could be any of {full}: write the whole path")


def inventory(root: object) -> Inventory:
    """List what a module and its submodules hold, and a hashable description of all else about them."""
    lister = _Lister()
    lister.take(root, "", None, None)
    lister.found.structure = tuple(lister.structure)
    return lister.found


class _Lister:
    """Goes through a module, depth first and in the order of its attributes."""

    def __init__(self) -> None:
        self.found, self.structure = Inventory(), []
        self._first: dict[int, str] = {}  # where parameters and modules stood first, by their identity

    def take(self, thing: object, path: str, owner: object, key: object) -> None:
        """List a thing that `owner` holds under `key`."""
        _lister_of(type(thing))(self, thing, path, owner, key)

    def _param(self, param: Param, path: str, owner: object, key: str) -> None:
        same_as = self._first.setdefault(id(param), path)
        self.structure += (key, type(param), type(param.t), same_as)
        # Transforms are functions, of which nothing tells whether two do the same: they are compared one by one.
        if type(param.t) is not IdentityT:
            self.found.others[f"{path} transform"] = param.t
        if _kind(type(param.precompute)) == "module":
            self.take(param.precompute, f"{path}.precompute", param, "precompute")
        elif param.precompute is not None:
            self.found.others[f"{path} precompute"] = param.precompute
        if same_as == path:
            self.found.params[path] = param

    def _table(self, table: brainstate.State, path: str, owner: Line, key: str) -> None:
        self.found.tables[path], self.found.owners[path] = table, (owner, key)

    def _state(self, state: brainstate.State, path: str, owner: object, key: str) -> None:
        self.found.states[path] = (owner, key, state)

    def _container(self, container: Any, path: str, owner: object, key: str) -> None:
        # Numbers and text in a list are a setting, told apart as a whole; only what can change is gone through.
        if not _holds_nodes(container):
            return self._constant(container, path, owner, key)
        self.structure += (key, len(container))
        for name, value in container.items() if isinstance(container, dict) else enumerate(container):
            self.take(value, f"{path}.{name}", container, name)
        return None

    def _constant(self, thing: object, path: str, owner: object, key: str) -> None:
        stand_in = constant(thing)
        if stand_in is None and thing is not None:
            self.found.others[path] = thing
        self.structure += (key, stand_in)

    def _module(self, module: object, path: str, owner: object, key: object) -> None:
        same_as = self._first.setdefault(id(module), path)
        self.structure += (key, type(module))
        # The methods of a class that a user may define anew, as in a notebook, belong to what a program depends on.
        if not is_known(type(module)):
            self.found.others[f"{path} class"] = type(module)
        self.structure.append(same_as)
        # Listed once: the two names share its states, and going on would never end where a part knows its owner.
        if same_as != path:
            self.found.again[path] = same_as
            return
        # a module may say that the paths of one of its attributes are its own
        prefix, transparent = f"{path}." if path else "", getattr(type(module), "transparent", None)
        for name, value in vars(module).items():
            if name in TRANSIENT_ATTRIBUTES:
                continue
            kind = type(value)
            if value is None:  # most attributes are: a run looks at them all
                self.structure.append(name)
            elif kind in _NUMBERS:  # as `constant` has it, without the calls
                self.structure += (name, (kind, value))
            elif kind in _COMPARABLE:
                self.structure += (name, value)
            else:
                _lister_of(kind)(self, value, path if name == transparent else prefix + name, module, name)
        self.structure.append(None)  # the end of this module
        if transparent is None:
            self.found.modules[path] = module
        if isinstance(module, Noise):
            self.found.noises[path] = module


def refuse_shared_processes(found: Inventory) -> None:
    """Refuse a noise, a forward model, a drive that draws, a projection or a population that stands in two places."""
    for path, first in found.again.items():
        thing = found.modules[first]
        draws = isinstance(thing, Drive) and thing.draws  # one that does not draw may serve two ports
        if isinstance(thing, Noise | Observer) or draws or _both_act(found, path, first):
            raise two_places("this run", thing, *(p.removeprefix("model.") for p in (first, path)))


def _both_act(found: Inventory, path: str, first: str) -> bool:
    """Whether a node, or a projection, is there twice for its network, and not only referred to by another module."""
    (one, name), (other, again) = (p.rpartition(".")[::2] for p in (first, path))
    owner = found.modules.get(one)
    acting = getattr(owner, "populations", {})
    return one == other and (one.endswith(".projections") or (name in acting and again in acting))


@functools.cache
def _kind(cls: type) -> str:
    for kind, base in _KINDS.items():
        if issubclass(cls, base):
            return kind
    return "constant"


_KINDS: dict[str, Any] = {
    "param": Param,
    "table": brainstate.LongTermState,
    "state": brainstate.State,
    "module": brainstate.graph.Node,
    "container": (list, tuple, dict),
}


@functools.cache
def _lister_of(cls: type) -> Callable[..., None]:
    return getattr(_Lister, f"_{_kind(cls)}")


def _holds_nodes(container: Any) -> bool:
    values = container.values() if isinstance(container, dict) else container
    for value in values:  # no generator: a run asks this of a dozen short tuples
        if _kind(type(value)) != "constant":
            return True
    return not container


_NUMBERS = {bool, int, float}
_COMPARABLE = {type(None), str, u.Unit}


def constant(thing: Any) -> Any:
    """A hashable stand-in, equal for equal numbers and text, for an array the very same; None for what may change."""
    kind = type(thing)
    if kind in _NUMBERS:
        return kind, thing
    if kind in _COMPARABLE:
        return thing
    if kind is tuple:
        parts = tuple(map(constant, thing))
        known = None not in parts or all(p is not None or x is None for p, x in zip(parts, thing, strict=True))
        return parts if known else None
    if kind is u.Quantity and thing.ndim == 0 and not is_traced(thing):
        return kind, float(thing.mantissa), thing.unit
    if isinstance(thing, jax.Array | np.ndarray | u.Quantity):
        return ByIdentity(thing)
    return None


class Template:
    """A module taken apart, to be rebuilt on other values as often as needed."""

    def __init__(self, root: Any):
        self._definition, self._leaves = brainstate.graph.treefy_split(root)
        # Only where a copy would name its modules otherwise is the order put back: that costs time at each rebuild.
        self._layout: Any = None
        if set(self.build()[1].modules) != set(inventory(root).modules):
            self._layout = _layout(root, set())

    def build(self) -> tuple[Any, Inventory]:
        """A fresh copy of the module, with its inventory."""
        root = brainstate.graph.treefy_merge(self._definition, self._leaves)
        # A module that stands in two places has the path of the first, and brainstate sorts the attributes of copies.
        _arrange(root, self._layout)
        return root, inventory(root)

    def on(self, raw: Values) -> tuple[Any, Inventory]:
        """A copy on these stored parameter values and tables."""
        root, found = self.build()
        for path, param in found.params.items():
            param.val = raw[path]
        for path, table in found.tables.items():
            _put(found.owners[path], type(table)(raw[path]))
        return root, found

    def natural(self, raw: Values, overrides: Values) -> Values:
        """Parameter values as the equations see them: transforms applied, overrides put in their place."""
        # On a copy: the model of the user keeps its values.
        _, found = self.build()
        out = dict(raw)
        for path, param in found.params.items():
            param.val = raw[path]
            out[path] = overrides[path] if path in overrides else param.value()
        return out

    def bind(
        self, natural: Values, states: Values | None = None, prepared: Values | None = None
    ) -> tuple[Any, Inventory]:
        """A copy on these parameter values (as the equations see them), states, and derived tables."""
        root, found = self.build()
        for path, param in found.params.items():
            # The values are past their transforms: one more would be applied at each reading, at each step.
            param.val, param.t, param.precompute = natural[path], IdentityT(), None
        for path, table in found.tables.items():
            _put(found.owners[path], type(table)(natural[path]))
        for path, (owner, name, state) in (found.states if states is not None else {}).items():
            _put((owner, name), type(state)(states[path]))  # pyright: ignore[reportOptionalSubscript]
        for path, module in found.modules.items():
            if prepared and path in prepared:
                module._prepared = prepared[path]
        return root, inventory(root)


def _put(place: tuple[Any, Any], new: Any) -> None:
    """In the place of an attribute, or of an entry of a dict or list."""
    owner, key = place
    if isinstance(owner, dict | list):
        owner[key] = new
    else:
        setattr(owner, key, new)


def _layout(thing: Any, seen: set[int]) -> Any:
    """The names within a module, or a container, in their order, each with those within it; None: there are none."""
    kind = _kind(type(thing))
    if kind not in ("module", "container") or id(thing) in seen:
        return None
    seen.add(id(thing))
    parts = vars(thing) if kind == "module" else thing if isinstance(thing, dict) else dict(enumerate(thing))
    return {name: _layout(part, seen) for name, part in parts.items()}


def _arrange(thing: Any, layout: Any) -> None:
    """Put the attributes of a copy, and of what it holds, in this order."""
    if layout is None:
        return
    parts = thing
    if _kind(type(thing)) == "module":
        parts = vars(thing)
        ordered = {name: parts[name] for name in layout if name in parts} | parts
        parts.clear()
        parts.update(ordered)
    for name, inner in layout.items():
        if inner is not None and (not isinstance(parts, dict) or name in parts):
            _arrange(parts[name], inner)


def stateful(found: Inventory) -> list[Any]:
    """The modules that have initial states to make: children first, and last those that say so by `call_order`."""
    plain = brainstate.nn.Module.init_state
    modules = [m for m in found.modules.values() if getattr(type(m), "init_state", plain) is not plain]
    return sorted(modules, key=lambda module: getattr(type(module).init_state, "call_order", -np.inf))


def initialise(modules: Iterable[Any], rng: Any) -> None:
    """Give modules their initial states, random ones from `rng` where they can be."""
    for module in modules:
        if takes_generator(module):
            module.init_state(rng=rng)
        else:
            _initialise_without_generator(module)


def _initialise_without_generator(module: Any) -> None:
    """Within a trace this must not draw: brainstate's own generator stands outside of it."""
    try:
        module.init_state()
    except brainstate.TraceContextError as error:
        raise ValueError(
            "Runs side by side, and a run with a traced key, need models that draw their initial states from `rng`; "
            f"the `init_state` of {type(module).__name__} does not take it. Let it, or give `state`."
        ) from error


def initialises_from_key(found: Inventory) -> bool:
    """Whether every module can draw its initial states from a given generator, so that a trace can hold the drawing."""
    return all(takes_generator(module) for module in stateful(found))


def takes_generator(module: Any) -> bool:
    return "rng" in inspect.signature(type(module).init_state).parameters
