"""The simulation beside the figures that PathSimR publishes for its use cases.

PathSimR (Tyler et al. 2022, PLOS ONE 17:e0268837), Use Case Library, network and calendar templates
and simulation tables; NHS Bristol, North Somerset and South Gloucestershire.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from flownet.network.model import Network
from flownet.readers.examples import example
from flownet.solvers.simulate import simulate

Row = dict[str, Any]
RUNS = 100


class Window(NamedTuple):
    """From when to when is counted."""

    warmup: float
    horizon: float


def _law(mu: float, sigma: float) -> Row:
    return {"family": "lognormal", "mu": mu, "sigma": sigma}


def _calendar(*rows: tuple[float, float, float]) -> list[Row]:
    return [{"start": start, "end": end, "value": value} for start, end, value in rows]


def _routes(ways: dict[str, dict[str, float]], delays: dict[str, float]) -> list[Row]:
    """Return routes; beds are kept during a delay, also on the way out."""
    return [
        {"from": start, "to": end, "routing_probability": share}
        | ({"transfer_delay": delays[end], "holds_server": True} if end in delays else {})
        for start, ends in ways.items()
        for end, share in ends.items()
    ]


def _ends(delays: dict[str, float]) -> list[Row]:
    return [{"name": name, "discipline": "delay", "service_time": 1e-6} for name in delays]


def stroke() -> Network:
    """Return the stroke pathway: 40, 35 and twice 20 beds, no waiting places between them."""
    delays = {"Complex1": 2.0, "Complex2": 2.0, "Simple1": 1.5, "Simple2": 1.5, "HomeESD": 1.5,
              "Home": 0.5, "Repat": 2.0}  # fmt: skip
    beds = {"HASU": (40, 3.3), "ASU": (35, 7.7), "SA1": (20, 24.0), "SA2": (20, 24.0)}
    services: list[Row] = [
        {"name": name, "servers": count, "capacity": count, "service_time": stay}
        for name, (count, stay) in beds.items()
    ]
    services[0] |= {"external_arrival_rate": 5.14, "external_when_full": "wait_outside"}
    ways = {
        "HASU": {"ASU": 0.42, "HomeESD": 0.075, "Home": 0.15, "Repat": 0.03},
        "ASU": {"SA1": 0.35, "SA2": 0.225, "HomeESD": 0.27, "Home": 0.09, "Repat": 0.02},
        "SA1": {"Complex1": 0.71, "Simple1": 0.29},
        "SA2": {"Complex2": 0.71, "Simple2": 0.29},
    }
    document = {"network": {"time_unit": "day"}, "services": services + _ends(delays)}
    return Network.from_dict(document | {"routes": _routes(ways, delays)})


def emergency() -> Network:
    """Return the emergency department, whose arrivals and shock room follow the hour of day."""
    young = _calendar((0, 6, 0.33), (6, 12, 0.66), (12, 18, 0.638), (18, 24, 0.572))
    services: list[Row] = [
        {"name": "Shock_room", "service_distribution": _law(-0.88056, 1.1467),
         "server_calendar": _calendar((0, 8, 3), (8, 20, 6), (20, 24, 3)), "waiting_room": 0,
         "external_arrival_calendar":
             _calendar((0, 6, 0.1725), (6, 12, 0.345), (12, 18, 0.3335), (18, 24, 0.299))},
        {"name": "Intensive_treatment", "servers": 4,
         "service_distribution": _law(-0.88056, 1.1467)},
        {"name": "Observation", "servers": 8, "service_distribution": _law(-1.4285, 1.6902),
         "external_arrival_calendar": young},
        {"name": "Emergency_yellow", "servers": 5, "service_distribution": _law(-0.97632, 1.3974),
         "external_arrival_calendar": young},
        {"name": "Emergency_green", "servers": 10, "service_distribution": _law(-0.40614, 0.90126),
         "external_arrival_calendar": _calendar((0, 8, 2.8), (8, 20, 3.8), (20, 24, 2.8))},
        {"name": "Examination", "servers": 5, "service_distribution": _law(-2.2664, 1.1463)},
    ]  # fmt: skip
    for row in services:
        if "servers" in row:
            row["capacity"] = row["servers"]
        if "external_arrival_calendar" in row:
            row["external_when_full"] = "wait_outside"
    slow = {"Admission": 0.5}
    ways = {
        "Shock_room": {"Intensive_treatment": 0.975},
        "Intensive_treatment": {"Examination": 0.1, "Admission": 0.8},
        "Observation": {"Emergency_yellow": 0.5, "Admission": 0.25},
        "Emergency_yellow": {"Examination": 0.3},
        "Emergency_green": {"Admission": 0.3},
        "Examination": {"Emergency_yellow": 0.5, "Emergency_green": 0.1, "Admission": 0.2},
    }
    document = {"network": {"time_unit": "hour"}, "services": services + _ends(slow)}
    return Network.from_dict(document | {"routes": _routes(ways, slow)})


PUBLISHED: dict[str, dict[str, float]] = {
    "stroke": {"HASU": 22.348, "ASU": 25.785, "SA1": 19.107, "SA2": 12.641},
    "obstetrics": {"Triage": 5.576, "APM": 13.238, "APNM": 7.562, "LD": 8.797, "PP": 30.734,
                   "PACU": 0.910, "MSW": 10.101},
    "emergency": {"Shock_room": 0.238, "Intensive_treatment": 0.343, "Observation": 0.663,
                  "Emergency_yellow": 0.985, "Emergency_green": 3.848, "Examination": 0.104},
}  # fmt: skip
"""Beds occupied on average: at work, blocked, and kept during transitions."""


def occupied(network: Network, window: Window, runs: int) -> pd.DataFrame:
    """Return the beds occupied by service, and the half-width, from empty at time 0."""
    table = simulate(
        network, horizon=window.horizon, warmup=window.warmup, replications=runs, seed=1
    ).services
    parts = ["number_in_service", "number_blocked", "number_held_in_transfer"]
    widths = table[[f"{part}_halfwidth" for part in parts]].sum(axis=1)
    return pd.DataFrame({"beds": table[parts].sum(axis=1), "width": widths})


def pathsimr(count: int | None) -> str:
    """Return one table a use case: theirs, ours over a short window, and ours in the long run."""
    runs = count or RUNS
    cases = {
        "stroke": (stroke(), Window(200, 565), Window(4000, 12000)),
        "obstetrics": (example("obstetrics"), Window(200, 400), Window(2000, 4000)),
        "emergency": (emergency(), Window(240, 960), Window(240, 9600)),
    }
    lines = [
        "## simulation: beds occupied in PathSimR's use cases",
        "",
        f"{runs} runs from empty; half-widths are of 95 % and, being added up over beds at work, "
        "blocked and in transition, too wide. Where the short and the long run differ, PathSimR's "
        "run had not come to a steady state: the stroke pathway is so near to its limit that a "
        "year after 200 days is far from it. The emergency department follows the calendars of "
        "arrivals and beds; nobody waits there for long, so that Little's law gives the beds from "
        "arrivals and stays alone (0.230 in the shock room, 0.619 under observation, 0.097 in "
        "examination): what PathSimR shows above that is the noise of its run.",
    ]
    for name, (network, short, long) in cases.items():
        first, second = occupied(network, short, runs), occupied(network, long, runs)
        unit = network.time_unit
        lines += [
            "",
            f"| {name} | PathSimR | {short.warmup:g} to {short.horizon:g} {unit}s | "
            f"{long.warmup:g} to {long.horizon:g} {unit}s |",
            "| --- | --- | --- | --- |",
        ]
        for service, theirs in PUBLISHED[name].items():
            ours = [f"{t.loc[service, 'beds']:.3g} ± {t.loc[service, 'width']:.2g}"
                    for t in (first, second)]  # fmt: skip
            lines.append(f"| {service} | {theirs:.3g} | {' | '.join(ours)} |")
    return "\n".join(lines)


SECTIONS = {"PathSimR's use cases": pathsimr}
