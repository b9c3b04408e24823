"""Lead fields: from the activity of regions to what sensors see."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState, LongTermState
from brainstate.nn import Param
from braintools.init import Constant
from jax import lax

from brainmass._common.checks import as_array, flag, instance, is_traced, items, numbers, one_of
from brainmass._common.foreign import Held, as_text, opened
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, ArrayLike, Numbers, Shape
from brainmass.dynamics.checks import as_input, as_param
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, param, state
from brainmass.dynamics.module import fixed
from brainmass.forward.from_mne import check_magnitude, gain_of_forward, is_forward
from brainmass.forward.temporal_average import LinearObserver

__all__ = ["DIPOLE", "LeadFieldModel", "LeadfieldReadout"]

DIPOLE: Any = u.meter * u.nA


class LeadFieldModel(LinearObserver):
    r"""What sensors see of regions through a lead field: :math:`y = L^\top m + \eta`, with dipole moments :math:`m`.

    Called on activity of shape (..., regions), a single state or a trajectory, it gives (..., sensors) in
    `sensor_unit`. The noise :math:`\eta` is Gaussian with the covariance `noise_cov` and independent from row to row:
    drawn from `brainstate.random`, and in a run from the key of the run, afresh at every update.

    `in_size` and `out_size` are the numbers of regions and of sensors. `L`, shape (regions, sensors), is in
    `sensor_unit` per `dipole_unit`, as is a plain array; a `Param` makes it trainable. `scale`, one number, one for
    each region, or a unit, turns activity into dipole moments; plain numbers become some in `dipole_unit`. By default
    a dipole moment is taken as it is, a plain number as one in `dipole_unit`, and a potential by as many
    `dipole_unit` as it has mV. `noise_cov`, shape (sensors, sensors), is symmetric and positive semidefinite, in the
    square of `sensor_unit`, as are plain numbers. `sensors` are the names of the sensors, which results keep; by
    default those that a table gives to that axis of `L`.

    Reference: Mosher, Leahy, Lewis 1999, IEEE Trans. Biomed. Eng. 46:245.

    Examples
    --------
    Two sensors over three regions. As a monitor, `monitors={"eeg": eeg}`, it records what they see of the model.

    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> from brainmass import EEGLeadFieldModel
    >>> eeg = EEGLeadFieldModel(3, 2, jnp.array([[0.5, 0.0], [0.25, 0.25], [0.0, 1.0]]))
    >>> eeg(jnp.ones((4, 3))).shape
    (4, 2)
    >>> eeg(jnp.array([1.0, 0.0, 2.0])).to_decimal(u.mV).tolist()
    [0.5, 2.0]
    """

    L: Par = param(default=None, doc="lead field, (regions, sensors)", unit="any")
    scale: Par = param(default=None, doc="dipole moment per activity", unit="any")

    seen: HiddenState = state("what was seen at the last update", unit=None, start=Constant(0.0))
    updates: HiddenState = state("number of updates so far, by which noise is drawn", unit=None, start=Constant(0.0))

    noise_factor = None  # a square root of the covariance, in sensor_unit
    sensor_unit: ClassVar[u.Unit]
    dipole_unit: ClassVar[u.Unit]

    _elsewhere = fixed("in_size", "out_size", "sensor_unit", "dipole_unit", "noise_factor", "sensors", "name")

    def __init__(
        self,
        in_size: Shape,
        out_size: Shape,
        L: object,
        sensor_unit: u.Unit = u.mV,
        dipole_unit: u.Unit = DIPOLE,
        scale: Numbers = None,
        noise_cov: ArrayLike | None = None,
        *,
        name: str | None = None,
        sensors: Sequence[str] | None = None,
    ):
        units = {"sensor_unit": sensor_unit, "dipole_unit": dipole_unit}
        out_size = population_shape(type(self).__name__, out_size, "out_size")
        Declared.__init__(self, in_size=in_size, out_size=out_size, L=None, scale=scale, name=name, **units)
        self.L, self.noise_cov = L, noise_cov
        self.sensors = _sensor_names(self._owner, L if sensors is None else sensors, self.M, sensors is None)

    def _admitted(self, key: str, value: Numbers) -> Numbers:
        if key in ("sensor_unit", "dipole_unit"):
            instance(Argument(key, self._owner), value, u.Unit, "a unit", example=f"{key}=u.mV")
        # Until the sizes are known None stands there; once the model is made, None is refused as any other value is.
        if key == "L" and (value is not None or self._closed):
            value = self._gain(value)
        if key == "scale" and isinstance(value, u.Unit):
            value = 1.0 * value
        return super()._admitted(key, value)

    def shape_of(self, key: str, value: Numbers) -> tuple[int, ...] | None:
        return (self.R, self.M) if key == "L" else self.varshape

    @property
    def unit(self) -> Numbers:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.sensor_unit

    @property
    def seen_shape(self) -> tuple[int, ...]:
        return (self.M,)

    @property
    def R(self) -> int:
        """The number of regions."""
        return self.varshape[-1]

    @property
    def M(self) -> int:
        """The number of sensors."""
        size: Any = self.out_size
        return int(size[-1])

    @property
    def noise_cov(self) -> Numbers:
        """The covariance of the noise, or None."""
        if self.noise_factor is None:
            return None
        # The factor alone is kept, since draws need no more.
        factor = self.noise_factor.value
        return jnp.matmul(factor, factor.T, precision=lax.Precision.HIGHEST) * self.sensor_unit**2

    @noise_cov.setter
    def noise_cov(self, given: ArrayLike | None) -> None:
        made = None
        if given is not None:
            factor = _square_root(Argument("noise_cov", self._owner), self.M, self.sensor_unit**2, given)
            made = LongTermState(jnp.asarray(factor, default_dtype()))
        vars(self)["noise_factor"] = made  # a part, which is not set from outside

    def _gain(self, given: object) -> Param:
        unit = self.sensor_unit / self.dipole_unit
        if is_forward(given):
            raise argument_error(
                Argument("L", self._owner),
                "must be an array",
                "is a Forward of MNE",
                f"{self._owner}.from_mne(forward)",
                kind=TypeError,
            )
        given = _as_matrix(
            Argument("L", self._owner, "lead field"),
            given,
            _REGIONS,
            _SENSORS,
            self.R == self.M and not self._closed,
        )
        value = given.value() if isinstance(given, Param) else given
        got, wanted = u.math.shape(value), (self.R, self.M)
        if got != wanted:
            hint = " Write L=L.T." if got == wanted[::-1] else ""
            raise argument_error(
                Argument("L", self._owner, "lead field"),
                f"must have shape {wanted}, regions by sensors",
                f"has shape {got}",
                hint=f"{hint}",
            )
        if u.get_unit(value).dim == u.DIMENSIONLESS and not isinstance(given, Param):
            check_magnitude(Argument("L", self._owner, "lead field"), value, unit)
            given = u.maybe_decimal(given) * unit
        spec = dataclasses.replace(self._params["L"], doc="lead field", units=(unit,))
        return as_param(self._owner, spec, given, wanted)

    def _dipoles(self, x: Numbers) -> Numbers:
        """Dipole moments of the regions, as plain numbers in `dipole_unit`."""
        unit = u.get_unit(x)
        if self.scale is not None:
            moment = x * self.p.scale
            if u.get_unit(moment).dim == u.DIMENSIONLESS == unit.dim:
                moment = u.maybe_decimal(moment) * self.dipole_unit
        elif unit.dim == u.DIMENSIONLESS:
            moment = u.maybe_decimal(x) * self.dipole_unit
        elif unit.has_same_dim(u.mV):
            moment = x * (self.dipole_unit / u.mV)
        else:
            moment = x
        if not u.get_unit(moment).has_same_dim(self.dipole_unit):
            times = "" if self.scale is None else f", times the `scale` in {u.get_unit(self.p.scale)}"
            raise u.UnitMismatchError(
                f"The activity given to {self._owner} must be a dipole moment like {self.dipole_unit}, a potential or "
                f"plain numbers, but is in {unit}{times}. Give the dipole moment per activity as `scale`."
            )
        return moment.to_decimal(self.dipole_unit)

    def _see(self, x: Numbers) -> Numbers:
        L: Numbers = self.L.value()
        gain = L.to_decimal(self.sensor_unit / self.dipole_unit)
        # In full precision: the default of some accelerators keeps three decimal digits.
        return jnp.matmul(self._dipoles(x), gain, precision=lax.Precision.HIGHEST) * self.sensor_unit

    def __call__(self, x: Numbers) -> Numbers:
        """What the sensors see, shape (..., sensors), of activity of shape (..., regions)."""
        seen = super().__call__(x)
        return seen if self.noise_factor is None else seen + self._noise(u.math.shape(seen))

    def _noise(self, shape: tuple[int, ...]) -> Numbers:
        """Noise of the shape (..., sensors)."""
        factor: Any = self.noise_factor
        z = self._drawn(shape)
        return jnp.matmul(z, factor.value.T, precision=lax.Precision.HIGHEST) * self.sensor_unit

    def _drawn(self, shape: tuple[int, ...]) -> Numbers:
        """Standard normals: in a run those of this update."""
        if self._handed is None:
            return brainstate.random.DEFAULT.randn(*shape, dtype=default_dtype())
        # Its generator is named: that of a user's JAX may be another, with keys of another length.
        key = jax.random.wrap_key_data(self._handed, impl="threefry2x32")
        # A state: a run that goes on from another goes on with its draws.
        updates: Any = self.updates.value
        return jax.random.normal(jax.random.fold_in(key, updates), shape, default_dtype())

    @property
    def takes_key(self) -> bool:
        return self.noise_factor is not None

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Numbers]:
        return {**super()._initial(rng), "updates": jnp.zeros(self._batch or (), jnp.int32)}

    def update(self, nmm_obs_or_dipoles: Numbers) -> Numbers:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take in the activity of one step, shape (batch..., regions); returns what the sensors see of it.

        Without `init_state`, outside a run, it is the same as calling the model.
        """
        if "seen" not in vars(self):
            return self(nmm_obs_or_dipoles)
        super().update(nmm_obs_or_dipoles)
        if self.noise_factor is not None:
            self.seen.value = self.seen.value + self._noise(u.math.shape(self.seen.value))
            self.updates.value = self.updates.value + 1
        return self.seen.value

    # --- from MNE ---------------------------------------------------------------------------------------------------
    _mne_kind: ClassVar[str] = "eeg"

    @classmethod
    def from_mne(
        cls, forward: Mapping[str, Any], *, parcels: object = None, orientations: ArrayLike | None = None, **others: Any
    ) -> Self:
        """The lead field of a forward solution of MNE, in its layout and its units, V/(A m) or T/(A m).

        Parameters
        ----------
        forward : mne.Forward
            Its sensors of this kind are taken: electrodes, or magnetometers.
        parcels : sequence of mne.Label, array (sources,) of numbers of regions, or (sources, regions), optional
            Which sources are a region: it is their mean. Default: each source is a region.
        orientations : array (sources, 3), optional
            Directions of the dipoles where those of the forward are free; default the normals of the cortex.
        **others
            Further arguments of the constructor.

        Raises
        ------
        TypeError, ValueError
            If it is no forward solution, has no such sensors, or its sources have no direction.
        """
        gain, names = gain_of_forward(cls.__name__, forward, cls._mne_kind, parcels, orientations)
        # With names of its axes: the shape of a square one does not say which is which.
        lead = Held(gain, dims=("region", "sensor"))
        return cls(gain.shape[0], len(names), lead, **{"sensors": names, **others})

    # --- from vertices to regions -----------------------------------------------------------------------------------
    @staticmethod
    def compress_vertex_leadfield(L_vertex_3V: ArrayLike, W_vertex_to_region_3VxR: ArrayLike) -> Numbers:
        """The lead field of regions, shape (sensors, regions): transposed, it is the `L` of the constructor.

        From that of vertices with free orientation, (sensors, 3 vertices), and weights, (3 vertices, regions).
        """
        lead, weights = u.math.shape(L_vertex_3V), u.math.shape(W_vertex_to_region_3VxR)
        if len(lead) != 2 or len(weights) != 2 or lead[1] != weights[0]:
            raise ValueError(
                "The lead field of vertices must have shape (sensors, 3 vertices) and the weights "
                f"(3 vertices, regions), but they have shapes {lead} and {weights}."
            )
        return u.math.matmul(L_vertex_3V, W_vertex_to_region_3VxR, precision=lax.Precision.HIGHEST)

    @staticmethod
    def build_fixed_orientation_weights(
        normals_V3: ArrayLike,
        parcel_VxR: ArrayLike,
        area_weights_V: ArrayLike | None = None,
        *,
        interleaved: bool = False,
    ) -> Numbers:
        """Weights (3 vertices, regions) of dipoles along the normals of the vertices.

        Parameters
        ----------
        normals_V3 : array, shape (vertices, 3)
        parcel_VxR : array, shape (vertices, regions)
            Share of a vertex in a region.
        area_weights_V : array, shape (vertices,), optional
            Areas of the vertices.
        interleaved : bool
            Whether rows are x, y, z of the first vertex, then of the second; default all x, all y, all z.
        """
        normals, share = u.math.asarray(normals_V3), u.math.asarray(parcel_VxR)
        n = u.math.shape(normals)[0] if u.math.ndim(normals) else 0
        if u.math.shape(normals) != (n, 3) or u.math.ndim(share) != 2 or len(share) != n:
            raise ValueError(
                "The normals must have shape (vertices, 3) and the parcels (vertices, regions), but they have shapes "
                f"{u.math.shape(normals)} and {u.math.shape(share)}."
            )
        if area_weights_V is not None:
            if u.math.shape(area_weights_V) != (n,):
                raise ValueError(
                    f"The areas must have shape ({n},), one for each vertex, but have shape "
                    f"{u.math.shape(area_weights_V)}."
                )
            share = share * u.math.asarray(area_weights_V)[:, None]
        # (vertices, 3, regions): read row by row that is x, y, z of a vertex; with the first two axes swapped all x,
        # then all y, all z.
        weights = normals[:, :, None] * share[:, None, :]
        return u.math.reshape(weights if interleaved else u.math.swapaxes(weights, 0, 1), (3 * n, -1))


_REGIONS = ("region", "regions", "source", "sources")
_SENSORS = ("sensor", "sensors", "channel", "channels", "electrode", "electrodes")


def _is_open(values: Array) -> bool:
    """Whether it could as well be its transpose."""
    if isinstance(values, Param) or is_traced(u.get_mantissa(values)):
        return False
    numbers = np.asarray(u.get_mantissa(values))
    # A symmetric one is its own transpose.
    return numbers.ndim == 2 and numbers.shape[0] == numbers.shape[1] > 1 and not np.array_equal(numbers, numbers.T)


def _as_matrix(
    what: str, given: object, rows: tuple[str, ...], columns: tuple[str, ...], asked: bool = True
) -> Numbers:
    """Lists and tables as arrays, turned round where the table says so; others as they are."""
    held = opened(what, as_array(given))
    dims = [str(dim).lower() for dim in held.dims]
    if asked and not set(dims) & {*rows, *columns} and _is_open(held.values):
        raise argument_error(
            what,
            "is square, so that its shape does not tell which axis is which",
            hint=f"Give it with names: xarray.DataArray(L, dims=({rows[0]!r}, {columns[0]!r})).",
        )
    turned = len(dims) == 2 and dims[0] in columns and dims[1] in rows
    return held.transposed((1, 0)).values if turned else held.values


def _sensor_names(owner: str, given: object, n: int, of_table: bool) -> tuple[str, ...] | None:
    """Names of the sensors, as they are given or as a table has them."""
    what = Argument("sensors", owner)
    if of_table:
        held = opened(what, given)
        axis = next((i for i, dim in enumerate(held.dims) if str(dim).lower() in _SENSORS), None)
        texts = None if axis is None else held.texts(what, axis)
        return None if texts is None else tuple(texts)
    names = [given] if isinstance(given, str) else [as_text(what, one) for one in items(what, given, "names")]
    if len(names) != n or len(set(names)) < n:
        raise argument_error(what, f"must be {n} names that differ", f"are {names!r}", "sensors=['Fz', 'Cz'].")
    return tuple(names)


def _square_root(what: str, n: int, unit: u.Unit, given: ArrayLike) -> np.ndarray:
    """A square root of a checked covariance, as plain numbers; it may be singular, as after re-referencing."""
    matrix = numbers(what, given)
    got = u.get_unit(matrix)
    if got.dim != u.DIMENSIONLESS:
        if not got.has_same_dim(unit):
            raise argument_error(
                what,
                f"must be in {unit}, the square of `sensor_unit`, or plain numbers",
                f"is in {got}",
                kind=u.UnitMismatchError,
            )
        matrix = matrix.to_decimal(unit)
    matrix = np.asarray(u.maybe_decimal(matrix), float)
    if matrix.shape != (n, n) or not np.isfinite(matrix).all():
        raise argument_error(what, f"must be finite numbers of shape ({n}, {n})", f"is {show(given)}")
    # A covariance that was worked out in single precision is symmetric and semidefinite to about 1e-5 of its largest
    # entry.
    largest = np.abs(matrix).max()
    if np.abs(matrix - matrix.T).max() > 1e-5 * largest:
        raise argument_error(
            what, "must be symmetric", f"differs from its transpose by {np.abs(matrix - matrix.T).max():.3g}"
        )
    # Not Cholesky's factor, which a singular matrix has not.
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values[0] < -1e-5 * largest:
        raise argument_error(what, "must be positive semidefinite", f"its smallest eigenvalue is {values[0]:.3g}")
    return vectors * np.sqrt(np.maximum(values, 0.0))


class LeadfieldReadout(LinearObserver):
    r"""EEG through a normalised lead field: :math:`y = c_{y0}\,\hat L x - y_0`.

    Called on activity of shape (..., regions), a single state or a trajectory, it gives (..., sensors).

    `lm`, shape (sensors, regions), is the lead field; a `Param` makes it trainable. `y0` is the offset and `cy0` the
    gain, one number or one for each sensor. With `normalize`, True or 'l1', the rows of `lm` are divided by the sum of
    their absolute values, with 'l2' by their Euclidean norm; with `demean` the mean over sensors is then taken off, as
    an average reference does. `unit` is that of what is seen, default that of `y0`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> readout = LeadfieldReadout(jnp.array([[1.0, 3.0, 0.0], [2.0, 2.0, 0.0]]), y0=0.0, cy0=4.0, demean=False)
    >>> readout(jnp.array([1.0, 2.0, 5.0])).tolist()
    [7.0, 6.0]
    """

    lm: Par = param(default=None, doc="lead field, (sensors, regions)", unit="any")
    y0: Par = param(default=None, doc="offset", unit="any")
    cy0: Par = param(default=None, doc="gain", unit="any")

    _prepared: ClassVar[jax.Array | None] = None
    _elsewhere = fixed("in_size", "out_size", "name")

    def __init__(
        self,
        lm: Numbers,
        y0: ArrayLike | Param,
        cy0: ArrayLike | Param,
        normalize: bool | str = True,
        demean: bool = True,
        *,
        unit: u.Unit | None = None,
        name: str | None = None,
    ):
        options = {"lm": None, "y0": None, "cy0": None, "unit": u.UNITLESS, "name": name}
        Declared.__init__(self, normalize=normalize, demean=demean, **options)
        lm = self._of_two_axes(lm)
        shape = u.math.shape(lm.value() if isinstance(lm, Param) else lm)
        # First the sizes, which only the lead field tells: the other rows are checked against them.
        self.in_size, self.out_size = shape[1], shape[0]
        for name, value in {"lm": lm, "y0": y0, "cy0": cy0}.items():
            # None is what a row has that is not set yet
            setattr(self, name, np.asarray(None) if value is None else value)
        self.unit = u.get_unit(self.y0.value()) if unit is None else unit
        self.check()

    def shape_of(self, key: str, value: Numbers) -> tuple[int, ...] | None:
        sensors, regions = tuple(self.out_size), self.varshape  # pyright: ignore[reportArgumentType]
        return (*sensors, *regions) if key == "lm" else sensors

    def _admitted(self, key: str, value: Numbers) -> Numbers:
        if key == "lm" and value is not None:
            value = self._of_two_axes(value)
        return super()._admitted(key, value)

    def _of_two_axes(self, lm: Numbers) -> Numbers:
        what = Argument("lm", self._owner, "lead field")
        lm = _as_matrix(what, lm, rows=_SENSORS, columns=_REGIONS)
        shape = u.math.shape(lm.value() if isinstance(lm, Param) else lm)
        if len(shape) != 2:
            raise argument_error(what, "must have shape (sensors, regions)", f"has shape {shape}")
        return lm

    def check(self) -> None:
        if not isinstance(self.normalize, bool):
            one_of(Argument("normalize", self._owner), self.normalize, ("l1", "l2"), also="True, False, ")
        flag(Argument("demean", self._owner), self.demean)
        if self.lm is not None:
            # For its error: a row of zeros.
            self.normalize_leadfield(self.lm.value())
        missing = [name for name in self._params if getattr(self, name) is None]
        if self._closed and missing:
            raise TypeError(f"{self._owner} needs the argument `{missing[0]}`.")

    @property
    def seen_shape(self) -> tuple[int, ...]:
        return tuple(self.out_size)  # pyright: ignore[reportArgumentType]

    def normalize_leadfield(self, lm: Numbers) -> Numbers:
        """The lead field (sensors, regions) as it is used."""
        if self.normalize:
            squares = self.normalize == "l2"
            total = u.math.sum(u.math.square(lm) if squares else u.math.abs(lm), axis=1, keepdims=True)
            if not is_traced(total) and not np.asarray(u.get_mantissa(total)).all():
                row = int(np.argmin(np.asarray(u.get_mantissa(total))[:, 0] != 0))
                raise argument_error(
                    Argument("lm", self._owner, "lead field"),
                    "must have no row of zeros to be normalized",
                    f"row {row} is one",
                    hint="Leave out that sensor, or write normalize=False.",
                )
            lm = u.maybe_decimal(lm / (u.math.sqrt(total) if squares else total))
        return lm - u.math.mean(lm, axis=0, keepdims=True) if self.demean else lm

    def prepare(self) -> Numbers:
        """The normalised lead field, which a run computes once."""
        return self.normalize_leadfield(self.lm.value())

    def _see(self, x: Numbers) -> Numbers:
        lead = self.prepare() if self._prepared is None else self._prepared
        gain: Numbers = self.cy0.value()
        seen = u.maybe_decimal(gain * u.math.matmul(x, lead.T, precision=lax.Precision.HIGHEST))
        return self._in_unit(seen) - as_input(self._owner, "y0", self.unit, self.y0.value())

    def update(self, x: Numbers) -> Numbers:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take in the activity of one step, shape (batch..., regions); returns what the sensors see of it.

        Without `init_state`, outside a run, it is the same as calling the model, and so it is for a trajectory, which
        has an axis more than the states.
        """
        if "seen" not in vars(self) or u.math.ndim(x) > u.math.ndim(self.seen.value):
            return self(x)
        return super().update(x)
