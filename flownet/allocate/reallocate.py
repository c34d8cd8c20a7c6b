"""`reallocate`: where servers should be bought or moved, promised and then verified in full."""

from __future__ import annotations

from typing import Any

from flownet.allocate.plan import Plan
from flownet.allocate.proposal import Progress
from flownet.allocate.read_task import task_of
from flownet.network.model import Network


def reallocate(
    network: Network,
    goal: Any = "delay",
    budget: float = 0.0,
    exchanges: Any = None,
    integer: bool | None = None,  # noqa: FBT001  # the promised signature
    *,
    decide: Any = "servers",
    prices: Any = None,
    release: Any = None,
    bounds: Any = None,
    budgets: Any = None,
    groups: Any = None,
    max_changed: int | None = None,
    fixed_costs: Any = None,
    shift: Any = None,
    protect: Any = None,
    targets: Any = None,
    scenarios: Any = None,
    risk: Any = "expected",
    method: str = "auto",
    gap: float = 1e-3,
    time_limit: float | None = None,
    solver: str = "auto",
    progress: Progress | None = None,
) -> Plan:
    r"""Return where servers, or other capacity, should be bought, given up or moved.

    Parameters
    ----------
    network : Network
        The system as it is; it is not changed.
    goal : str, mapping, or sequence of these
        'delay', 'cost', 'throughput' (see `flownet.solvers.goals.goal_value`), 'weighted_delay' (by
        ``cost_of_delay``), 'number_present' (delayed or in service), 'worst_breach' (the largest
        wait over its ``target``), 'worst_organisation' or 'worst_class' (the largest delay per
        job); a mapping adds up goals by weight; a sequence takes them one after the other.
        Where a backlog grows, its growth comes first.
    budget : float
        New money per T, at least 0; spent on servers at each service's ``cost_per_server`` or its
        price in `prices` (where neither is given, none can be bought), on the cost of moves,
        training and fixed costs.
    exchanges : table, optional
        What may move: rows with ``from``, ``to``, ``rate`` (servers gained per server given up,
        default 1), ``cost`` (money per T and server given up, default 0), ``limit`` (most that may
        be given up), ``training`` (money per T once anything is moved). Nothing is moved or
        released that they do not permit.
    integer : bool, optional
        Whole numbers, or parts of them too. By default whole where anything is counted (servers,
        waiting places), divisible where only rates or times are decided on.
    decide : str or mapping
        What is bought, moved or given up: 'servers', 'service_rate' (jobs per T of each server),
        'service_time' (T per job), 'waiting_room' (places) or 'opening_hours' (T in a cycle that a
        service with a ``server_calendar`` is open), everywhere or by service.
    prices : float or mapping, optional
        Money per T for one more, everywhere or by service, in place of ``cost_per_server``.
    release : True, float or mapping, optional
        What may be given up without an exchange, and the money per T that one saves, which adds to
        the budget; True stands for its price.
    bounds : mapping, optional
        {service: (least, most)} after the plan, in place of ``min_servers`` and ``max_servers``.
    budgets : mapping, optional
        Staff, floor space and the like: {name: {"limit": most, "use": {service: per server}}},
        over all servers after the plan.
    groups : mapping, optional
        {name: {"services": [...], "min": least, "max": most}}: servers together.
    max_changed : int, optional
        The most services whose servers may change.
    fixed_costs : mapping, optional
        {service: money per T where servers are added}, or {service: {"opening": money, "closing":
        money}}; paid from `budget`.
    shift : float or mapping, optional
        Servers change by multiples of this, everywhere or by service.
    protect : float or mapping, optional
        By how many delayed jobs an organisation may become worse off: every one, or by name.
    targets : mapping, str, or sequence of these, optional
        {service: {measure: at most}} with waiting_time, response_time, wait_probability,
        utilization, occupancy, loss_probability (a level, or {servers: level} by size), and
        {"network": {"within": (time, share)}} for the share of jobs that leave within a time; or
        in words, as for `goal_seek`: 'occupancy at Ward <= 92 %', 'within 4 >= 95 %', 'p95 <= 4'.
    scenarios : sequence or mapping, optional
        Demands that one plan is for: networks or `Scenario`, each alone or as (scenario, weight).
        The network itself counts only if it is among them.
    risk : str or ('cvar', level)
        'expected', 'minimax', 'regret' or 'cvar' (level 0.9: the mean of the worst tenth).
    method : str
        As for `solve`; the same method verifies.
    gap : float
        Relative gap between a program's value and its bound that is good enough; 1e-9 asks for the
        proven optimum.
    time_limit : float, optional
        Seconds that a program may take; the best found by then is returned, with its gap.
    solver : str
        'auto' (HiGHS in this process), 'highs', 'cbc', or another that PuLP finds.
    progress : callable, optional
        Called with (done, total) while the full model is searched.

    Returns
    -------
    Plan
        With promised and verified gain side by side.

    Raises
    ------
    ParameterError, UnknownNameError
        For an impossible budget, exchange or term, or a goal without the prices it needs.
    ProgramError
        Where no allocation keeps to the bounds and terms; those in conflict are named, with what
        would resolve it.
    UnconvergedError
        Where the network, before or after, could not be solved.

    Notes
    -----
    Where delay at a service depends on its own servers only (no blocking, loss or giving up), the
    program is exact for the curves, whose flows and variability are those of the present network.
    Elsewhere, and for terms that have no linear form, the curves are taken from the full model
    around a plan, the program proposes the next one, and steps of one server on the full model end
    the search: a local optimum, without bound.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour", "currency": "GBP"},
    ...     "services": [
    ...         {"name": "a", "service_time": 1.0, "servers": 2, "external_arrival_rate": 1.8,
    ...          "cost_per_server": 10.0},
    ...         {"name": "b", "service_time": 1.0, "servers": 2, "external_arrival_rate": 1.2,
    ...          "cost_per_server": 10.0},
    ...     ],
    ... })
    >>> fn.reallocate(network, budget=10.0).servers
    {'a': 3}
    """
    return task_of(
        network,
        goal,
        budget,
        exchanges,
        integer,
        decide=decide,
        prices=prices,
        release=release,
        bounds=bounds,
        budgets=budgets,
        groups=groups,
        max_changed=max_changed,
        fixed_costs=fixed_costs,
        shift=shift,
        protect=protect,
        targets=targets,
        scenarios=scenarios,
        risk=risk,
        method=method,
        gap=gap,
        time_limit=time_limit,
        solver=solver,
        progress=progress,
    ).plan()
