"""`sensitivities`: what every parameter of a network is worth to a goal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flownet.constraint.differences import ADJOINT, Again
from flownet.constraint.gradient import gradient_of
from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, UnconvergedError, UnknownNameError
from flownet.network.model import Network
from flownet.network.parameters import UNITS, WHOLE, Parameter, parameters_of
from flownet.network.values import nearest
from flownet.solvers.objective import Goal, Objective, objective_of
from flownet.solvers.simulation import Simulation
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.solvers.tables import records

SIMULATION = "simulation"

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Sensitivities:
    """Derivatives of a goal with respect to the parameters of a network.

    Attributes
    ----------
    solution : Solution or Simulation
        The present state.
    goal : str
        What is differentiated, ``weighted sum`` for weights.
    value : float
        The goal at present; where a backlog grows, its growth in jobs per T.
    table : pandas.DataFrame
        One row a parameter, index ``(where, class, parameter)``, the largest elasticity first:
        value, derivative, elasticity (% of the goal for % of the parameter), gain_per_money
        (improvement per unit of money spent on servers for one T; nan without a price), how
        (``adjoint``; ``difference`` of two solutions; ``one more, one less`` where only whole
        numbers can be solved; ``paired difference`` of two simulations). By simulation also the
        halfwidth of the derivative's interval. With ``steps`` also one_more and one_less: the exact
        change of the goal with one server or place more or less.
    """

    solution: Solution | Simulation = dataclasses.field(repr=False)
    goal: str
    value: float
    table: pd.DataFrame = dataclasses.field(repr=False)

    @property
    def method(self) -> str:
        """The method by which the network was solved."""
        return SIMULATION if isinstance(self.solution, Simulation) else self.solution.method

    def derivative(self, where: str, parameter: str, job_class: str | None = None) -> float:
        """Return one derivative; `job_class` is needed only where there are several.

        Raises
        ------
        UnknownNameError
            Where the table has no such row, or several.
        """
        rows = (
            self.table.xs((where, parameter), level=("where", "parameter"))
            if (
                (self.table.index.get_level_values("where") == where)
                & (self.table.index.get_level_values("parameter") == parameter)
            ).any()
            else self.table.iloc[:0]
        )
        if job_class is not None:
            rows = rows[rows.index == job_class]
        if len(rows) != 1:
            message = (
                f"{len(rows)} rows have parameter '{parameter}' there"
                + (f" and class '{job_class}'" if job_class is not None else "")
                + "; see .table.index"
            )
            raise UnknownNameError([Fault(f"'{where}'", "sensitivity", "", message)])
        return float(rows["derivative"].iloc[0])

    def __repr__(self) -> str:
        """Return three lines: the strongest parameter, how it was found, one warning."""
        by = self.method
        unit = "of growth " if self.solution.overloaded else ""
        if self.table.empty:
            head = f"Sensitivities of '{self.goal}': no parameter has any"
        else:
            (where, job_class, name), row = self.table.index[0], self.table.iloc[0]
            of = f" of class '{job_class}'" if job_class not in {"", "all"} else ""
            head = (
                f"Sensitivities of '{self.goal}' {unit}(now {figure(self.value)}): most by {name}"
                f" at '{where}'{of}, {row['elasticity']:.2g} % for 1 %"
            )
        counts = self.table["how"].value_counts()
        how = ", ".join(f"{count} by {name}" for name, count in counts.items())
        warnings = self.solution.warnings
        return "\n".join([
            head,
            f"  {len(self.table)} parameters ({how}); method {by}",
            f"  warning: {warnings[0]}" if warnings else "  no warnings",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the derivatives as plain values for JSON."""
        return {
            "goal": self.goal,
            "value": records(self.value),
            "method": self.method,
            "table": records(self.table),
        }


def sensitivities(
    network: Network,
    goal: Goal = "delay",
    method: str = "auto",
    *,
    parameters: Sequence[str] | None = None,
    where: Sequence[Any] | None = None,
    steps: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Sensitivities:
    r"""Return the derivatives of a goal with respect to every parameter of `network`.

    .. math:: \frac{dJ}{d\theta} = \frac{\partial J}{\partial\theta}
              + w^T \frac{\partial F}{\partial\theta},\qquad
              \Big(I - \frac{\partial F}{\partial z}\Big)^T w = \frac{\partial J}{\partial z}

    with z the fixed point of the method's equations z = F(z, theta): one adjoint solve for all
    parameters.

    Parameters
    ----------
    network : Network
        The system as it is.
    goal : str or mapping
        ``delay``, ``cost``, ``throughput`` (see `find_constraint`), ``blocked_time`` (mean number
        blocked, job-time blocked per T), ``within t`` (share of jobs that leave within t), or
        weights by measure or by (service, measure), as ``{"number_waiting": 1.0, ("ward",
        "loss_rate"): 5.0}``.
    method : str
        As for `solve`; ``simulation`` for paired differences on common random numbers.
    parameters : sequence of str, optional
        Of ``servers``, ``waiting_room``, ``service_time``, ``service_scv``,
        ``external_arrival_rate``, ``arrival_scv``, ``patience``, ``routing_probability``,
        ``transfer_delay``; all by default.
    where : sequence of str, optional
        Services, or routes as ``'a -> b'``; all by default.
    steps : bool
        Whether servers and places are also changed by one, up and down, and solved again.
    progress : callable, optional
        Called with (done, total) where networks are solved again.
    **options
        As for `solve`; by simulation as for `simulate`, and ``change`` (default 0.05), the relative
        change of a parameter up and down.

    Returns
    -------
    Sensitivities

    Raises
    ------
    UnknownNameError, MethodError, ParameterError
        Where a goal, method or parameter does not exist or does not apply.
    UnconvergedError
        Where the network could not be solved.

    Notes
    -----
    Servers carry their waiting room with them. A routing probability is raised at the cost of the
    share that leaves the network. The derivative by a service time keeps the shape of its law, that
    by an scv the mean. Where the method has no adjoint for a parameter, two solutions around it are
    subtracted (`how` says so). By simulation every parameter is changed up and down on common
    random numbers; the half-width is that of the paired differences, without the bias of the
    change. Where a method takes only whole servers and places, their row is half the difference
    between one more and one less.

    References
    ----------
    Griewank and Walther (2008), Evaluating Derivatives, ch. 15 (implicit functions, adjoint).

    Examples
    --------
    M/M/1 has r^2 / (1 - r) jobs waiting; by the service time that changes by (2 - r) r / (1 - r)^2
    times the arrival rate:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
    ... })
    >>> round(fn.sensitivities(network).derivative("desk", "service_time"), 6)
    1.5
    """
    chosen = _checked(parameters)
    if method == SIMULATION:
        return _by_simulation(network, goal, chosen, where, steps, progress, options)
    solution = solve(network, method, **options)
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': it has no derivatives"
        raise UnconvergedError(message)
    objective = objective_of(solution, goal)
    every = parameters_of(solution.compilation, chosen)
    if where is not None:
        every = _there(every, [str(each) for each in where], solution)
    return _sensitivities(solution, objective, every, steps=steps, progress=progress)


def _by_simulation(
    network: Network,
    goal: Goal,
    chosen: tuple[str, ...],
    where: Sequence[Any] | None,
    steps: bool,  # noqa: FBT001  # as it was asked for
    progress: Progress | None,
    options: dict[str, Any],
) -> Sensitivities:
    """Return the derivatives by paired differences of simulations, with their half-widths."""
    from flownet.constraint.simulated import CHANGE, Paired, paired_slopes

    if steps:
        message = "is for formulas: a simulation changes servers and places by one anyway"
        raise ParameterError([Fault("sensitivities", "steps", "True", message)])
    paired = Paired(network, goal, options.pop("change", CHANGE), options)
    solution, objective = paired.solution, paired.objective
    every = parameters_of(solution.compilation, chosen)
    if where is not None:
        every = _there(every, [str(each) for each in where], solution)
    slopes = paired_slopes(paired, every, progress)
    how = [each.how for each in slopes]
    value = float(paired.now.mean())
    table = _table(solution, objective, every, [each.value for each in slopes], how, value)
    table.insert(2, "halfwidth", [each.halfwidth for each in slopes])
    order = table["elasticity"].abs().fillna(-1.0).sort_values(ascending=False, kind="stable")
    return Sensitivities(paired.simulation, objective.name, value, table.loc[order.index])


def _there(every: list[Parameter], places: list[str], solution: Solution) -> list[Parameter]:
    known = {each.where for each in every} | {str(name) for name in solution.compilation.services}
    faults = [
        Fault("where", "", repr(place), f"has no parameter{nearest(place, known)}")
        for place in places
        if place not in known
    ]
    if faults:
        raise UnknownNameError(faults)
    return [each for each in every if each.where in places]


def _checked(parameters: Sequence[str] | None) -> tuple[str, ...]:
    if parameters is None:
        return tuple(UNITS)
    if isinstance(parameters, str):
        parameters = (parameters,)
    faults = [
        Fault(
            "parameters", "", repr(name),
            f"is not known; known are {', '.join(UNITS)}{nearest(name, UNITS)}",
        )
        for name in parameters
        if name not in UNITS
    ]  # fmt: skip
    if faults:
        raise UnknownNameError(faults)
    return tuple(dict.fromkeys(parameters))


def _sensitivities(
    solution: Solution,
    objective: Objective,
    every: list[Parameter],
    *,
    steps: bool,
    progress: Progress | None,
) -> Sensitivities:
    gradient = gradient_of(solution, objective)
    slopes = [math.nan if gradient is None else each.slope(gradient) for each in every]
    how = [ADJOINT] * len(every)
    value = objective.value(solution)
    again = Again(solution, objective)
    missing = [k for k, slope in enumerate(slopes) if math.isnan(slope)]
    for done, k in enumerate(missing):
        if progress is not None:
            progress(done, len(missing))
        slopes[k], how[k] = again.slope(every[k])
    table = _table(solution, objective, every, slopes, how, value)
    if steps:
        table = _with_steps(table, every, again)
    order = table["elasticity"].abs().fillna(-1.0).sort_values(ascending=False, kind="stable")
    return Sensitivities(solution, objective.name, value, table.loc[order.index])


def _table(
    solution: Solution,
    objective: Objective,
    every: list[Parameter],
    slopes: list[float],
    how: list[str],
    value: float,
) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(
        [(each.where, each.job_class, each.name) for each in every],
        names=["where", "class", "parameter"],
    )
    present = np.array([each.value for each in every], dtype=np.float64)
    derivative = np.array(slopes, dtype=np.float64)
    known = math.isfinite(value) and value != 0
    elasticity = derivative * present / value if known else np.full(len(every), math.nan)
    prices = solution.compilation.cost_per_server
    price = np.array([prices[each.place[0]] if each.name == "servers" else 0.0 for each in every])
    spent = np.divide(
        objective.gain * derivative, price, out=np.full(len(every), math.nan), where=price > 0
    )
    frame = pd.DataFrame(
        {
            "value": present,
            "derivative": derivative + 0.0,
            "elasticity": elasticity + 0.0,
            "gain_per_money": spent,
            "how": pd.array(how, dtype="str") if how else pd.array([], dtype="str"),
        },
        index=index,
    )
    unit = solution.network.time_unit
    frame.attrs["units"] = {name: kind.replace("T", unit) for name, kind in UNITS.items()}
    return frame


def _with_steps(table: pd.DataFrame, every: list[Parameter], again: Again) -> pd.DataFrame:
    pairs = [again.steps(each) if each.name in WHOLE else (math.nan, math.nan) for each in every]
    more, less = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return table.assign(one_more=more, one_less=less)
