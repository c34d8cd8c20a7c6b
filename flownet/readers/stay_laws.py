"""The law of a stay by likelihood, open stays and those seen late counted for what they tell."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from flownet.kernels.compiled import Floats
from flownet.network.distributions import LawError, law_from_table
from flownet.readers.extras import library

FAMILIES: Final = ("exponential", "erlang", "gamma", "weibull", "lognormal", "hyperexponential")
STEPS: Final = 250
"""Stays are grouped on a logarithmic grid of so many steps a factor e: 0.4 % wide."""
LEAST: Final = 8
"""With fewer stays that ended, no law is fitted."""
POOR_FIT: Final = 0.03
NEEDED_FOR: Final = (
    "fitting laws to stays (where none is open, families=() leaves them out), and any estimate "
    "from open stays,"
)


class Spans(NamedTuple):
    """Lengths of stays."""

    length: Floats
    """Up to the end, or as far as it was seen; above 0."""
    ended: NDArray[np.bool_]
    entry: Floats
    """Length at which the stay came under observation; 0 from its beginning."""


class Grouped(NamedTuple):
    """Stays of nearly the same length counted together."""

    length: Floats
    ended: NDArray[np.bool_]
    entry: Floats
    number: Floats


def grouped(spans: Spans) -> Grouped:
    """Return stays counted on a logarithmic grid of `STEPS` steps a factor e."""
    late = spans.entry > 0
    step = np.round(np.log(spans.length) * STEPS).astype(np.int64)
    begin = np.where(late, np.round(np.log(np.where(late, spans.entry, 1.0)) * STEPS), -(2**40))
    keys = np.stack([step, spans.ended.astype(np.int64), begin.astype(np.int64)])
    _, group, n = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    group = group.ravel()
    mean, entry = np.bincount(group, spans.length) / n, np.bincount(group, spans.entry) / n
    ended = np.bincount(group, spans.ended) / n > 0.5
    return Grouped(mean, ended, np.minimum(entry, mean * (1.0 - 1e-9)), n.astype(np.float64))


class LawFit(NamedTuple):
    """One family fitted to stays."""

    family: str
    table: dict[str, Any]
    """As the document's ``service_distribution``."""
    mean: float
    mean_error: float
    scv: float
    scv_error: float
    aic: float
    distance: float
    """Largest distance between the law and the Kaplan-Meier estimate."""
    fits: bool
    """Whether that distance is what chance would leave, or too small to matter."""
    by_chance: bool
    """Whether it is what chance would leave (Kolmogorov's 5% limit, 1.36 / √n)."""
    params: Floats
    covariance: Floats
    at: Callable[[Floats], dict[str, Any]]
    """From parameters to the table of the law."""


class Frozen(Protocol):
    """What is asked of a law with its parameters."""

    def logpdf(self, x: Any) -> Any:
        """Return the logarithm of the density."""

    def logsf(self, x: Any) -> Any:
        """Return the logarithm of the probability of lasting longer."""


class _TwoExponentials(NamedTuple):
    """A mixture of two exponential laws, as `Frozen` asks for."""

    probability: float
    mean1: float
    mean2: float

    def logpdf(self, x: Any) -> Any:
        p = self.probability
        return np.logaddexp(
            math.log(p) - math.log(self.mean1) - x / self.mean1,
            math.log1p(-p) - math.log(self.mean2) - x / self.mean2,
        )

    def logsf(self, x: Any) -> Any:
        p = self.probability
        return np.logaddexp(math.log(p) - x / self.mean1, math.log1p(-p) - x / self.mean2)


def law_at(table: Mapping[str, Any]) -> Frozen:
    """Return a fitted law with its density and survival."""
    from scipy import stats

    family = table["family"]
    if family == "hyperexponential":
        return _TwoExponentials(table["probability"], table["mean1"], table["mean2"])
    law: Frozen
    if family == "exponential":
        law = stats.expon(scale=table["mean"])
    elif family == "erlang":
        law = stats.gamma(table["phases"], scale=table["mean"] / table["phases"])
    elif family == "gamma":
        law = stats.gamma(table["shape"], scale=table["scale"])
    elif family == "weibull":
        law = stats.weibull_min(table["shape"], scale=table["scale"])
    else:
        law = stats.lognorm(table["sigma"], scale=math.exp(table["mu"]))
    return law


def fit_laws(stays: Grouped, families: tuple[str, ...] = FAMILIES) -> list[LawFit]:
    """Return the families that could be fitted by maximum likelihood, the best by AIC first.

    An open stay contributes its survival, one seen from a length on is given that it lasted as
    long (Klein and Moeschberger 2003, Survival Analysis, 2nd ed., eq. 3.5.1). Standard errors of
    mean and scv follow from the parameters' covariance by the delta method.

    Raises
    ------
    MissingExtraError
        Where surpyval is not installed.
    """
    surpyval = library("surpyval", "logs", NEEDED_FOR)
    if int(stays.number[stays.ended].sum()) < LEAST:
        return []
    data, count = _as_taken(stays), int(stays.number.sum())
    fits = []
    for family in families:
        with warnings.catch_warnings():
            # what did not reach a maximum has no covariance, and is left out below
            warnings.simplefilter("ignore")
            try:
                found = _FITTERS[family](surpyval, data)
                fit = None if found is None else _judged(family, *found, surpyval, data, count)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                continue  # no maximum of the likelihood for this family
        if fit is not None:
            fits.append(fit)
    return sorted(fits, key=lambda fit: fit.aic)


class Mixture(NamedTuple):
    """Two lognormal laws, as which stays look that no single law fits."""

    shares: tuple[float, float]
    means: tuple[float, float]
    distance: float


def mixture_of(stays: Grouped) -> Mixture | None:
    """Return a mixture of two lognormal laws by likelihood; None where none is found."""
    surpyval = library("surpyval", "logs", NEEDED_FOR)
    data = _as_taken(stays)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of starts that lead nowhere
        model = surpyval.MixtureModel(dist=surpyval.LogNormal, m=2)
        try:
            model.fit(**data)
            distance = _distance(model, surpyval, data)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None  # no maximum of the likelihood
    means = [math.exp(mu + sigma * sigma / 2.0) for mu, sigma in np.asarray(model.params)]
    shares = [float(share) for share in model.w]
    if model.maximum != "verified" or not all(math.isfinite(mean) for mean in means):
        return None
    low, high = np.argsort(means)
    return Mixture((shares[low], shares[high]), (means[low], means[high]), distance)


def weights_of(fits: Sequence[LawFit]) -> Floats:
    """Return how much each of several laws is believed (Akaike weights; they add up to 1)."""
    loss = np.array([fit.aic for fit in fits])
    share = np.exp(-0.5 * (loss - loss.min()))
    return np.asarray(share / share.sum())


def _as_taken(stays: Grouped) -> dict[str, Any]:
    """Return grouped stays as surpyval takes them."""
    data: dict[str, Any] = {
        "x": stays.length, "c": (~stays.ended).astype(np.int64), "n": stays.number.astype(np.int64),
    }  # fmt: skip
    if (stays.entry > 0).any():
        data["tl"] = stays.entry
    return data


Found = tuple[Any, Callable[[Floats], dict[str, Any]], Floats, Any, float]
"""Model, parameters to table, parameters, their covariance, AIC."""


def _single(name: str, table: Callable[[Floats], dict[str, Any]]) -> Callable[..., Found]:
    def fit(library: Any, data: dict[str, Any]) -> Found:
        model = getattr(library, name).fit(**data)
        return model, table, np.asarray(model.params), model.covariance(), float(model.aic())

    return fit


def _gamma_table(params: Floats) -> dict[str, Any]:
    return {"family": "gamma", "shape": float(params[0]), "scale": 1.0 / float(params[1])}


def _fit_erlang(library: Any, data: dict[str, Any]) -> Found | None:
    """Fit the Erlang law by the whole shapes beside the gamma law's."""
    shape = float(library.Gamma.fit(**data).params[0])
    found: list[Found] = []
    for phases in {max(1, math.floor(shape)), math.ceil(shape)} - {1}:
        model = library.Gamma.fit(**data, fixed={"alpha": float(phases)})
        rate, aic = np.asarray(model.params)[1:], float(model.aic())
        error = np.asarray(model.covariance())[-1:, -1:]

        def table(params: Floats, phases: int = phases) -> dict[str, Any]:
            return {"family": "erlang", "phases": phases, "mean": phases / float(params[0])}

        # the number of phases was chosen by the data too, and counts as a parameter
        found.append((model, table, rate, error, aic + 2.0))
    return min(found, key=lambda each: each[4]) if found else None


def _fit_hyperexponential(library: Any, data: dict[str, Any]) -> Found | None:
    model = library.MixtureModel(dist=library.Exponential, m=2)
    model.fit(**data)
    if model.maximum != "verified":
        return None
    rates = np.asarray(model.params).ravel()
    params = np.array([*rates, float(model.w[0])])
    return model, _hyper_table, params, np.asarray(model.covariance())[:3, :3], float(model.aic())


def _hyper_table(params: Floats) -> dict[str, Any]:
    first, second, share = (float(each) for each in params)
    return {"family": "hyperexponential", "probability": share, "mean1": 1.0 / first,
            "mean2": 1.0 / second}  # fmt: skip


_FITTERS: Final[dict[str, Callable[..., Found | None]]] = {
    "exponential": _single(
        "Exponential", lambda p: {"family": "exponential", "mean": 1.0 / float(p[0])}
    ),
    "erlang": _fit_erlang,
    "gamma": _single("Gamma", _gamma_table),
    "weibull": _single(
        "Weibull",
        lambda p: {"family": "weibull", "shape": float(p[1]), "scale": float(p[0])},
    ),
    "lognormal": _single(
        "LogNormal",
        lambda p: {"family": "lognormal", "mu": float(p[0]), "sigma": float(p[1])},
    ),
    "hyperexponential": _fit_hyperexponential,
}


def _judged(
    family: str,
    model: Any,
    table: Callable[[Floats], dict[str, Any]],
    params: Floats,
    covariance: Any,
    aic: float,
    library: Any,
    data: dict[str, Any],
    count: int,
) -> LawFit | None:
    """Return the fit with its moments, their errors, and how well it follows the data."""

    def moments(at: Floats) -> Floats:
        law = law_from_table(table(at))
        return np.array([law.mean, law.scv])

    try:
        centre = moments(params)
        slopes = np.zeros((2, params.size))
        for k in range(params.size):
            step = np.zeros(params.size)
            step[k] = 1e-5 * abs(params[k])
            slopes[:, k] = (moments(params + step) - moments(params - step)) / (2.0 * step[k])
    except (LawError, OverflowError):
        return None
    variance = np.diag(slopes @ np.asarray(covariance, float) @ slopes.T)
    if not (np.isfinite(centre).all() and np.isfinite(variance).all() and variance[0] > 0):
        return None
    error = np.sqrt(np.maximum(variance, 0.0))
    distance = _distance(model, library, data)
    by_chance = distance <= 1.36 / math.sqrt(count)
    return LawFit(
        family, table(params), float(centre[0]), float(error[0]), float(centre[1]),
        float(error[1]), aic, distance, by_chance or distance <= POOR_FIT, by_chance, params,
        np.asarray(covariance, float), table,
    )  # fmt: skip


def _distance(model: Any, library: Any, data: dict[str, Any]) -> float:
    """Return the largest distance to the Kaplan-Meier estimate."""
    seen = library.KaplanMeier.fit(**data)
    steps = np.asarray(seen.R, float)
    ended = np.isfinite(steps)
    survival = np.asarray(model.sf(np.asarray(seen.x)), float)
    return float(np.abs(survival - steps)[ended].max())
