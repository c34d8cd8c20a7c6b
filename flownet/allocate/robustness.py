"""A plan's gain where arrivals and service times are not what they were taken for."""

from __future__ import annotations

import dataclasses

import pandas as pd

from flownet.allocate.aims import aim_value
from flownet.allocate.levers import DIVISIBLE, Levers
from flownet.allocate.plan import Plan
from flownet.allocate.steps import aim_of, gain, levers_of
from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.network.uncertainty import samples_of, uncertain_parameters
from flownet.solvers.solution import Solution


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """Gains of a plan under sampled parameters.

    Attributes
    ----------
    samples : pandas.DataFrame
        One row a sample: gain, growth_before, growth_after (jobs per T). Where a backlog grows
        before or after, the gain is one of growth.
    failed : int
        Samples that the model could not solve.
    """

    samples: pd.DataFrame = dataclasses.field(repr=False)
    failed: int

    @property
    def probability_of_gain(self) -> float:
        """Share of the samples in which the plan gains."""
        return float((self.samples["gain"] > 0).mean())

    @property
    def quantiles(self) -> pd.Series[float]:
        """The 5th, 25th, 50th, 75th and 95th percentile of the gain, of stable samples only."""
        stable = self.samples.loc[self.samples["growth_before"] + self.samples["growth_after"] == 0]
        return stable["gain"].quantile([0.05, 0.25, 0.5, 0.75, 0.95])

    def __repr__(self) -> str:
        """Return three lines: chance of a gain, its range, how often backlogs grow."""
        low, middle, high = (float(self.quantiles[q]) for q in (0.05, 0.5, 0.95))
        grow = [float((self.samples[c] > 0).mean()) for c in ("growth_before", "growth_after")]
        return "\n".join([
            f"Robustness: the plan gains in {self.probability_of_gain:.0%} of "
            f"{len(self.samples)} samples",
            f"  gain {figure(middle)}, from {figure(low)} to {figure(high)} (5 % to 95 %)",
            f"  a backlog grows in {grow[0]:.0%} of them before, in {grow[1]:.0%} after",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))


def robustness(plan: Plan, samples: int, seed: int, spread: float) -> Robustness:
    """Return the gains of a plan under sampled parameters; see `Plan.robustness`."""
    if samples < 1:
        raise ParameterError([Fault("robustness", "samples", repr(samples), "must be at least 1")])
    if not 0 <= spread < 10:
        message = "must be a relative standard deviation, at least 0 and below 10"
        raise ParameterError([Fault("robustness", "spread", repr(spread), message)])
    solution, aim = plan.before, aim_of(plan)
    if solution.method == "product_form" and not all(map(_is_whole, plan.servers.values())):
        solution = dataclasses.replace(solution, method="decomposition", options={})
    levers = levers_of(plan)
    uncertain = uncertain_parameters(solution.network, spread=spread)
    rows, failed = [], 0
    sampled = samples_of(solution.network, uncertain, samples, seed)
    for drawn in sampled.arrays(solution.compilation.arrays):
        moved = levers.arrays(_with(solution, drawn), _levels(plan, _with(solution, drawn), levers))
        pair = [solution.again(each) for each in (drawn, moved)]
        if not all(each.converged for each in pair):
            failed += 1
            continue
        now, then = (aim_value(each, aim) for each in pair)
        rows.append((gain(then, now), max(now.growth, 0.0), max(then.growth, 0.0)))
    frame = pd.DataFrame(rows, columns=["gain", "growth_before", "growth_after"])
    frame.index.name = "sample"
    return Robustness(frame, failed)


def _levels(plan: Plan, solution: Solution, levers: Levers) -> Floats:
    """Return the levels of the plan; rates and times change in the plan's proportion."""
    levels = levers.present(solution)
    for name, (kind, before, after) in plan.changes.items():
        i = solution.compilation.services.index(name)
        levels[i] = levels[i] * after / before if kind in DIVISIBLE else after
    return levels


def _is_whole(count: float) -> bool:
    return float(count).is_integer()


def _with(solution: Solution, arrays: CompiledNetwork) -> Solution:
    compilation = dataclasses.replace(solution.compilation, arrays=arrays)
    return dataclasses.replace(solution, compilation=compilation)
