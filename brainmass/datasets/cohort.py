"""Several subjects, each with recordings and a connectome, in one order of regions."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import brainunit as u
import numpy as np

from brainmass._common import checks
from brainmass._common.foreign import are_names
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass.connectome.dense import Connectome
from brainmass.datasets.bold import Bold

__all__ = ["Cohort", "Subject"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Subject:
    """One brain: its recordings by session, and its connectome where there is one."""

    name: str
    #: recordings by name of the session; one alone may be given without
    sessions: Mapping[str, Bold]
    connectome: Connectome | None = None

    def __post_init__(self) -> None:
        _text("name", "Subject", self.name)
        sessions = {"1": self.sessions} if isinstance(self.sessions, Bold) else self.sessions
        what = Argument("sessions", "Subject")
        checks.instance(what, sessions, Mapping, "recordings by name", example="Subject('01', {'rest': bold})")
        if not sessions:
            raise argument_error(what, "must hold a recording", "is empty")
        for key, bold in sessions.items():
            _text("sessions", "Subject", key)
            checks.instance(what, bold, Bold, "recordings that from_bold makes")
        checks.instance(Argument("connectome", "Subject"), self.connectome, Connectome | None, "a Connectome")
        # The way round what is frozen; a copy, which nobody else holds.
        object.__setattr__(self, "sessions", dict(sessions))

    @property
    def bold(self) -> Bold:
        """The recording, of a subject with one.

        Raises
        ------
        ValueError
            If there are several.
        """
        if len(self.sessions) > 1:
            listed = ", ".join(map(repr, self.sessions))
            raise ValueError(f"Subject {self.name!r} must have one session, but has {listed}: say sessions[...].")
        return next(iter(self.sessions.values()))

    @functools.cached_property
    def fc(self) -> np.ndarray:
        """Functional connectivity, shape (N, N); of several sessions, the mean of Fisher's z, as correlations."""
        return mean_fc([bold.fc for bold in self.sessions.values()])

    def __repr__(self) -> str:
        sessions = ", ".join(f"{key}: {bold!r}" for key, bold in self.sessions.items())
        return f"Subject({self.name!r}, {sessions}, {self.connectome or 'no connectome'!r})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Cohort:
    """Subjects whose regions are in one order, with provenance.

    Regions are put in the order of the first subject's connectome, or of its recording, by their names. Items are
    subjects, by name or number.

    Raises
    ------
    ValueError
        If two subjects have one name or one recording, or regions cannot be put in one order: other numbers, other
        names, or names for some and none for others.
    """

    subjects: Sequence[Subject]
    name: str = "cohort"
    citation: str = ""
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        what = Argument("subjects", "Cohort")
        subjects = checks.items(what, self.subjects, "subjects", example="Cohort([Subject('01', bold)])")
        if not subjects:
            raise argument_error(what, "must hold a subject", "is empty")
        for subject in subjects:
            checks.instance(what, subject, Subject, "subjects")
        for text in ("name", "citation", "licence", "source"):
            checks.instance(Argument(text, "Cohort"), getattr(self, text), str, "text")
        _check_different(what, subjects)
        object.__setattr__(self, "subjects", _in_one_order(what, subjects))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the subjects."""
        return tuple(subject.name for subject in self.subjects)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the regions, where they have some."""
        return _labels(self.subjects[0])

    @functools.cached_property
    def fc(self) -> np.ndarray:
        """Functional connectivity of the group, shape (N, N): the mean of Fisher's z, as correlations."""
        return mean_fc([subject.fc for subject in self.subjects])

    def fcd_entries(self, window_size: int = 30, step_size: int = 5) -> np.ndarray:
        """Entries above the diagonal of the FCD of all recordings, pooled: a target of `fcd_ks(target_is_fcd=True)`."""
        matrices = [b.fcd(window_size, step_size) for s in self.subjects for b in s.sessions.values()]
        return np.concatenate([matrix[np.triu_indices(len(matrix), 1)] for matrix in matrices])

    @functools.cached_property
    def connectome(self) -> Connectome:
        """Connectome of the group: mean weights, and mean lengths over the subjects who have a connection.

        Raises
        ------
        ValueError
            If a subject has no connectome.
        """
        conns = [subject.connectome for subject in self.subjects]
        missing = [subject.name for subject in self.subjects if subject.connectome is None]
        if missing:
            raise ValueError(f"Each subject of {self.name!r} must have a connectome, but {missing[0]!r} has none.")
        first = conns[0]
        weights = np.mean([conn.weights for conn in conns], axis=0)  # type: ignore[union-attr]
        return dataclasses.replace(first, weights=weights, lengths=_mean_lengths(conns), name=self.name)  # type: ignore

    def __len__(self) -> int:
        return len(self.subjects)

    def __iter__(self) -> Iterator[Subject]:
        return iter(self.subjects)

    def __getitem__(self, subject: str | int) -> Subject:
        if (
            isinstance(subject, int | np.integer)
            and not isinstance(subject, bool)
            and -len(self) <= subject < len(self)
        ):
            return self.subjects[int(subject)]
        if subject not in self.names:
            hint = suggestion(str(subject), self.names)
            names = ", ".join(self.names)
            raise argument_error(
                Argument("subject", "Cohort[...]"), f"must be one of {names}", f"is {subject!r}", hint=hint
            )
        return self.subjects[self.names.index(str(subject))]

    def __repr__(self) -> str:
        recordings = sum(len(subject.sessions) for subject in self.subjects)
        lines = [f"Cohort {self.name!r}", f"  {len(self)} subjects, {recordings} recordings: {', '.join(self.names)}"]
        lines += [f"  first: {self.subjects[0]!r}"]
        facts = {"source": self.source, "licence": self.licence, "please cite": self.citation}
        return "\n".join(lines + [f"  {key}: {text}" for key, text in facts.items() if text])


def mean_fc(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of correlations, by Fisher's z; the diagonal stays 1."""
    if len(matrices) == 1:
        return matrices[0]
    # The inverse hyperbolic tangent of 1 is infinite.
    most = 1 - np.finfo(float).eps
    mean = np.tanh(np.mean([np.arctanh(np.clip(fc, -most, most)) for fc in matrices], axis=0))
    np.fill_diagonal(mean, 1.0)
    mean.setflags(write=False)
    return mean


def _mean_lengths(conns: Sequence[Connectome]) -> u.Quantity | None:
    if any(conn.lengths is None for conn in conns):
        return None
    lengths = np.asarray([conn.lengths.to_decimal(u.mm) for conn in conns])  # type: ignore[union-attr]
    there = np.asarray([conn.weights != 0 for conn in conns])
    count = there.sum(axis=0)
    # Where nobody has a connection no delay depends on it: any length will do.
    mean = np.where(count > 0, (lengths * there).sum(axis=0) / np.maximum(count, 1), lengths.mean(axis=0))
    return u.Quantity(mean, unit=u.mm)


def fingerprint(bold: Bold) -> bytes:
    """The same for the same signal, under whatever name."""
    return hashlib.sha256(np.ascontiguousarray(bold.signal).tobytes()).digest()


def _text(argument: str, owner: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise argument_error(Argument(argument, owner), "must be a nonempty text", f"is {value!r}", kind=TypeError)


def _check_different(what: str, subjects: Sequence[Subject]) -> None:
    seen: dict[str | bytes, str] = {}
    for subject in subjects:
        # By the signal, since one recording under two names would be in training and test.
        keys = {fingerprint(bold): "recording" for bold in subject.sessions.values()} | {subject.name: "name"}
        # One key for each recording, and the name: less of them where two recordings are one.
        if len(keys) <= len(subject.sessions):
            raise argument_error(what, "must have different recordings", f"{subject.name!r} has one twice")
        for key, kind in keys.items():
            if key in seen:
                both = f"{seen[key]!r} and {subject.name!r} have one {kind}"
                raise argument_error(what, "must be different people", both)
            seen[key] = subject.name


# --- one order of the regions -----------------------------------------------------------------------------------------
def _labels(subject: Subject) -> tuple[str, ...] | None:
    conn = subject.connectome
    if conn is not None and are_names(conn.labels):
        return conn.labels
    return next((bold.labels for bold in subject.sessions.values() if bold.labels is not None), None)


def in_order_of(first: Cohort, other: Cohort) -> Cohort:
    """The other, with its regions in the order of the first."""
    n = first.fc.shape[0]
    subjects = [_ordered(Argument("test", "in_order_of"), subject, first.labels, n) for subject in other]
    return dataclasses.replace(other, subjects=subjects)


def _in_one_order(what: str, subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    labels = _labels(subjects[0])
    count = subjects[0].connectome or next(iter(subjects[0].sessions.values()))
    n = count.n_regions if isinstance(count, Connectome) else count.signal.shape[1]
    return tuple(_ordered(what, subject, labels, n) for subject in subjects)


def _ordered(what: str, subject: Subject, labels: tuple[str, ...] | None, n: int) -> Subject:
    sessions, conn = dict(subject.sessions), subject.connectome
    for key, bold in sessions.items():
        whose = f"session {key!r} of {subject.name!r}"
        if _to_order(what, whose, bold.labels, bold.signal.shape[1], labels, n):
            sessions[key] = bold.of_regions(labels)  # type: ignore[arg-type]
    if conn is not None:
        named = conn.labels if are_names(conn.labels) else None
        if _to_order(what, f"the connectome of {subject.name!r}", named, conn.n_regions, labels, n):
            conn = conn.permute(labels)
    return dataclasses.replace(subject, sessions=sessions, connectome=conn)


def _to_order(
    what: str, whose: str, found: tuple[str, ...] | None, count: int, labels: tuple[str, ...] | None, n: int
) -> bool:
    """Whether it must be put in another order."""
    if count != n:
        raise argument_error(what, f"must have one number of regions ({n})", f"{whose} has {count}")
    if (found is None) != (labels is None):
        has = "has no names" if found is None else "has names, and the first has none"
        hint = "If they are in one order, name them: from_bold(..., labels=...), Connectome(..., labels=...)."
        raise argument_error(what, "must all have names of regions, or none", f"{whose} {has}", hint=hint)
    # Without names the order is taken as it is: nothing could tell another one.
    if found == labels or found is None or labels is None:
        return False
    stranger = next((label for label in found if label not in set(labels)), None)
    if stranger is not None:
        raise argument_error(what, f"must have the regions {labels[0]!r}, ...", f"{whose} has {stranger!r}")
    return True
