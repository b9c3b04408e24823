"""Feedback inhibition control: the local inhibition at which every region of a network fires at a given rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced, numbers
from brainmass._common.extras import import_fit
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.random import as_key, fold
from brainmass._common.times import milliseconds
from brainmass._common.typing import ArrayLike, Key, Numbers, Time
from brainmass.analysis.drift import Drift
from brainmass.forward.statistics import Mean
from brainmass.models.wong_wang.exc_inh import WongWangExcInhStep
from brainmass.network.network import Network
from brainmass.simulation.inventory import Template
from brainmass.simulation.monitors import Monitor
from brainmass.simulation.simulator import Simulator

__all__ = ["feedback_inhibition"]

# That of a pool whose current is 0.026 nA below threshold, as Deco et al. 2014 have it.
_RATE = 3.06 * u.Hz


def feedback_inhibition(
    model: Any,
    target: ArrayLike = _RATE,
    *,
    duration: Time | None = None,
    transient: Time = 5.0 * u.second,
    n_runs: int = 8,
    n_iterations: int = 10,
    tolerance: float = 0.05,
    dt: Time | None = None,
    seed: Key = 0,
) -> jax.Array:
    r"""The inhibition `J_i` of each region with which its excitatory pool fires at the target rate.

    Where all rates are :math:`r`, the fixed point follows region by region: :math:`S_E` from the rate, then
    :math:`S_I` and :math:`J_i` as the roots of one equation of the `Drift` each. Gradients go through the roots by the
    implicit function theorem, so that the loss of a fit may contain this. The model is not changed.

    Noise shifts mean rates, as the transfer function is convex. With `duration` the inhibition is therefore refined on
    runs of the model with its noise: the rate of the fixed point is moved until the mean rates are the target.
    Gradients take this shift as constant.

    Parameters
    ----------
    model : WongWangExcInhStep, or Network of it that sends `S_e`
        Delays make no difference to the fixed point. The present `J_i` does not matter.
    target : Quantity, scalar or (N,)
        Mean rate of the excitatory pools, > 0.
    duration : Quantity, optional
        Length of each of `n_runs` runs that refine the inhibition, after a `transient`; a minute or more.
    n_iterations : int
        Largest number of refinements.
    tolerance : float
        Largest relative deviation of a mean rate from the target.
    dt : Quantity, optional
        Time step of the runs; default that of `brainstate.environ`.
    seed : int or JAX key
        Decides the noise of the runs.

    Returns
    -------
    array (N,)

    Raises
    ------
    TypeError, ValueError
        If the model is another one, the target is no positive rate, a region would need negative inhibition, the fixed
        point is unstable, or the noisy rates do not come within the tolerance. In a trace, where there are no numbers
        to look at, the last three are not checked.

    References
    ----------
    Deco et al. 2014, J. Neurosci. 34:7886.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> conn = brainmass.datasets.load_dataset("hcp_schaefer100").connectome.normalize("spectral")
    >>> node = brainmass.WongWangExcInhStep(100, G=1.0)
    >>> network = brainmass.Network(node, conn=conn, coupling="additive", coupled_var="S_e")
    >>> node.J_i = brainmass.feedback_inhibition(network, 3.06 * u.Hz)
    >>> node.J_i.value().shape
    (100,)
    """
    node = _node_of(model)
    aim = rate = _checked_rate(target, node)
    balance = _Balance(model, node)
    inhibition, state = balance(aim)
    if not is_traced(inhibition):
        _check_stability(model, state, inhibition)
    if duration is None:
        return inhibition
    _check_refinement(n_runs, n_iterations, tolerance)
    off: Numbers = np.inf
    mean_rates = _MeanRates(model, inhibition, duration, transient, n_runs, dt)
    for i in range(n_iterations):
        ratio = jax.lax.stop_gradient(mean_rates(inhibition, fold(as_key(seed), i)) / rate)
        off = abs(ratio - 1).max()
        if not is_traced(off) and off <= tolerance:
            return inhibition
        # Mean rates are estimates: steps that get shorter average their errors, as of Robbins and Monro (1951, Ann.
        # Math. Stat. 22:400), and none goes further than a factor of two.
        aim = aim / jnp.clip(ratio, 0.5, 2.0) ** (2 / (2 + i))
        inhibition, _ = balance(aim)
    if not is_traced(off):
        raise ValueError(
            f"feedback_inhibition came no nearer to the target than {float(off):.0%} in one region, with a tolerance "
            f"of {tolerance:.0%}: try a longer `duration`, more `n_runs` or `n_iterations`, or a weaker coupling, as "
            "noise makes regions leave a fixed point that is about to lose its stability."
        )
    return inhibition


# --- the fixed point ----------------------------------------------------------------------------------------------
class _Balance:
    """The inhibition under which given rates are a fixed point, from the drift of the model."""

    def __init__(self, model: Any, node: WongWangExcInhStep):
        self._drift, self._p, self._shape = Drift(model), node.p, node.varshape
        self._solve = jax.jit(self._solved)

    def __call__(self, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The inhibition for these rates, in Hz, and the fixed point, shape (2, N)."""
        inhibition, state = self._solve(rate)
        if not is_traced(inhibition):
            _check_inhibition(inhibition)
        return inhibition, state

    def _solved(self, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        """With these rates excitatory gating is known, and region by region one equation is left for each unknown."""
        p, nothing = self._p, jnp.zeros(self._shape, rate.dtype)
        # Where dS_E/dt = -S_E / τ + (1 - S_E) γ r is zero.
        S_e = p.gamma_e * p.tau_e * rate / (1 + p.gamma_e * p.tau_e * rate)

        def motion(S_i: jax.Array, J_i: jax.Array) -> jax.Array:
            x = jnp.concatenate([S_e.ravel(), S_i.ravel()])
            return self._drift(x, {"J_i": J_i}).reshape(2, *self._shape)

        # Concave in S_i, and convex in J_i: Newton's steps from zero come nearer and never pass.
        S_i = _root(lambda S_i: p.tau_i * motion(S_i, nothing)[1], nothing)
        inhibition = _root(lambda J_i: p.tau_e * motion(S_i, J_i)[0], nothing)
        return inhibition, jnp.stack([S_e, S_i])


def _root(function: Callable[[jax.Array], jax.Array], start: jax.Array) -> jax.Array:
    """The root of `function`, which takes each element by itself."""
    optimistix, diagonal = import_fit("optimistix"), import_fit("lineax").diagonal_tag
    precision = 8 * float(jnp.finfo(start.dtype).eps)
    solver = optimistix.Newton(rtol=precision, atol=precision)
    # Nothing is thrown within compiled code: `_check_inhibition` looks at the numbers. The tag says that elements do
    # not act on one another, so that a step is a division.
    return optimistix.root_find(lambda x, _: function(x), solver, start, throw=False, tags=frozenset({diagonal})).value


def _check_inhibition(inhibition: jax.Array) -> None:
    J = np.asarray(inhibition)
    if not np.isfinite(J).all():
        raise ValueError("feedback_inhibition found no fixed point: look for extreme parameters of the model.")
    if (J < 0).any():
        raise argument_error(
            Argument("target", "feedback_inhibition"),
            "must be a rate that needs inhibition",
            f"region {J.argmin()} would need J_i = {J.min():.3g}: give a lower target",
        )


def _check_stability(model: Any, state: jax.Array, inhibition: jax.Array) -> None:
    """Delays change how fast deviations grow, but not whether one does so without oscillating."""
    model, _ = _with_inhibition(model, inhibition)
    jacobian = np.asarray(Drift(model).jacobian(state.ravel()))
    growth = np.real(np.linalg.eigvals(jacobian)).max()
    if growth > 0:
        raise ValueError(
            "feedback_inhibition found no stable state: under the inhibition that gives the target rates, a "
            f"deviation grows by {growth:.2g} per ms. The coupling is too strong for these rates: lower G or the "
            "network's k, or the target."
        )


def _with_inhibition(model: Any, inhibition: jax.Array) -> tuple[Any, WongWangExcInhStep]:
    """A copy of the model, and its node."""
    copy, _ = Template(model).build()
    node = _node_of(copy)
    node.J_i = Param(inhibition, fit=False)
    return copy, node


# --- with noise ---------------------------------------------------------------------------------------------------
class _MeanRates:
    """Mean excitatory rates, in Hz, of some runs under a given inhibition."""

    def __init__(self, model: Any, inhibition: jax.Array, duration: Any, transient: Any, n_runs: int, dt: Any):
        self.model, self.node = _with_inhibition(model, inhibition)
        self._simulator = Simulator(self.model, dt)
        rate = Monitor(Mean(self.node.varshape), source=lambda model: _node_of(model).H_e())
        self._settings: Any = dict(monitors={"rate": rate}, transient=transient, batch_size=n_runs)
        self._duration = (milliseconds("duration", duration) + milliseconds("transient", transient)) * u.ms

    def __call__(self, inhibition: jax.Array, key: Numbers) -> Numbers:
        self.node.J_i.set_value(inhibition)
        return self._simulator.run(self._duration, seed=key, **self._settings)["rate"].mean((0, 1))


# --- checks -------------------------------------------------------------------------------------------------------
def _node_of(model: Any) -> WongWangExcInhStep:
    nodes = list(model.populations.values()) if isinstance(model, Network) else [model]
    if len(nodes) != 1 or not isinstance(nodes[0], WongWangExcInhStep):
        raise argument_error(
            Argument("model", "feedback_inhibition"),
            "must be a WongWangExcInhStep or a Network of one",
            f"is {show(model)}",
            kind=TypeError,
        )
    sent = [p.coupled_var for p in model.projections if p.coupled_var != "S_e"] if isinstance(model, Network) else []
    if sent:
        raise argument_error(
            Argument("model", "feedback_inhibition"),
            "must be a network that sends the excitatory gating, coupled_var='S_e'",
            f"sends {sent[0]!r}",
        )
    return nodes[0]


def _checked_rate(target: Any, node: WongWangExcInhStep) -> Any:
    """The target in Hz, for each region."""
    what = Argument("target", "feedback_inhibition", "mean rate of the excitatory pools")
    target = numbers(what, target)
    if not u.get_unit(target).has_same_dim(u.Hz):
        raise argument_error(
            what, "must have unit of rate", f"is {show(target)}", "target=3.06 * u.Hz.", kind=u.UnitMismatchError
        )
    rate = jnp.asarray(target.to_decimal(u.Hz), default_dtype())
    if rate.ndim and rate.shape != node.varshape:
        raise argument_error(what, f"must be one rate, or of shape {node.varshape}", f"has shape {rate.shape}")
    if not is_traced(rate) and not (np.isfinite(np.asarray(rate)) & (np.asarray(rate) > 0)).all():
        raise argument_error(what, "must be finite and > 0", f"is {show(target)}", "target=3.06 * u.Hz.")
    return jnp.broadcast_to(rate, node.varshape)


def _check_refinement(n_runs: Any, n_iterations: Any, tolerance: Any) -> None:
    for name, n in ("n_runs", n_runs), ("n_iterations", n_iterations):
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise argument_error(Argument(name, "feedback_inhibition"), "must be a positive int", f"is {show(n)}")
    if not tolerance > 0:
        raise argument_error(Argument("tolerance", "feedback_inhibition"), "must be > 0", f"is {show(tolerance)}")
