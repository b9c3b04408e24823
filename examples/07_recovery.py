"""Known parameters found again from what their models do, by gradient and without: how exactly, and in how many runs.

Each model runs once with known parameters. From that record alone they are fitted, by Adam from three starts and by
CMA-ES in the same bounds. What makes them identifiable is a transient: at rest many parameters give one state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import brainunit as u
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
from braintools.init import Constant

import brainmass

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STEPS, STARTS, GENERATIONS, CANDIDATES = 80, 3, 50, 12
RING = 0.5 * (np.roll(np.eye(5), 1, axis=1) + np.roll(np.eye(5), -1, axis=1))
HUMAN = brainmass.datasets.load_dataset("hcp_schaefer100").connectome.normalize("max")


def montbrio_pazo_roxin(eta, J):
    start = dict(init_r=Constant(0.5 * u.kHz), init_v=Constant(-0.5))
    return brainmass.MontbrioPazoRoxinStep(1, tau=1.0 * u.ms, delta=1 / u.ms, eta=eta, J=J, method="heun", **start)


def rate_and_potential(model):
    """A region that can rest at two rates falls back to the low one."""
    run = brainmass.Simulator(model, dt=0.05 * u.ms).run(15 * u.ms, monitors=["r", "v"], sample_every=2)
    return jnp.concatenate([run["r"].to_decimal(u.kHz), 0.3 * run["v"]], axis=1)


def jansen_rit(Ae, Ai):
    return brainmass.JansenRitStep(1, Ae=Ae, Ai=Ai, method="heun")


def onset_of_alpha(model):
    """The EEG of a column whose input is switched on, in 10 mV."""
    run = brainmass.Simulator(model, dt=1.0 * u.ms).run(
        150 * u.ms, inputs={"E_inp": 200 * u.Hz}, monitors={"eeg": lambda m: m.eeg()}, sample_every=2
    )
    return 0.1 * run["eeg"].to_decimal(u.mV)


def hopf(a, k):
    start = dict(init_x=Constant(np.array([0.8, 0.0, 0.0, -0.3, 0.0])), init_y=Constant(0.0))
    return brainmass.Network(brainmass.HopfStep(5, a=a, w=0.3, **start), conn=RING, coupled_var="x", k=k)


def after_a_kick(model):
    """Two regions of a ring of five are displaced, and the others follow."""
    return brainmass.Simulator(model, dt=0.2 * u.ms).run(30 * u.ms, monitors=["x"], sample_every=2)["x"]


def wong_wang(G, w_p):
    start = Constant(np.random.default_rng(0).uniform(0, 0.6, HUMAN.n_regions))
    node = brainmass.WongWangExcInhStep(HUMAN.n_regions, G=G, w_p=w_p, method="heun", init_S_e=start)
    return brainmass.Network(node, conn=HUMAN, coupling="additive", coupled_var="S_e", k=1.0)


def gating(model):
    """How regions that start at different gating find each other."""
    run = brainmass.Simulator(model, dt=2.0 * u.ms).run(200 * u.ms, monitors=["S_e", "S_i"], sample_every=5)
    return jnp.concatenate([run["S_e"], run["S_i"]], axis=1)


@dataclass(frozen=True)
class Study:
    make: Callable
    predict: Callable
    truth: dict
    start: dict
    space: dict
    close: float  # root mean square of the misfit from which a fit counts as close; records vary by about 0.3
    noise: float = 0.0  # standard deviation of the measurement

    @cached_property
    def record(self):
        clean = np.asarray(self.predict(self.make(**self.truth)))
        return clean + self.noise * np.random.default_rng(0).standard_normal(clean.shape)

    def fit(self, solver, seed=0):
        predict, record, model = self.predict, self.record, self.make(**self.start)
        options = dict(loss_fn=lambda model: jnp.mean((predict(model) - record) ** 2), search_space=self.space)
        if solver == "gradient":
            adam = optax.adam(optax.cosine_decay_schedule(0.2, STEPS))
            return brainmass.Fitter(model, adam, n_starts=STARTS, **options).fit(n_steps=STEPS, seed=seed)
        cma = brainmass.Fitter(model, "CMA", backend="nevergrad", popsize=CANDIDATES, **options)
        return cma.fit(n_steps=GENERATIONS, seed=seed)

    def errors(self, result):
        """Of each parameter, relative to the truth."""
        best = result.best_params
        return {name: abs(float(u.maybe_decimal(best[name] / true)) - 1) for name, true in self.truth.items()}

    def runs(self, result):
        """How many runs it took until a fit was close."""
        close = result.history < self.close**2
        return result.histories.shape[1] * (1 + int(np.argmax(close))) if close.any() else np.inf


STUDIES = {
    "Montbrió-Pazó-Roxin": Study(
        montbrio_pazo_roxin,
        rate_and_potential,
        truth={"eta": -5.0, "J": 15.0},
        start={"eta": -4.0, "J": 12.0},
        space={"eta": (-8.0, -2.0), "J": (8.0, 22.0)},
        close=0.0045,
    ),
    "Jansen-Rit": Study(
        jansen_rit,
        onset_of_alpha,
        truth={"Ae": 3.25 * u.mV, "Ai": 22.0 * u.mV},
        start={"Ae": 2.8 * u.mV, "Ai": 28.0 * u.mV},
        space={"Ae": (2.6 * u.mV, 4.5 * u.mV), "Ai": (15.0 * u.mV, 35.0 * u.mV)},
        close=0.02,
    ),
    "Hopf": Study(
        hopf,
        after_a_kick,
        truth={"a": 0.1, "k": 0.2},
        start={"a": -0.1, "k": 0.05},
        space={"a": (-0.4, 0.4), "k": (0.0, 0.6)},
        close=0.0205,
        noise=0.02,
    ),
    "Wong-Wang": Study(
        wong_wang,
        gating,
        truth={"G": 1.0, "w_p": 1.4},
        start={"G": 0.5, "w_p": 1.2},
        space={"G": (0.1, 3.0), "w_p": (1.0, 1.8)},
        close=0.002,
    ),
}


def main():
    figure, axes = plt.subplots(1, len(STUDIES), figsize=(16, 4), layout="constrained", sharey=True)
    print(f"{'model':<20} {'solver':<9} {'runs':>5}  relative errors")
    for ax, (name, study) in zip(axes, STUDIES.items(), strict=True):
        for solver, color in (("gradient", "#0072B2"), ("CMA", "#D55E00")):
            result = study.fit(solver)
            errors = "  ".join(f"{parameter} {error:.1e}" for parameter, error in study.errors(result).items())
            print(f"{name:<20} {solver:<9} {study.runs(result):>5}  {errors}", flush=True)
            misfit = np.sqrt(np.minimum.accumulate(result.history))
            ax.loglog(result.histories.shape[1] * np.arange(1, len(misfit) + 1), misfit, color=color, label=solver)
        ax.axhline(study.close, color="0.5", ls=":", label="close")
        ax.set(title=f"{name}: {', '.join(study.truth)}", xlabel="runs")
    axes[0].set(ylabel="root mean square of the misfit", ylim=(1e-6, 1))
    axes[0].legend()
    out = Path(__file__).with_name("07_recovery.png")
    figure.savefig(out, dpi=120)
    print(f"wrote {out.name}")


if __name__ == "__main__":
    main()
