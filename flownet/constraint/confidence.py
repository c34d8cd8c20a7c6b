"""How sure the finding is: the constraint under sampled parameters, and what to measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from flownet.constraint.relief import amount, elasticities
from flownet.display import html_of_text
from flownet.errors import Fault, ParameterError, UnconvergedError
from flownet.kernels.change import with_servers
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.network.compile import compile_network
from flownet.network.model import Network, ServiceName
from flownet.network.uncertainty import Samples, draw_samples, with_values
from flownet.solvers.goals import goal_value
from flownet.solvers.solution import Solution
from flownet.solvers.tables import records

SAMPLES = 200
SURE = 0.8
"""Below this probability no single service is named, but the set."""
TOGETHER = 0.9
"""The set holds the constraint with at least this probability."""
RELIEVED = 4
"""Of so many services, those most often the constraint, relief is sampled too."""
LEVELS = (0.05, 0.5, 0.95)
WEIBULL: Final = "weibull"
"""Quantiles of a sample at k / (n + 1): its 5 % and 95 % then hold 90 % of what else is drawn."""
MEASURED = 0.1
"""A parameter is worth measuring from this share of the variance on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Confidence:
    """The constraint under uncertain parameters.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a service, most probable first: probability (that it is the constraint), rank and
        elasticity at 5, 50 and 95 %, relief likewise (nan but for the four most probable).
    constraint_set : tuple
        The one service where its probability is 80 % or more; else the fewest that hold the
        constraint with 90 %.
    importance : pandas.DataFrame
        One row a parameter, the most important first: share of the variance, linear in the
        parameters, of the difference between the elasticities of the two most probable services
        (``to_decide``) and of the goal (``to_goal``). Empty where networks were given.
    overload : float
        Share of the samples in which a backlog grows.
    samples, failed : int
        How many were solved, and how many could not be.
    """

    table: pd.DataFrame = dataclasses.field(repr=False)
    constraint_set: tuple[ServiceName, ...]
    importance: pd.DataFrame = dataclasses.field(repr=False)
    overload: float
    samples: int
    failed: int

    @property
    def probability(self) -> float:
        """Probability that the most probable service is the constraint."""
        return float(self.table["probability"].iloc[0]) if len(self.table) else 0.0

    @property
    def to_measure(self) -> tuple[str, ...]:
        """Return what to measure to tell the services of the set apart, most telling first."""
        if len(self.constraint_set) < 2 or self.importance.empty:
            return ()
        shares = self.importance["to_decide"].sort_values(ascending=False)
        return tuple(shares.index[shares >= MEASURED][:3])

    def __repr__(self) -> str:
        """Return three lines: how probable, the set, what to measure."""
        names = ", ".join(
            f"'{name}' {self.table.loc[name, 'probability']:.0%}" for name in self.constraint_set
        )
        measure = ", ".join(self.to_measure)
        return "\n".join([
            f"Confidence: the constraint is {names or 'nowhere'} ({self.samples} samples)",
            f"  a backlog grows in {self.overload:.0%} of them; {self.failed} could not be solved",
            f"  to decide, measure {measure}" if measure else "  nothing has to be measured first",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "table": records(self.table),
            "constraint_set": [str(name) for name in self.constraint_set],
            "importance": records(self.importance),
            "to_measure": list(self.to_measure),
            "overload": self.overload,
            "samples": self.samples,
            "failed": self.failed,
        }


def confidence_of(solution: Solution, goal: str, uncertainty: Any, seed: int = 0) -> Confidence:
    """Return how sure the constraint of a solution is.

    Parameters
    ----------
    solution : Solution
        Of the network as described; its method is used again.
    goal : {'delay', 'cost', 'throughput'}
    uncertainty : int, Samples, EstimatedNetwork or sequence of Network
        How many samples of the network's own standard errors, or the samples.
    seed : int
        Of the samples, where their number is given.

    Raises
    ------
    ParameterError
        Where nothing is uncertain, or the samples are not of this network.
    UnconvergedError
        Where no sample could be solved.
    """
    samples = _samples(solution, uncertainty, seed)
    outcome = _Outcome(solution, goal)
    for arrays in _each(solution, samples):
        outcome.add(arrays)
    if not outcome.rows:
        message = "no sample could be solved: nothing can be said of how sure the constraint is"
        raise UnconvergedError(message)
    return outcome.confidence(samples)


def _samples(solution: Solution, uncertainty: Any, seed: int) -> Any:
    if uncertainty is True:
        uncertainty = SAMPLES
    if isinstance(uncertainty, int) and not isinstance(uncertainty, bool):
        return draw_samples(solution.network, uncertainty, seed)
    if isinstance(uncertainty, Samples):
        return uncertainty
    if hasattr(uncertainty, "samples"):  # an EstimatedNetwork: the readers stand above
        return uncertainty.samples(SAMPLES, seed)
    if (
        isinstance(uncertainty, Sequence)
        and uncertainty
        and all(isinstance(each, Network) for each in uncertainty)
    ):
        return list(uncertainty)
    message = "must be a number of samples, Samples, an EstimatedNetwork or networks"
    raise ParameterError([Fault("uncertainty", "", type(uncertainty).__name__, message)])


def _each(solution: Solution, samples: Any) -> Iterator[CompiledNetwork]:
    names = solution.compilation.services
    if isinstance(samples, Samples):
        if samples.network.services != names:
            message = "are of another network: the services differ"
            raise ParameterError([Fault("uncertainty", "samples", "", message)])
        yield from samples.arrays()
        return
    for network in samples:
        compilation = compile_network(network)
        if compilation.services != names:
            message = "has other services than the network that is looked at"
            raise ParameterError([Fault("uncertainty", "network", network.name, message)])
        yield compilation.arrays


class _Outcome:
    """What the samples have shown so far."""

    def __init__(self, solution: Solution, goal: str) -> None:
        self.solution, self.goal = solution, goal
        self.rows: list[Floats] = []
        self.solved: list[Solution] = []
        self.goals: list[float] = []
        self.growing = 0
        self.failed = 0
        self.kept: list[int] = []
        self.seen = 0

    def add(self, arrays: CompiledNetwork) -> None:
        """Solve one more sample."""
        again = self.solution.again(arrays)
        self.seen += 1
        if not again.converged:
            self.failed += 1
            return
        try:
            value = goal_value(again, self.goal)
            worth = elasticities(again, self.goal, value)
        except UnconvergedError:
            self.failed += 1
            return
        self.kept.append(self.seen - 1)
        self.rows.append(worth)
        self.solved.append(again)
        self.growing += value.growth > 0
        self.goals.append(amount(value, growing=value.growth > 0))

    def confidence(self, samples: Any) -> Confidence:
        """Sum up."""
        worth = np.array(self.rows)
        names = list(self.solution.compilation.services)
        limited = np.isfinite(self.solution.compilation.arrays.servers)
        leads = np.where(worth.max(axis=1) > 0, worth.argmax(axis=1), -1)
        chance = np.array([(leads == i).mean() for i in range(len(names))])
        ranks = stats.rankdata(-worth, axis=1, method="min")
        frame = pd.DataFrame({"probability": chance}, index=pd.Index(names, name="service"))
        ordered = np.sort(ranks, axis=0)
        for level in LEVELS:
            place = min(int(level * len(ordered)), len(ordered) - 1)
            frame[f"rank {level:.0%}"] = ordered[place]
        for level in LEVELS:
            frame[f"elasticity {level:.0%}"] = np.quantile(worth, level, axis=0, method=WEIBULL)
        order = np.argsort(-chance, kind="stable")
        frame = self._with_relief(frame, order[:RELIEVED])
        frame = frame.iloc[order][limited[order]]
        decide = worth[:, order[0]] - worth[:, order[1]] if len(order) > 1 else worth[:, order[0]]
        return Confidence(
            frame,
            _named(frame["probability"]),
            _importance(samples, self.kept, decide, np.array(self.goals)),
            self.growing / len(self.rows),
            len(self.rows),
            self.failed,
        )

    def _with_relief(self, frame: pd.DataFrame, chosen: Iterable[int]) -> pd.DataFrame:
        for level in LEVELS:
            frame[f"relief {level:.0%}"] = np.nan
        for i in chosen:
            name = self.solution.compilation.services[i]
            if not frame.loc[name, "probability"] > 0:
                continue
            gains = [self._relief(each, int(i)) for each in self.solved]
            for level in LEVELS:
                frame.loc[name, f"relief {level:.0%}"] = np.nanquantile(
                    gains, level, method=WEIBULL
                )
        return frame

    def _relief(self, solution: Solution, service: int) -> float:
        arrays = solution.compilation.arrays
        more = with_servers(arrays, service, float(arrays.servers[service]) + 1.0)
        again = solution.again(more)
        if not again.converged:
            return float("nan")
        return goal_value(again, self.goal).gain_over(goal_value(solution, self.goal))


def _named(chance: pd.Series[float]) -> tuple[ServiceName, ...]:
    """Return the one that is sure enough, or the fewest that hold the constraint."""
    if chance.empty or not chance.iloc[0] > 0:
        return ()
    if chance.iloc[0] >= SURE:
        return (chance.index[0],)
    count = int(np.searchsorted(np.cumsum(chance.to_numpy()), TOGETHER - 1e-12)) + 1
    return tuple(chance.index[: min(count, int((chance > 0).sum()))])


def _importance(samples: Any, kept: list[int], decide: Floats, goals: Floats) -> pd.DataFrame:
    """Return the share of variance that each parameter explains alone, linearly in its rank."""
    columns = ["to_decide", "to_goal"]
    if not isinstance(samples, Samples) or len(kept) < 3:
        return pd.DataFrame(columns=columns, dtype=np.float64)
    values = np.take(samples.values, kept, axis=0)  # not a data frame
    finite = np.isfinite(goals)
    table = {}
    for k, each in enumerate(samples.uncertain):
        shares = []
        for output, chosen in ((decide, slice(None)), (goals, finite)):
            x, y = values[chosen, k], output[chosen]
            varies = len(y) > 2 and np.ptp(y) > 0 and np.ptp(x) > 0
            shares.append(float(stats.spearmanr(x, y).statistic ** 2) if varies else 0.0)
        table[each.name] = shares
    frame = pd.DataFrame.from_dict(table, orient="index", columns=columns)
    frame.index.name = "parameter"
    return frame.sort_values("to_decide", ascending=False, kind="stable")


def sobol_importance(
    solution: Solution, goal: str, samples: Samples, n: int = 64, seed: int = 0
) -> pd.DataFrame:
    """Return Sobol's indices of the goal by uncertain parameter.

    Parameters
    ----------
    solution : Solution
    goal : {'delay', 'cost', 'throughput'}
    samples : Samples
        Whose laws are taken; `n` (d + 2) networks are solved for d parameters.
    n : int
        A power of 2.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a parameter: first_order and total, the largest total first. Where a backlog grows,
        its growth stands for the goal.

    References
    ----------
    Sobol' (2001), Math. Comput. Simul. 55, 271; Saltelli et al. (2010), Comput. Phys. Commun. 181,
    259.
    """
    if n < 1 or n & (n - 1):
        raise ParameterError([Fault("sobol_importance", "n", repr(n), "must be a power of 2")])
    growing = goal_value(solution, goal).growth > 0
    start = solution.compilation.arrays

    def outputs(rows: Floats) -> Floats:
        found = [
            amount(goal_value(solution.again(with_values(start, samples.uncertain, row)), goal),
                   growing=growing)
            for row in rows.T
        ]  # fmt: skip
        return np.array([found])

    laws: Any = [_Law(each) for each in samples.uncertain]
    rng = np.random.default_rng(seed)
    found = stats.sobol_indices(func=outputs, n=n, dists=laws, random_state=rng)
    frame = pd.DataFrame(
        {"first_order": np.ravel(found.first_order), "total": np.ravel(found.total_order)},
        index=pd.Index([each.name for each in samples.uncertain], name="parameter"),
    )
    return frame.sort_values("total", ascending=False, kind="stable")


class _Law:
    """The law of one parameter, as scipy takes it."""

    def __init__(self, uncertain: Any) -> None:
        self.uncertain = uncertain

    def ppf(self, chances: Floats) -> Floats:
        """Return the quantiles at these chances."""
        return np.asarray(self.uncertain.values(np.clip(chances, 1e-12, 1 - 1e-12)))
