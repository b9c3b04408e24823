"""The tables and keys of an experiment file. What an argument of the package means is said by its docstring."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import brainunit as u

import brainmass

__all__ = ["TABLES", "Key", "Kind", "Table"]


@dataclass(frozen=True)
class Kind:
    """What a key may hold: in words, with an example, as a test, and as a JSON schema."""

    words: str
    example: str
    accepts: Callable[[object], bool]
    json: Mapping[str, object]


def _is_time(x: object) -> bool:
    return isinstance(x, u.Quantity) and x.unit.has_same_dim(u.ms) and x.ndim == 0


def _is_int(x: object) -> bool:
    # To Python true and false are integers.
    return isinstance(x, int) and not isinstance(x, bool)


# In JSON a number with its unit is text, as it is in the file.
_QUANTITY = {"type": "string", "pattern": r"^\s*[-+]?(inf|(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)\s*[^\s\d.].*$"}
_THING = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
_WHOLE = {"type": "integer"}

TEXT = Kind("text", '"heun"', lambda x: isinstance(x, str), {"type": "string"})
FLAG = Kind("true or false", "true", lambda x: isinstance(x, bool), {"type": "boolean"})
WHOLE = Kind("a whole number", "10", _is_int, _WHOLE)
NUMBER = Kind("a number", "0.5", lambda x: isinstance(x, int | float) and not isinstance(x, bool), {"type": "number"})
TIME = Kind("a time", '"2 s"', _is_time, _QUANTITY)
PERIOD = Kind(
    "a time, or a number of steps", '"1 ms"', lambda x: _is_int(x) or _is_time(x), {"anyOf": [_WHOLE, _QUANTITY]}
)
WHOLES = Kind(
    "a whole number, or a list of them",
    "10",
    # A list of the file is an array by now.
    lambda x: _is_int(x) or getattr(getattr(x, "dtype", None), "kind", "") == "i",
    {"anyOf": [_WHOLE, {"type": "array", "items": _WHOLE}, {"type": "object"}]},
)
VALUE = Kind(
    "a value",
    '"5 mm/ms"',
    lambda x: not isinstance(x, bool | str),
    {"anyOf": [_QUANTITY, {"type": ["number", "array", "object"]}]},
)
NAMES = Kind(
    "a list", '["V1", "MT"]', lambda x: not isinstance(x, bool | str | int | float), {"type": ["array", "object"]}
)
ANY = Kind("", "", lambda x: True, {})
MADE = Kind(
    "text, or a table with a `type`",
    '"grid"',
    lambda x: isinstance(x, str | dict) and (isinstance(x, str) or "type" in x),
    {"anyOf": [{"type": "string"}, _THING]},
)
KERNEL = Kind(
    "text, or a table with a `type` and parameters of the kernel",
    '{ type = "sigmoidal", slope = 2.0 }',
    MADE.accepts,
    MADE.json,
)


@dataclass(frozen=True)
class Key:
    """One key of a table.

    `of` names the function whose argument it is, below brainmass.
    """

    name: str
    kind: Kind
    of: str = ""
    says: str = ""
    required: bool = False

    @property
    def meaning(self) -> str:
        """What it means: what the docstring of the function says, unless said here."""
        if self.says:
            return self.says
        return _arguments(self.of)[self.name]


@dataclass(frozen=True)
class Table:
    """One table of an experiment file; `others` says what further keys are, where they are free."""

    name: str
    says: str
    keys: tuple[Key, ...] = ()
    others: str = ""
    required: bool = False


@functools.cache
def _arguments(of: str) -> dict[str, str]:
    """What the docstring of a function says of its arguments, by name."""
    function = functools.reduce(getattr, of.split("."), brainmass)
    text = inspect.getdoc(function) or ""
    # The layout of numpydoc: a heading underlined, entries `names : kind` at the margin, their text indented; it ends
    # at the next heading.
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n---|\Z)", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    entries = re.findall(
        r"^(\w[\w, ]*)(?: :[^\n]*)?\n((?:[ ]+[^\n]*\n|\n)+)", f"{section[1] if section else ''}\n", re.MULTILINE
    )
    for names, body in entries:
        found |= dict.fromkeys(names.split(", "), " ".join(body.split()))
    return found


def _of(function: str, **kinds: Kind) -> tuple[Key, ...]:
    """Keys that are arguments of one function."""
    return tuple(Key(name, kind, function) for name, kind in kinds.items())


_ARRAY = "Name of the array in the file, where it is not a usual one (`.npz`, `.mat`)."

TABLES = {
    table.name: table
    for table in (
        Table(
            "model",
            "The model of a region.",
            (
                Key("type", TEXT, says="Class of the model, as `brainmass models` lists them."),
                Key("file", TEXT, says="In its place a description in YAML, as `brainmass.load_model` reads."),
                Key("units", TEXT, "load_model"),
                Key("time_unit", TEXT, "load_model"),
                Key("preset", TEXT, says="A named set of parameters of that model; other keys add to it."),
                Key("in_size", WHOLE, says="Number of regions, where there is no `[connectome]`."),
            ),
            "Parameters of the model, `method` (of integration), `init_...` and `noise_...` of its states: what "
            "`brainmass models NAME` lists.",
            required=True,
        ),
        Table(
            "connectome",
            "Structural connectivity, and with it the number of regions. Goes with `[network]`.",
            (
                Key("dataset", TEXT, says="Name of a data set that comes with the package, such as `hcp_schaefer100`."),
                Key(
                    "file",
                    TEXT,
                    says="In its place a file of any kind that `Connectome.from_file` reads: text, `.npz`, MATLAB, "
                    "Excel, ..., or an archive or folder of The Virtual Brain.",
                ),
                Key("weights", TEXT, says=_ARRAY),
                Key("lengths", TEXT, says="File of the tract lengths. " + _ARRAY),
                Key("labels", TEXT, says="File of the names of the regions, one on a line. " + _ARRAY),
                Key("centres", TEXT, says="File of the coordinates of the regions. " + _ARRAY),
                Key("length_unit", TEXT, says="Unit of lengths and centres; default mm."),
                Key("symmetrize", FLAG, "Connectome.from_file"),
                Key("number_repeated", FLAG, "Connectome.from_file"),
                Key("delimiter", TEXT, says="How a text file separates its columns, where it is not found out."),
                Key("decimal", TEXT, says="How a text file writes decimals, `.` or `,`, where it is not found out."),
                Key("encoding", TEXT, says="Code page of a text file; default UTF-8."),
                Key("empty", NUMBER, says="What an empty cell, or NA, stands for."),
                Key("header", FLAG, "Connectome.from_file"),
                Key("transpose", FLAG, says="Turn all connections round: for files in which rows send."),
                Key("regions", NAMES, says="Keep these regions, by label or number, in this order."),
                Key("hemisphere", TEXT, says="Keep one hemisphere, `left` or `right`."),
                Key("normalize", TEXT, says="Scale the weights, after all that: `max`, `row` or `spectral`."),
            ),
        ),
        Table(
            "network",
            "How regions are coupled: arguments of `brainmass.Network`.",
            _of(
                "Network",
                coupled_var=TEXT,
                coupling=KERNEL,
                k=VALUE,
                speed=VALUE,
                delay=VALUE,
                synapse=KERNEL,
                plasticity=KERNEL,
                port=TEXT,
                interpolate=FLAG,
                self_connection=FLAG,
                noise=ANY,
            ),
        ),
        Table(
            "monitors",
            "What to record; default all states.",
            others="A state by its name; a method of the model, as `eeg()`; a forward model or statistic, as a table "
            "with its `type`; or a table of arguments of `brainmass.Monitor`: `what`, which is one of these, `every`, "
            "`source`.",
        ),
        Table(
            "inputs",
            "What enters the input ports, by name of the port.",
            others="A number, with the unit of the port; a list of one for each region; a stimulus or noise, as a "
            "table with its `type`.",
        ),
        Table(
            "parameters",
            "What parameters are in the run, by name, as in `[sweep.values]`: numbers, or courses that move them.",
            others="A number, with its unit; a list of one for each region; a stimulus, a table with its `type`, as "
            'as `{type = "Steps", values = [-0.5, 0.5], times = ["0 s", "10 s"], interpolate = true}`.',
        ),
        Table(
            "simulation",
            "The run: arguments of `brainmass.Simulator` and of its `run`.",
            (
                Key("dt", TIME, "Simulator", "Time step.", required=True),
                Key("duration", TIME, "Simulator.run", required=True),
                *_of("Simulator.run", transient=TIME, sample_every=PERIOD),
                Key("batch_size", WHOLE, "Simulator.run", "Number of runs side by side, of `brainmass run`."),
                Key(
                    "seed", WHOLE, "Simulator.run", "Decides initial states and noise of `brainmass run`; default 0."
                ),
            ),
            required=True,
        ),
        Table(
            "sweep",
            "For `brainmass sweep`: arguments of `brainmass.sweep`.",
            (
                Key(
                    "design",
                    MADE,
                    "sweep",
                    "`grid`, the default, for all combinations; `list` for values side by side; or points drawn "
                    'between bounds: `{type = "random_design", n = 64, seed = 0}`, or `sobol_design`.',
                ),
                *_of("sweep", seeds=WHOLES, common_random_numbers=FLAG, at_once=WHOLE),
                Key(
                    "store",
                    TEXT,
                    says="The `.zarr` folder or `.nc` file to write, from this file's folder; default "
                    "NAME_sweep.zarr in the present one.",
                ),
            ),
        ),
        Table(
            "sweep.values",
            "Values by name of the parameter: of the model, `k` or `node.a`, of an input, `x_inp.amplitude`, or of a "
            "monitor, `bold.tau`.",
            others="A list; evenly spaced numbers, `{type = \"linspace\", start = 0, stop = 1, num = 11}` (or "
            "`geomspace`); with a drawn `design`, two bounds.",
        ),
        Table(
            "sweep.measure",
            "What to keep of each run, by a name of its own; default all that is recorded.",
            (),
            others="A table with `of`, the name of a monitor, and its `type`: an objective of `brainmass.objectives`, "
            "with `target`, or a statistic there, or `mean`, `std`, `var`, `min`, `max`, `median`; further keys are "
            "its arguments. A measure of phases (`order_parameter`, `metastability`) takes `band`, two frequencies, "
            "where the monitor records no phases. Without a `type`: the recording.",
        ),
        Table(
            "fit",
            "For `brainmass fit`: arguments of `brainmass.Fitter` and of its `fit`.",
            (
                *_of("Fitter", backend=TEXT),
                Key(
                    "optimizer",
                    ANY,
                    "Fitter",
                    'One of optax with its arguments, `{type = "adam", learning_rate = 0.05}`; a list of them is a '
                    'chain. A name for the other back ends, such as `"CMA"`, `"L-BFGS-B"`, `"LevenbergMarquardt"`.',
                ),
                *_of("Fitter", n_starts=WHOLE, popsize=WHOLE, mode=TEXT, grad_horizon=PERIOD),
                Key("transient", WHOLE, says="Samples at the beginning of what is recorded to leave out."),
                *_of("Fitter.fit", n_steps=WHOLE, seed=WHOLE, fresh_noise=FLAG, patience=WHOLE),
                Key("min_delta", NUMBER, "Fitter.fit", "The least improvement that `patience` waits for; default 0."),
            ),
        ),
        Table(
            "fit.loss",
            "What is made small.",
            (),
            "As in `[sweep.measure]`: `of`, the name of a monitor, the `type` of objective with its arguments, and "
            "`target`. Without a `type`, for `optimistix`: residuals.",
        ),
        Table(
            "fit.search_space",
            "What is fitted, by name of the parameter, as in `[sweep.values]`, and how.",
            (),
            'Two bounds; `{type = "Bounds", low = 0.01, high = 1, log = true}`; a prior, `Normal` or `LogNormal`; '
            "`Free` with all of these, `shared`, `transform` and `reg`; or `Fixed`.",
        ),
        Table(
            "posterior",
            "For `brainmass posterior`: arguments of `brainmass.inference.sample`.",
            (
                Key("method", TEXT, says="`nuts`, the default, `smc`, `vi`, `pathfinder` or `laplace`."),
                *_of("inference.sample", n_draws=WHOLE, n_chains=WHOLE),
                Key("seed", WHOLE, says="Decides all that is drawn; default 0."),
                Key("n_warmup", WHOLE, says="Of `nuts`: steps before the draws, which find step size and shape."),
                Key("target_accept", NUMBER, says="Of `nuts`: acceptance that the step size aims at; default 0.8."),
                Key("max_depth", WHOLE, says="Of `nuts`: most doublings of a trajectory; default 8."),
                Key("dense_mass", FLAG, says="Of `nuts`: whether it learns correlations; default true."),
                Key("n_moves", WHOLE, says="Of `smc`: moves at each temperature; default 10."),
                Key("target_ess", NUMBER, says="Of `smc`: share of effective particles to keep; default 0.5."),
                Key("family", TEXT, says="Of `vi`: `mean-field`, `full-rank` (default) or `flow`."),
                Key("n_steps", WHOLE, says="Of `vi`: steps of the optimiser; default 1000."),
                Key("learning_rate", NUMBER, says="Of `vi`: default 0.01."),
                Key("n_samples", WHOLE, says="Of `vi`: runs in each step; default 8."),
                Key("n_paths", WHOLE, says="Of `pathfinder`: default 8."),
                Key("n_elbo", WHOLE, says="Of `pathfinder`: runs at each point of a path; default 20."),
                Key("n_starts", WHOLE, says="Of `laplace`: searches for the peak; default 8."),
            ),
        ),
        Table(
            "posterior.likelihood",
            "How observations scatter around what the run predicts.",
            (),
            "`type`, `Gaussian` or `StudentT`, with its arguments, such as `sigma`; `of`, the name of a monitor; and "
            "`observed`, the data, in the form of what it records.",
        ),
        Table(
            "posterior.search_space",
            "The priors, as in `[fit.search_space]`; that of an error is `likelihood.sigma`.",
            (),
            "A prior, `Normal` or `LogNormal`; or two bounds, in which the prior is even.",
        ),
    )
}  # fmt: skip
