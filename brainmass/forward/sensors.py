"""The sensors of EEG, MEG and sEEG: lead fields in their units, and the lead field of electrodes in the brain."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import brainunit as u
import numpy as np

from brainmass._common.foreign import Held
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import ArrayLike, Numbers, Shape
from brainmass.forward.lead_fields import DIPOLE, LeadFieldModel

__all__ = ["EEGLeadFieldModel", "MEGLeadFieldModel", "SEEGLeadFieldModel"]


_ITS_OWN: Any = object()  # in place of a unit: that of the class


class _Sensors(LeadFieldModel):
    """Base of the three, which differ in what their sensors see.

    The order of the arguments is that of the published package: the noise stands before what a dipole is measured in.
    """

    _sees: ClassVar[u.Unit] = u.mV

    def __init__(
        self,
        in_size: Shape,
        out_size: Shape,
        L: object,
        sensor_unit: u.Unit = _ITS_OWN,
        noise_cov: ArrayLike | None = None,
        *,
        dipole_unit: u.Unit = DIPOLE,
        scale: Numbers = None,
        name: str | None = None,
        sensors: Sequence[str] | None = None,
    ):
        unit = self._sees if sensor_unit is _ITS_OWN else sensor_unit
        super().__init__(in_size, out_size, L, unit, dipole_unit, scale, noise_cov, name=name, sensors=sensors)

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        shown = inspect.signature(cls)
        # what a reader is shown is the unit itself
        arguments = [p.replace(default=cls._sees) if p.default is _ITS_OWN else p for p in shown.parameters.values()]
        cls.__signature__ = shown.replace(parameters=arguments)


class EEGLeadFieldModel(_Sensors):
    """`LeadFieldModel` of EEG: potentials at electrodes, in mV."""


class MEGLeadFieldModel(_Sensors):
    """`LeadFieldModel` of MEG: magnetic fields at magnetometers, in tesla."""

    _sees = u.tesla
    _mne_kind = "mag"


class SEEGLeadFieldModel(EEGLeadFieldModel):
    """`LeadFieldModel` of intracranial EEG: potentials at the contacts of depth electrodes, in mV."""

    @classmethod
    def from_positions(
        cls,
        contacts: object,
        regions: object,
        orientations: object = None,
        *,
        conductivity: Numbers = 0.3 * (u.siemens / u.meter),
        **others: Any,
    ) -> Self:
        r"""The lead field of point sources in a homogeneous medium without bounds.

        At the distance :math:`r` from a dipole in the direction of a unit vector :math:`n` the potential is
        :math:`\mathbf{m}\cdot\mathbf{r} / 4\pi\sigma r^3` with :math:`\mathbf m = m\,n`; without orientations a region
        is a current source, of :math:`I / 4\pi\sigma r`, and the `dipole_unit` is nA.

        Parameters
        ----------
        contacts, regions : Quantity, shape (contacts, 3) and (regions, 3)
            Positions, lengths.
        orientations : array, shape (regions, 3), optional
            Directions of the dipoles, of any length.
        conductivity : Quantity
            That of the tissue.
        **others
            Further arguments of the constructor.

        Reference: Nunez, Srinivasan 2006, Electric Fields of the Brain, 2nd ed.
        """
        apart = _positions(cls.__name__, "contacts", contacts) - _positions(cls.__name__, "regions", regions)[:, None]
        # `apart` has shape (regions, contacts, 3): from each region to each contact.
        r = np.linalg.norm(apart, axis=-1)
        if (r == 0).any():
            region, contact = np.argwhere(r == 0)[0]
            raise ValueError(f"Contact {contact} lies at region {region} itself, where the potential is infinite.")
        if not u.get_unit(conductivity).has_same_dim(u.siemens / u.meter):
            raise argument_error(
                Argument("conductivity", cls.__name__),
                "must be a conductivity",
                f"is {show(conductivity)}",
                "conductivity=0.3 * u.siemens / u.meter.",
                kind=u.UnitMismatchError,
            )
        sigma = float(conductivity.to_decimal(u.siemens / u.meter))
        if not sigma > 0:
            raise argument_error(Argument("conductivity", cls.__name__), "must be > 0", f"is {show(conductivity)}")
        per_current: Any = u.volt / u.amp
        if orientations is None:
            others = {"dipole_unit": u.nA} | others
            gain = u.Quantity(1 / (4 * np.pi * sigma * r), unit=per_current)
        else:
            towards = np.einsum("rcx,rx->rc", apart, _directions(cls.__name__, orientations, len(r)))
            gain = u.Quantity(towards / (4 * np.pi * sigma * r**3), unit=per_current / u.meter)
        n_regions, n_contacts = r.shape
        return cls(n_regions, n_contacts, Held(gain, dims=("region", "sensor")), **others)


def _positions(owner: str, argument: str, given: Numbers) -> np.ndarray:
    """Positions in metres."""
    if not u.get_unit(given).has_same_dim(u.meter):
        raise argument_error(
            Argument(argument, owner),
            "must be lengths",
            f"is {show(given)}",
            f"{argument}=np.array([[10.0, 20.0, 5.0]]) * u.mm.",
            kind=u.UnitMismatchError,
        )
    points = np.asarray(given.to_decimal(u.meter), float)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise argument_error(
            Argument(argument, owner), f"must be finite, of shape ({argument}, 3)", f"has shape {points.shape}"
        )
    return points


def _directions(owner: str, given: object, n: int) -> np.ndarray:
    """Unit vectors."""
    vectors = np.asarray(given, float)
    if vectors.shape != (n, 3) or not (np.linalg.norm(vectors, axis=-1) > 0).all():
        raise argument_error(
            Argument("orientations", owner),
            f"must be vectors other than zero, of shape ({n}, 3)",
            f"is {show(given)}, with shape {vectors.shape}",
        )
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
