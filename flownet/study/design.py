"""`Design`: which values of which parameters a sweep tries."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats

MOST = 10_000_000
"""Rows at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class Design:
    """A table of values, one row a scenario and one column a parameter.

    Make it with `grid`, `latin_hypercube`, `sobol` or `of_table`.

    Attributes
    ----------
    parameters : tuple of str
        How each is named in plain words: ``servers at Ward``, ``scale service_time at Ward of
        frail``, ``routing_probability on Ward -> Home``, ``scale external_arrival_rate``.
    points : numpy.ndarray
        (rows, parameters).
    kind : str
        ``grid``, ``latin_hypercube``, ``sobol`` or ``table``.
    axes : tuple of tuple
        The values along each parameter of a grid; empty for others.
    seed : int
        Of the random designs.

    Examples
    --------
    >>> Design.grid({"servers at Ward": [4, 5], "scale external_arrival_rate": [1.0, 1.1]}).points
    array([[4. , 1. ],
           [4. , 1.1],
           [5. , 1. ],
           [5. , 1.1]])
    """

    parameters: tuple[str, ...]
    points: Floats
    kind: str = "table"
    axes: tuple[tuple[float, ...], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Keep an own, frozen copy of the values."""
        values = np.array(self.points, dtype=np.float64, order="C")
        if values.ndim != 2 or values.shape[1] != len(self.parameters) or not self.parameters:
            message = "needs one column a parameter, and at least one parameter"
            raise ParameterError([Fault("design", "points", str(values.shape), message)])
        if not 0 < len(values) <= MOST:
            message = f"must have 1 to {MOST:,} rows"
            raise ParameterError([Fault("design", "rows", str(len(values)), message)])
        values.setflags(write=False)
        object.__setattr__(self, "points", values)

    @classmethod
    def grid(cls, axes: Mapping[str, Sequence[float]]) -> Design:
        """Return every combination of the values; the last parameter varies fastest.

        Parameters
        ----------
        axes : mapping
            Values by parameter.

        Raises
        ------
        ParameterError
            Where there is no parameter, one has no value or one twice, or there are too many rows.
        """
        lists = {str(name): _numbers(str(name), values) for name, values in axes.items()}
        faults = [
            Fault("grid", name, "", "must list values, each once")
            for name, values in lists.items()
            if not values or len(set(values)) < len(values)
        ]
        if faults or not lists:
            raise ParameterError(faults or [Fault("grid", "", "", "needs a parameter")])
        rows = math.prod(len(values) for values in lists.values())
        if rows > MOST:
            message = f"must have at most {MOST:,} rows: sample instead"
            raise ParameterError([Fault("grid", "rows", f"{rows:,}", message)])
        planes = np.meshgrid(*lists.values(), indexing="ij")
        values = np.column_stack([plane.ravel() for plane in planes])
        return cls(tuple(lists), values, "grid", tuple(map(tuple, lists.values())))

    @classmethod
    def latin_hypercube(
        cls, ranges: Mapping[str, tuple[float, float]], size: int, seed: int = 0
    ) -> Design:
        """Return samples of which each parameter's range is covered evenly.

        Parameters
        ----------
        ranges : mapping
            Lowest and highest value by parameter; whole numbers stay whole, ends included.
        size : int
            Rows, at least 1.
        seed : int
            The same seed gives the same rows.

        Raises
        ------
        ParameterError
            Where a range is empty or not finite, or the size is out of its range.

        References
        ----------
        McKay, Beckman, Conover (1979), Technometrics 21:239.

        Examples
        --------
        >>> design = Design.latin_hypercube({"servers at Ward": (1, 4)}, 4, seed=1)
        >>> sorted(design.points[:, 0].tolist())
        [1.0, 2.0, 3.0, 4.0]
        """
        from scipy.stats import qmc

        def fill(dimension: int) -> Floats:
            sampler = qmc.LatinHypercube(dimension, seed=np.random.default_rng(seed))
            return np.asarray(sampler.random(size))

        return cls._sampled("latin_hypercube", ranges, size, seed, fill)

    @classmethod
    def sobol(cls, ranges: Mapping[str, tuple[float, float]], size: int, seed: int = 0) -> Design:
        """Return the first `size` points of a scrambled Sobol sequence, best at powers of two.

        Parameters
        ----------
        ranges : mapping
            Lowest and highest value by parameter; whole numbers stay whole, ends included.
        size : int
            Rows, at least 1.
        seed : int
            Of the scrambling.

        Raises
        ------
        ParameterError
            Where a range is empty or not finite, or the size is out of its range.

        References
        ----------
        Sobol' (1967), USSR Comput. Math. Math. Phys. 7:86; Owen (1998), J. Complexity 14:466.
        """
        from scipy.stats import qmc

        def fill(dimension: int) -> Floats:
            sampler = qmc.Sobol(dimension, seed=np.random.default_rng(seed))
            return np.asarray(sampler.random_base2(max(size - 1, 0).bit_length())[:size])

        return cls._sampled("sobol", ranges, size, seed, fill)

    @classmethod
    def _sampled(
        cls,
        kind: str,
        ranges: Mapping[str, tuple[float, float]],
        size: int,
        seed: int,
        fill: Callable[[int], Floats],
    ) -> Design:
        faults = []
        if not _is_count(size) or size > MOST:
            faults.append(
                Fault(kind, "size", str(size), f"must be a whole number from 1 to {MOST:,}")
            )
        if not ranges:
            faults.append(Fault(kind, "ranges", "", "needs a parameter"))
        ends: list[tuple[float, float, bool]] = []
        for name, given in ranges.items():
            pair = _numbers(str(name), given)
            if len(pair) != 2 or not all(map(math.isfinite, pair)) or pair[0] >= pair[1]:
                message = "must be a pair of finite numbers, the lower first"
                faults.append(Fault(kind, str(name), str(given), message))
                continue
            whole = all(isinstance(end, (int, np.integer)) for end in given)
            ends.append((pair[0], pair[1], whole))
        if faults:
            raise ParameterError(faults)
        low, high, whole_ = (np.array(column) for column in zip(*ends, strict=True))
        unit = fill(len(ends))
        values = low + unit * (high - low)
        counted = np.minimum(np.floor(low + unit * (high - low + 1)), high)
        values = np.where(whole_, counted, values)
        return cls(tuple(map(str, ranges)), values, kind, (), seed)

    @classmethod
    def of_table(cls, table: Any) -> Design:
        """Return the rows of a DataFrame whose columns are named like parameters.

        Raises
        ------
        ParameterError
            Where it holds anything but numbers.
        """
        try:
            values = table.to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            message = f"must hold numbers only: {error}"
            raise ParameterError([Fault("design", "table", "", message)]) from error
        return cls(tuple(map(str, table.columns)), values)

    def __repr__(self) -> str:
        """Return the kind, the size and the parameters."""
        what = "x".join(str(len(axis)) for axis in self.axes) or str(len(self.points))
        return f"Design: {self.kind} of {what} rows over {', '.join(self.parameters)}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _numbers(name: str, values: Any) -> list[float]:
    """Return values as floats."""
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        message = f"must be numbers: {error}"
        raise ParameterError([Fault("design", name, str(values)[:60], message)]) from error


def axis_of(text: str) -> tuple[str, list[float]]:
    """Return the parameter and the values that ``servers at Ward=4,5,6`` says.

    ``=4,5,6`` lists values; ``=4:8`` is every whole number from 4 to 8, or the two ends where one
    of them is not whole; ``=0.8:1.2:5`` is five values, evenly spaced.

    Raises
    ------
    ParameterError
        Where it says something else.

    Examples
    --------
    >>> axis_of("servers at Ward=4:6")
    ('servers at Ward', [4, 5, 6])
    >>> axis_of("scale service_time=0.5:1.5:3")
    ('scale service_time', [0.5, 1.0, 1.5])
    """
    name, sign, said = text.rpartition("=")
    try:
        if ":" not in said:
            values = [_number(part) for part in said.split(",")]
        else:
            low, high, *count = (_number(part) for part in said.split(":"))
            values = _between(low, high, count)
    except ValueError as error:
        message = f"must be 'NAME=4,5,6', 'NAME=4:8' or 'NAME=0.8:1.2:5' ({error})"
        raise ParameterError([Fault("vary", "", f"'{text}'", message)]) from error
    if not sign or not name.strip():
        raise ParameterError([Fault("vary", "", f"'{text}'", "must begin with a name and '='")])
    return name.strip(), values


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        message = f"'{text.strip()}' is not finite"
        raise ValueError(message)
    return int(value) if value == int(value) and text.strip().lstrip("-").isdigit() else value


def _between(low: float, high: float, count: list[float]) -> list[float]:
    message = ""
    if len(count) > 1 or not low < high:
        message = "the lower end comes first"
    elif count and not (isinstance(count[0], int) and 2 <= count[0] <= MOST):
        message = f"the third figure is how many values, 2 to {MOST:,}"
    elif not count and high - low >= MOST:
        message = f"that would be more than {MOST:,} values"
    if message:
        raise ValueError(message)
    if count:
        return [float(v) for v in np.linspace(low, high, int(count[0]))]
    if isinstance(low, int) and isinstance(high, int):
        return list(range(low, high + 1))
    return [low, high]


def as_design(given: Any, samples: int | None, sampling: str, seed: int) -> Design:
    """Return a design as it is, a table as its rows, a mapping as a grid or as ranges to sample.

    Raises
    ------
    ParameterError
        Where it is none of these, or `sampling` is not known.
    """
    if sampling not in ("sobol", "latin_hypercube"):
        message = "must be 'sobol' or 'latin_hypercube'"
        raise ParameterError([Fault("sweep", "sampling", f"'{sampling}'", message)])
    if isinstance(given, Design):
        return given
    if isinstance(given, Mapping):
        if samples is None:
            return Design.grid(given)
        make = Design.sobol if sampling == "sobol" else Design.latin_hypercube
        return make(given, samples, seed)
    if hasattr(given, "to_numpy") and hasattr(given, "columns"):
        return Design.of_table(given)
    message = "must be a Design, a DataFrame, or values by parameter"
    raise ParameterError([Fault("sweep", "design", type(given).__name__, message)])
