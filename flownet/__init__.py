"""flownet: find the constraint in a network of services, and move capacity to relieve it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flownet.allocate.budgets import budget_curve
    from flownet.allocate.pareto import ParetoFront, pareto
    from flownet.allocate.plan import Plan
    from flownet.allocate.reallocate import reallocate
    from flownet.constraint.bounds import bounds, closed_bounds
    from flownet.constraint.demand_limit import DemandLimit, demand_limit
    from flownet.constraint.find import Finding, find_constraint
    from flownet.constraint.focusing import FiveSteps, five_steps
    from flownet.constraint.regions import SaturationRegions, saturation_regions
    from flownet.constraint.sensitivity import Sensitivities, sensitivities
    from flownet.constraint.stages import ConstraintPath, constraint_path
    from flownet.constraint.week import ConstraintWeek, constraint_week
    from flownet.errors import FlownetError, NetworkError
    from flownet.network.model import Network, check
    from flownet.network.uncertainty import Samples, draw_samples
    from flownet.readers.arrival_counts import ArrivalCounts, arrival_rates
    from flownet.readers.documents import read, write
    from flownet.readers.estimated_network import EstimatedNetwork
    from flownet.readers.event_log import from_event_log
    from flownet.readers.examples import example, examples
    from flownet.solvers.paired import PairedComparison, paired
    from flownet.solvers.simulate import simulate
    from flownet.solvers.simulation import Simulation
    from flownet.solvers.solution import Solution
    from flownet.solvers.solve import solve
    from flownet.solvers.states import ExactChain, exact_chain
    from flownet.solvers.times import TimeInSystem
    from flownet.study.compare import Comparison, compare
    from flownet.study.design import Design
    from flownet.study.goal_seek import GoalSeek, goal_seek
    from flownet.study.ledger import Ledger
    from flownet.study.scenario import Scenario
    from flownet.study.study import Study
    from flownet.study.study_result import StudyResult
    from flownet.study.sweep import sweep
    from flownet.study.sweep_result import SweepResult
    from flownet.study.test_of_change import Prediction, TestOfChange
    from flownet.study.xmr import XmR, xmr
    from flownet.view.panels import panel
    from flownet.view.report import report

__version__ = "0.1.0"

_PLACES = {
    "Network": "flownet.network.model",
    "check": "flownet.network.model",
    "read": "flownet.readers.documents",
    "write": "flownet.readers.documents",
    "example": "flownet.readers.examples",
    "examples": "flownet.readers.examples",
    "from_event_log": "flownet.readers.event_log",
    "arrival_rates": "flownet.readers.arrival_counts",
    "ArrivalCounts": "flownet.readers.arrival_counts",
    "EstimatedNetwork": "flownet.readers.estimated_network",
    "solve": "flownet.solvers.solve",
    "Solution": "flownet.solvers.solution",
    "TimeInSystem": "flownet.solvers.times",
    "exact_chain": "flownet.solvers.states",
    "ExactChain": "flownet.solvers.states",
    "simulate": "flownet.solvers.simulate",
    "Simulation": "flownet.solvers.simulation",
    "paired": "flownet.solvers.paired",
    "PairedComparison": "flownet.solvers.paired",
    "find_constraint": "flownet.constraint.find",
    "Finding": "flownet.constraint.find",
    "sensitivities": "flownet.constraint.sensitivity",
    "Sensitivities": "flownet.constraint.sensitivity",
    "constraint_path": "flownet.constraint.stages",
    "ConstraintPath": "flownet.constraint.stages",
    "constraint_week": "flownet.constraint.week",
    "ConstraintWeek": "flownet.constraint.week",
    "five_steps": "flownet.constraint.focusing",
    "FiveSteps": "flownet.constraint.focusing",
    "draw_samples": "flownet.network.uncertainty",
    "Samples": "flownet.network.uncertainty",
    "demand_limit": "flownet.constraint.demand_limit",
    "DemandLimit": "flownet.constraint.demand_limit",
    "saturation_regions": "flownet.constraint.regions",
    "SaturationRegions": "flownet.constraint.regions",
    "bounds": "flownet.constraint.bounds",
    "closed_bounds": "flownet.constraint.bounds",
    "reallocate": "flownet.allocate.reallocate",
    "Plan": "flownet.allocate.plan",
    "budget_curve": "flownet.allocate.budgets",
    "pareto": "flownet.allocate.pareto",
    "ParetoFront": "flownet.allocate.pareto",
    "compare": "flownet.study.compare",
    "Comparison": "flownet.study.compare",
    "Scenario": "flownet.study.scenario",
    "Study": "flownet.study.study",
    "StudyResult": "flownet.study.study_result",
    "Design": "flownet.study.design",
    "sweep": "flownet.study.sweep",
    "SweepResult": "flownet.study.sweep_result",
    "goal_seek": "flownet.study.goal_seek",
    "GoalSeek": "flownet.study.goal_seek",
    "xmr": "flownet.study.xmr",
    "XmR": "flownet.study.xmr",
    "TestOfChange": "flownet.study.test_of_change",
    "Prediction": "flownet.study.test_of_change",
    "Ledger": "flownet.study.ledger",
    "panel": "flownet.view.panels",
    "report": "flownet.view.report",
    "FlownetError": "flownet.errors",
    "NetworkError": "flownet.errors",
}
"""Where each public name lives; loaded when it is first used, so that the import stays light."""

__all__ = [
    "ArrivalCounts",
    "Comparison",
    "ConstraintPath",
    "ConstraintWeek",
    "DemandLimit",
    "Design",
    "EstimatedNetwork",
    "ExactChain",
    "Finding",
    "FiveSteps",
    "FlownetError",
    "GoalSeek",
    "Ledger",
    "Network",
    "NetworkError",
    "PairedComparison",
    "ParetoFront",
    "Plan",
    "Prediction",
    "Samples",
    "SaturationRegions",
    "Scenario",
    "Sensitivities",
    "Simulation",
    "Solution",
    "Study",
    "StudyResult",
    "SweepResult",
    "TestOfChange",
    "TimeInSystem",
    "XmR",
    "arrival_rates",
    "bounds",
    "budget_curve",
    "check",
    "closed_bounds",
    "compare",
    "constraint_path",
    "constraint_week",
    "demand_limit",
    "draw_samples",
    "exact_chain",
    "example",
    "examples",
    "find_constraint",
    "five_steps",
    "from_event_log",
    "goal_seek",
    "paired",
    "panel",
    "pareto",
    "read",
    "reallocate",
    "report",
    "saturation_regions",
    "sensitivities",
    "simulate",
    "solve",
    "sweep",
    "write",
    "xmr",
]


def __getattr__(name: str) -> Any:
    """Load a public name, or one of the public modules, such as ``queues`` and ``view``."""
    if name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name]), name)
        globals()[name] = value
        return value
    if name in {"errors", "queues", "units", "view"}:
        return importlib.import_module(f"flownet.{name}")
    message = f"module 'flownet' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted({*globals(), *_PLACES, "errors", "queues", "view"})
