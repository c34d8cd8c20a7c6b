"""Whose lack of capacity causes whose delay: the sensitivity added up along a path of relief."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from flownet.constraint.differences import few_places
from flownet.errors import Fault, ParameterError, UnconvergedError
from flownet.kernels.blocking_full import FULL
from flownet.kernels.change import with_service_rate
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers
from flownet.solvers.objective import Objective
from flownet.solvers.solution import Solution

PARTS: Final = 24
"""A piece of the path carries no more than this part of the whole change, where it can be cut."""
FACTORS: Final = (1.0, 1.05, 1.1, 1.2, 1.35, 1.6, 2.0, 2.7, 4.0, 7.0, 15.0, 40.0, 150.0, 1000.0)
"""Multiples of the present capacities at which the path is looked at first."""
NARROW: Final = 1.01
"""A piece no longer than this is not cut: where a server is added, what is seen may jump."""
ROUNDING: Final = 1e-12
END: Final = 1e-6
"""The path ends where so little of the change is left; the rest goes as the last piece did."""
END_DEAR, PARTS_DEAR = 1e-3, 4
"""The same for chains whose states multiply with the servers: the exact one, blocking in full."""
EXACT_PLAYERS: Final = 3
"""Up to so many who move at once share a piece by Shapley's rule, by all their subsets."""
MOST_PLAYERS: Final = 10
WHOLE: Final = ("blocking", "exact")
"""Methods that take whole servers only."""


@dataclasses.dataclass(frozen=True)
class Causes:
    """What is seen, divided by who causes it.

    Attributes
    ----------
    matrix : array (s, p)
        What is seen at s for lack of capacity at p; rows add up to `seen` less `rest`.
    seen : array (s,)
        What is seen at present.
    rest : array (s,)
        What no capacity takes away, such as transfers that hold a server.
    pieces : int
        Pieces into which the path was cut.
    """

    matrix: Floats
    seen: Floats
    rest: Floats
    pieces: int
    shares: str = ""


def seen_by_state(solution: Solution, objective: Objective) -> Floats:
    """Return (n, R) what is seen of a goal at each service and class; it adds up to the goal.

    For throughput where jobs can be lost: those who do not get served. Where none can be lost,
    what holds throughput back shows as delay.
    """
    if objective.goal == "throughput" and not solution.can_turn_away:
        objective = dataclasses.replace(objective, name="delay", goal="delay")
    linear = objective.linear(solution)
    if linear is None:
        message = f"'{objective.name}' is not a sum over services: what is seen cannot be divided"
        raise ParameterError([Fault("attribution", "goal", repr(objective.goal), message)])
    total = np.zeros(solution.measures.throughput.shape)
    for name, weight in zip(linear.weights._fields, linear.weights, strict=True):
        part = np.where(weight != 0, getattr(solution.measures, name), 0.0)
        total += np.where(weight != 0, weight * part, 0.0)
    return np.asarray(-total if objective.goal == "throughput" else total)


class Path:
    r"""Solutions along the path of relief, each solved once.

    .. math:: c_i(u) = u\, c_i,\qquad u = 1 / (1 - t),\ t: 0 \to 1

    Parameters
    ----------
    solution : Solution
        The present state.
    objective : Objective
    rows : array (n, R) of int
        To which row of the result each service and class counts.
    players : sequence of arrays of int
        The services of each who may be the cause.
    """

    def __init__(
        self,
        solution: Solution,
        objective: Objective,
        rows: Integers,
        players: Sequence[Integers],
    ) -> None:
        self.solution = solution
        self.objective = objective
        self.rows = rows
        self.players = list(players)
        self.start = solution.compilation.arrays
        self.whole = solution.method in WHOLE
        if solution.method == "product_form":  # the same where servers are whole, and between
            self.solution = dataclasses.replace(solution, method="decomposition", options={})
        self.dear = solution.method == "exact" or (
            solution.options.get("mode") == FULL and not few_places(solution)
        )
        self.known: dict[tuple[float, ...], Floats] = {}

    def at(self, factor: float) -> Floats:
        """Return the servers (n,) at a multiple of the present ones."""
        return np.asarray(self.start.servers * factor)

    def seen(self, servers: Floats) -> Floats:
        """Return what is seen by row with these servers, the waiting room as it is.

        Where the method takes whole servers only, what is more than whole is speed: 1.5 servers
        are one that works 1.5 times as fast.
        """
        key = tuple(servers.tolist())
        if key not in self.known:
            self.known[key] = self.added(self._solved(self._arrays(servers)))
        return self.known[key]

    def unlimited(self) -> Floats:
        """Return what is seen where nobody lacks capacity."""
        endless = np.full(self.start.servers.shape, math.inf)
        arrays = self.start._replace(servers=endless, capacity=endless.copy())
        free = dataclasses.replace(self.solution, method="decomposition", options={})
        return self.added(free.again(arrays))

    def _arrays(self, servers: Floats) -> CompiledNetwork:
        start = self.start
        if self.whole:
            whole = np.floor(servers * (1.0 + ROUNDING))
            faster = np.isfinite(servers) & (servers > whole * (1.0 + ROUNDING))
            for i in np.flatnonzero(faster):
                start = with_service_rate(start, int(i), float(servers[i] / whole[i]))
            servers = whole
        room = np.where(np.isfinite(self.start.capacity), self.start.capacity, 0.0)
        room = room - np.where(np.isfinite(self.start.servers), self.start.servers, 0.0)
        limited = np.isfinite(self.start.capacity)
        return start._replace(servers=servers, capacity=np.where(limited, servers + room, math.inf))

    def _solved(self, arrays: CompiledNetwork) -> Solution:
        again = self.solution.again(arrays)
        if not again.converged:
            message = (
                f"method '{again.method}' did not converge on the path of relief (residual "
                f"{again.residual:.2g}): the delay cannot be attributed by it"
            )
            raise UnconvergedError(message)
        return again

    def added(self, solution: Solution) -> Floats:
        """Return what a solution sees, by row; a line that grows where none did is infinite."""
        states = seen_by_state(solution, self.objective)
        if not self.objective.growing and solution.measures.growth_rate.any():
            states = np.where(solution.measures.growth_rate > 0, math.inf, states)
        counts = int(self.rows.max()) + 1
        return np.asarray(np.bincount(self.rows.ravel(), states.ravel(), counts))


def path_causes(
    solution: Solution,
    objective: Objective,
    rows: Integers,
    players: Sequence[Integers],
    progress: Callable[[int, int], None] | None = None,
) -> Causes:
    r"""Return what is seen, divided by whose lack of capacity causes it.

    .. math:: A_{sj} = -\int_0^1 \frac{\partial J_s}{\partial c_j}(c(t))\, \frac{dc_j}{dt}\, dt,
              \qquad c(t) = \frac{c}{1 - t}

    Parameters
    ----------
    solution, objective, rows, players
        As for `Path`.
    progress : callable, optional
        Called with (done, total) pieces.

    Returns
    -------
    Causes

    Raises
    ------
    UnconvergedError
        Where a network on the path cannot be solved.

    Notes
    -----
    Aumann and Shapley's value of the game in which capacity is the input. The path is cut into
    pieces that carry little of the change each; in a piece every player moves as far as the path
    does. Its share is the mean of what it changes as the first to move and as the last (Shapley's
    value of the piece for up to three who move; exact for any number where what two players do
    together does not depend on a third); the shares are scaled so that they add up to the piece.
    So the whole adds up exactly, a player who changes nothing on the whole path gets nothing,
    players who are alike get alike, and no unit matters. Where a method takes whole servers only,
    capacity between two whole numbers is speed (`Path.seen`): so that a service of one server
    takes part from the beginning of the path on.

    References
    ----------
    Aumann and Shapley (1974), Values of Non-Atomic Games; Billera and Heath (1982), Math. Oper.
    Res. 7, 32 (axioms); Friedman and Moulin (1999), J. Econ. Theory 87, 275 (paths).
    """
    path = Path(solution, objective, rows, players)
    now, last = path.seen(path.at(1.0)), path.unlimited()
    if objective.growing:
        last = np.zeros_like(now)
    nodes = _nodes(path, now, last)
    matrix = np.zeros((now.size, len(players)))
    piece = matrix
    for done, (low, high) in enumerate(itertools.pairwise(nodes)):
        if progress is not None:
            progress(done, len(nodes) - 1)
        piece = _shares(path, path.at(low), path.at(high))
        matrix = matrix + piece
    left = now - last - matrix.sum(axis=1)
    matrix = matrix + _spread(left, piece if piece.any() else matrix, np.ones(len(players), bool))
    return Causes(matrix, now, last, len(nodes) - 1)


def scaled_causes(
    causes: Causes, solution: Solution, objective: Objective, rows: Integers
) -> Causes:
    """Return an attribution with its rows scaled to what another solution of the network sees."""
    seen = Path(solution, objective, rows, []).added(solution)
    whole, wanted = causes.matrix.sum(axis=1), seen - causes.rest
    factor = np.divide(wanted, whole, out=np.zeros_like(whole), where=whole > 0)
    matrix = causes.matrix * factor[:, None]
    left = wanted - matrix.sum(axis=1)
    like = matrix if matrix.any() else causes.matrix
    matrix = matrix + _spread(left, like, np.ones(matrix.shape[1], dtype=np.bool_))
    return Causes(matrix, seen, causes.rest, causes.pieces)


def _nodes(path: Path, now: Floats, last: Floats) -> list[float]:
    """Return the multiples at which the path is cut."""
    whole = float(np.abs(now - last).sum())
    end = END_DEAR if path.dear else END
    parts = PARTS_DEAR if path.dear else PARTS
    nodes = [1.0]
    for factor in FACTORS[1:]:
        if whole == 0.0 or _change(path, nodes[-1], None, last) <= end * whole:
            break
        nodes.append(factor)
    k = 0
    while k < len(nodes) - 1:
        low, high = nodes[k], nodes[k + 1]
        if high > NARROW * low and _change(path, low, high, last) > whole / parts:
            nodes.insert(k + 1, math.sqrt(low * high))
        else:
            k += 1
    return nodes


def _change(path: Path, low: float, high: float | None, last: Floats) -> float:
    """Return by how much the seen changes between two multiples, or to the end."""
    first = path.seen(path.at(low))
    second = last if high is None else path.seen(path.at(high))
    return float(np.abs(first - second).sum())


def _shares(path: Path, before: Floats, after: Floats) -> Floats:
    """Return what each player takes away in one piece, by row."""
    moved = np.array([(before[each] != after[each]).any() for each in path.players])
    movers = np.flatnonzero(moved)
    first, final = path.seen(before), path.seen(after)
    shares = np.zeros((first.size, moved.size))

    def mixed(chosen: Sequence[int], back: Floats, front: Floats) -> Floats:
        servers = back.copy()
        for player in chosen:
            servers[path.players[player]] = front[path.players[player]]
        return path.seen(servers)

    if 1 < movers.size <= EXACT_PLAYERS:
        shares[:, movers] = _shapley(movers.tolist(), lambda who: mixed(who, before, after))
    else:
        for player in movers.tolist():
            early = first - mixed([player], before, after)
            late = mixed([player], after, before) - final
            both = np.where(np.isfinite(early), early, late)
            shares[:, player] = np.where(np.isfinite(late), (both + late) / 2.0, early)
    if not np.isfinite(shares).all():
        message = (
            "relief of one service alone overloads another on the way, so that what is seen has no "
            "finite value there: take the goal 'throughput', or relieve the other first"
        )
        raise ParameterError([Fault("attribution", "path", "", message)])
    return shares + _spread(first - final - shares.sum(axis=1), shares, moved)


def _shapley(movers: list[int], value: Callable[[Sequence[int]], Floats]) -> Floats:
    """Return Shapley's value of what a set of movers takes away, by row."""
    count = len(movers)
    columns = []
    for player in movers:
        others = [each for each in movers if each != player]
        total = np.zeros_like(value(()))
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1)
            for chosen in itertools.combinations(others, size):
                gain = value(chosen) - value((*chosen, player))
                total += weight / math.factorial(count) * gain
        columns.append(total)
    return np.column_stack(columns)


def _spread(left: Floats, shares: Floats, moved: Floats) -> Floats:
    """Return how what is left over goes to the players, in proportion to the size of their shares.

    Where a row has none, in proportion to all rows; where nobody has any, to all who moved.
    """
    size = np.abs(shares)
    overall = size.sum(axis=0)
    if not overall.any():
        overall = np.asarray(moved, dtype=np.float64)
    weights = np.where(size.sum(axis=1, keepdims=True) > 0, size, overall)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(left[:, None] * weights / total)


def shapley_causes(solution: Solution, objective: Objective, rows: Integers) -> Causes:
    """Return Shapley's value of the game in which a set of services has unlimited capacity.

    For small networks, to see how far the path of relief is from it: every subset is solved.

    Raises
    ------
    ParameterError
        Where there are more than ten services, or the method cannot hold endless servers.
    """
    count = solution.compilation.arrays.servers.size
    if count > MOST_PLAYERS:
        message = f"solves all subsets of at most {MOST_PLAYERS} services"
        raise ParameterError([Fault("attribution", "shapley", str(count), message)])
    if solution.method == "exact":
        message = "takes no endless servers; take 'blocking' or 'decomposition'"
        raise ParameterError([Fault("attribution", "method", "'exact'", message)])
    path = Path(solution, objective, rows, [np.array([i]) for i in range(count)])
    servers = path.start.servers

    def value(chosen: Sequence[int]) -> Floats:
        freed = servers.copy()
        freed[list(chosen)] = math.inf
        return path.seen(freed)

    matrix = _shapley(list(range(count)), value)
    return Causes(matrix, value(()), value(range(count)), 2**count)
