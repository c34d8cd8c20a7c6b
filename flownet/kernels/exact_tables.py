"""The tables that describe a chain's states and moves to the compiled code, and their columns.

A state of the chain is a vector of small integers, its *slots*. A *list* is a line of jobs: a
slot with its length, followed, where jobs of several kinds can stand in it, by one slot a place
with the kind of each. A *pair* is a service with a job class, ``p = i * R + k``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.kernels.compiled import Floats, Integers

Slots = NDArray[np.int16]

UNLIMITED = 1 << 30
"""Stands for infinitely many servers or places."""
WIDEST = 30_000
"""The most that a slot counts; it has 16 bits."""

# columns of `service`
SERVERS = 0
PLACES = 1  # capacity; UNLIMITED where there is none
LIMIT = 2  # where an unlimited number present is cut off
SHARING = 3  # 1 where all jobs present are served at once (processor sharing)
WHEN_FULL = 4
EXTERNAL_WHEN_FULL = 5
OVERFLOW_TO = 6
HELD = 7  # slot: servers working, blocked or held in transfer (sharing: jobs)
WAITING = 8  # slot: jobs that wait inside
FIRST_LINE = 9  # lists of waiting jobs, best rank first
END_LINE = 10
DOOR = 11  # list of jobs that wait for a place: blocked elsewhere, or outside; -1 where none can
SATURATED = 12  # 1 where one of its lines never runs empty
INTERRUPTS = 13  # 1 where a job interrupts one of a worse rank
SERVICE_COLUMNS = 14

# columns of `pair`
PHASE = 0  # first of the slots that count jobs in each phase of service
PHASES = 1
LAW = 2  # offset into `law`: rates of ending in each phase, then rates from phase to phase
START = 3  # phases in which a service can start: offset into `option`, and how many
STARTS = 4
LINE = 5
FIRST_ROUTE = 6
END_ROUTE = 7
ARRIVAL_PHASE = 8  # slot with the phase of the arrivals from outside; -1 where they are Poisson
ARRIVAL_PHASES = 9
ARRIVAL_LAW = 10
ARRIVAL_START = 11
ARRIVAL_STARTS = 12
ACTIVE = 13  # 1 where jobs can come
EXTERNAL_LEFT_FREE = 14  # jobs from outside find it full where no more places are free
PAIR_COLUMNS = 15

# columns of `pair_rate`
EXTERNAL = 0
GIVING_UP = 1
LEAVING = 2  # probability that a job leaves the network after service
PAIR_RATES = 3

# columns of `route`
TO = 0
TRANSFER = 1  # slot that counts the jobs on their way; -1 where there is no delay
HOLDS = 2
ROUTE_LIMIT = 3
FROM = 4
LEFT_FREE = 5  # its jobs find the end full where no more places are free
ROUTE_COLUMNS = 6
NO_ROUTE = -1  # of a job from outside

# columns of `route_rate`
PROBABILITY = 0
SPEED = 1  # 1 / mean transfer delay
ROUTE_RATES = 2

# columns of `lists`
SLOT = 0
ROOM = 1
ITEM = 2  # the one item that can stand in the list, -1 where there are several
OWNER = 3
DRAW = 4  # a list that never runs empty: who comes next, offset into `option`; else -1
DRAWS = 5
LIST_COLUMNS = 6

# columns of `kind`: who waits at a door
SOURCE = 0  # the pair whose server the job holds, OUTSIDE or IN_TRANSIT
TARGET = 1
TURN = 2  # those with a smaller one enter first
KIND_LEFT_FREE = 3
KIND_COLUMNS = 4
OUTSIDE = -1
IN_TRANSIT = -2

# what is counted
ARRIVED = 0  # asked for a place
ENTERED = 1
DELAYED = 2  # entered and did not start in the same event
LOSSES = 3
OVERFLOWS = 4
ABANDONED = 5
COMPLETED = 6
EXCHANGED = 7  # deadlocks resolved
LEFT = 8  # left the network after service
NOT_DELAYED = 9  # entered behind others who all started in the same event
FOUND_FULL = 10  # asked, with a server in hand, for a place at service 0, and found it full; ...


# what can happen
ARRIVAL = 0  # (pair): a job comes from outside
CHANGE = 1  # (slot, slot): of the phase of a service
PREPARATION = 2  # (slot, phase): of the phase of arrivals
DEPARTURE = 3  # (pair, phase): leaves the network after service
ROUTED = 4  # (route, phase): goes on
TRANSFERRED = 5  # (route): the transfer is over
GAVE_UP = 6  # (list, position)

# head of `Packed.whole`: how many there are, and where each table begins
SERVICES = 0
CLASSES = 1
PAIRS = 2
ROUTES = 3
LISTS = 4
SERVICE_AT = 5
PAIR_AT = 6
ROUTE_AT = 7
LIST_AT = 8
KIND_AT = 9
KIND_OF_AT = 10
OPTION_AT = 11
PAIR_RATE_AT = 12  # these five in `Packed.figures`
ROUTE_RATE_AT = 13
LAW_AT = 14
WEIGHT_AT = 15
SHARE_AT = 16
HEAD = 17


class Tables(NamedTuple):
    """All that the compiled code knows of a network; see the columns above."""

    service: Integers
    pair: Integers
    pair_rate: Floats
    route: Integers
    route_rate: Floats
    lists: Integers
    kind: Integers
    kind_of: Integers
    """(m + 1, n R): the kind of a job at a door, by route (the last: from outside) and target."""
    law: Floats
    option: Integers
    """What a random choice may give: first phases of services, who comes next."""
    weight: Floats
    """The probability of each option."""
    share: Floats
    """(n,) servers of each service that is shared."""


class Packed(NamedTuple):
    """The same tables behind each other: compiled code is fast with few, plain arrays."""

    whole: Integers
    figures: Floats


def pack(tables: Tables) -> Packed:
    """Put all tables into one array of whole numbers and one of figures."""
    head = np.zeros(HEAD, dtype=np.int64)
    head[SERVICES] = tables.service.shape[0]
    head[PAIRS] = tables.pair.shape[0]
    head[CLASSES] = head[PAIRS] // head[SERVICES]
    head[ROUTES] = tables.route.shape[0]
    head[LISTS] = tables.lists.shape[0]
    whole = [
        (SERVICE_AT, tables.service),
        (PAIR_AT, tables.pair),
        (ROUTE_AT, tables.route),
        (LIST_AT, tables.lists),
        (KIND_AT, tables.kind),
        (KIND_OF_AT, tables.kind_of),
        (OPTION_AT, tables.option),
    ]
    figures = [
        (PAIR_RATE_AT, tables.pair_rate),
        (ROUTE_RATE_AT, tables.route_rate),
        (LAW_AT, tables.law),
        (WEIGHT_AT, tables.weight),
        (SHARE_AT, tables.share),
    ]
    for parts, place in ((whole, HEAD), (figures, 0)):
        begin = place
        for entry, array in parts:
            head[entry] = begin
            begin += array.size
    return Packed(
        np.concatenate([head, *(array.ravel() for _, array in whole)]),
        np.concatenate([array.ravel() for _, array in figures]),
    )


# the scratch memory of an event: a few numbers, the state that it makes, choices, notes, searches
CURSOR = 0  # choices made so far in this run of the event
DEPTH = 1  # choices known from earlier runs
CUT = 2  # whether the event leads beyond a limit
NOTES = 3
CYCLIC = 4  # whether jobs can block each other in a cycle
SLOTS = 5
CHOICE_AT = 6  # two numbers a random choice: the option taken, and how many there are
NOTE_AT = 7  # two numbers a note: what happened (a counter), to which pair
PREVIOUS_AT = 8  # one a service: the search for cycles
MOVER_AT = 9  # one a service: the pair as which a job enters in an exchange
EVENTS = 10  # how many events the list of events holds
EVENT_AT = 11  # three numbers an event: what, and two details
WATCHED = 12  # the line whose departures are noted, or -1
STARTED = 13  # jobs that left it for service in this run of the event
GONE = 14  # 1 + the position from which one gave up, 0 where none did
FATE = 15  # first of the slots that tell how a followed job ended, or -1
STATE = 16

# how a followed job can end; the chain of such a job stops there
LEFT_SERVED, WAS_LOST, HAD_GIVEN_UP = 0, 1, 2
FATES = 3


class Scratch(NamedTuple):
    """Scratch memory for the events of a state."""

    whole: Integers
    rates: Floats
    """(any,) rate of each event."""


def scratch_for(tables: Tables, slots: int, *, cyclic: bool) -> Scratch:
    """Return scratch memory that suffices for every event of a network."""
    services = tables.service.shape[0]
    doors = tables.service[:, DOOR]
    moves = int(tables.lists[doors[doors >= 0], ROOM].sum()) + services + 4
    choices, notes = 2 * moves, 4 * moves + 4 * services
    phases = np.maximum(tables.pair[:, PHASES], 0)
    streams = np.maximum(tables.pair[:, ARRIVAL_PHASES], 0)
    routes = tables.pair[:, END_ROUTE] - tables.pair[:, FIRST_ROUTE]
    events = int((2 + streams + phases * (phases + 1 + routes)).sum())
    events += tables.route.shape[0] + int(tables.lists[:, ROOM].sum())
    sizes = [
        (CHOICE_AT, 2 * choices),
        (NOTE_AT, 2 * notes),
        (PREVIOUS_AT, services),
        (MOVER_AT, services),
        (EVENT_AT, 3 * events),
    ]
    whole = np.zeros(STATE + slots + sum(size for _, size in sizes), dtype=np.int64)
    place = STATE + slots
    for entry, size in sizes:
        whole[entry] = place
        place += size
    whole[CYCLIC] = int(cyclic)
    whole[WATCHED] = -1
    whole[FATE] = -1
    whole[SLOTS] = slots
    return Scratch(whole, np.zeros(events))
