"""What a model is fitted to, and what it is tested on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from brainmass._common import checks
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass.datasets.cohort import Cohort, Subject, fingerprint

__all__ = ["check_held_out", "split"]

_CALL = "split(cohort, test=0.3, seed=0)"


def split(
    cohort: Cohort,
    test: float | int | Sequence[str] = 0.3,
    *,
    train: Sequence[str] | None = None,
    by: str = "subject",
    seed: int = 0,
) -> tuple[Cohort, Cohort]:
    """Subjects, or sessions, to fit and others to test on.

    Parameters
    ----------
    cohort : Cohort
    test : float, int or names
        A share of them, rounded, between 0 and 1; a number; or which.
    train : names, optional
        Which are fitted, where `test` is names. By default all others.
    by : {'subject', 'session'}
        'subject': nobody is in both. 'session': the same people, in other sessions; whoever has none in a part is not
        in it.
    seed : int
        Decides which, where they are not named.

    Returns
    -------
    train, test : Cohort
        Both keep the order of the subjects.

    Raises
    ------
    ValueError
        If something is in both, nothing is left in one, or a name is unknown.
    """
    of = "split"
    checks.instance(Argument("cohort", of), cohort, Cohort, "a Cohort", example=_CALL)
    checks.one_of(Argument("by", of), by, ("subject", "session"))
    checks.whole(Argument("seed", of), seed, 0)
    sessions = dict.fromkeys(key for subject in cohort for key in subject.sessions)
    known: list[str] = list(cohort.names if by == "subject" else sessions)
    if isinstance(test, str | int | float | np.number):
        if train is not None:
            rule = "must be left out where `test` is no list of names"
            raise argument_error(Argument("train", of), rule, example="split(cohort, ['01'], train=['02'])")
        chosen: list[str] = _drawn(test, known, by, seed)
    else:
        chosen = _named("test", test, known)
    kept = [name for name in known if name not in chosen] if train is None else _named("train", train, known)
    both = [name for name in kept if name in chosen]
    if both:
        raise argument_error(Argument("train", of), "must have nobody that is in `test`", f"has {both[0]!r}")
    if not kept:
        raise argument_error(Argument("test", of), f"must leave a {by} to fit", "takes all", _CALL)
    return _part(cohort, kept, by, "train"), _part(cohort, chosen, by, "test")


def check_held_out(train: Cohort, test: Cohort, by: str = "subject") -> None:
    """Refuse a test on what was fitted.

    Parameters
    ----------
    train, test : Cohort
    by : {'subject', 'session'}
        'subject': nobody may be in both. 'session': no recording may.

    Raises
    ------
    ValueError
        If a subject (or a session of one) is in both, or a recording is, under whatever name.
    """
    of = "check_held_out"
    for argument, cohort in {"train": train, "test": test}.items():
        checks.instance(Argument(argument, of), cohort, Cohort, "a Cohort")
    checks.one_of(Argument("by", of), by, ("subject", "session"))
    # By the signals too: the same person may be there under another name.
    fitted = {fingerprint(bold): subject.name for subject in train for bold in subject.sessions.values()}
    names = {subject.name: set(subject.sessions) for subject in train}
    for subject in test:
        again = set(subject.sessions) & names.get(subject.name, set())
        if subject.name in names and (by == "subject" or again):
            session = "" if by == "subject" else f" in session {sorted(again)[0]!r}"
            rule = "must have nobody that was fitted" if by == "subject" else "must have no recording that was fitted"
            raise argument_error(Argument("test", of), rule, f"has {subject.name!r}{session}")
        for bold in subject.sessions.values():
            twin = fitted.get(fingerprint(bold))
            if twin is not None:
                but = f"that of {subject.name!r} is the one of {twin!r} in `train`"
                raise argument_error(Argument("test", of), "must have no recording that was fitted", but)


def _drawn(test: object, known: Sequence[str], by: str, seed: int) -> list[str]:
    what = Argument("test", "split")
    count = test if checks.is_whole(test) else None
    if isinstance(test, float | np.floating) and 0 < test < 1:
        # However small or large the share, one at least on either side.
        count = min(max(round(float(test) * len(known)), 1), len(known) - 1)
    if not isinstance(count, int | np.integer) or not 1 <= count < len(known):
        rule = f"must be a share between 0 and 1, a number below that of the {by}s ({len(known)}), or names"
        raise argument_error(what, rule, f"is {test!r}", _CALL)
    places = np.random.default_rng(seed).permutation(len(known))[:count]
    # Drawn in any order, kept in theirs.
    return [known[int(place)] for place in sorted(places)]


def _named(argument: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    what = Argument(argument, "split")
    chosen = checks.items(what, names, "names", example="split(cohort, ['01', '02'])")
    if not chosen:
        raise argument_error(what, "must have a name", "is empty")
    for name in chosen:
        if not isinstance(name, str) or name not in known:
            hint = suggestion(str(name), known)
            raise argument_error(what, f"must be of {', '.join(known)}", f"has {name!r}", hint=hint)
    return [name for name in known if name in chosen]


def _part(cohort: Cohort, names: Sequence[str], by: str, part: str) -> Cohort:
    if by == "subject":
        subjects = [subject for subject in cohort if subject.name in names]
    else:
        subjects = [found for subject in cohort for found in _in_sessions(subject, names)]
    return dataclasses.replace(cohort, subjects=subjects, name=f"{cohort.name}, {part}")


def _in_sessions(subject: Subject, names: Sequence[str]) -> list[Subject]:
    sessions = {key: bold for key, bold in subject.sessions.items() if key in names}
    return [dataclasses.replace(subject, sessions=sessions)] if sessions else []
