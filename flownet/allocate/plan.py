"""`Plan`: what to buy and to move, what was promised, and what the full model says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from flownet.allocate import words
from flownet.allocate.levers import LevelChange, carried_out
from flownet.allocate.outcome import (
    classes_table,
    organisations_table,
    services_table,
)
from flownet.display import html_of_text
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GOALS, GoalValue
from flownet.solvers.solution import Solution

if TYPE_CHECKING:
    from flownet.allocate.robustness import Robustness
    from flownet.allocate.verify import Verification
    from flownet.constraint.find import Finding


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What to buy and to move, what the program promises, and what the full model says.

    Attributes
    ----------
    before, after : Solution
        The network as it is, and with the plan carried out.
    goal : str
        What was to be improved, in words; `aims` as it was given.
    value_before, value_after : GoalValue
        The goal by the full model, over all scenarios; of several goals, the first that changes.
    moves : pandas.DataFrame
        One row a purchase or move: action, from, to, units given up, units gained, cost per T.
    gain_promised : float
        Gain by the program's own curves; in the goal's unit, or in jobs per T of backlog growth
        where a backlog grows at present.
    gain_verified : float
        Gain by the full model, solved again; the one to believe.
    gap : float
        Relative distance between the plan's value by the curves and the best that any plan could
        have by them; nan where there is no bound (blocking).
    shadow_prices : pandas.DataFrame
        Gain per unit of each limit that binds (budgets, bounds, groups, exchanges), between which
        limits it holds, and a sentence; for whole servers by the relaxation.
    made_worse : pandas.DataFrame
        Services that see more delay than before.
    spent : float
        New money per T.
    changes : dict
        What is different after the plan, by service: the lever ('servers', 'service_rate',
        'service_time', 'waiting_room', 'opening_hours'), its level before, and after.
    status : str
        'optimal' (the gap is below 1e-9), 'within_gap', 'stopped' (at a limit, with the best found
        so far), 'every plan tried', 'local optimum' (no bound, or the one of `bound`), or
        'nothing to do'.
    bound : float
        No plan gains more than this, by the curves of the program or of the same network without
        blocking; nan where no bound is known.
    goals : pandas.DataFrame
        Every goal before and after.
    scenarios : pandas.DataFrame
        The first goal in every demand that the plan is for, before and after.
    needed : bool
        Whether a target or a limit on delay is missed at present and kept with the plan.
    risk : str
        What of the demands the goal is: 'expected', 'minimax', 'regret', or 'cvar' and its level.
    """

    before: Solution = dataclasses.field(repr=False)
    after: Solution = dataclasses.field(repr=False)
    goal: str
    aims: Any
    budget: float
    value_before: GoalValue
    value_after: GoalValue
    moves: pd.DataFrame = dataclasses.field(repr=False)
    gain_promised: float
    gap: float
    shadow_prices: pd.DataFrame = dataclasses.field(repr=False)
    made_worse: pd.DataFrame = dataclasses.field(repr=False)
    spent: float
    changes: dict[ServiceName, LevelChange]
    how: str
    status: str
    bound: float
    goals: pd.DataFrame = dataclasses.field(repr=False)
    scenarios: pd.DataFrame = dataclasses.field(repr=False)
    needed: bool = False
    risk: str = "expected"

    @property
    def servers(self) -> dict[ServiceName, float]:
        """Servers after the plan, by service, where they change."""
        return {name: after for name, (kind, _, after) in self.changes.items() if kind == "servers"}

    @property
    def gain_verified(self) -> float:
        """Gain by the full model, solved again."""
        return self.value_after.gain_over(self.value_before)

    @property
    def borne_out(self) -> bool:
        """Whether the full model shows a gain, and at least half of what was promised.

        Or, where the plan is needed to keep a term, that it costs no more than was promised.
        """
        half = self.gain_verified >= 0.5 * self.gain_promised
        if self.needed and self.gain_promised <= 0:
            size = max(1.0, abs(self.gain_promised))
            return self.gain_verified >= self.gain_promised - 1e-3 * size
        return half and (self.gain_verified > 0 or self.needed)

    @property
    def headline(self) -> str:
        """The plan in a sentence or two."""
        return words.headline(self)

    # what a plan does, in detail

    @cached_property
    def services(self) -> pd.DataFrame:
        """Servers, delay, wait, occupancy and growth of each service: before, after, change."""
        return services_table(self.before, self.after)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Throughput, time and delay of each class, end to end: before, after, change."""
        return classes_table(self.before, self.after)

    @cached_property
    def organisations(self) -> pd.DataFrame:
        """Servers, delay, growth and money of each organisation: before, after, change."""
        return organisations_table(self.before, self.after)

    @cached_property
    def made_worse_organisations(self) -> pd.DataFrame:
        """Organisations that see more delay (or growth of a backlog) than before."""
        table = self.organisations
        change = table[[("delay", "change"), ("growth_rate", "change")]]
        return table[(change > 1e-6).any(axis=1)]

    @cached_property
    def constraint_after(self) -> Finding:
        """Where the constraint is once the plan is carried out."""
        from flownet.constraint.find import finding_of

        goal = self.value_before.goal if self.value_before.goal in GOALS else "delay"
        return finding_of(self.after, goal)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """The plan in an order of steps, best first, each with its own gain.

        So that half a plan can be carried out: columns action, from, to, units, gained, cost,
        gain (by the full model, given the steps before), gain_so_far, cost_so_far. Every step is
        the one with the largest gain of those that are left (steepest first; another half might be
        better still). Fixed costs are counted with the first step that causes them.
        """
        from flownet.allocate.steps import steps_of

        return steps_of(self)

    def verify(self, *, simulate: bool = False, **options: Any) -> Verification:
        """Return the plan's gain, solved anew and, if asked for, simulated.

        Parameters
        ----------
        simulate : bool
            Whether to simulate before and after on common random numbers (`flownet.paired`).
        **options
            As for `flownet.simulate` (horizon, replications, seed, ...).

        Returns
        -------
        Verification
            With the paired interval of the simulated gain.
        """
        from flownet.allocate.verify import verify

        return verify(self, options, simulated=simulate)

    def robustness(self, samples: int = 200, *, seed: int = 0, spread: float = 0.1) -> Robustness:
        """Return the plan's gain under sampled arrivals and service times.

        Parameters
        ----------
        samples : int
            How many, > 0.
        seed : int
            For the random numbers.
        spread : float
            Relative standard deviation of each arrival rate and service time that has no
            ``standard_error`` in the network.

        Returns
        -------
        Robustness
        """
        from flownet.allocate.robustness import robustness

        return robustness(self, samples, seed, spread)

    def apply(self, network: Network) -> Network:
        """Return `network` with the plan carried out; places grow and shrink with the servers.

        Raises
        ------
        UnknownNameError
            Where a service of the plan is not in the network.
        NetworkError
            Where the changed network is at fault.
        """
        return carried_out(network, self.changes)

    # how it is told and kept

    def explain(self) -> str:
        """Return how the plan was found and what its figures mean."""
        return words.explain(self)

    def __repr__(self) -> str:
        """Return three lines: headline, standing, one warning."""
        return words.summary(self)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values for JSON and TOML, which `from_dict` reads."""
        from flownet.allocate.storage import plain_values

        return plain_values(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_dict` wrote.

        Raises
        ------
        InputError
            Where the document is not a plan.
        """
        from flownet.allocate.storage import plan_of_values

        return plan_of_values(document)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the plan as JSON, and write it where a path is given."""
        import json

        return _written(json.dumps(self.to_dict(), indent=2, allow_nan=False), path)

    def to_toml(self, path: str | Path | None = None) -> str:
        """Return the plan as TOML, and write it where a path is given."""
        import tomli_w

        from flownet.allocate.storage import without_none

        return _written(tomli_w.dumps(without_none(self.to_dict())), path)

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Return the plan of a file that `to_json` or `to_toml` wrote.

        Raises
        ------
        ReadError
            Where the file cannot be read.
        InputError
            Where it holds no plan.
        """
        from flownet.allocate.storage import read_plan

        return read_plan(Path(path))


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
