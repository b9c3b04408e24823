"""From an experiment file to the objects that it describes: connectome, model, network, monitors, inputs, simulator."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax

import brainmass
from brainmass._common.messages import show
from brainmass._common.times import steps_of
from brainmass._common.typing import Numbers
from brainmass._common.units import unit_of
from brainmass.experiments.document import EXPECTED, WRONG, Document, Wrong
from brainmass.experiments.places import Path
from brainmass.experiments.schema import FLAG, KERNEL, MADE, NAMES, TABLES, TEXT, WHOLE, Key, Table
from brainmass.experiments.things import Maker

if TYPE_CHECKING:
    from brainmass.simulation.inventory import Inventory


__all__ = ["Experiment", "Method", "Tables", "by_parameter"]

# Without the first, the path.
_READING = tuple(inspect.signature(brainmass.Connectome.from_file).parameters)[1:]
_AS_WRITTEN = (TEXT, FLAG, WHOLE, NAMES, MADE, KERNEL)  # kinds of which text is no number with a unit


@dataclasses.dataclass(frozen=True)
# No lambda: two readings of one file must give equal monitors, which other processes can unpickle.
class Method:
    """A monitor: what a method of the node gives."""

    name: str

    def __call__(self, model: object) -> Numbers:
        return getattr(getattr(model, "node", model), self.name)()


class Tables:
    """The tables of a document as the schema has them."""

    def __init__(self, document: Document):
        self.document = document
        known = [name for name in TABLES if "." not in name]
        for name in document.data:
            if name not in known:
                document.unknown((name,), f"An experiment has no {_kind(document.data[name])} `{name}`", known)
        for table in TABLES.values():
            if table.required and table.name not in document.data:
                document.complain((), f"An experiment needs the table [{table.name}]: {table.says.rstrip('.')}.")

    def given(self, name: str) -> Mapping[str, Any]:
        """A table as it was written; empty where there is none."""
        given: Any = self.document.data
        path: Path = ()
        for part in name.split("."):
            path = (*path, part)
            given = given.get(part, {})
            if not isinstance(given, Mapping):
                self.document.complain(path, f"`{name}` must be a table, [{name}], but is {show(given)}.")
                return {}
        return given

    def read(self, name: str, maker: Maker) -> dict[str, Any]:
        """The values of the keys that the schema knows; `WRONG` for those that were complained about."""
        table = TABLES[name]
        written = self.given(name)
        path = tuple(name.split("."))
        known = {key.name: key for key in table.keys}
        names = [*known, *(other.partition(".")[2] for other in TABLES if other.startswith(f"{name}."))]
        for key in written:
            if key not in names and not table.others:
                self.document.unknown((*path, key), f"[{name}] has no key `{key}`", names)
        self._check_required(table, path, written)
        return {key: self._one((*path, key), known[key], x, maker) for key, x in written.items() if key in known}

    def others(self, name: str) -> dict[str, object]:
        """What stands under further keys."""
        known = {key.name for key in TABLES[name].keys}
        return {key: x for key, x in self.given(name).items() if key not in known}

    def _check_required(self, table: Table, path: Path, written: Mapping[str, object]) -> None:
        if table.name not in self.document.data and not written:
            return  # a table that is missing was complained about
        for key in table.keys:
            if key.required and key.name not in written:
                self.document.complain(path, f"[{table.name}] needs the key `{key.name}`: {key.meaning}")

    def _one(self, path: Path, key: Key, written: object, maker: Maker) -> object:
        value = written if key.kind in _AS_WRITTEN else maker.value(path, written)
        if value is WRONG or key.kind.accepts(value):
            return value
        example = f" Example: {key.name} = {key.kind.example}" if key.kind.example else ""
        return self.document.complain(
            path, f"{Document.call(path)} must be {key.kind.words}, but is {show(written)}.{example}"
        )


def by_parameter(path: Path, given: Mapping[str, object]) -> dict[str, tuple[Path, object]]:
    """What a table says of parameters, by name, with its place; an unquoted `node.a` is a table within a table."""
    found: dict[str, tuple[Path, object]] = {}
    for key, value in given.items():
        place = (*path, key)
        # A table with one of these keys is a value: a thing that is made, or an array.
        if isinstance(value, Mapping) and not value.keys() & {"type", "file", "dataset"}:
            found |= {f"{key}.{name}": inner for name, inner in by_parameter(place, value).items()}
        else:
            found[key] = (place, value)
    return found


def _kind(value: object) -> str:
    return "table" if isinstance(value, Mapping | list) else "key"


class Experiment:
    """The objects that an experiment file describes; those that could not be made are `WRONG`.

    `files` of the document then holds the checksums of the files it names.
    """

    def __init__(self, document: Document):
        self.document = document
        self.tables = Tables(document)
        # In the order in which they need one another: the number of regions before the node, the node before names of
        # its states.
        self.settings = self.tables.read("simulation", self.maker())
        self.connectome = self._connectome()
        self.n_regions = self._n_regions()
        self.node_type = self._node_type()
        self.node = self._node()
        self.model = self._network() if "network" in document.data else self.node
        self.monitors = self._monitors()
        self.inputs = self._inputs()
        self.parameters = self._parameters()
        self.simulator = self._simulator()

    def maker(self, *groups: str) -> Maker:
        """What turns values of the file into those of Python, with the types of these groups."""
        # The first tables are read before it is known.
        return Maker(self.document, self.n_regions if hasattr(self, "n_regions") else None, *groups)

    @property
    def is_whole(self) -> bool:
        """Whether all was made that a run needs."""
        parts = (self.model, self.monitors, self.inputs, self.parameters, self.simulator, *self.settings.values())
        return not any(part is WRONG for part in parts)

    # --- the brain ----------------------------------------------------------------------------------------------------
    def _connectome(self) -> brainmass.Connectome | Wrong | None:
        """The connectome; None where there is none."""
        document, path = self.document, ("connectome",)
        if "connectome" not in document.data:
            return None
        given = self.tables.read("connectome", self.maker())
        if WRONG in _marks(given.values()):
            return WRONG
        if ("dataset" in given) == ("file" in given):
            return document.complain(path, "[connectome] needs either `dataset` or `file`.")
        if "dataset" in given:
            data = self.maker().dataset(path, given["dataset"])
            conn = data if data is WRONG else data.connectome
        else:
            conn = self._from_file(given)
        return WRONG if conn is WRONG else self._shaped(conn, given)

    def _from_file(self, given: Mapping[str, Any]) -> brainmass.Connectome | Wrong:
        document, path = self.document, ("connectome",)
        target = document.file((*path, "file"), given["file"])
        if target is WRONG:
            return WRONG
        names = {k: x for k, x in given.items() if k in _READING}
        for key in ("lengths", "labels", "centres"):
            # Either a file beside this one, or the name of an array within the file of weights.
            if key in names and (document.folder / names[key]).is_file():
                names[key] = document.file((*path, key), names[key])
        if "length_unit" in names:
            names["length_unit"] = document.attempt((*path, "length_unit"), lambda: unit_of(given["length_unit"]))
        if WRONG in _marks(names.values()):
            return WRONG
        return document.attempt((*path, "file"), lambda: brainmass.Connectome.from_file(target, **names))

    def _shaped(self, conn: Any, given: Mapping[str, object]) -> brainmass.Connectome | Wrong:
        """The connectome turned round, cut and scaled as the file says."""
        if given.get("transpose"):
            conn = conn.transpose()
        # Cut first, then scaled: the largest weight is that among the regions that are left.
        for key, method in {"regions": "subnetwork", "hemisphere": "hemisphere", "normalize": "normalize"}.items():
            if key in given and conn is not WRONG:
                change = getattr(conn, method)
                conn = self.document.attempt(("connectome", key), lambda key=key, change=change: change(given[key]))
        return conn

    def _n_regions(self) -> int | None:
        size = self.tables.given("model").get("in_size")
        if self.connectome is None:
            return size if WHOLE.accepts(size) else None
        return None if self.connectome is WRONG else self.connectome.n_regions

    def _node_type(self) -> type[brainmass.NeuralMassDynamics] | Wrong:
        document, path, given = self.document, ("model",), self.tables.given("model")
        if "model" not in document.data:
            return WRONG  # which was complained about
        if ("type" in given) == ("file" in given):
            return document.complain(path, "[model] needs either `type`, the class of the model, or `file`.")
        if "file" in given:
            return self._described_type(given)
        for key in {"units", "time_unit"} & given.keys():
            document.complain((*path, key), f"Key `{key}` of [model] goes with `file`.")
        return self.maker("model").type((*path, "type"), given["type"])

    def _described_type(self, given: Mapping[str, Any]) -> type[brainmass.NeuralMassDynamics] | Wrong:
        """The class that a description makes."""
        document = self.document
        target, says = document.file(("model", "file"), given["file"]), given.get("time_unit")
        unit = None if says is None else document.attempt(("model", "time_unit"), lambda: unit_of(says))
        if target is WRONG or unit is WRONG:
            return WRONG
        options = {"units": given.get("units"), "time_unit": unit}
        return document.attempt(("model", "file"), lambda: brainmass.load_model(target, **options))

    def _node(self) -> brainmass.NeuralMassDynamics | Wrong:
        document, path = self.document, ("model",)
        given = self.tables.read("model", self.maker())
        if self.connectome is None and "in_size" not in given:
            document.complain(path, "[model] needs `in_size`, the number of regions, where there is no [connectome].")
        if self.connectome is not None and "in_size" in given:
            document.complain((*path, "in_size"), "Key `in_size` of [model] has no part beside a [connectome].")
        model = self.node_type
        if model is WRONG:
            return WRONG
        maker = self.maker("noise", "initialiser", "map", "transform", "regularisation")
        arguments = maker.arguments(path, model, self.tables.others("model"))
        if arguments is WRONG or self.n_regions is None or WRONG in _marks(given.values()):
            return WRONG
        if "preset" in given:
            return document.attempt(path, lambda: model.preset(given["preset"], self.n_regions, **arguments))
        return document.attempt(path, lambda: model(self.n_regions, **arguments))

    def _network(self) -> brainmass.Network | Wrong:
        given = self.tables.read("network", self.maker("noise"))
        for part in "coupling", "synapse", "plasticity":
            if isinstance(given.get(part), Mapping):
                given[part] = self._part(part, given[part])
        if self.connectome is None:
            return self.document.complain(("network",), "[network] needs a [connectome].")
        node, conn = self.node, self.connectome
        if conn is WRONG or node is WRONG or WRONG in _marks(given.values()):
            return WRONG
        return self.document.attempt(("network",), lambda: brainmass.Network(node, conn=conn, **given))

    def _part(self, part: str, given: Mapping[str, object]) -> object:
        """A coupling kernel, a synapse or a plasticity with parameters of its own; weights are those of the network."""
        path, maker = ("network", part), self.maker(part, "transform", "regularisation")
        kernel = maker.type((*path, "type"), given["type"])
        if kernel is WRONG:
            return WRONG
        # Activities and weights are given by the network.
        arguments = maker.arguments(path, kernel, given, ("type",), ("x", "y", "conn"))
        return WRONG if arguments is WRONG else self.document.attempt(path, lambda: kernel(**arguments))

    # --- what is recorded, and what drives it -------------------------------------------------------------------------
    def _monitors(self) -> dict[str, object] | Wrong | None:
        """Monitors by name; None: all states."""
        if "monitors" not in self.document.data:
            return None
        given = self.tables.given("monitors")
        found = {name: self._monitor(("monitors", name), x) for name, x in given.items()}
        return WRONG if WRONG in _marks(found.values()) else found

    def _monitor(self, path: Path, given: object) -> object:
        if isinstance(given, str):
            return self._watched(path, given)
        maker = self.maker("observer", "initialiser")
        # A table of a monitor is told by one of these two keys.
        if not isinstance(given, Mapping) or not given.keys() & {"type", "what"}:
            text = (
                'must be the name of a state, or a table with `type` or `what`. Example: bold = {type = "BOLDSignal"}'
            )
            return self.document.complain(path, f"{Document.call(path)} {text}")
        if "type" in given:
            return maker.thing(path, given)
        what = self._monitor((*path, "what"), given["what"])
        every, dt = maker.value((*path, "every"), given.get("every")), self.settings.get("dt", WRONG)
        # In steps already here: what is no multiple of dt is then told at the line that says it.
        if isinstance(every, u.Quantity) and dt is not WRONG:
            every = self.document.attempt((*path, "every"), lambda: steps_of("every", every, dt))
        return (
            WRONG
            if WRONG in _marks((what, every))
            else maker.called(path, brainmass.Monitor, given, ("what",), what=what)
        )

    def _watched(self, path: Path, name: str) -> str | Method | Wrong:
        """A state by its name, or a method of the node."""
        if self.node_type is WRONG:
            return name
        owner, method = self.node_type.__name__, name.removesuffix("()")
        if method == name and (name in self.node_type._states or "." in name):
            return name
        if method == name:
            return self.document.unknown((*path, name), f"{owner} has no state {name!r}", self.node_type._states)
        if not callable(getattr(self.node_type, method, None)):
            return self.document.complain(path, f"{owner} has no method {method!r}.")
        return Method(method)

    def _inputs(self) -> dict[str, object] | Wrong | None:
        """Inputs by port; None: there are none."""
        if "inputs" not in self.document.data:
            return None
        maker = self.maker("stimulus", "noise")
        found = {port: maker.value(("inputs", port), x) for port, x in self.tables.given("inputs").items()}
        for port, value in found.items():
            if self.node_type is not WRONG and "." not in port:
                known = (*self.node_type._ports, *self.node_type.other_inputs)
                if port not in known:
                    found[port] = self.document.unknown(
                        ("inputs", port), f"{self.node_type.__name__} has no input `{port}`", known
                    )
            if isinstance(value, str | bool):
                found[port] = self.document.complain(
                    ("inputs", port), f"Input `{port}` must be a number or a table with a `type`, but is {show(value)}."
                )
        return WRONG if WRONG in _marks(found.values()) else found

    def _parameters(self) -> dict[str, object] | Wrong | None:
        """What parameters are, or follow, by name; None: as they are."""
        if "parameters" not in self.document.data:
            return None
        maker = self.maker("stimulus")
        # TOML makes tables of dots in keys.
        written = by_parameter(("parameters",), self.tables.given("parameters"))
        found = {name: maker.value(path, x) for name, (path, x) in written.items()}
        return WRONG if WRONG in _marks(found.values()) else found

    # --- the run ------------------------------------------------------------------------------------------------------
    @property
    def of_a_run(self) -> dict[str, Any]:
        """The arguments that `run`, `pure` and `sweep` share."""
        names = ("duration", "transient", "sample_every")
        return {n: self.settings[n] for n in names if n in self.settings} | {
            "monitors": self.monitors,
            "inputs": self.inputs,
            "parameters": self.parameters,
        }

    def _simulator(self) -> Any:
        dt, model = self.settings.get("dt", WRONG), self.model
        if dt is WRONG or model is WRONG:
            return WRONG
        simulator = self.document.attempt(("simulation",), lambda: brainmass.Simulator(model, dt=dt))
        parts = ("monitors", "inputs", "parameters")
        times = {n: x for n, x in self.of_a_run.items() if n not in parts}
        if simulator is WRONG or WRONG in _marks(times.values()) or "duration" not in times:
            return simulator
        try:
            if not any(getattr(self, name) is WRONG for name in parts):
                simulator.pure(**self.of_a_run)
                return simulator
        except EXPECTED:
            pass  # which part it is, and whether there are others, is found piece by piece
        self.document.attempt(("simulation",), lambda: simulator.pure(**times, monitors=[]))
        for name in parts:
            given = {"monitors": [], name: getattr(self, name)}
            if getattr(self, name) is not WRONG:
                # Each alone, beside no monitors: so all that are wrong are told at once.
                self.document.attempt((), lambda given=given: simulator.pure(**times, **given))
        return simulator

    @functools.cached_property
    def held(self) -> Inventory | None:
        """What the model, its inputs and monitors hold, with their names; None where one of them could not be made."""
        if not self.is_whole or "duration" not in self.settings:
            return None
        try:
            return self.simulator._holds(**self.of_a_run)
        except EXPECTED:
            return None  # it was complained about

    def records_phases(self, name: str) -> bool:
        """Whether a monitor records a state that is a phase."""
        what = name if self.monitors is None else WRONG if self.monitors is WRONG else self.monitors.get(name)
        states = {} if self.node_type is WRONG else self.node_type._states
        return isinstance(what, str) and what in states and states[what].is_angle

    def try_out(self, made: Mapping[Path, Callable[[brainmass.Result], object]]) -> None:
        """Complain about functions of a result, by their place, that cannot be worked out; nothing is run."""
        if self.held is None or not made:
            return
        # Key and values do not matter, as only shapes are worked out.
        run = self.simulator.pure(**self.of_a_run)

        def trace(functions: Iterable[Callable[[brainmass.Result], object]]) -> None:
            jax.eval_shape(lambda: [function(run({}, 0)) for function in functions])

        try:
            trace(made.values())
        except EXPECTED:  # of which it is, and whether there are others
            for path, function in made.items():
                self.document.attempt(path, lambda function=function: trace([function]))

    def describe(self) -> list[str]:
        """What is run, in a few lines."""
        lines = [f"model: {self.model!r}"]
        if self.connectome is not None:
            lines.insert(0, f"connectome: {self.connectome!r}")
        return lines


def _marks(values: Iterable[object]) -> list[Wrong | None]:
    """Values that can be compared with `WRONG`; arrays cannot."""
    return [x if x is WRONG else None for x in values]
