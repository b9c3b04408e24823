"""Bifurcations against closed forms, published values and a solver of initial value problems."""

import re

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate import HiddenState
from scipy.integrate import solve_ivp

import brainmass as bm
from brainmass.declare import Par, nonnegative, param, state


class Rossler(bm.NeuralMassDynamics):
    """Rössler 1976, Phys. Lett. A 57:397."""

    a: Par = param(default=0.3, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.ones(shape), port="x_inp")
    y: HiddenState = state("y", start=lambda shape: jnp.ones(shape))
    z: HiddenState = state("z", start=lambda shape: jnp.zeros(shape))

    def dx(self, x, y, z, x_inp):
        return (-y - z + x_inp) / u.ms

    def dy(self, y, x):
        return (x + self.p.a * y) / u.ms

    def dz(self, z, x):
        return (2.0 + z * (x - 4.0)) / u.ms


class Spun(bm.NeuralMassDynamics):
    """r' = r (a - r²) at a frequency of 0.1, and beside it z' = z and y' = -y."""

    a: Par = param(default=-0.1, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.ones(shape), port="x_inp")
    v: HiddenState = state("v", start=lambda shape: jnp.ones(shape))
    y: HiddenState = state("y", start=lambda shape: jnp.zeros(shape))
    z: HiddenState = state("z", start=lambda shape: jnp.zeros(shape))

    def dx(self, x, v, x_inp):
        return ((self.p.a - x**2 - v**2) * x - 0.1 * v + x_inp) / u.ms

    def dv(self, v, x):
        return ((self.p.a - x**2 - v**2) * v + 0.1 * x) / u.ms

    def dy(self, y, x):
        return (-y + x) / u.ms

    def dz(self, z, v):
        return (z - v) / u.ms


class Alike(bm.NeuralMassDynamics):
    """x' = a x - x³ and y' = a y - y³, beside a focus that decays."""

    a: Par = param(default=-0.1, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.zeros(shape), port="x_inp")
    y: HiddenState = state("y", start=lambda shape: jnp.zeros(shape))
    v: HiddenState = state("v", start=lambda shape: jnp.zeros(shape))
    z: HiddenState = state("z", start=lambda shape: jnp.zeros(shape))

    def dx(self, x, x_inp):
        return ((self.p.a - x**2) * x + x_inp) / u.ms

    def dy(self, y):
        return (self.p.a - y**2) * y / u.ms

    def dv(self, v, z):
        return (-0.2 * v - z) / u.ms

    def dz(self, z, v):
        return (v - 0.2 * z) / u.ms


class Trailed(bm.NeuralMassDynamics):
    """r' = r (a - r²) at a frequency of 0.1, and two states that follow x so slowly that they hardly move."""

    a: Par = param(default=-0.1, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.ones(shape), port="x_inp")
    v: HiddenState = state("v", start=lambda shape: jnp.ones(shape))
    y: HiddenState = state("y", start=lambda shape: jnp.ones(shape))
    z: HiddenState = state("z", start=lambda shape: jnp.ones(shape))

    def dx(self, x, v, x_inp):
        return ((self.p.a - x**2 - v**2) * x - 0.1 * v + x_inp) / u.ms

    def dv(self, v, x):
        return ((self.p.a - x**2 - v**2) * v + 0.1 * x) / u.ms

    def dy(self, y, x):
        return 1e-3 * (x - y) / u.ms

    def dz(self, z, v):
        return 1e-3 * (v - z) / u.ms


class Driven(bm.NeuralMassDynamics):
    """r' = r (a - r²) at a frequency of 0.3, by which s' = s (r² - 0.05 - s²) at one of 0.1 begins to grow."""

    a: Par = param(default=-0.1, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.ones(shape), port="x_inp")
    v: HiddenState = state("v", start=lambda shape: jnp.ones(shape))
    y: HiddenState = state("y", start=lambda shape: jnp.ones(shape))
    z: HiddenState = state("z", start=lambda shape: jnp.ones(shape))

    def dx(self, x, v, x_inp):
        return ((self.p.a - x**2 - v**2) * x - 0.3 * v + x_inp) / u.ms

    def dv(self, v, x):
        return ((self.p.a - x**2 - v**2) * v + 0.3 * x) / u.ms

    def dy(self, y, z, x, v):
        return ((x**2 + v**2 - 0.05 - y**2 - z**2) * y - 0.1 * z) / u.ms

    def dz(self, z, y, x, v):
        return ((x**2 + v**2 - 0.05 - y**2 - z**2) * z + 0.1 * y) / u.ms


class Cross(bm.NeuralMassDynamics):
    """x' = a x - x³, a pitchfork at a = 0."""

    a: Par = param(default=-1.0, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.zeros(shape) + 0.1, port="x_inp")

    def dx(self, x, x_inp):
        return (self.p.a * x - x**3 + x_inp) / u.ms


class Turn(bm.NeuralMassDynamics):
    """r' = a + (r - 1)², with equilibria up to a = 0, one of which leaves the domain at a = -1."""

    a: Par = param(default=1.0, doc="a")
    r: HiddenState = state("r", start=lambda shape: jnp.ones(shape), port="r_inp", domain=nonnegative)

    def dr(self, r, r_inp):
        return (self.p.a + (r - 1) ** 2 + r_inp) / u.ms


class Corner(bm.NeuralMassDynamics):
    """x' = a + |x|, a fold with a corner."""

    a: Par = param(default=-1.0, doc="a")
    x: HiddenState = state("x", start=lambda shape: jnp.ones(shape), port="x_inp")

    def dx(self, x, x_inp):
        return (self.p.a + jnp.abs(x) + x_inp) / u.ms


@pytest.fixture(scope="module")
def jansen_rit():
    return bm.continue_equilibria(bm.JansenRitStep(1), "E_inp", (-60.0, 400.0))


def test_jansen_rit(jansen_rit):
    """Grimbert, Faugeras 2006, Neural Comput. 18:3052, in pulses per second."""
    np.testing.assert_allclose(jansen_rit.values("Hopf"), [-12.15, 89.83, 315.70], atol=0.005)
    np.testing.assert_allclose(jansen_rit.values("fold"), [-41.301, 113.586], atol=0.001)
    assert [p.criticality for p in jansen_rit.points("Hopf")] == ["subcritical", "supercritical", "supercritical"]
    assert "fold" in repr(jansen_rit) and "113.58627" in repr(jansen_rit)


def test_fitzhugh_nagumo():
    """Trace zero: 1 - V² = b/τ, with V³/3 - V + (V + a)/b = I; between them the equilibrium is unstable."""
    a, b, tau = 0.7, 0.8, 12.5
    V = np.array([-1, 1]) * np.sqrt(1 - b / tau)
    model = bm.FitzHughNagumoStep.preset("classic", 1)
    diagram = bm.continue_equilibria(model, "V_inp", (0.0, 2.0))
    np.testing.assert_allclose(diagram.values("Hopf"), V**3 / 3 - V + (V + a) / b, rtol=1e-6)
    (branch,) = diagram.branches
    assert np.all(
        branch.stable == ((branch.values < diagram.values("Hopf")[0]) | (branch.values > diagram.values("Hopf")[1]))
    )
    omega = np.sqrt((1 - b**2 / tau) / tau)  # from the determinant
    np.testing.assert_allclose(diagram.points("Hopf")[0].period, 2 * np.pi / omega, rtol=1e-6)


def test_montbrio_folds_and_their_cusp():
    """At Δ = 1 folds at J = 15 lie at η = -5.74353 and -3.13613; they meet at η = -√3, J = 7.79622."""
    diagram = bm.continue_equilibria(bm.MontbrioPazoRoxinStep(1, J=15.0, delta=1.0), "eta", (-10.0, 0.0))
    np.testing.assert_allclose(diagram.values("fold"), [-5.74353, -3.13613], atol=1e-5)
    curve = bm.continue_curve(diagram, diagram.points("fold")[0], "J", (2.0, 20.0))
    (cusp,) = curve.special
    assert cusp.kind == "cusp"
    np.testing.assert_allclose([cusp.value, cusp.second], [-np.sqrt(3), 7.79622], atol=1e-5)


@pytest.mark.slow
def test_pitchfork_and_the_branches_that_cross():
    diagram = bm.continue_equilibria(Cross(1), "a", (-1.0, 1.0))
    assert [p.kind for p in diagram.special] == ["branch point"]
    np.testing.assert_allclose(diagram.values("branch point"), 0.0, atol=1e-6)
    assert len(diagram.branches) == 2
    ends = {round(float(branch.x[i, 0]), 6) for branch in diagram.branches for i in (0, -1)}
    assert ends == {0.0, 1.0, -1.0}


def test_one_branch_alone():
    diagram = bm.continue_equilibria(Cross(1), "a", (-1.0, 1.0), start={"x": 0.0}, crossing=False)
    assert [p.kind for p in diagram.special] == ["branch point"]
    (branch,) = diagram.branches
    np.testing.assert_allclose(branch.x, 0.0, atol=1e-9)


@pytest.mark.slow
def test_a_search_that_is_cut_short_says_so():
    """Of x' = a x - x³ in two regions nine states are at rest at a = 1, and at a = 0 all cross."""
    whole = bm.continue_equilibria(Cross(2), "a", (-1.0, 1.0))
    assert whole.end == "" and len(whole.branches) > 2
    for n in 1, 2:
        diagram = bm.continue_equilibria(Cross(2), "a", (-1.0, 1.0), n_branches=n)
        assert len(diagram.branches) == n
        assert (
            f"n_branches={n}" in diagram.end and diagram.end in repr(diagram) and "n_branches" in diagram._repr_html_()
        )
    one = bm.continue_equilibria(Cross(1), "a", (-1.0, 1.0), start={"x": 0.0}, n_branches=1)
    assert one.end == "The search ends with 1 branch, as n_branches=1: what crosses at 1 branch point is not followed."


@pytest.mark.slow
def test_a_branch_that_leaves_the_domain_says_so():
    """And the fold in the middle of the interval, where a search begins as well, does not make a second branch."""
    diagram = bm.continue_equilibria(Turn(1), "a", (-2.0, 2.0))
    (branch,) = diagram.branches
    np.testing.assert_allclose(diagram.values("fold"), 0.0, atol=1e-9)
    # the domain ends at a = -1
    domain, interval = sorted(branch.ends, reverse=True)
    where = re.fullmatch(r"leaves the domain of r at a = (\S+)", domain)
    assert where and abs(float(where[1]) + 1) < 1e-3 and interval == "leaves a = -2 to 2"
    assert branch.x.min() >= 0 and np.isfinite(branch.y).all() and np.isfinite(branch.eigenvalues).all()
    np.testing.assert_allclose(branch.values[branch.x[:, 0].argmin()], -1.0, atol=1e-3)


def test_a_branch_with_a_corner_ends_there():
    """x' = a + |x|: both halves of it are lines, and meet at a = 0."""
    diagram = bm.continue_equilibria(Corner(1), "a", (-1.0, 1.0))
    assert len(diagram.branches) == 2
    for branch in diagram.branches:
        (end,) = (end for end in branch.ends if "no solution is found nearby" in end)
        assert abs(float(end.rpartition(" = ")[2])) < 1e-3
        np.testing.assert_allclose(np.abs(branch.x[:, 0]), -branch.values, atol=1e-9)


def test_without_equilibria():
    with pytest.raises(ValueError, match="No equilibrium of Turn is found at a = 0.5, 1.25, 2: give `start`"):
        bm.continue_equilibria(Turn(1), "a", (0.5, 2.0))


@pytest.mark.slow
def test_steps_do_not_depend_on_the_number_of_regions():
    one, many = (
        bm.continue_equilibria(bm.FitzHughNagumoStep.preset("classic", n), "V_inp", (0.0, 0.3)).branches
        for n in (1, 20)
    )
    assert len(one) == len(many) == 1 and abs(len(one[0]) - len(many[0])) <= 1
    np.testing.assert_allclose(many[0].x[-1, :20], one[0].x[-1, 0], rtol=1e-9)


def test_lorenz():
    """σ (σ + β + 3) / (σ - β - 1) = 24.7368, subcritical, at both of the equilibria that are alike."""
    diagram = bm.continue_equilibria(bm.LorenzStep(1), "rho", (0.0, 30.0))
    sigma, beta = 10.0, 8 / 3
    hopf = sigma * (sigma + beta + 3) / (sigma - beta - 1)
    np.testing.assert_allclose(diagram.values("Hopf"), [hopf, hopf], rtol=1e-7)
    assert {p.criticality for p in diagram.points("Hopf")} == {"subcritical"}
    np.testing.assert_allclose(diagram.values("branch point"), 1.0, atol=1e-6)


@pytest.mark.slow
def test_two_alike_that_lose_their_stability_together_are_no_hopf_point():
    """At a = 0, where x and y do: the focus has -0.2 ± i there, and no part in it."""
    diagram = bm.continue_equilibria(Alike(1), "a", (-0.5, 0.6), start=np.zeros(4), crossing=False)
    (point,) = diagram.special
    assert point.kind == "branch point" and abs(point.value) < 1e-9 and point.period is None


@pytest.mark.slow
def test_cycles_of_the_normal_form():
    """r = √(a/β), period 2π/w, and what is left of a deviation after a turn, exp(-2 a T)."""
    w, beta = 0.3, 2.0
    diagram = bm.continue_equilibria(bm.HopfStep(1, w=w, beta=beta), "a", (-0.1, 0.1))
    (point,) = diagram.points("Hopf")
    assert point.criticality == "supercritical" and abs(point.value) < 1e-9
    # on the eigenvector of length 1 the amplitude is |z| with r² = 2 |z|², so that l1 = Re(G21)/2w with G21 = -4β
    np.testing.assert_allclose(point.lyapunov, -2 * beta / w, rtol=1e-9)
    diagram = bm.continue_cycles(diagram, n_intervals=10)
    cycles = diagram.branches[-1]
    a = cycles.values
    np.testing.assert_allclose(cycles.high[:, 0], np.sqrt(a / beta), rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(cycles.period, 2 * np.pi / w, rtol=1e-6)
    others = np.abs(cycles.eigenvalues).min(axis=1)
    np.testing.assert_allclose(others, np.exp(-2 * a * cycles.period), rtol=1e-3, atol=1e-6)
    assert cycles.stable[1:].all() and "leaves a" in cycles.ends[1]


@pytest.mark.slow
def test_cycles_begin_near_their_hopf_point_where_some_states_hardly_move():
    """r = √a, from as near to the Hopf point at zero as is drawn."""
    diagram = bm.continue_cycles(bm.continue_equilibria(Trailed(1), "a", (-1.0, 1.0)), n_intervals=10, n_points=8)
    cycles = diagram.branches[-1]
    assert cycles.kind == "cycles" and 0 < cycles.values[0] < 0.01
    np.testing.assert_allclose(cycles.high[:, 0], np.sqrt(cycles.values), rtol=2e-2)


def test_multipliers_that_are_far_apart():
    """After a turn, of 62.8 ms: exp(62.8), 1, exp(-2 a T), exp(-62.8); and so nothing happens on the branch."""
    diagram = bm.continue_cycles(bm.continue_equilibria(Spun(1), "a", (-0.02, 0.02)), n_intervals=20)
    cycles = diagram.branches[-1]
    period = 2 * np.pi / 0.1
    exact = np.stack([np.full(len(cycles), rate * period) for rate in (1.0, 0.0, 0.0, -1.0)], 1)
    exact[:, 2] = -2 * cycles.values * period
    # degree 4 at the Gauss points takes exp(x) for its Padé approximant
    np.testing.assert_allclose(np.log(np.abs(cycles.eigenvalues)), exact, rtol=2e-2, atol=2e-3)
    assert {point.kind for point in diagram.special} == {"Hopf"}


def test_cycles_near_the_homoclinic_orbit_of_a_saddle_have_no_folds():
    """A saddle of which the leading eigenvalues are real: towards its homoclinic orbit one branch of cycles goes, whose
    period grows at a parameter that converges (Kuznetsov 2004, Elements of Applied Bifurcation Theory, section 6.4)."""
    model = bm.MontbrioDepressionStep.preset("bursting", 1)
    diagram = bm.continue_equilibria(model, "eta", (-6.5, -4.5), start={"r": 0.1, "v": -2.0, "A": 0.05, "B": 0.0})
    hopf = diagram.points("Hopf")[1]
    diagram = bm.continue_cycles(diagram, hopf, longest_period=600 * u.ms)
    cycles = diagram.branches[-1]
    at_end = cycles.values[-1]
    leading = bm.fixed_points(model, parameters={"eta": at_end}).eigenvalues[1]
    assert leading[0].real > 0 > leading[1].real and np.isreal(leading[:2]).all()
    late = [p for p in diagram.special if p.branch == len(diagram.branches) - 1 and p.period > 150]
    assert not late and "has a period beyond 600" in cycles.ends[1]
    np.testing.assert_allclose(cycles.values[cycles.period > 400], at_end, atol=1e-6)


def test_fold_of_cycles_of_jansen_rit(jansen_rit):
    """137.38 pulses per second: Grimbert, Faugeras 2006."""
    first = jansen_rit.points("Hopf")[0]
    diagram = bm.continue_cycles(jansen_rit, first, n_points=60)
    np.testing.assert_allclose(diagram.values("fold of cycles"), 137.38, atol=0.005)


@pytest.mark.slow
def test_cycles_end_in_a_homoclinic_orbit():
    """There the parameter converges while the period grows, which is no fold."""
    diagram = bm.continue_equilibria(bm.WilsonCowanStep.preset("oscillatory", 1), "rE_inp", (0.0, 3.0))
    diagram = bm.continue_cycles(diagram)
    assert {point.kind for point in diagram.special} == {"fold", "Hopf"}
    cycles = diagram.branches[-1]
    assert "has a period beyond" in cycles.ends[1] and np.ptp(cycles.values[-5:]) < 1e-8


@pytest.mark.slow
def test_cycles_between_two_hopf_points_are_one_branch(jansen_rit):
    diagram = bm.continue_cycles(jansen_rit, jansen_rit.points("Hopf")[1])
    (cycles,) = [b for b in diagram.branches if b.kind == "cycles"]
    assert "ends in the Hopf point at E_inp = 315.696 Hz" in cycles.ends[1]


@pytest.mark.slow
def test_pictures_of_functions_of_the_states():
    """Of a cycle of the normal form: its extremes are those of x, whatever the phase at which it begins."""
    diagram = bm.continue_cycles(bm.continue_equilibria(bm.HopfStep(1), "a", (-0.1, 0.1)), n_intervals=10)

    def twice(states):
        return 2 * states["x"]

    one, other = bm.viz.plot_bifurcations(diagram, "x"), bm.viz.plot_bifurcations(diagram, twice)
    for a, b in zip(one.lines, other.lines, strict=True):
        np.testing.assert_allclose(b.get_ydata(), 2 * np.asarray(a.get_ydata()), rtol=0.01, atol=1e-9)
    assert other.get_ylabel() == "twice"
    with pytest.raises(ValueError, match=r"`state`.*one number for each state.*gives shape \(.*, 2\)"):
        bm.viz.plot_bifurcations(diagram, lambda states: jnp.concatenate([states["x"], states["y"]], -1))


@pytest.mark.slow
def test_period_doubling_of_roessler():
    """At the value found, a multiplier of the cycle that scipy integrates is -1."""
    diagram = bm.continue_equilibria(Rossler(1), "a", (-0.5, 0.5))
    diagram = bm.continue_cycles(diagram, diagram.points("Hopf")[0])
    point = diagram.points("period doubling")[0]
    a = point.value

    def rates(t, s):
        x, y, z, *phi = s
        jacobian = np.array([[0, -1, -1], [1, a, 0], [z, 0, x - 4]])
        return [-y - z, x + a * y, 2 + z * (x - 4), *(jacobian @ np.reshape(phi, (3, 3))).ravel()]

    end = solve_ivp(rates, (0, point.period), [*point.x, *np.eye(3).ravel()], rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(end[:3], point.x, atol=1e-3)
    values = np.linalg.eigvals(end[3:].reshape(3, 3))
    assert np.abs(values + 1).min() < 2e-3


@pytest.mark.slow
def test_a_torus_is_born_where_a_pair_of_multipliers_grows_beyond_one():
    """At r² = a = 0.05, where exp((a - 0.05 ± 0.1 i) T) has size 1, after a turn T = 2π/0.3."""
    diagram = bm.continue_equilibria(Driven(1), "a", (-0.1, 0.1), start=dict.fromkeys("xvyz", 0.0), crossing=False)
    diagram = bm.continue_cycles(diagram, n_intervals=10, n_points=60)
    (torus,) = diagram.points("torus")
    np.testing.assert_allclose(torus.value, 0.05, rtol=1e-5)
    np.testing.assert_allclose(torus.period, 2 * np.pi / 0.3, rtol=1e-6)
    turn = np.exp(0.1j * torus.period)
    assert min(abs(torus.eigenvalues - turn)) < 1e-3
    assert [p.kind for p in diagram.special if p.branch == 1] == ["torus"]


@pytest.mark.slow
def test_a_branch_that_grows_without_end():
    """Rössler's other equilibrium goes to infinity as a goes to zero."""
    diagram = bm.continue_equilibria(Rossler(1), "a", (-0.5, 0.5))
    assert sum("grows without end" in end for branch in diagram.branches for end in branch.ends) == 2


@pytest.mark.slow
def test_curves_of_hopf_points_meet_that_of_folds(jansen_rit):
    """Where the frequency becomes zero, the curve ends on that of folds, in a Bogdanov-Takens point."""
    folds = bm.continue_curve(jansen_rit, jansen_rit.points("fold")[0], "C", (50.0, 250.0))
    points = bm.continue_curve(jansen_rit, jansen_rit.points("Hopf")[1], "C", (50.0, 250.0))
    one, other = (
        next((p.value, p.second) for p in curve.special if p.kind == "Bogdanov-Takens") for curve in (folds, points)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)
    hopf = jansen_rit.points("Hopf")[1]
    near = np.argmin(np.abs(points.values - [hopf.value, 135.0]).sum(axis=1))
    np.testing.assert_allclose(points.period[near], hopf.period, rtol=1e-6)
    zeros = np.sort(np.abs(next(p for p in folds.special if p.kind == "Bogdanov-Takens").eigenvalues))
    assert zeros[1] < 1e-3 * zeros[2]


@pytest.mark.slow
def test_two_coupled_regions_with_delays():
    """Stability is that of the delayed network, at each point as `characteristic_roots` tells it."""
    node = bm.HopfStep(2, a=0.02, w=0.2)
    network = bm.Network(
        node, conn=np.array([[0.0, 1.0], [1.0, 0.0]]), coupling="diffusive", coupled_var="x",
        delay=np.array([[0.0, 7.0], [7.0, 0.0]]) * u.ms,
    )  # fmt: skip
    diagram = bm.continue_equilibria(network, "k", (0.0, 0.3), start={"x": [0.0, 0.0], "y": [0.0, 0.0]})
    first, second = diagram.points("Hopf")  # one of two pairs of roots after the other
    assert second.criticality == "" and second.period > 0
    roots = bm.characteristic_roots(network, np.zeros(4), parameters={"k": second.value})
    np.testing.assert_allclose(roots[0].real, 0.0, atol=1e-8)
    np.testing.assert_allclose(second.period, 2 * np.pi / abs(roots[0].imag), rtol=1e-6)
    assert not diagram.branches[0].stable[0] and diagram.branches[0].stable[-1]
    with pytest.raises(ValueError, match="`diagram`.*without conduction delays"):
        bm.continue_cycles(diagram)


def test_outside_and_pictures(jansen_rit):
    outside = jansen_rit.to_xarray()
    assert set(outside.branch.values) == set(range(len(jansen_rit.branches)))
    assert outside.attrs["parameter"] == "E_inp" and outside.E_inp.attrs["units"] == "Hz"
    ax = bm.viz.plot_bifurcations(jansen_rit, "E")
    labels = {line.get_label() for line in ax.lines}
    assert {"stable equilibria", "unstable equilibria", "fold", "Hopf"} <= labels
    assert ax.get_xlabel() == "E_inp (Hz)"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: bm.continue_equilibria(m, "V_imp", (0.0, 1.0)), "no parameter or input 'V_imp'.*Did you mean"),
        (lambda m: bm.continue_equilibria(m, "V_inp", (1.0, 0.0)), "`interval`.*from low to high"),
        (lambda m: bm.continue_equilibria(m, "V_inp", 1.0), r"`interval`.*\(low, high\)"),
        (lambda m: bm.continue_equilibria(m, "V_inp", (0.0, 1.0), longest_step=0), "`longest_step`"),
        (lambda m: bm.continue_equilibria(m, "alpha", (-1.0, 1.0)), "alpha.*> 0"),
        (lambda m: bm.continue_equilibria(m, "alpha", (0.5, 1.0), {"V_inp": lambda t: 0.1}), "`V_inp` must be held"),
        (lambda m: bm.continue_equilibria(m, "V_inp", (0.0, 1.0), {"V_inp": 0.5}), "`inputs`.*no effect on V_inp"),
        (
            lambda m: bm.continue_equilibria(m, "V_inp", (0.0, 1.0), parameters={"V_inp": 0.5}),
            "`parameters`.*no effect on V_inp",
        ),
        (
            lambda m: bm.continue_equilibria(m, "V_inp", (0.0, 1.0), start={"V": np.nan, "w": 0.0}),
            "`start`.*not finite",
        ),
        (lambda m: bm.continue_cycles(m), "`diagram`"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(bm.FitzHughNagumoStep.preset("classic", 1))


def test_what_curves_refuse(jansen_rit):
    hopf = jansen_rit.points("Hopf")[0]
    for name, interval, message in [
        ("E_inp", (0.0, 1.0), "`name`.*another parameter"),
        ("C", (1.0, 2.0), "`interval`.*must hold the present value, 135"),
    ]:
        with pytest.raises(ValueError, match=message):
            bm.continue_curve(jansen_rit, hopf, name, interval)
    with pytest.raises(ValueError, match="has no 'torus'. There are 'Hopf', 'fold'"):
        jansen_rit.points("torus")
    with pytest.raises(ValueError, match="`hopf`.*is fold"):
        bm.continue_cycles(jansen_rit, jansen_rit.points("fold")[0])
