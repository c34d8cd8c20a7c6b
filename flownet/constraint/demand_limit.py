"""`demand_limit`: how far demand can grow along any direction, with routes that may be chosen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flownet.constraint.demands import holding_times
from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic_solvers import route_sources
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network, ServiceName
from flownet.network.values import nearest
from flownet.programs import Program
from flownet.solvers.tables import records


@dataclasses.dataclass(frozen=True, eq=False)
class DemandLimit:
    """The most demand along a direction that all services together can carry.

    Attributes
    ----------
    growth : float
        How often the direction can be added to the demand that stays; without a direction, the
        multiple of the present demand. ``inf`` where nothing saturates, below 1 (without a
        direction) where there is overload already.
    throughput : float
        Jobs per T that enter then.
    binding : tuple
        Services that are full then.
    duals : dict
        By how much one more server there would raise `growth`.
    routing : pandas.DataFrame
        For each route that may be chosen: share at present, and share that carries the most.
    time_unit : str
    """

    growth: float
    throughput: float
    binding: tuple[ServiceName, ...]
    duals: Mapping[ServiceName, float] = dataclasses.field(repr=False)
    routing: pd.DataFrame = dataclasses.field(repr=False)
    time_unit: str

    def __repr__(self) -> str:
        """Return three lines: the limit, what binds, the routes."""
        names = ", ".join(f"'{name}'" for name in self.binding) or "nothing"
        changed = int((self.routing["best"] - self.routing["present"]).abs().gt(1e-6).sum())
        return "\n".join([
            f"DemandLimit: {figure(self.growth)} times, {figure(self.throughput)} jobs per "
            f"{self.time_unit} in all",
            f"  then full: {names}",
            f"  {len(self.routing)} routes may be chosen, {changed} of them change",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the limit as plain values for JSON."""
        return {
            "growth": records(self.growth),
            "throughput": records(self.throughput),
            "binding": [str(name) for name in self.binding],
            "duals": {str(name): value for name, value in self.duals.items()},
            "routing": records(self.routing),
        }


def demand_limit(
    network: Network,
    direction: Mapping[Any, float] | None = None,
    choices: Sequence[Any] = (),
) -> DemandLimit:
    r"""Return how far demand can grow before a service saturates.

    .. math:: \max \theta \quad\text{subject to}\quad
       \lambda_s = b_s + \theta d_s + \sum_{r: \to s} f_r,\quad
       \sum_k h_{ik} \lambda_{ik} \le c_i,\quad
       f_r = p_r \lambda_{s(r)}\ \text{or, by choice,}\
       \sum_{r: s \to} f_r = \lambda_s \sum_{r: s \to} p_r

    Parameters
    ----------
    network : Network
        The system as it is.
    direction : mapping, optional
        Additional jobs per T by class, entering where the class enters today in today's
        proportions; or by (service, class), or by service where there is one class. What is there
        today stays. By default all demand of today is scaled, and nothing stays.
    choices : sequence of str, optional
        Services whose routes may be chosen: the shares that go on divide as carries most.

    Returns
    -------
    DemandLimit

    Raises
    ------
    UnknownNameError
        Where a class or service does not exist.
    ParameterError
        Where the direction has no jobs, or the demand that stays is too much already.

    Notes
    -----
    A linear program; exact for stability where nobody is lost or blocked on the way, an upper
    bound with blocking. The duals say what one more server is worth.

    Examples
    --------
    Two desks, one twice as fast; half the jobs go to each today:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [
    ...         {"name": "door", "servers": "inf", "service_time": 0.1,
    ...          "external_arrival_rate": 1.0},
    ...         {"name": "fast", "service_time": 0.5}, {"name": "slow", "service_time": 1.0},
    ...     ],
    ...     "routes": [{"from": "door", "to": "fast", "routing_probability": 0.5},
    ...                {"from": "door", "to": "slow", "routing_probability": 0.5}],
    ... })
    >>> fn.demand_limit(network).growth, fn.demand_limit(network, choices=["door"]).growth
    (2.0, 3.0)
    """
    compilation = compile_network(network)
    arrays = compilation.arrays
    free = _choosing(compilation, choices)
    added, base = _direction(compilation, direction)
    limited = np.isfinite(arrays.servers)
    program, growth, flows, rows = _program(compilation, added, base, free)
    if not rows:
        empty = _routing(compilation, free, np.zeros(arrays.route_to.size), np.zeros(added.size))
        nothing = dict.fromkeys(compilation.services, 0.0)
        return DemandLimit(math.inf, math.inf, (), nothing, empty, network.time_unit)
    solution = program.solve()
    if not solution.readable:
        message = "the demand that stays is more than the services can carry, or nothing limits it"
        raise ParameterError([Fault("demand_limit", "direction", "", message)])
    reached = float(solution.array([growth])[0])
    arrivals = solution.array(flows["arrival"])
    hold = holding_times(arrays)
    used = (arrivals.reshape(hold.shape) * hold).sum(axis=1)
    full = limited & (arrays.servers - used <= 1e-7 * np.maximum(1.0, arrays.servers))
    duals = solution.duals
    return DemandLimit(
        growth=reached,
        throughput=float(base.sum() + reached * added.sum()),
        binding=tuple(compilation.services[i] for i in np.flatnonzero(full)),
        duals={name: duals.get(f"capacity[{name}]", 0.0) for name in compilation.services},
        routing=_routing(compilation, free, solution.array(flows["route"]), arrivals),
        time_unit=network.time_unit,
    )


def _choosing(compilation: Compilation, choices: Sequence[Any]) -> set[int]:
    names = list(compilation.services)
    chosen = [choices] if isinstance(choices, str) else list(choices)
    faults = [
        Fault("choices", "", repr(name), f"is not a service{nearest(name, names)}")
        for name in chosen
        if name not in names
    ]
    if faults:
        raise UnknownNameError(faults)
    return {names.index(name) for name in chosen}


def _direction(
    compilation: Compilation, direction: Mapping[Any, float] | None
) -> tuple[Floats, Floats]:
    """Return what is added per unit of growth, and what stays; (n R,) jobs per T."""
    external = compilation.arrays.external_arrival_rate
    if direction is None:
        if not external.any():
            raise ParameterError([Fault("network", "external_arrival_rate", "", "nobody enters")])
        return external.ravel().copy(), np.zeros(external.size)
    services, classes = list(compilation.services), list(compilation.classes)
    added = np.zeros(external.shape)
    faults = []
    asked: dict[Any, Any] = dict(direction)
    for key, value in asked.items():
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not number or not 0 <= value < math.inf:
            faults.append(Fault("direction", str(key), repr(value), "must be finite, at least 0"))
        elif isinstance(key, tuple) and len(key) == 2 and key[0] in services and key[1] in classes:
            added[services.index(key[0]), classes.index(key[1])] += value
        elif key in classes and external[:, classes.index(key)].any():
            column = external[:, classes.index(key)]
            added[:, classes.index(key)] += value * column / column.sum()
        elif key in services and len(classes) == 1:
            added[services.index(key), 0] += value
        else:
            known = nearest(key, [*classes, *services])
            message = f"is not a class that enters, a service, or such a pair{known}"
            faults.append(Fault("direction", "", repr(key), message))
    if faults:
        raise ParameterError(faults)
    if not added.sum() > 0:
        raise ParameterError([Fault("direction", "", repr(dict(direction)), "has no jobs")])
    return added.ravel(), external.ravel().copy()


def _program(
    compilation: Compilation, added: Floats, base: Floats, free: set[int]
) -> tuple[Program, Any, dict[str, list[Any]], list[str]]:
    """Return the program, the variable of growth, those of flows, and the rows of capacity."""
    arrays = compilation.arrays
    classes = len(compilation.classes)
    source = route_sources(arrays.route_start)
    program = Program("demand limit")
    growth = program.variable("growth")
    arrival = program.variables([f"arrival[{s}]" for s in range(added.size)])
    route = program.variables([f"flow[{r}]" for r in range(source.size)])
    balance: list[list[tuple[Any, float]]] = [[(each, 1.0)] for each in arrival]
    for s in np.flatnonzero(added).tolist():
        balance[s].append((growth, -float(added[s])))
    for r, target in enumerate(arrays.route_to.tolist()):
        balance[target].append((route[r], -1.0))
    for s, pairs in enumerate(balance):
        program.constraint(f"balance[{s}]", pairs, "==", float(base[s]))
    _add_routes(program, arrays, (arrival, route), source // classes, free)
    hold = holding_times(arrays).ravel()
    rows = []
    for i in np.flatnonzero(np.isfinite(arrays.servers)).tolist():
        states = range(i * classes, (i + 1) * classes)
        pairs = [(arrival[s], float(hold[s])) for s in states if hold[s] > 0]
        if pairs:
            rows.append(f"capacity[{compilation.services[i]}]")
            program.constraint(rows[-1], pairs, "<=", float(arrays.servers[i]))
    program.maximize([(growth, 1.0)])
    return program, growth, {"arrival": arrival, "route": route}, rows


def _add_routes(
    program: Program,
    arrays: CompiledNetwork,
    flows: tuple[list[Any], list[Any]],
    services: Any,
    free: set[int],
) -> None:
    """Add how the jobs that leave a state divide among its routes."""
    arrival, route = flows
    for s in range(len(arrival)):
        first, last = int(arrays.route_start[s]), int(arrays.route_start[s + 1])
        if first == last:
            continue
        shares = arrays.route_probability[first:last]
        if services[first] in free:
            pairs = [(route[r], 1.0) for r in range(first, last)]
            pairs.append((arrival[s], -float(shares.sum())))
            program.constraint(f"choice[{s}]", pairs, "==", 0.0)
        else:
            for r in range(first, last):
                pairs = [(route[r], 1.0), (arrival[s], -float(arrays.route_probability[r]))]
                program.constraint(f"split[{r}]", pairs, "==", 0.0)


def _routing(
    compilation: Compilation, free: set[int], flows: Floats, arrivals: Floats
) -> pd.DataFrame:
    arrays, classes = compilation.arrays, len(compilation.classes)
    source = route_sources(arrays.route_start)
    chosen = [r for r in range(source.size) if int(source[r]) // classes in free]
    rows = []
    for r in chosen:
        state = int(source[r])
        present = float(arrays.route_probability[r])
        best = float(flows[r] / arrivals[state]) if arrivals[state] > 0 else present
        ends = (state // classes, int(arrays.route_to[r]) // classes)
        names = [compilation.services[i] for i in ends]
        rows.append((*names, compilation.classes[state % classes], present, best))
    return pd.DataFrame(rows, columns=["from", "to", "class", "present", "best"])
