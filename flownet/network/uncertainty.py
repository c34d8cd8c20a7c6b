"""Parameters that are not known exactly, and networks that they make plausible."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from scipy import stats

from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic_solvers import route_sources
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network
from flownet.network.parameters import UNITS, Parameter, parameters_of
from flownet.network.values import nearest

DESIGNS: Final = ("latin_hypercube", "sobol", "random")
SHARES: Final = ("routing_probability",)
FAMILIES: Final = {
    "lognormal": ("mean", "sd"),
    "normal": ("mean", "sd"),
    "gamma": ("mean", "sd"),
    "beta": ("mean", "sd"),
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "dirichlet": ("count", "total"),
}
"""Laws of what is not known, and their figures. The shares of one service and class that have
``dirichlet`` are drawn together: so many of all who left were seen to go that way."""
SPREAD: Final = ("external_arrival_rate", "service_time")
"""What a relative spread is taken for where no standard error is given."""


@dataclasses.dataclass(frozen=True)
class Uncertain:
    """One parameter that is not known exactly.

    Attributes
    ----------
    parameter : Parameter
        Which, and its present value.
    family : str
        Of `FAMILIES`.
    figures : tuple of float
        In their order there.
    """

    parameter: Parameter
    family: str
    figures: tuple[float, ...]

    @property
    def name(self) -> str:
        """What the parameter is called in tables."""
        of = self.parameter.job_class
        return f"{self.parameter.name} at {self.parameter.where}" + (
            f" ({of})" if of not in {"", "all"} else ""
        )

    def values(self, chances: Floats) -> Floats:
        """Return the quantiles at these chances, each in (0, 1)."""
        a, b = self.figures[:2]
        if self.family == "uniform":
            return np.asarray(a + (b - a) * chances)
        if self.family == "triangular":
            low, mode, high = self.figures
            law = stats.triang((mode - low) / (high - low), low, high - low)
            return np.asarray(law.ppf(chances))
        if self.family == "normal":
            # what is below 0 is cut off: no rate or time is
            floor = stats.norm.cdf(-a / b)
            return np.asarray(a + b * stats.norm.ppf(floor + (1 - floor) * chances))
        if self.family == "lognormal":
            spread = math.sqrt(math.log1p((b / a) ** 2))
            return np.asarray(a * np.exp(spread * stats.norm.ppf(chances) - spread**2 / 2))
        if self.family == "gamma":
            return np.asarray(stats.gamma((a / b) ** 2, scale=b * b / a).ppf(chances))
        first, second = a, b - a  # of a share alone, out of those that are drawn together
        if self.family == "beta":
            count = a * (1 - a) / b**2 - 1
            first, second = a * count, (1 - a) * count
        return np.asarray(
            stats.beta(first, second).ppf(chances) if second > 0 else 1.0 + 0 * chances
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Values of the uncertain parameters, one row a plausible network.

    Attributes
    ----------
    network : Network
        With the parameters as they are described.
    uncertain : tuple of Uncertain
        One a column.
    values : array (n, d)
    """

    network: Network
    uncertain: tuple[Uncertain, ...]
    values: Floats = dataclasses.field(repr=False)

    def __len__(self) -> int:
        """Return how many networks there are."""
        return len(self.values)

    def arrays(self, start: CompiledNetwork | None = None) -> Iterator[CompiledNetwork]:
        """Yield the arrays of each network, made from those of the description or from others."""
        start = compile_network(self.network).arrays if start is None else start
        for row in self.values:
            yield with_values(start, self.uncertain, row)

    def networks(self) -> Iterator[Network]:
        """Yield each network described.

        Raises
        ------
        NetworkError
            Where values drawn are no possible network together.
        """
        from flownet.network.described import described

        for row in self.values:
            yield described(self.network, self.uncertain, row)


def with_values(
    arrays: CompiledNetwork, uncertain: tuple[Uncertain, ...], row: Floats
) -> CompiledNetwork:
    """Return the arrays with one value for each uncertain parameter.

    Where the routes of a state come to more than all its jobs, they are scaled to all of them.
    """
    for each, value in zip(uncertain, row.tolist(), strict=True):
        arrays = each.parameter.changed(arrays, value)
    if not any(each.parameter.name in SHARES for each in uncertain):
        return arrays
    first = arrays.route_start.astype(np.int64)
    source = np.repeat(np.arange(first.size - 1), np.diff(first))
    total = np.bincount(source, arrays.route_probability, first.size - 1)
    return arrays._replace(
        route_probability=arrays.route_probability / np.maximum(total, 1.0)[source]
    )


def uncertain_parameters(
    network: Network,
    distributions: Mapping[tuple[Any, ...], Mapping[str, Any]] | None = None,
    *,
    spread: float = 0.0,
) -> tuple[Uncertain, ...]:
    """Return what is not known exactly in a network.

    Parameters
    ----------
    network : Network
        Its ``standard_error`` tables are read: lognormal laws whose median is the value and whose
        coefficient of variation is that of the error; of routing probabilities, beta laws.
    distributions : mapping, optional
        ``{(where, attribute) or (where, attribute, class): {"family": ..., ...}}`` with the figures
        of `FAMILIES`; where is a service or ``'from -> to'``. They go before standard errors.
    spread : float
        Relative standard deviation of arrival rates and service times that have none.

    Raises
    ------
    UnknownNameError, ParameterError
        With every distribution that names nothing, or whose figures are not possible.
    """
    compilation = compile_network(network)
    every = parameters_of(compilation, tuple(UNITS))
    given = _given(every, distributions or {})
    found = []
    for parameter in every:
        if parameter in given:
            found.append(given[parameter])
            continue
        error = _standard_error(network, compilation, parameter)
        if not error > 0 and parameter.name in SPREAD:
            error = spread * parameter.value
        if error > 0:
            share = parameter.name in SHARES
            if share and not error**2 < parameter.value * (1 - parameter.value):
                continue
            if share:
                found.append(Uncertain(parameter, "beta", (parameter.value, error)))
                continue
            # its median is the estimate: an interval of the logarithm, as for any positive number
            middle = math.sqrt(1.0 + (error / parameter.value) ** 2)
            figures = (parameter.value * middle, error * middle)
            found.append(Uncertain(parameter, "lognormal", figures))
    return tuple(found)


def _standard_error(network: Network, compilation: Compilation, parameter: Parameter) -> float:
    """Return the standard error in the description; 0 where there is none."""
    names = {str(name): name for name in compilation.services}
    graph = network.graph
    if parameter.where in names:
        data = graph.nodes[names[parameter.where]]
    else:
        ends = next(
            (pair for pair in graph.edges if " -> ".join(map(str, pair)) == parameter.where), None
        )
        if ends is None:
            return 0.0
        data = graph.edges[ends]
    name = parameter.name
    if name == "external_arrival_rate" and data.get("external_arrival_calendar") is not None:
        name = "external_arrival_calendar"  # of its mean
    error = (data.get("standard_error") or {}).get(name, 0.0)
    if isinstance(error, Mapping):
        error = error.get(parameter.job_class, 0.0)
    return float(error) if isinstance(error, (int, float)) else 0.0


def _given(
    every: list[Parameter], distributions: Mapping[tuple[Any, ...], Mapping[str, Any]]
) -> dict[Parameter, Uncertain]:
    """Return the distributions by parameter, checked."""
    found: dict[Parameter, Uncertain] = {}
    unknown: list[Fault] = []
    wrong: list[Fault] = []
    for key, table in distributions.items():
        where, attribute, job_class = (*key, None)[:3] if len(key) >= 2 else (key, "", None)
        place = " -> ".join(map(str, where)) if isinstance(where, tuple) else str(where)
        chosen = [
            each for each in every
            if (each.where, each.name) == (place, attribute)
            and (job_class is None or each.job_class == job_class)
        ]  # fmt: skip
        if not chosen:
            known = {f"{each.where}, {each.name}" for each in every}
            hint = nearest(f"{place}, {attribute}", known)
            unknown.append(Fault("distributions", "", repr(key), f"names no parameter{hint}"))
            continue
        fault = _fault(table, str(attribute))
        if fault:
            wrong.append(Fault("distributions", str(key), repr(dict(table)), fault))
            continue
        figures = tuple(float(table[name]) for name in FAMILIES[table["family"]])
        found |= {each: Uncertain(each, table["family"], figures) for each in chosen}
    if unknown:
        raise UnknownNameError(unknown + wrong)
    if wrong:
        raise ParameterError(wrong)
    return found


def _fault(table: Mapping[str, Any], attribute: str) -> str:
    """Return what is wrong with a distribution; empty where nothing is."""
    family = table.get("family")
    if family not in FAMILIES:
        return f"must have a family of {', '.join(FAMILIES)}"
    figures = [table.get(name) for name in FAMILIES[family]]
    if not all(
        isinstance(each, (int, float)) and not isinstance(each, bool) and math.isfinite(each)
        for each in figures
    ):
        return f"must have finite numbers {', '.join(FAMILIES[family])}"
    numbers = [float(each) for each in figures if each is not None]
    share = attribute in SHARES
    if family in {"uniform", "triangular"}:
        rises = numbers == sorted(numbers) and numbers[0] >= 0 and numbers[0] < numbers[-1]
        fault = "" if rises else "must rise from low, at least 0, to high"
        return fault or ("must stay within 0 and 1" if share and numbers[-1] > 1 else "")
    mean, deviation = numbers
    if family == "dirichlet":
        possible = share and 0 < mean <= deviation
        return "" if possible else "must be a share, of a count above 0 and no more than its total"
    beta = family != "beta" or (mean < 1 and deviation**2 < mean * (1 - mean))
    fault = "" if beta else "must have a mean below 1, and an sd that a share of this mean can have"
    return "must have a mean and an sd above 0" if mean <= 0 or deviation <= 0 else fault


def draw_samples(
    network: Network,
    n: int,
    seed: int = 0,
    *,
    design: str = "latin_hypercube",
    distributions: Mapping[tuple[Any, ...], Mapping[str, Any]] | None = None,
) -> Samples:
    """Return values of the uncertain parameters of a network, one row a plausible network.

    Parameters
    ----------
    network, distributions
        As for `uncertain_parameters`.
    n : int
        How many, at least 1.
    seed : int
        At least 0; the same seed gives the same values.
    design : {'latin_hypercube', 'sobol', 'random'}
        How they fill the space; Sobol's sequences want a power of 2.

    Raises
    ------
    ParameterError
        Where a figure is out of its range, or nothing is uncertain.

    References
    ----------
    McKay, Beckman and Conover (1979), Technometrics 21, 239; Owen (1998), J. Complexity 14, 466
    (scrambled Sobol sequences).
    """
    check_draw(n, seed, design)
    uncertain = uncertain_parameters(network, distributions)
    if not uncertain:
        message = (
            "nothing is uncertain: give standard_error tables at services and routes, or "
            "distributions"
        )
        raise ParameterError([Fault(f"network '{network.name}'", "standard_error", "", message)])
    return samples_of(network, uncertain, n, seed, design)


def check_draw(n: Any, seed: Any, design: str = "latin_hypercube") -> None:
    """Check how many samples are asked for, and how.

    Raises
    ------
    ParameterError
        With all that is out of its range.
    """
    asked: list[tuple[str, Any, int]] = [("n", n, 1), ("seed", seed, 0)]
    faults = [
        Fault("samples", name, repr(value), f"must be a whole number from {least} on")
        for name, value, least in asked
        if isinstance(value, bool) or not isinstance(value, int) or value < least
    ]
    if design not in DESIGNS:
        message = f"must be one of {', '.join(DESIGNS)}{nearest(design, DESIGNS)}"
        faults.append(Fault("samples", "design", repr(design), message))
    if faults:
        raise ParameterError(faults)


def samples_of(
    network: Network,
    uncertain: tuple[Uncertain, ...],
    n: int,
    seed: int,
    design: str = "latin_hypercube",
) -> Samples:
    """Return values of these parameters, of which there may be none; see `draw_samples`."""
    if not uncertain:
        return Samples(network, (), np.zeros((n, 0)))
    groups = _together(network, uncertain)
    size = len(uncertain)
    chances = np.clip(_chances(size + len(groups), n, seed, design), 1e-12, 1 - 1e-12)
    values = np.column_stack([each.values(chances[:, k]) for k, each in enumerate(uncertain)])
    for place, members in enumerate(groups, size):
        counts = np.array([uncertain[k].figures[0] for k in members])
        rest = max(uncertain[k].figures[1] for k in members) - counts.sum()
        drawn = stats.gamma(counts).ppf(chances[:, members])
        leaving = stats.gamma(rest).ppf(chances[:, place]) if rest > 0 else np.zeros(n)
        values[:, members] = drawn / (drawn.sum(axis=1) + leaving)[:, None]
    return Samples(network, uncertain, values)


def _together(network: Network, uncertain: tuple[Uncertain, ...]) -> list[list[int]]:
    """Return the columns of shares that are drawn together, by where they begin."""
    source = route_sources(compile_network(network).arrays.route_start)
    groups: dict[int, list[int]] = {}
    for k, each in enumerate(uncertain):
        if each.family == "dirichlet":
            groups.setdefault(int(source[each.parameter.place[0]]), []).append(k)
    return list(groups.values())


def _chances(size: int, n: int, seed: int, design: str) -> Floats:
    generator = np.random.default_rng(seed)
    if design == "random":
        return np.asarray(generator.random((n, size)))
    if design == "latin_hypercube":
        return np.asarray(stats.qmc.LatinHypercube(size, seed=generator).random(n))
    power = max(math.ceil(math.log2(n)), 0)
    return np.asarray(stats.qmc.Sobol(size, seed=generator).random_base2(power)[:n])
