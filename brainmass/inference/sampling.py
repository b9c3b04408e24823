"""`sample`: draws from the posterior of a problem, by one of several methods."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, instance, number, one_of, whole
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.paths import as_path
from brainmass._common.random import as_key
from brainmass._common.typing import PathLike, Seed
from brainmass.inference.hierarchical import HierarchicalProblem
from brainmass.inference.journal import Journal
from brainmass.inference.laplace import laplace
from brainmass.inference.nuts import nuts
from brainmass.inference.pathfinder import pathfinder
from brainmass.inference.posterior import Posterior
from brainmass.inference.problem import Density, Problem
from brainmass.inference.protocol import Drawn, Orders
from brainmass.inference.smc import smc
from brainmass.inference.variational import variational

__all__ = ["check_arguments", "keeps", "sample"]

METHODS: dict[str, Callable[..., Drawn]] = {
    "nuts": nuts,
    "smc": smc,
    "vi": variational,
    "pathfinder": pathfinder,
    "laplace": laplace,
}
_KEEPING = ("nuts", "smc", "vi")  # those that can go on from a file


def sample(
    problem: Problem | HierarchicalProblem,
    n_draws: int = 1000,
    *,
    method: str = "nuts",
    n_chains: int = 4,
    seed: Seed = 0,
    progress: bool = False,
    checkpoint: PathLike | None = None,
    resume: PathLike | None = None,
    **options: Any,
) -> Posterior:
    """Draw from the posterior of a problem.

    Parameters
    ----------
    problem : Problem or HierarchicalProblem
    n_draws : int
        Of each chain, after the warm-up.
    method : {'nuts', 'smc', 'vi', 'pathfinder', 'laplace'}
        'nuts': the No-U-Turn sampler (Hoffman and Gelman 2014), exact in the end, by gradients; options `n_warmup`,
        `target_accept`, `max_depth`, `dense_mass`. 'smc': adaptive tempered sequential Monte Carlo, without gradients,
        from all of the prior, for posteriors of several modes, with the evidence; options `n_moves` at each
        temperature, `target_ess`. 'vi': variational inference; options `family` ('mean-field', 'full-rank', 'flow'),
        `n_steps`, `learning_rate`, `n_samples` (runs per step). 'pathfinder': multi-path Pathfinder; options `n_paths`,
        `n_elbo`. 'laplace': the normal distribution with the curvature at the highest peak; option `n_starts`.
    n_chains : int
        Side by side, in one program; of 'smc', populations.
    seed : int or JAX key
    progress : bool
        Show a bar.
    checkpoint : path, optional
        File that is written after each twentieth of the draws ('nuts') or steps ('vi'), or each temperature ('smc').
    resume : path, optional
        Such a file, to go on from, bit for bit; it must be of the same problem and settings.
    **options
        Those of the method; others are refused.

    Returns
    -------
    Posterior
        With a warning, and `notes`, where the draws cannot be trusted: r̂ above 1.01, few effective samples,
        divergences, Pareto k̂ above 0.7. Draws of 'vi' and 'pathfinder' are drawn again by importance weights.

    Raises
    ------
    ValueError
        If the density is zero or NaN wherever it begins.

    Examples
    --------
    >>> posterior = inference.sample(problem, 500, method="nuts", seed=1)  # doctest: +SKIP
    """
    instance(
        Argument("problem", "sample"), problem, (Problem, HierarchicalProblem), "a Problem, or a HierarchicalProblem"
    )
    flag(Argument("progress", "sample"), progress)
    check_arguments(method=method, n_draws=n_draws, n_chains=n_chains, **options)
    engine = METHODS[method]
    for name, path in ("checkpoint", checkpoint), ("resume", resume):
        if path is not None and not keeps(method):
            raise argument_error(Argument(name, "sample"), f"has no effect on {method!r}: it is done in one go")
    key, described = as_key(seed), problem.describe()
    settings = {"method": method, "n_draws": n_draws, "n_chains": n_chains, **options, "seed": np.asarray(key).tolist()}
    journal = Journal(
        {"problem": described, "settings": settings},
        None if checkpoint is None else as_path(checkpoint, Argument("checkpoint", "sample")),
        None if resume is None else as_path(resume, Argument("resume", "sample")),
        progress,
        method,
    )
    begun = time.perf_counter()
    density = problem.density()
    _warn_of_noise(problem, density)
    drawn = engine(density, Orders(n_draws, n_chains, key, journal), **options)
    # Over chains, and over draws.
    values = density.program("values", lambda: jax.jit(jax.vmap(jax.vmap(density.reals.values))))(drawn.z)
    posterior = Posterior(
        method=method,
        samples=values,
        stats=drawn.stats,
        facts=drawn.facts,
        labels=problem.labels,
        subjects=problem.subjects if isinstance(problem, HierarchicalProblem) else None,
        seconds=time.perf_counter() - begun,
        seed=show(seed),
        problem=problem,
        described=described,
    )
    posterior.notes += [*drawn.notes, *_doubts(posterior)]
    for note in posterior.notes:
        warnings.warn(f"The draws by {method!r}: {note}.", RuntimeWarning, stacklevel=2)
    return posterior


def keeps(method: str) -> bool:
    """Whether a method writes what it can go on from."""
    return method in _KEEPING


def check_arguments(
    *, method: str = "nuts", n_draws: int = 1000, n_chains: int = 4, seed: Seed = 0, **options: Any
) -> None:
    """Refuse what `sample` refuses before it begins."""
    one_of(Argument("method", "sample"), method, tuple(METHODS))
    whole(Argument("n_draws", "sample"), n_draws)
    whole(Argument("n_chains", "sample"), n_chains)
    _check_options(method, METHODS[method], options)


def _check_options(method: str, engine: Callable[..., Drawn], options: dict[str, Any]) -> None:
    known = [p.name for p in inspect.signature(engine).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise argument_error(
                Argument(name, "sample"),
                f"is no option of {method!r}",
                hint=f"{suggestion(name, known)} It has {', '.join(known) or 'none'}.",
                kind=TypeError,
            )
        _check_option(Argument(name, "sample"), name, options[name])


def _check_option(what: Argument, name: str, value: Any) -> None:
    """By the kinds of names that options have."""
    if name == "dense_mass":
        flag(what, value)
    elif name.startswith("target_"):
        number(what, value, "between 0 and 1", lambda x: 0 < x < 1)
    elif name == "learning_rate":
        number(what, value, "positive", lambda x: x > 0)
    elif name != "family":
        whole(what, value)


def _warn_of_noise(problem: Problem | HierarchicalProblem, density: Density) -> None:
    """A density that another noise of the run changes is that of this noise alone."""
    other = density.given._replace(key=jax.random.fold_in(density.given.key, 1))
    # The middle of the prior in these numbers, where a run is most likely to go well.
    z = jnp.zeros((1, density.reals.size))
    one, two = (float(density.at(z, given)[0]) for given in (density.given, other))
    if np.isfinite([one, two]).all() and one != two:
        warnings.warn(
            "The run draws noise, and the posterior will be that for one course of this noise, which the seed of the "
            "Problem decides: too narrow, and in another place for another seed. For a stochastic model use `npe`, or "
            "a likelihood of what the noise does not change, such as linear theory.",
            RuntimeWarning,
            stacklevel=3,
        )


def _doubts(posterior: Posterior) -> list[str]:
    """What a reader must know before believing the draws."""
    doubts = []
    n = int(np.sum(posterior.stats.get("diverging", 0)))
    if n:
        doubts.append(
            f"{n} of {np.size(posterior.stats['diverging'])} steps diverged: parts of the posterior were not reached; "
            "try a target_accept nearer to 1, such as 0.95 or 0.98, or other priors"
        )
    if posterior.method not in ("nuts", "smc"):
        return doubts
    found = posterior.diagnostics()
    worst = {name: float(np.max(d["rhat"])) for name, d in found.items()}
    if bad := [f"{name} {value:.3f}" for name, value in worst.items() if value > 1.01]:
        longer = "warm up longer" if posterior.method == "nuts" else "move more often"
        doubts.append(f"the chains do not agree (r̂ > 1.01): {', '.join(bad)}; draw more, or {longer}")
    # Particles are no chain: side by side their autocorrelation means nothing.
    if posterior.method != "nuts":
        return doubts
    few = {name: float(np.min(d["ess_bulk"])) for name, d in found.items()}
    # Vehtari et al. 2021: 100 for each chain.
    wanted = 100 * posterior.shape[0]
    if bad := [f"{name} {value:.0f}" for name, value in few.items() if value < wanted]:
        doubts.append(f"fewer than {wanted} effective samples: {', '.join(bad)}; means and intervals are rough")
    return doubts
