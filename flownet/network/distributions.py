"""Laws of the service time: from a family and its parameters to moments and kernel codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from flownet.kernels import compiled as code
from flownet.kernels.two_moments import SMALLEST_SCV, two_moments


class Law(NamedTuple):
    """A law of a non-negative time: its first two moments, and how a kernel draws from it."""

    mean: float
    scv: float
    family: int
    parameters: tuple[float, ...]
    samples: tuple[float, ...] = ()


class LawError(ValueError):
    """A law's parameters are missing or impossible; the text says what would be right."""


def two_moment_law(mean: float, scv: float) -> Law:
    """Return the phase-type (or constant) law with the given mean and scv; see `two_moments`.

    Parameters
    ----------
    mean : float
        Mean, in T, above 0.
    scv : float
        Squared coefficient of variation, at least 0.

    Examples
    --------
    >>> two_moment_law(2.0, 1.0).parameters
    (2.0,)
    """
    family, parameters = two_moments(mean, scv)
    return Law(mean, scv, family, parameters)


def law_from_table(table: Mapping[str, Any]) -> Law:
    """Return the law that a ``service_distribution`` table describes.

    Raises
    ------
    LawError
        With everything that is wrong, in plain words.
    """
    given = dict(table)
    family = given.pop("family", None)
    if not isinstance(family, str) or family not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        message = f"family {family!r} is not known; known are {known}"
        raise LawError(message)
    alternatives, build = FAMILIES[family]
    for names in alternatives:
        if set(names) == set(given):
            return build(**{name: _parameter(name, given[name]) for name in names})
    wanted = " or ".join("(" + ", ".join(names) + ")" for names in alternatives)
    message = f"family {family} takes {wanted}, not ({', '.join(sorted(map(str, given)))})"
    raise LawError(message)


def scaled_table(table: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Return the ``service_distribution`` table of `factor` times as long a time, factor > 0.

    Examples
    --------
    >>> scaled_table({"family": "lognormal", "mean": 4.0, "scv": 2.0}, 0.5)
    {'family': 'lognormal', 'mean': 2.0, 'scv': 2.0}
    """
    scaled = dict(table)
    for name in _TIMES & set(table):
        value = table[name]
        scaled[name] = [v * factor for v in value] if name == "values" else value * factor
    if "mu" in table:
        scaled["mu"] = table["mu"] + math.log(factor)
    if "T" in table:
        scaled["T"] = [[rate / factor for rate in row] for row in table["T"]]
    return scaled


_TIMES = {"mean", "mean1", "mean2", "value", "scale", "low", "mode", "high", "values"}
"""Parameters of laws that are times."""


def _parameter(name: str, value: object) -> Any:
    """Return a parameter as a float, or as an array where the law takes values or a matrix."""
    if name in {"values", "alpha", "T"}:
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            message = f"{name} must be a list of numbers"
            raise LawError(message) from error
        if array.size == 0 or not np.all(np.isfinite(array)):
            message = f"{name} must be a list of finite numbers, with at least one"
            raise LawError(message)
        return array
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        message = f"{name} = {value!r} must be a finite number"
        raise LawError(message)
    return float(value)


def _require(condition: bool, message: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not condition:
        raise LawError(message)


def _exponential(mean: float) -> Law:
    _require(mean > 0, f"mean = {mean:g} must be above 0")
    return Law(mean, 1.0, code.EXPONENTIAL, (mean,))


def _deterministic(value: float = math.nan, mean: float = math.nan) -> Law:
    time = mean if math.isnan(value) else value
    _require(time > 0, f"value = {time:g} must be above 0")
    return Law(time, 0.0, code.DETERMINISTIC, (time,))


def _erlang(phases: float = math.nan, mean: float = math.nan, scv: float = math.nan) -> Law:
    _require(mean > 0, f"mean = {mean:g} must be above 0")
    if math.isnan(phases):
        _require(
            0 < scv <= 1 and abs(1 / scv - round(1 / scv)) <= 1e-6 / scv,
            f"scv = {scv:g} must be 1, 1/2, 1/3, ... (one over the number of phases); for others "
            "service_time and service_scv take a mixture of two such laws",
        )
        phases = float(round(1 / scv))
    _require(
        phases >= 1 and phases == int(phases) and phases <= 10_000,
        f"phases = {phases:g} must be a whole number from 1 to 10000",
    )
    return Law(mean, 1.0 / phases, code.ERLANG, (phases, mean))


def _hyperexponential(
    probability: float = math.nan,
    mean1: float = math.nan,
    mean2: float = math.nan,
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if not math.isnan(mean):
        _require(mean > 0, f"mean = {mean:g} must be above 0")
        _require(scv >= 1, f"scv = {scv:g} must be at least 1 for a hyperexponential")
        return two_moment_law(mean, scv)
    _require(0 <= probability <= 1, f"probability = {probability:g} must be between 0 and 1")
    _require(mean1 > 0 and mean2 > 0, "mean1 and mean2 must be above 0")
    first = probability * mean1 + (1 - probability) * mean2
    second = 2 * (probability * mean1**2 + (1 - probability) * mean2**2)
    parameters = (probability, mean1, mean2)
    return Law(first, second / first**2 - 1, code.HYPEREXPONENTIAL, parameters)


def _gamma(
    shape: float = math.nan,
    scale: float = math.nan,
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if not math.isnan(mean):
        _require(mean > 0 and scv > 0, "mean and scv must be above 0")
        shape, scale = 1 / scv, mean * scv
    _require(shape > 0 and scale > 0, "shape and scale must be above 0")
    return Law(shape * scale, 1 / shape, code.GAMMA, (shape, scale))


def _lognormal(
    mu: float = math.nan,
    sigma: float = math.nan,
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if not math.isnan(mean):
        _require(mean > 0 and scv > 0, "mean and scv must be above 0")
        sigma = math.sqrt(math.log1p(scv))
        mu = math.log(mean) - sigma**2 / 2
    _require(0 < sigma <= 5, f"sigma = {sigma:g} must be above 0 and at most 5")
    _require(abs(mu) <= 50, f"mu = {mu:g} must lie between -50 and 50")
    return Law(math.exp(mu + sigma**2 / 2), math.expm1(sigma**2), code.LOGNORMAL, (mu, sigma))


def _weibull(
    shape: float = math.nan,
    scale: float = math.nan,
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if not math.isnan(mean):
        low, high = _weibull_scv(100.0), _weibull_scv(0.1)
        _require(mean > 0, f"mean = {mean:g} must be above 0")
        _require(low <= scv <= high, f"scv = {scv:g} must lie between {low:.2g} and {high:.3g}")
        shape = _weibull_shape(scv)
        scale = mean / math.gamma(1 + 1 / shape)
    _require(0.1 <= shape <= 100, f"shape = {shape:g} must lie between 0.1 and 100")
    _require(scale > 0, f"scale = {scale:g} must be above 0")
    first, second = math.gamma(1 + 1 / shape), math.gamma(1 + 2 / shape)
    return Law(scale * first, second / first**2 - 1, code.WEIBULL, (shape, scale))


def _weibull_scv(shape: float) -> float:
    """Return the scv of a Weibull law, which falls with its shape."""
    return math.gamma(1 + 2 / shape) / math.gamma(1 + 1 / shape) ** 2 - 1


def _weibull_shape(scv: float) -> float:
    """Return the shape of a Weibull law by halving, to all digits."""
    low, high = 0.1, 100.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _weibull_scv(middle) > scv else (low, middle)
    return 0.5 * (low + high)


def _uniform(
    low: float = math.nan,
    high: float = math.nan,
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if not math.isnan(mean):
        _require(mean > 0, f"mean = {mean:g} must be above 0")
        _require(0 < scv <= 1 / 3, f"scv = {scv:g} must be above 0 and at most 1/3: from 0 on")
        half = mean * math.sqrt(3 * scv)
        low, high = max(mean - half, 0.0), mean + half
    _require(0 <= low < high, f"low = {low:g} and high = {high:g} must satisfy 0 <= low < high")
    mean = (low + high) / 2
    return Law(mean, (high - low) ** 2 / 12 / mean**2, code.UNIFORM, (low, high))


def _triangular(
    low: float = math.nan,
    mode: float = math.nan,
    high: float = math.nan,
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if not math.isnan(mean):
        _require(mean > 0, f"mean = {mean:g} must be above 0")
        _require(0 < scv <= 1 / 6, f"scv = {scv:g} must be above 0 and at most 1/6: symmetric")
        half = mean * math.sqrt(6 * scv)
        low, mode, high = max(mean - half, 0.0), mean, mean + half
    _require(
        0 <= low <= mode <= high and low < high,
        f"low = {low:g}, mode = {mode:g}, high = {high:g} must satisfy 0 <= low <= mode <= high",
    )
    mean = (low + mode + high) / 3
    variance = (low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18
    return Law(mean, variance / mean**2, code.TRIANGULAR, (low, mode, high))


def _empirical(values: np.ndarray[Any, np.dtype[np.float64]]) -> Law:
    _require(values.ndim == 1, "values must be a plain list of numbers")
    _require(bool(np.all(values >= 0)), "values must not be negative")
    mean = float(values.mean())
    _require(mean > 0, "values must not all be 0")
    samples = tuple(float(v) for v in values)
    return Law(
        mean, float(values.var()) / mean**2, code.EMPIRICAL, (0.0, float(len(samples))), samples
    )


def _phase_type(
    alpha: np.ndarray[Any, np.dtype[np.float64]] | None = None,
    T: np.ndarray[Any, np.dtype[np.float64]] | None = None,  # noqa: N803  # the literature's letter
    mean: float = math.nan,
    scv: float = math.nan,
) -> Law:
    if alpha is None or T is None:
        _require(mean > 0, f"mean = {mean:g} must be above 0")
        _require(scv >= SMALLEST_SCV, f"scv = {scv:g} must be at least {SMALLEST_SCV:g}")
        return two_moment_law(mean, scv)
    order = alpha.size
    _require(
        alpha.ndim == 1 and T.shape == (order, order),
        "T must be a square matrix of the size of alpha",
    )
    _require(
        bool(np.all(alpha >= 0)) and abs(alpha.sum() - 1) < 1e-9,
        "alpha must be probabilities that add up to 1",
    )
    off = T - np.diag(np.diag(T))
    _require(
        bool(np.all(off >= 0))
        and bool(np.all(np.diag(T) < 0))
        and bool(np.all(T.sum(axis=1) <= 1e-9)),
        "T must have a negative diagonal, no negative rate beside it, and rows that add up to 0 or "
        "less",
    )
    _require(float(np.linalg.cond(T)) < 1e12, "T must let every phase end (it is singular)")
    ones = np.ones(order)
    first = np.linalg.solve(-T, ones)
    mean, second = float(alpha @ first), 2.0 * float(alpha @ np.linalg.solve(-T, first))
    samples = (*map(float, alpha), *map(float, T.ravel()))
    return Law(mean, second / mean**2 - 1, code.PHASE_TYPE, (0.0, float(order)), samples)


Builder = Callable[..., Law]
FAMILIES: Final[dict[str, tuple[Sequence[tuple[str, ...]], Builder]]] = {
    "exponential": ([("mean",)], _exponential),
    "deterministic": ([("value",), ("mean",)], _deterministic),
    "erlang": ([("phases", "mean"), ("mean", "scv")], _erlang),
    "hyperexponential": ([("probability", "mean1", "mean2"), ("mean", "scv")], _hyperexponential),
    "gamma": ([("shape", "scale"), ("mean", "scv")], _gamma),
    "lognormal": ([("mu", "sigma"), ("mean", "scv")], _lognormal),
    "weibull": ([("shape", "scale"), ("mean", "scv")], _weibull),
    "uniform": ([("low", "high"), ("mean", "scv")], _uniform),
    "triangular": ([("low", "mode", "high"), ("mean", "scv")], _triangular),
    "empirical": ([("values",)], _empirical),
    "phase_type": ([("alpha", "T"), ("mean", "scv")], _phase_type),
}
"""Families by name: the sets of parameters that each takes, and what builds the law."""
