"""A plan verified: the full model solved anew, and a simulation with a paired interval."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from flownet.allocate.plan import Plan
from flownet.display import figure, html_of_text
from flownet.solvers.paired import PairedComparison, paired


@dataclasses.dataclass(frozen=True, eq=False)
class Verification:
    """What a plan gains by other means than its program.

    Attributes
    ----------
    gain_promised, gain_verified : float
        By the program's curves, and by the full model.
    gain_simulated, halfwidth : float
        By simulation on common random numbers, and half the width of its paired interval; nan
        where none was asked for.
    measure : str
        What the simulated gain is one of.
    comparison : PairedComparison or None
        The two simulations.
    """

    gain_promised: float
    gain_verified: float
    gain_simulated: float
    halfwidth: float
    measure: str
    comparison: PairedComparison | None = dataclasses.field(repr=False, default=None)

    @property
    def verdict(self) -> str:
        """'borne out', 'not borne out', or 'undecided' where the interval holds zero."""
        if math.isnan(self.gain_simulated):
            sound = self.gain_verified > 0 and self.gain_verified >= 0.5 * self.gain_promised
            return "borne out" if sound else "not borne out"
        if self.gain_simulated - self.halfwidth > 0:
            return "borne out"
        return "not borne out" if self.gain_simulated + self.halfwidth <= 0 else "undecided"

    def __repr__(self) -> str:
        """Return three lines: verdict, model, simulation."""
        simulated = (
            "  not simulated"
            if math.isnan(self.gain_simulated)
            else f"  simulated gain in {self.measure} {figure(self.gain_simulated)} ± "
            f"{figure(self.halfwidth, 2)}"
        )
        return "\n".join([
            f"Verification: {self.verdict}",
            f"  promised {figure(self.gain_promised)}, by the full model "
            f"{figure(self.gain_verified)}",
            simulated,
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the gains and the verdict as plain values for JSON; None where not simulated."""
        figures = {name: getattr(self, name) for name in ("gain_simulated", "halfwidth")}
        return {
            "verdict": self.verdict,
            "measure": self.measure,
            "gain_promised": self.gain_promised,
            "gain_verified": self.gain_verified,
            **{name: None if math.isnan(value) else value for name, value in figures.items()},
        }


def verify(plan: Plan, options: dict[str, Any], *, simulated: bool) -> Verification:
    """Return what a plan gains; see `Plan.verify`."""
    promised, model = plan.gain_promised, plan.gain_verified
    goal = plan.value_before.goal
    measure = goal if goal in {"delay", "cost", "throughput"} else "delay"
    if not simulated:
        return Verification(promised, model, math.nan, math.nan, measure)
    if plan.value_before.growth > 0 or plan.value_after.growth > 0:
        measure = "growth_rate"
    comparison = paired(plan.before.network, plan.after.network, **options)
    table = comparison.system
    sign = 1.0 if measure == "throughput" else -1.0
    gain = sign * float(table.loc[measure, "change"])
    width = float(table.loc[measure, "change_halfwidth"])
    if measure == "delay" and plan.before.can_turn_away:
        # the price of losses counts in delay as in the goal; the half-widths add up at worst
        price = float(plan.before.network.graph.graph.get("cost_of_delay", 0.0)) or 1.0
        gain -= float(table.loc["cost_loss", "change"]) / price
        width += float(table.loc["cost_loss", "change_halfwidth"]) / price
        measure = "delay with losses"
    return Verification(promised, model, gain, width, measure, comparison)
