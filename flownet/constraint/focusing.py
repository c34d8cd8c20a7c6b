"""`five_steps`: Goldratt's five focusing steps, each with its figures."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from flownet.constraint.find import Finding, find_constraint
from flownet.constraint.sensitivity import sensitivities
from flownet.constraint.stages import ConstraintPath, constraint_path
from flownet.display import figure, html_of_text
from flownet.network.model import Network
from flownet.solvers.tables import records

SLACK = 0.01
"""A service is subordinate whose elasticity is below this part of the constraint's."""


@dataclasses.dataclass(frozen=True, eq=False)
class FiveSteps:
    """The five focusing steps of the theory of constraints.

    Attributes
    ----------
    finding : Finding
        Step 1, identify.
    exploit : pandas.Series
        Step 2: shares of the constraint's server time working, blocked, held in transfer and idle;
        what 1 % less spread of its service times (scv) would gain, in % of the goal.
    subordinate : pandas.DataFrame
        Step 3: the services that hardly matter to the goal: elasticity, load_ratio, occupancy. They
        need not be busy for their own sake; demand beyond ``release`` of it (attrs) only queues.
    elevate : pandas.DataFrame
        Step 4: relief and relief per money, the largest relief first.
    repeat : ConstraintPath
        Step 5: which constraint is next, and after how many servers.
    """

    finding: Finding
    exploit: pd.Series[float] = dataclasses.field(repr=False)
    subordinate: pd.DataFrame = dataclasses.field(repr=False)
    elevate: pd.DataFrame = dataclasses.field(repr=False)
    repeat: ConstraintPath = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        """Return five lines, one a step."""
        name = self.finding.constraint
        if name is None:
            return "FiveSteps: no service limits the goal; there is nothing to focus on"
        label, e = self.finding.network.label, self.exploit
        best = self.elevate["relief"].idxmax()
        stage = self.repeat.stages.iloc[0]
        after = stage["next_constraint"]
        count = f"{stage['added']:g} more server" + ("s" if stage["added"] != 1 else "")
        following = f"after {count} the constraint is '{label(after)}'" if after is not None else ""
        if after is None:
            following = f"after {count} no service limits the goal any more"
        elif after == name:
            following = f"it stays the constraint; after {count} the next gains hardly anything"
        return "\n".join([
            f"1. Identify: '{label(name)}' (elasticity "
            f"{self.finding.ranking.loc[name, 'elasticity']:.2g})",
            f"2. Exploit: its servers work {e['working']:.0%} of the time, are blocked "
            f"{e['blocked']:.0%} and idle {e['idle']:.0%}; 1 % less spread of its times gains "
            f"{e['gain_by_spread']:.2g} %",
            f"3. Subordinate: hardly matter: {len(self.subordinate)}; servers are enough "
            f"for {figure(float(self.subordinate.attrs['release']))} times the demand",
            f"4. Elevate: one more server helps most at '{label(best)}' "
            f"({figure(float(self.elevate.loc[best, 'relief']))})",
            f"5. Repeat: {following}",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the steps as plain values for JSON."""
        return {
            "identify": self.finding.constraint,
            "exploit": records(self.exploit),
            "subordinate": records(self.subordinate),
            "elevate": records(self.elevate),
            "repeat": self.repeat.to_dict(),
        }


def five_steps(
    network: Network, goal: str = "delay", method: str = "auto", **options: Any
) -> FiveSteps:
    """Return the five focusing steps with their figures.

    Parameters
    ----------
    network : Network
    goal : {'delay', 'cost', 'throughput'}
    method : str
        As for `solve`.
    **options
        As for `solve`.

    Returns
    -------
    FiveSteps

    Raises
    ------
    UnknownNameError, MethodError, ParameterError, UnconvergedError
        As `find_constraint`.

    References
    ----------
    Goldratt (1990), What is this thing called Theory of Constraints, ch. 2.

    Examples
    --------
    >>> import flownet as fn
    >>> print(fn.five_steps(fn.example("discharge_to_assess")).finding.constraint)
    P2_B
    """
    finding = find_constraint(network, goal, method, **options)
    ranking = finding.ranking
    leader = finding.constraint
    lead = float(ranking.loc[leader, "elasticity"]) if leader is not None else 0.0
    minor = ranking[ranking["elasticity"].abs() < SLACK * lead]
    subordinate = minor[["elasticity", "load_ratio", "occupancy"]].copy()
    subordinate.attrs["release"] = finding.throughput_limit.scale
    elevate = ranking[["relief", "relief_per_money"]].sort_values("relief", ascending=False)
    return FiveSteps(
        finding,
        _exploit(finding),
        subordinate,
        elevate,
        constraint_path(network, goal, method, stages=1, **options),
    )


def _exploit(finding: Finding) -> pd.Series[float]:
    """Return what becomes of the server time at the constraint, and what less spread gains."""
    names = ["working", "blocked", "held_in_transfer", "idle", "gain_by_spread"]
    if finding.constraint is None:
        return pd.Series(0.0, index=names)
    row = finding.solution.services.loc[finding.constraint]
    servers = float(row["servers"])
    shares = [float(row[column]) / servers for column in
              ("number_in_service", "number_blocked", "number_held_in_transfer")]  # fmt: skip
    found = sensitivities(
        finding.network,
        finding.goal,
        finding.solution.method,
        parameters=["service_scv"],
        where=[finding.constraint],
        **dict(finding.solution.options),
    )
    better = 1.0 if finding.goal == "throughput" else -1.0
    spread = -better * float(found.table["elasticity"].fillna(0.0).sum())
    return pd.Series([*shares, max(1.0 - sum(shares), 0.0), spread + 0.0], index=names)
