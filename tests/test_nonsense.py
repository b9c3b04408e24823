"""Whatever nonsense is given for one argument, a public call takes it or says in words what is wrong with it.

Clear is an error of ours: raised in the package, a ValueError, TypeError or one of units, that names the argument.
"""

import inspect
import traceback
import warnings
from pathlib import Path

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from braintools.init import Constant

import brainmass

PACKAGE = str(Path(brainmass.__file__).parent)
N = 3
NONSENSE = {
    "None": None,
    "text": "nonsense",
    "empty text": "",
    "negative": -1,
    "negative real": -1.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "huge": 10**30,
    "complex": 1 + 2j,
    "bool": True,
    "texts": ["a", "b"],
    "empty list": [],
    "mapping": {"a": 1},
    "object": object(),
    "class": int,
    "function": lambda *args: None,
    "wrong shape": np.ones((5, 7)),
    "empty array": np.ones((0,)),
    "ragged": np.array([1, "a", None], object),
    "strange unit": 1.0 * u.katal,
    "array of NaN": np.full(N, np.nan),
    "bytes": b"\x00\xff",
}


def square():
    return np.ones((N, N)) - np.eye(N)


def network():
    return brainmass.Network(brainmass.HopfStep(N), conn=square(), coupled_var="x", k=0.1)


def simulator():
    return brainmass.Simulator(network(), dt=0.1 * u.ms)


def fitter():
    node = brainmass.HopfStep(N, a=brainstate.nn.Param(0.1, fit=True))
    prior = {"a": brainmass.Normal(0.0, 1.0)}
    return brainmass.Fitter(
        node, optax.adam(0.01), loss_fn=lambda model: (model.a.value() - 0.2) ** 2, search_space=prior
    )


def trainer():
    return brainmass.Trainer(
        brainmass.HORNSeqNetwork(1, 2, 1), loss_fn=lambda out, y: jnp.mean((out - y) ** 2), batch_size=4
    )


class Uniform:
    """A distribution with the methods of numpyro's."""

    def log_prob(self, x):
        return 0.0 * x

    def sample(self, key, shape=()):
        return jax.random.uniform(key, shape)


def needed():
    """The arguments that a call cannot do without, by name of the callable."""
    signals = np.random.default_rng(0).normal(size=(60, N))
    connectome = brainmass.Connectome(square(), lengths=10 * square() * u.mm)
    edges = brainmass.Edges(N, [0, 1], [1, 2], [1.0, 1.0], [10.0, 10.0] * u.mm)
    lead = {"in_size": N, "out_size": 2, "L": np.ones((N, 2))}
    magnetic = lead | {"L": np.ones((N, 2))}
    kernel = {"conn": square()}
    edge_weights = {"delayed_x": np.ones((N, N)), "conn": square()}
    task = {"inputs": np.ones((8, 3, 1)), "targets": np.ones((8, 1))}
    objectives = {
        name: {"x": signals}
        for name in ("analytic_signal", "fcd_matrix", "functional_connectivity", "instantaneous_phase",
                     "phase_locking_value")
    }  # fmt: skip
    return objectives | {
        "Connectome": {"weights": square()},
        "Edges": {"n": N, "source": [0, 1], "target": [1, 2], "weight": [1.0, 1.0]},
        "Bounds": {"low": 0.0, "high": 1.0},
        "Normal": {"mean": 0.0, "std": 1.0},
        "LogNormal": {"median": 1.0, "spread": 2.0},
        "Prior": {"distribution": Uniform()},
        "Monitor": {"what": "x"},
        "Network": {"node": brainmass.HopfStep(N), "conn": connectome, "coupled_var": "x"},
        "Projection": {"conn": connectome, "coupled_var": "x"},
        "Simulator": {"model": network(), "dt": 0.1 * u.ms},
        "Fitter": {"model": brainmass.HopfStep(N, a=brainstate.nn.Param(0.1, fit=True)), "optimizer": optax.adam(0.01),
                   "loss_fn": lambda model: (model.a.value() - 0.2) ** 2},
        "Trainer": {"model": brainmass.HORNSeqNetwork(1, 2, 1), "optimizer": optax.adam(0.01),
                    "loss_fn": lambda outputs, targets: 0.0},
        "HORNSeqLayer": {"n_input": 1, "n_hidden": 2},
        "HORNSeqNetwork": {"n_input": 1, "n_hidden": 2, "n_output": 1},
        "LaplacianConnParam": {"W": square()},
        "EdgeWeights": {"weights": square()},
        "RegionalMap": {"maps": np.linspace(0, 1, N), "a": 1.0},
        "Recording": {"in_size": N, "data": signals},
        "SpatialAverage": {"labels": [0, 0, 1]},
        "LeadFieldModel": lead, "EEGLeadFieldModel": lead, "SEEGLeadFieldModel": lead, "MEGLeadFieldModel": magnetic,
        "LeadfieldReadout": {"lm": np.ones((2, N)), "y0": 0.0, "cy0": 1.0},
        **{name: kernel for name in dir(brainmass) if name.endswith("Coupling")},
        "additive_coupling": edge_weights, "sigmoidal_coupling": edge_weights,
        "hyperbolic_tangent_coupling": edge_weights, "sigmoidal_jansen_rit_coupling": edge_weights,
        "diffusive_coupling": edge_weights | {"y": np.ones(N), "k": 1.0},
        "laplacian_connectivity": {"W": square()},
        "random_design": {"bounds": {"a": (0.0, 1.0)}, "n": 3},
        "sobol_design": {"bounds": {"a": (0.0, 1.0)}, "n": 4},
        "sigmoid": {"x": 1.0, "vmax": 5.0, "v0": 6.0, "r": 0.5},
        "bounded_input": {"x": 1.0},
        "delay_index": {"n_hidden": 3},
        "fcd_distribution": {"fcd_matrix": np.corrcoef(signals)},
        "ks_distance": {"p": np.array([0.5, 0.5]), "q": np.array([0.2, 0.8])},
        "wasserstein_1d": {"p": np.array([0.5, 0.5]), "q": np.array([0.2, 0.8]), "x": np.array([0.0, 1.0])},
        "metastability": {"phases": signals}, "order_parameter": {"phases": signals},
        "power_spectral_density": {"x": signals, "sampling_period": 1 * u.ms, "window_size": 16},
        "psd_rmse": {"sampling_period": 1 * u.ms},
        "WelchSpectrum": {"in_size": N, "every": 1 * u.ms},
        "combine": {},
        "load_dataset": {"name": "hcp_schaefer100"},
        "delayed_match_task": {},
        "Simulator.run": {"duration": 0.5 * u.ms, "seed": 0},
        "Simulator.pure": {"duration": 0.5 * u.ms},
        "Fitter.fit": {"n_steps": 1},
        "Fitter.check_gradient": {}, "Fitter.sample_prior": {"seed": 0, "n": 2},
        "Fitter.log_prior": {"values": {"a": 0.0}},
        "Trainer.fit": task | {"n_epochs": 1}, "Trainer.evaluate": task, "Trainer.predict": {"inputs": task["inputs"]},
        "sweep": {"simulator": simulator(), "duration": 0.3 * u.ms, "values": {"a": [0.1, 0.2]}},
        "Connectome.delays": {"speed": 5.0 * u.mm / u.ms}, "Edges.delays": {"speed": 5.0 * u.mm / u.ms},
        "Connectome.permute": {"order": [2, 1, 0]}, "Edges.permute": {"order": [2, 1, 0]},
        "Connectome.subnetwork": {"regions": [0, 1]}, "Edges.subnetwork": {"regions": [0, 1]},
        "Connectome.normalize": {}, "Edges.normalize": {},
        "Connectome.map_weights": {"f": np.sqrt},
        "Edges.from_dense": {"weights": square()},
        "Edges.split_table": {},
        "plot_connectivity": {"matrix": square()}, "plot_functional_connectivity": {"data": signals},
        "plot_functional_connectivity_dynamics": {"data": signals}, "plot_loss": {"history": [3.0, 2.0]},
        "plot_phase_plane": {"model": brainmass.HopfStep(1), "xlim": (-1, 1), "ylim": (-1, 1)},
        "plot_phase_portrait": {"x": signals, "y": signals},
        "plot_power_spectrum": {"signal": signals, "dt": 1 * u.ms}, "plot_timeseries": {"signal": signals},
        "plot_sweep": {"values": [1.0, 2.0], "scores": [0.1, 0.2]},
    } | {"_methods": {"Connectome": connectome, "Edges": edges}}  # fmt: skip


# Made by the package itself, or abstract; files and figures on disk have tests of their own.
NOT_CALLED = {
    "FitResult", "FitStep", "Result", "TrainResult", "ModelInfo", "Preset", "Free", "Fixed", "DivergenceError",
    "NeuralMassDynamics", "Noise", "Observer", "Stimulus", "Coupling", "HRFKernel", "XY_Oscillator",
    "WilsonCowanBase", "WilsonCowanThreePopBase", "JansenRitTR", "process_sequence", "sys2nd", "feedback_inhibition",
    "list_models", "EmpiricalDataset", "register_dataset", "list_datasets", "check_model",
    "plot_connectome", "read_array", "view_connectome", "plot_fit", "plot_topography", "plot_sweep_map",
}  # fmt: skip


def public_callables():
    known = needed()
    owners = known.pop("_methods") | {"Simulator": simulator(), "Fitter": fitter(), "Trainer": trainer()}
    for module in (brainmass, brainmass.objectives, brainmass.datasets, brainmass.viz):
        for name in getattr(module, "__all__", dir(module)):
            thing = getattr(module, name)
            if name.startswith("_") or name in NOT_CALLED or inspect.ismodule(thing) or not callable(thing):
                continue
            if not getattr(thing, "__module__", "").startswith("brainmass"):
                continue
            if inspect.isclass(thing) and issubclass(thing, BaseException):
                continue
            if name not in known and "in_size" in inspect.signature(thing).parameters:
                known[name] = {"in_size": N}
            yield name, thing, known.get(name, {})
    for full, arguments in known.items():
        owner, _, method = full.partition(".")
        if method:
            yield full, getattr(owners[owner], method), arguments


CALLS = {name: (call, arguments) for name, call, arguments in public_callables()}


def named(argument, given, text):
    """Whether an error names the argument, or one of its items: "Input `x_inp`" of `inputs`, a name that is unknown."""
    texts = [x for x in (given if isinstance(given, list) else [given]) if isinstance(x, str)]
    ways = f"`{argument}`", f"{argument}=", f"{argument.removesuffix('s')} `", *map(repr, texts)
    return any(way in text or way.capitalize() in text for way in ways)


def outcome(call, name, arguments):
    """None where the call is in order or refused clearly, else what was said instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = call(**arguments)
            if hasattr(made, "init_state") and isinstance(made, brainmass.NeuralMassDynamics):
                made.init_state()
    except Exception as error:  # noqa: BLE001
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = last.filename.startswith(PACKAGE) and str(last.line).startswith("raise ")
        ours = ours or isinstance(error, ImportError)
        kind = isinstance(error, ValueError | TypeError | u.UnitMismatchError | ImportError)
        # a file that is not there is the system's to tell, by its name
        told = isinstance(error, OSError) and error.filename == arguments.get(name)
        if not told and not (ours and kind and named(name, arguments.get(name), str(error))):
            return f"{type(error).__name__} ({Path(last.filename).name}:{last.lineno}): {str(error)[:160]}"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CALLS))
def test_nonsense_is_refused_in_words(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a text is a path to some
    call, arguments = CALLS[name]
    unclear = {}
    with brainstate.environ.context(dt=0.1 * u.ms), jax.default_device(jax.devices("cpu")[0]):
        assert outcome(call, "", arguments) is None, "the call itself must be in order"
        for argument, parameter in inspect.signature(call).parameters.items():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            for kind, wrong in NONSENSE.items():
                said = outcome(call, argument, {**arguments, argument: wrong})
                if said:
                    unclear[argument, kind] = said
    assert not unclear, "\n".join(f"{a} = {k}: {said}" for (a, k), said in unclear.items())


def test_an_initialiser_is_no_nonsense():
    assert outcome(brainmass.HopfStep, "a", {"in_size": N, "a": Constant(0.1)}) is None
