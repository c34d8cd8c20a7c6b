"""Warnings of the two modes of the blocking method: what their numbers can be wrong in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flownet.display import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flownet.solvers.solution import Solution

HELD_UP = 0.005
"""Share of a service's servers that are blocked from which those upstream feel it in spells."""
SPELLS = 0.05
"""The same from which those are blocked clearly more than the compressed mode shows: in 24 random
networks of 8 to 40 servers and the packaged urgent care, 3 of the 4 services that are off by more
than 0.02 of their servers are before such a one, and 12 of all 142."""
MANY_HELD, UNLIKE = 7, 200.0
"""Services blocked for longer than that share, and ratio of the longest stay to the shortest among
them and those they are blocked for, from which the compressed mode shows too high a throughput: of
44 random networks of 10 to 60 services it is off by more than 10 % in 15, all of these with so many
and so unlike ones, as are 7 of the other 29."""


def _in_mode(solution: Solution, mode: str) -> bool:
    """Tell whether a solution is by blocking in this mode."""
    return solution.method == "blocking" and solution.options.get("mode") == mode


def _named(solution: Solution, places: Sequence[int]) -> str:
    """Return the names of services, of more than four the number of the others."""
    network, table = solution.network, solution.services
    names = ", ".join(f"'{network.label(table.index[k])}'" for k in places[:4])
    return names + (f" and {len(places) - 4} more" if len(places) > 4 else "")


def held_up_from_afar(solution: Solution) -> list[str]:
    """Warn of lines that jobs two services on hold up: the compressed mode has them too short."""
    if not _in_mode(solution, "compressed"):
        return []
    network, table, measures = solution.network, solution.services, solution.measures
    blocked = table["number_blocked"].to_numpy() / table["servers"].to_numpy()
    lines = []
    unlimited = ~np.isfinite(solution.compilation.arrays.capacity)
    inside = np.where(unlimited, table["number_waiting"].to_numpy(), 0.0)
    lines_of = table["number_outside"].to_numpy() + inside
    for position, service in enumerate(table.index):
        if not 0 < lines_of[position] < np.inf:
            continue
        ahead = measures.blocked_by_to[measures.blocked_by_from == position]
        held = [int(j) for j in ahead if blocked[j] > HELD_UP]
        if held:
            worst = max(held, key=lambda j: blocked[j])
            lines.append(
                f"'{network.label(service)}' can be held up by "
                f"'{network.label(table.index[worst])}', of which {blocked[worst]:.1%} is itself "
                "blocked further on: such spells can make lines without limit several times as "
                "long as the compressed mode of the method shows; simulate them"
            )
    return lines


def blocked_in_spells(solution: Solution) -> list[str]:
    """Warn of servers before a service that is itself much blocked, in the compressed mode."""
    if not _in_mode(solution, "compressed"):
        return []
    network, table, measures = solution.network, solution.services, solution.measures
    blocked = table["number_blocked"].to_numpy() / table["servers"].to_numpy()
    pairs = zip(measures.blocked_by_from, measures.blocked_by_to, strict=True)
    before = [(int(i), int(j)) for i, j in pairs if i != j and blocked[j] > SPELLS]
    if not before:
        return []
    worst = max((j for _, j in before), key=lambda j: blocked[j])
    upstream = list(dict.fromkeys(i for i, _ in before))
    hand = "hand" if len(upstream) > 1 else "hands"
    return [
        f"{_named(solution, upstream)} {hand} over to services that are themselves blocked for "
        f"long, {blocked[worst]:.1%} of '{network.label(table.index[worst])}': before them servers "
        "can be blocked several times as much as the compressed mode of the method shows; simulate "
        "it"
    ]


def lines_in_parts(solution: Solution) -> list[str]:
    """Warn of lines that the full mode could not solve with all the rest around them."""
    if not _in_mode(solution, "full"):
        return []
    network, table, arrays = solution.network, solution.services, solution.compilation.arrays
    endless = ~np.isfinite(arrays.capacity) & np.isfinite(arrays.servers)
    endless &= table["arrival_rate"].to_numpy() > 0
    waits = np.isfinite(arrays.capacity) & (table["number_outside"].to_numpy() > 0)
    lines = np.flatnonzero(endless | waits)
    delayed = bool(((arrays.transfer_delay > 0) & ~arrays.holds_server).any())
    apart = delayed or not np.isfinite(arrays.servers).all() or (arrays.overflow_to >= 0).any()
    apart = apart or np.isfinite(arrays.patience[lines]).any()
    apart = apart or lines.size > 1 or np.isin(lines, solution.measures.blocked_by_to).any()
    if not apart or len(table) < 3 or not (lines.size and solution.measures.blocked_by_from.size):
        return []
    names = ", ".join(f"'{network.label(table.index[k])}'" for k in lines)
    return [
        f"lines without limit at {names} are solved with their neighbors only: where what holds "
        "these up lasts long they can be several times as long; simulate them"
    ]


def lines_in_compressed(solution: Solution) -> list[str]:
    """Warn of lines without limit before servers that are blocked, in the compressed mode.

    In 260 random networks of 1 to 5 services there were 31 such lines, and 27 of them were off by
    more than 30 % against simulation, up to tenfold and more, in both directions.
    """
    if not _in_mode(solution, "compressed"):
        return []
    table, arrays = solution.services, solution.compilation.arrays
    endless = ~np.isfinite(arrays.capacity) | (table["number_outside"].to_numpy() > 0)
    blocked = table["number_blocked"].to_numpy() / table["servers"].to_numpy()
    lines = np.flatnonzero(endless & np.isfinite(arrays.servers) & (blocked > SPELLS))
    if not lines.size:
        return []
    worst = int(lines[np.argmax(blocked[lines])])
    return [
        f"the line without limit before {_named(solution, lines.tolist())} depends on how long "
        f"servers there stay blocked in a row ({blocked[worst]:.1%} are, at "
        f"{_named(solution, [worst])}), "
        "of which the compressed mode of the method knows little more than the mean: the line can "
        "be several times as long, or as short; simulate it"
    ]


def fast_before_slow(solution: Solution) -> list[str]:
    """Warn of many services of unlike stays that hold each other up, in the compressed mode."""
    if not _in_mode(solution, "compressed"):
        return []
    arrays, measures = solution.compilation.arrays, solution.measures
    blocked = measures.number_blocked.sum(axis=1) / np.maximum(arrays.servers, 1.0)
    upper, lower = measures.blocked_by_from, measures.blocked_by_to
    chosen = blocked[upper] > SPELLS
    if np.unique(upper[chosen]).size < MANY_HELD:
        return []
    done = measures.throughput.sum(axis=1)
    work = (measures.throughput * arrays.service_time).sum(axis=1)
    stay = work / np.maximum(done, 1e-300)
    ends = np.concatenate([upper[chosen], lower[chosen]])
    stays = stay[ends[stay[ends] > 0]]
    if not stays.size or stays.max() < UNLIKE * stays.min():
        return []
    return [
        f"{np.unique(upper[chosen]).size} services are blocked more than {SPELLS:.0%} of the time, "
        f"by services whose stays differ up to {figure(float(stays.max() / stays.min()))}-fold: "
        "short and long blockages are alike to the compressed mode of the method, and the "
        "throughput that it shows for such networks of few servers each is 5 to 30 % too high "
        "(docs/accuracy.md, 'blocking, large'); mode='full' is within 5 % where it answers, or "
        "simulate it"
    ]
