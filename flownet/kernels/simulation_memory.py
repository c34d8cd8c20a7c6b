"""The simulator's memory: one array of words, read as integers (`q`) or as floats (`f`).

A service, a state (a pair service and class), a job, a route … is a run of words, known by the
address of its first; the constants below say at which offset from there each attribute stands,
and `q[job + at.NEXT]` or `f[job + at.SINCE]` reads it. The words at the addresses from 0 on are
those of the run itself (`q[at.HEAP_SIZE]`). Address 0 therefore stands for "none". Two flat arrays
instead of many records keep the compiled calls cheap.

A time average is kept as ``-sum(change * time of the change)``: at time t the integral of a count
n is ``n t + that sum``, so a change costs one addition.
"""

from __future__ import annotations

from typing import Final

NONE: Final = 0
UNLIMITED: Final = 1 << 62  # servers or places

# What the event of a record is, in its word KIND; for a job, its phase.
WAITING: Final = 1
SERVING: Final = 2
BLOCKED: Final = 3
HELD: Final = 4  # holds its server during a transfer
IN_TRANSIT: Final = 5
OUTSIDE: Final = 6
SOURCE: Final = 7  # a state: the next arrival from outside
SHARED: Final = 8  # a service: the next completion under processor sharing
CHANGE: Final = 9  # a calendar of servers: their next change
TICK: Final = 10  # the profile: the end of its present step

# What the event loop returns.
DONE: Final = 0
POOL_EXHAUSTED: Final = 1
TRACE_FULL: Final = 2
PAUSED: Final = 3
DEADLOCKED: Final = 4

# What a deadlock does, in ON_DEADLOCK.
EXCHANGE: Final = 0
STOP: Final = 1
STOPPED: Final = 2  # it has come

# ---- the run, at address 0
(
    NOW,  # f
    EVENTS,
    HEAP,  # address of the event heap, EVENT_WORDS an event
    HEAP_SIZE,
    HEAP_HOLE,  # 1 while the first place of the heap is open
    SEQUENCE,  # number of events planned
    FREE_JOB,  # first of the jobs that were given back
    NEW_JOB,  # address of the next job never used
    END_OF_JOBS,
    ALIVE,  # jobs inside or outside
    CASES,  # jobs that have come from outside
    EXCHANGES,  # deadlocks resolved
    MARK,  # number of the latest search for a cycle
    RING,  # number of services: the most overflows of one job at one time
    LIMITS,  # address of the times whose share of jobs is counted
    END_OF_LIMITS,
    TRACE,  # address of the next row of the trace
    END_OF_TRACE,  # 0 where no trace is kept
    LENGTH,  # number of all words
    ON_DEADLOCK,
    RANKED,  # whether some enter before others who have waited longer
    MOST_LEFT_FREE,  # places that any stream leaves free
    RUN_WORDS,
) = range(23)

# ---- events: state, service and job begin with these
POSITION: Final = 0  # address in the heap, NONE while not planned
KIND: Final = 1

# ---- in the heap
EVENT_TIME: Final = 0  # f
EVENT_SEQUENCE: Final = 1
EVENT: Final = 2  # address of the record whose event it is
EVENT_WORDS: Final = 3

# ---- a list of jobs; also the beginning of STREAM
HEAD: Final = 0
TAIL: Final = 1

# ---- service
(
    DISCIPLINE,
    PREEMPTIVE,
    IDLE,  # servers neither working nor held
    ROOM,  # free places
    QUEUE_LENGTH,  # jobs that wait inside
    BLOCKED_HERE,  # jobs here that wait to move on
    ENTRANCE,  # list of the jobs blocked, in transit or outside that wait for a place, by turn
    _,
    FIRST_QUEUE,  # its queues by rank, from here to END_QUEUE in steps of QUEUE_WORDS
    END_QUEUE,
    WHEN_FULL,
    EXTERNAL_WHEN_FULL,
    FIRST_PAIR,  # its blocking pairs, from here to END_PAIR in steps of PAIR_WORDS
    END_PAIR,
    FULL_AREA,  # f
    FOUND_FULL,  # jobs that found their destination full
    MARKED,  # scratch of the search for a cycle
    VIA,
    FOLLOWING,
    SERVERS,  # f; this and the following for processor sharing
    HELD_SERVERS,  # held by jobs that have been served
    SHARING,  # jobs that share
    ROOT,  # the job that finishes next
    SPEED,  # f, at which each job is served
    VIRTUAL,  # f, service received by a job that is always present
    VIRTUAL_AT,  # f, the time when VIRTUAL was right
    ALL_BLOCKED,  # whether every server is held by a job that waits to move on
    ALL_BLOCKED_AREA,  # f
    DEADLOCKS,  # that a job of this service has closed
    SERVICE_WORDS,
) = range(2, 32)

# ---- queue of one rank at a service
QUEUE: Final = 0  # list of jobs that wait
RANK_SERVING: Final = 2  # preemptive service: list of jobs of this rank in service
QUEUE_WORDS: Final = 4

# ---- state
(
    STATE_SERVICE,
    STATE_CLASS,
    STATE_QUEUE,
    OVERFLOW_STATE,
    FIRST_ROUTE,  # its routes, from here to END_ROUTE in steps of ROUTE_WORDS
    END_ROUTE,
    SERVICE_LAW,  # family, then three parameters (f)
    _,
    _,
    _,
    ARRIVAL_LAW,
    _,
    _,
    _,
    ARRIVAL_CALENDAR,  # address of its calendar, NONE where arrivals do not vary
    MEAN_PATIENCE,  # f
    EXTERNAL_TURN,  # of jobs from outside: those with a smaller one enter first
    EXTERNAL_LEFT_FREE,  # and find the service full where no more places are free
    NUMBER_WAITING,
    WAITING_AREA,  # f; so are the other areas
    NUMBER_IN_SERVICE,
    IN_SERVICE_AREA,
    NUMBER_BLOCKED,
    BLOCKED_AREA,
    NUMBER_HELD,
    HELD_AREA,
    NUMBER_OUTSIDE,
    OUTSIDE_AREA,
    ARRIVALS,
    EXTERNAL_ARRIVALS,
    ADMISSIONS,
    DELAYED_ADMISSIONS,
    STARTS,
    COMPLETIONS,
    LOSSES,
    OVERFLOWS,
    ABANDONMENTS,
    BLOCKINGS,
    ENTRIES_FROM_OUTSIDE,
    PREEMPTIONS,
    WAITING_SUM,  # f; so are the other sums
    BLOCKED_SUM,
    HELD_SUM,
    OUTSIDE_SUM,
    ARRIVAL_STREAM,
    _,
    SERVICE_STREAM,
    _,
    ROUTING_STREAM,
    _,
    PATIENCE_STREAM,
    _,
    TRANSFER_STREAM,
    _,
    STATE_WORDS,
) = range(2, 57)
STREAMS: Final = 5
STREAM_STATE: Final = 0
STREAM_STEP: Final = 1

# ---- class
(
    CLASS_NUMBER,
    NUMBER_IN_TRANSIT,
    IN_TRANSIT_AREA,
    TIME_SUM,  # f, of the times from admission to exit of the jobs that entered as this class
    TIME_SQUARE_SUM,
    WITHIN,  # address of the numbers of jobs that left within each of the limits
    LEFT,  # address of the numbers of jobs that left as each class
    SKETCH,  # address of the histogram of times, BUCKETS words
    CLASS_WORDS,
) = range(9)

# The histogram of times: bucket 0 holds times below 2**(LOWEST_EXPONENT - 1), then every power of
# two has STEPS buckets of equal width.
LOWEST_EXPONENT: Final = -40
OCTAVES: Final = 88
STEPS: Final = 128
BUCKETS: Final = 1 + OCTAVES * STEPS

# ---- job
(
    JOB_STATE,
    JOB_SERVICE,
    NEXT,  # in the list in which it stands; children in the heap of a shared service
    PREVIOUS,
    TARGET,  # the state in which it wants a place
    ROUTE,
    PAIR,
    NEXT_ON_PAIR,
    PREVIOUS_ON_PAIR,
    STARTED,  # 1 once its service here has begun
    ENTRY_CLASS,
    CASE,
    ENTERED,  # f, the network
    SINCE,  # f, when the present phase began
    WORK,  # f, service time; after a preemption what is left of it
    FINISH,  # f, processor sharing: virtual time at which it is finished
    ARRIVED,  # f, at the present service
    SERVED_FROM,  # f
    SERVED_TO,  # f
    JOB_WORDS,
) = range(2, 22)

# ---- route
(
    ROUTE_TO,
    CUMULATIVE,  # f
    DELAY,  # f
    HOLDS_SERVER,
    ROUTE_PAIR,  # on which a job of this route is blocked
    TURN,  # its jobs enter before those with a larger one
    LEFT_FREE,  # and find the end full where no more places are free
    ROUTE_WORDS,
) = range(8)

# ---- calendar: of a state's arrivals, or of a service's servers, then also an event
(
    OWNER,  # the service
    FIRST_STEP,  # its steps, from here to END_STEP in steps of STEP_WORDS
    END_STEP,
    STEP,  # the present step
    ROUNDS,  # whole cycles passed
    CYCLE,  # f, its length
    PER_CYCLE,  # f, arrivals in a cycle
    PLACES_FOLLOW,  # 1 where the places of the service change with its servers
    CALENDAR_WORDS,
) = range(2, 11)

# ---- step of a calendar
STEP_END: Final = 0  # f, from the beginning of the cycle
STEP_VALUE: Final = 1  # f
STEP_WORDS: Final = 2

# ---- profile: sums by service and step of a cycle, also an event
(
    PROFILE_STEP,  # number of the present step
    PROFILE_STEPS,
    PROFILE_ROUNDS,  # whole cycles passed
    PROFILE_WIDTH,  # f, length of a step
    GATHERED,  # f, time up to which the cells are right
    PROFILE_SERVICES,
    PROFILE_CLASSES,
    PROFILE_STATES,  # address of the first state
    PROFILE_TIMES,  # address of the time spent in each step (f)
    PROFILE_CELLS,  # address of the sums (f), by step, service and measure
    PROFILE_LAST,  # address of what was gathered up to GATHERED (f), by service and measure
    PROFILE_WORDS,
) = range(2, 14)

# ---- measures of the profile
(
    CELL_WAITING,
    CELL_IN_SERVICE,
    CELL_BLOCKED,
    CELL_HELD,
    CELL_OUTSIDE,
    CELL_ARRIVALS,
    CELLS,
) = range(7)

# ---- pair of services, the one blocked for the other
(
    PAIR_SOURCE,
    PAIR_TARGET,
    CYCLIC,  # 1 where both lie on a cycle of pairs
    PAIR_NUMBER,
    PAIR_AREA,  # f
    PAIR_HEAD,  # the jobs blocked on it, by turn, then the earliest first
    PAIR_TAIL,
    PAIR_WORDS,
) = range(8)

# ---- row of the trace
(
    ROW_CASE,
    ROW_STATE,
    ROW_ARRIVED,  # f, and the following
    ROW_STARTED,
    ROW_FINISHED,
    ROW_LEFT,
    ROW_WORDS,
) = range(7)
