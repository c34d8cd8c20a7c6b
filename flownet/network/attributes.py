"""The one table of attributes: it feeds the check, the readers, the docs and `flownet attributes`.

Every attribute of a network, a job class, a service and a route stands here once, with its kind,
unit, default, range and meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from flownet.units import SECONDS

Owner = Literal["network", "class", "service", "route"]
Kind = Literal[
    "text", "number", "probability", "choice", "boolean", "whole", "distribution", "table",
    "calendar",
]  # fmt: skip


PLAIN_KINDS: Final = {
    "text": "a text",
    "boolean": "true or false",
    "table": "a table",
    "distribution": "a table with family and its parameters",
    "calendar": "rows {start, end, value} that cover a cycle from 0 without gap or overlap",
}
"""What a right value is, of the kinds that have no range."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the description.

    Parameters
    ----------
    name : str
        The key in the document, from the glossary.
    owner : {'network', 'class', 'service', 'route'}
        What carries it.
    kind : str
        ``text``, ``number``, ``probability``, ``choice``, ``boolean``, ``whole`` (number),
        ``distribution``, ``calendar`` or ``table``.
    unit : str
        ``T`` is the network's time unit, ``job`` one patient, referral or item.
    default : object
        What holds where it is absent; None means that nothing is assumed.
    meaning : str
        One sentence, with the trap.
    by_class : bool
        Whether a table by class may stand in its place.
    low, high : float
        Range of a number, ends included unless `low_open`.
    low_open : bool
        Whether `low` itself is refused.
    infinite : bool
        Whether ``inf`` (in documents the string 'inf') is allowed.
    required : bool
        Whether it has to be given.
    choices : tuple of str
        The values of a ``choice``.
    """

    name: str
    owner: Owner
    kind: Kind
    unit: str
    default: object
    meaning: str
    by_class: bool = False
    low: float = 0.0
    high: float = math.inf
    low_open: bool = False
    infinite: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What a right value is, in plain words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind in PLAIN_KINDS:
            return PLAIN_KINDS[self.kind]
        noun = "a whole number" if self.kind == "whole" else "a number"
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'above' if self.low_open else 'at least'} {self.low:g}")
        if self.high < math.inf:
            bounds.append(f"at most {self.high:g}")
        text = " ".join([noun, " and ".join(bounds)]).strip()
        return text + (", or 'inf'" if self.infinite else ", finite")


def _service(
    name: str, kind: Kind, unit: str, default: object, meaning: str, **rest: object
) -> Attribute:
    return Attribute(name, "service", kind, unit, default, meaning, **rest)  # type: ignore[arg-type]  # keywords of one dataclass


ATTRIBUTES: Final[tuple[Attribute, ...]] = (
    Attribute("name", "network", "text", "", "network", "What the network is called."),
    Attribute(
        "time_unit", "network", "choice", "", None,
        "The unit T of every time and rate; declared once, there is no default.",
        required=True, choices=tuple(SECONDS),
    ),
    Attribute("currency", "network", "text", "", "", "The money of all costs, for instance GBP."),
    Attribute("notes", "network", "text", "", "", "Free text: sources, what is not modelled."),
    Attribute(
        "cost_of_delay", "network", "number", "money/(job T)", 0.0,
        "Price of one job's delay for one T, wherever a service or class says nothing else.",
    ),
    Attribute(
        "cost_of_loss", "network", "number", "money/job", None,
        "Price of one job lost, overflowed or given up, wherever a service says nothing else. "
        "Without it the goal 'delay' is refused where jobs can be lost.",
    ),
    Attribute("label", "class", "text", "", "", "What the class is called in tables and reports."),
    Attribute(
        "priority", "class", "whole", "rank", 1,
        "Rank at services whose discipline is priority or preemptive; the smallest is served "
        "first.",
        low=-1000000, high=1000000,
    ),
    _service("name", "text", "", None, "The service's name, unique in the network.", required=True),
    _service("label", "text", "", "", "What reports show in place of the name."),
    _service("organisation", "text", "", "", "Who owns the service; results add up by it."),
    _service(
        "servers", "number", "server", 1.0,
        "Beds, staff or slots that serve at the same time; 'inf' serves everybody at once.",
        low_open=True, infinite=True,
    ),
    _service(
        "server_calendar", "calendar", "server", None,
        "Servers by time of a cycle that begins at time 0 and ends with its last row, in place of "
        "servers; where they fall, jobs in service are finished first (shared servers: are slowed "
        "at once). A waiting_room stays as it is, a capacity too. Formulas take the time mean.",
    ),
    _service("server_label", "text", "", "server", "What one server is called, for instance bed."),
    _service(
        "service_time", "number", "T", None,
        "Mean time that one server needs for one job, without waiting or blocking.",
        by_class=True, low_open=True,
    ),
    _service(
        "service_scv", "number", "-", 1.0,
        "Variance of the service time over its squared mean; 1 is exponential, 0 constant.",
        by_class=True, high=1e6,
    ),
    _service(
        "service_distribution", "distribution", "", None,
        "The law of the service time, in place of service_time and service_scv.", by_class=True,
    ),
    _service(
        "external_arrival_rate", "number", "job/T", 0.0, "Arrivals from outside the network only.",
        by_class=True,
    ),
    _service(
        "external_arrival_calendar", "calendar", "job/T", None,
        "Arrivals from outside by time of a cycle, in place of external_arrival_rate. Formulas "
        "take the time mean.", by_class=True,
    ),
    _service(
        "arrival_scv", "number", "-", 1.0,
        "Variance over squared mean of the times between outside arrivals; 1 is Poisson. With a "
        "calendar, of the times on a clock that runs with the rate.",
        by_class=True, high=1e6,
    ),
    _service(
        "capacity", "number", "job", math.inf,
        "Places: waiting plus in service plus blocked there; at least `servers`.",
        low_open=True, infinite=True,
    ),
    _service(
        "waiting_room", "number", "job", None,
        "Waiting places only: capacity = servers + waiting_room. Give one of the two.",
        infinite=True,
    ),
    _service(
        "when_full", "choice", "", "blocked_after_service",
        "What meets a job from another service that finds `capacity` jobs: it keeps its server "
        "there, is lost, or overflows to `overflow_to`.",
        choices=("blocked_after_service", "lost", "overflow"),
    ),
    _service(
        "external_when_full", "choice", "", "lost",
        "What meets a job from outside that finds `capacity` jobs.",
        choices=("lost", "wait_outside", "overflow"),
    ),
    _service("overflow_to", "text", "", "", "The service that takes what overflows."),
    _service(
        "external_entry_priority", "whole", "rank", 1,
        "Rank of jobs from outside among all who wait for a place here, blocked elsewhere or "
        "outside; the smallest enters first, equal ones first come, first served.",
        by_class=True, low=-1000000, high=1000000,
    ),
    _service(
        "external_places_left_free", "whole", "job", 0,
        "Places that jobs from outside leave free for others: they find the service full where no "
        "more than so many are free. Below the capacity.",
        by_class=True, high=1000000,
    ),
    _service(
        "patience", "number", "T", math.inf,
        "Mean time that a waiting job stays before it gives up and leaves the network.",
        by_class=True, low_open=True, infinite=True,
    ),
    _service(
        "discipline", "choice", "", "fcfs",
        "Who is served next: first come, by priority (not interrupting), by priority and at once, "
        "interrupting a worse rank (preemptive), all sharing the servers (ps), or nobody waits "
        "(delay).",
        choices=("fcfs", "priority", "preemptive", "ps", "delay"),
    ),
    _service(
        "priority", "whole", "rank", None,
        "Rank by class at this service, in place of the class's own; the smallest first.",
        by_class=True, low=-1000000, high=1000000,
    ),
    _service("cost_per_server", "number", "money/(server T)", 0.0, "Cost of one server for one T."),
    _service(
        "cost_of_delay", "number", "money/(job T)", None,
        "Price of one job's delay for one T at this service.", by_class=True,
    ),
    _service(
        "cost_of_loss", "number", "money/job", None,
        "Price of one job lost, overflowed or given up at this service.", by_class=True,
    ),
    _service(
        "target", "number", "T", None, "Target for the waiting time, shown beside the result.",
        low_open=True,
    ),
    _service("min_servers", "number", "server", 0.0, "The least that reallocation may leave."),
    _service(
        "max_servers", "number", "server", math.inf, "The most that reallocation may give.",
        infinite=True,
    ),
    _service(
        "origin", "table", "", None,
        "Where each attribute comes from: published, estimated or assumed.",
    ),
    _service("standard_error", "table", "", None, "Standard error of each estimated attribute."),
    Attribute(
        "routing_probability", "route", "probability", "-", 1.0,
        "Share of the jobs leaving `from` that go to `to`; the rest of 1 leaves the network.",
        by_class=True, high=1.0,
    ),
    Attribute(
        "transfer_delay", "route", "number", "T", 0.0,
        "Mean time of the hand-off, before a place is asked for.", by_class=True,
    ),
    Attribute(
        "holds_server", "route", "boolean", "", default=False,
        meaning="Whether the server is kept during the transfer delay.", by_class=True,
    ),
    Attribute(
        "entry_priority", "route", "whole", "rank", 1,
        "Rank of its jobs among all who wait for a place at `to`, blocked elsewhere or outside; "
        "the smallest enters first, equal ones first come, first served.",
        by_class=True, low=-1000000, high=1000000,
    ),
    Attribute(
        "places_left_free", "route", "whole", "job", 0,
        "Places at `to` that its jobs leave free for others: they find it full where no more than "
        "so many are free. Below the capacity of `to`.",
        by_class=True, high=1000000,
    ),
    Attribute(
        "to_class", "route", "text", "", None, "The class as which the job goes on.", by_class=True,
    ),
    Attribute("origin", "route", "table", "", None, "Where each attribute comes from."),
    Attribute(
        "standard_error", "route", "table", "", None, "Standard error of each estimated attribute.",
    ),
)  # fmt: skip


def attributes_of(owner: Owner) -> dict[str, Attribute]:
    """Return the attributes of one owner by name, in the table's order."""
    return {attribute.name: attribute for attribute in ATTRIBUTES if attribute.owner == owner}


NETWORK: Final = attributes_of("network")
CLASS: Final = attributes_of("class")
SERVICE: Final = attributes_of("service")
ROUTE: Final = attributes_of("route")
DEFAULT_CLASS: Final = "all"
"""The name of the one class of a network that declares none."""
