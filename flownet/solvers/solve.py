"""`solve`: choose a method, run it, and hand on a Solution."""

from __future__ import annotations

from typing import Any, Final

from flownet.errors import Fault, MethodError, ParameterError, UnknownNameError
from flownet.kernels.blocking_full import COMPRESSED
from flownet.kernels.compiled import Measures
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network
from flownet.network.values import nearest
from flownet.solvers.calendars import calendar_strains
from flownet.solvers.register import METHODS, Method, why_compressed
from flownet.solvers.solution import Solution

BY_NAME: Final = "asked for by name"


def solve(network: Network, method: str = "auto", **options: Any) -> Solution:
    """Return the steady state of `network`.

    Parameters
    ----------
    network : Network
        What to solve.
    method : str
        A name from the register (``flownet.solvers.register.METHODS``), or ``auto``: the first
        that applies, exact before approximate; the Solution says which was taken and why.
        ``exact`` is taken only when it is asked for: it holds every state of the network.
    **options
        For ``blocking`` only: ``mode``, 'full' or 'compressed' (by default full where service times
        are exponential and neighbourhoods small). For ``exact`` only: ``max_states`` (default
        1,000,000), the most states that it may hold; ``truncation_mass`` (default 1e-12), the
        share of time beyond which unlimited queues are cut off; ``fit`` (default False), whether
        times that are not made of exponential phases are replaced by some with the same mean and
        scv.

    Returns
    -------
    Solution
        With one table a service, a class, and both; an overloaded service shows its growth and
        unlimited delay.

    Raises
    ------
    UnknownNameError
        Where the method does not exist.
    MethodError
        Where it does not apply; its ``reasons`` say why.
    ParameterError
        Where the method does not take an option, an option is out of its range, or the exact
        chain would have more than ``max_states`` states (the message estimates how many).

    Examples
    --------
    An M/M/1 queue at load 0.8 waits 4 service times on average:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.8}],
    ... })
    >>> float(round(fn.solve(network).services.loc["desk", "waiting_time"], 9))
    4.0
    """
    if not isinstance(network, Network):
        message = f"must be a flownet Network, not {type(network).__name__}"
        raise ParameterError([Fault("solve", "network", "", message)])
    return solve_compilation(network, compile_network(network), method, **options)


def solve_alike(network: Network, solution: Solution, method: str = "", **options: Any) -> Solution:
    """Return the steady state of a network like one that was solved, by the same method.

    Parameters
    ----------
    network : Network
        What to solve.
    solution : Solution
        Of the network that it is like.
    method : str
        Another method, where the same one cannot take it.
    **options
        As for `solve`; those of `solution` are not taken over.

    Raises
    ------
    UnknownNameError, MethodError, ParameterError
        As `solve`.
    """
    by_name = solution.choice.startswith(BY_NAME)
    why = BY_NAME if by_name else "as for the network that it is compared with"
    if method not in {"", solution.method}:
        why = f"'{solution.method}', {why}, does not take it"
    compilation = compile_network(network)
    return solve_compilation(network, compilation, method or solution.method, why=why, **options)


def solve_compilation(
    network: Network,
    compilation: Compilation,
    method: str = "auto",
    *,
    like: Measures | None = None,
    sharp: float | None = None,
    explained: bool = True,
    why: str = "",
    **options: Any,
) -> Solution:
    """Return the steady state of arrays that were compiled before, or changed since.

    Parameters
    ----------
    network : Network
        Gives the labels and targets of the solution.
    compilation : Compilation
        What is solved.
    method : str
        As for `solve`.
    like : Measures, optional
        Of a network like this one, from which a method that iterates starts.
    sharp : float, optional
        The residual at which a method that iterates stops.
    explained : bool
        Whether the solution says why a mode was taken: one of many rows need not.
    why : str
        Why the method is taken, where nobody asked for it by its name.
    **options
        As for `solve`.

    Raises
    ------
    UnknownNameError, MethodError, ParameterError
        As `solve`.
    """
    chosen, choice = _choose(compilation, method, options)
    choice = why or choice
    how: dict[str, Any] = {}
    if chosen.iterates:
        how = {} if sharp is None else {"tolerance": sharp}
        how |= {} if like is None else {"start": like.rest}
    assumptions = (*calendar_strains(compilation), *chosen.assumptions(compilation, **options))
    measures = chosen.solve(compilation.arrays, **options, **how)
    if chosen.variants:
        mode = chosen.variants[measures.variant]
        refused = options.get("mode", mode) != mode
        told = mode == COMPRESSED and (explained or refused)
        reason = f" ({why_compressed(compilation)})" if told else ""
        if refused:
            raise MethodError(chosen.name, [f"mode '{options['mode']}' cannot be had{reason}"])
        choice += f"; in the {mode} mode{'' if 'mode' in options else reason}"
        options = {**options, "mode": mode}  # what is asked next is answered in the same mode
    return Solution(
        network=network,
        method=chosen.name,
        choice=choice,
        exact=chosen.exact and not assumptions,
        assumptions=assumptions,
        measures=measures,
        compilation=compilation,
        options=options,
    )


def _choose(compilation: Compilation, name: str, options: dict[str, Any]) -> tuple[Method, str]:
    """Return the method and why it was taken."""
    if name == "auto":
        _check_options(name, (), options)
        return _first_that_applies(compilation)
    if name == "simulation":
        reason = "it gives intervals that depend on a horizon: call flownet.simulate(network, ...)"
        raise MethodError(name, [reason])
    if name not in METHODS:
        known = ", ".join(["auto", *METHODS])
        message = f"is not known; known are {known}{nearest(name, METHODS)}"
        raise UnknownNameError([Fault("method", "", repr(name), message)])
    _check_options(name, METHODS[name].options, options)
    reasons = METHODS[name].reasons(compilation, **options)
    if reasons:
        raise MethodError(name, reasons)
    return METHODS[name], BY_NAME


def _check_options(name: str, known: tuple[str, ...], options: dict[str, Any]) -> None:
    takes = f"takes only {', '.join(known)}" if known else "takes no options"
    faults = [
        Fault(f"method '{name}'", option, repr(value), f"is not an option: it {takes}")
        for option, value in options.items()
        if option not in known
    ]
    if faults:
        raise ParameterError(faults)


def _first_that_applies(compilation: Compilation) -> tuple[Method, str]:
    passed: list[str] = []
    for method in METHODS.values():
        if not method.automatic:
            continue
        reasons = method.reasons(compilation)
        if not reasons:
            kind = "exact" if method.exact else "approximate"
            return method, "; ".join([f"the first that applies ({kind})", *passed])
        passed.append(f"'{method.name}' does not: {reasons[0]}")
    raise MethodError("auto", [*passed, "flownet.simulate(network, horizon=...) takes any network"])
