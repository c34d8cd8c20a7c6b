"""The document and the table of parameters that estimates make."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.readers.estimate import Findings
from flownet.readers.estimate_cells import Estimate
from flownet.readers.log_arrivals import WEEK
from flownet.readers.stay_laws import LEAST
from flownet.readers.stays import Stays
from flownet.units import SECONDS

Parameter = dict[str, Any]
PARAMETERS = (
    "owner", "attribute", "class", "estimate", "standard_error", "low", "high", "n", "thin",
    "origin",
)  # fmt: skip


class Draft:
    """A document in the making, and its parameters beside it."""

    def __init__(self, stays: Stays, network: Mapping[str, Any]) -> None:
        self.stays = stays
        self.parameters: list[Parameter] = []
        self.document: dict[str, Any] = {"network": dict(network), "services": [], "routes": []}
        if len(stays.classes) > 1:
            self.document["classes"] = {name: {} for name in stays.classes}

    def put(
        self, row: dict[str, Any], owner: str, attribute: str,
        cells: Mapping[int, tuple[Estimate, str]],
    ) -> None:  # fmt: skip
        """Write an attribute by class into a row, with its origin and standard error."""
        classes = self.stays.classes
        values: dict[str, float] = {}
        errors: dict[str, float] = {}
        for job_class, (estimate, what) in sorted(cells.items()):
            name = classes[job_class]
            values[name] = estimate.value
            if math.isfinite(estimate.error):
                errors[name] = estimate.error
            self.parameters.append(
                dict(zip(PARAMETERS, (
                    owner, attribute, name, estimate.value, estimate.error, estimate.low,
                    estimate.high, estimate.n, estimate.thin, f"estimated: {what}",
                ), strict=True))
            )  # fmt: skip
        single = len(classes) == 1
        row[attribute] = values[classes[0]] if single else values
        whole = sum(estimate.n for estimate, _ in cells.values())
        said = next(iter(cells.values()))[1].split(", n=")[0]
        row.setdefault("origin", {})[attribute] = f"estimated: {said}, n={whole}"
        if errors:
            row.setdefault("standard_error", {})[attribute] = (
                errors[classes[0]] if single else errors
            )


def draft_of(
    stays: Stays,
    found: Findings,
    *,
    network: Mapping[str, Any],
    given: Mapping[str, Mapping[str, Any]],
    laws: bool,
    calendars: bool,
) -> Draft:
    """Return the document with everything that is known."""
    draft = Draft(stays, network)
    missing: list[Fault] = []
    for k, name in enumerate(stays.services):
        row = _service(
            draft, found, k, given.get(name, {}), missing, laws=laws, calendars=calendars
        )
        draft.document["services"].append(row)
    if missing:
        raise ParameterError(missing, "from_event_log")
    _routes(draft, found)
    return draft


def _service(
    draft: Draft, found: Findings, k: int, given: Mapping[str, Any], missing: list[Fault], *,
    laws: bool, calendars: bool,
) -> dict[str, Any]:  # fmt: skip
    stays = draft.stays
    row: dict[str, Any] = {"name": stays.services[k]}
    if stays.owners[k]:
        row["organisation"] = stays.owners[k]
    _servers(draft, found, k, row, given)
    if not {"service_time", "service_distribution"} & set(given):
        _times(draft, found, k, row, missing, laws=laws)
    if "external_arrival_rate" not in given and "external_arrival_calendar" not in given:
        _rates(draft, found, k, row, calendars=calendars)
    for attribute, value in given.items():
        row[attribute] = value
        row.setdefault("origin", {})[attribute] = "assumed: given by the caller"
    return row


def _rates(draft: Draft, found: Findings, k: int, row: dict[str, Any], *, calendars: bool) -> None:
    """Write rates of arrival, or calendars of the week where a rhythm is clear."""
    stays, name = draft.stays, row["name"]
    cells = {j: each for (service, j), each in found.arrivals.items() if service == k}
    if not cells:
        return
    rates = {
        j: (each.rate, f"arrivals from outside over the time observed, n={each.rate.n}")
        for j, each in cells.items()
    }
    draft.put(row, name, "external_arrival_rate", rates)
    weekly = calendars and any(each.smooth is not None for each in cells.values())
    scvs = {j: each.scv_about if weekly and each.about else each.scv for j, each in cells.items()}
    spreads = {
        j: (scv, f"scv of the times between arrivals, n={scv.n}")
        for j, scv in scvs.items()
        if scv is not None
    }
    if spreads:
        draft.put(row, name, "arrival_scv", spreads)
    if weekly:
        hour = 3600.0 / SECONDS[draft.document["network"]["time_unit"]]
        tables = {
            stays.classes[j]: [
                {"start": h * hour, "end": (h + 1) * hour, "value": float(value) * each.rate.value}
                for h, value in enumerate(np.ones(WEEK) if each.smooth is None else each.smooth)
            ]
            for j, each in cells.items()
        }
        for kind in ("origin", "standard_error"):
            row[kind]["external_arrival_calendar"] = row[kind].pop("external_arrival_rate")
        row["origin"]["external_arrival_calendar"] += "; by hour of the week, from Monday"
        del row["external_arrival_rate"]
        single = len(stays.classes) == 1
        row["external_arrival_calendar"] = tables[stays.classes[0]] if single else tables


def _servers(
    draft: Draft, found: Findings, k: int, row: dict[str, Any], given: Mapping[str, Any]
) -> None:
    if "servers" in given:
        return
    busy = found.busy.get(k)
    if busy is None:
        row["servers"] = "inf"
        row.setdefault("origin", {})["servers"] = "assumed: the log tells no concurrency"
        return
    row["servers"] = float(busy.most)
    n = int((draft.stays.service == k).sum())
    limit = "" if busy.saturated else ", never seen saturated, so that it is a lower bound"
    row.setdefault("origin", {})["servers"] = f"estimated: the most busy at once{limit}, n={n}"
    high = float(busy.most) if busy.saturated else math.inf
    values = (row["name"], "servers", "", float(busy.most), math.nan, float(busy.most), high, n,
              not busy.saturated, row["origin"]["servers"])  # fmt: skip
    draft.parameters.append(dict(zip(PARAMETERS, values, strict=True)))


def _times(
    draft: Draft, found: Findings, k: int, row: dict[str, Any], missing: list[Fault], *, laws: bool
) -> None:
    stays, name = draft.stays, row["name"]
    cells = {j: cell for (service, j), cell in found.time.items() if service == k}
    seen = set(stays.job_class[stays.service == k].tolist())
    if not cells:
        message = (
            "no stay has both a beginning and an end, so that its length cannot be told: give it "
            "by given = {service: {'service_time': ...}}, or leave the activity out by services"
        )
        missing.append(Fault(f"service '{name}'", "service_time", "", message))
        return
    if all(cell.mean.value == 0 for cell in cells.values()):
        row["servers"], row["service_time"] = "inf", 1e-6
        row["origin"] = {
            "servers": "assumed: all stays have length 0",
            "service_time": "assumed: all stays have length 0; 1e-6 stands for it",
        }
        return
    richest = max(cells.values(), key=lambda cell: cell.mean.n)
    times, spreads = {}, {}
    for j in sorted(seen | set(cells)):
        cell = cells.get(j)
        if cell is None or cell.mean.value == 0:
            borrowed = richest.mean._replace(n=0, thin=True)
            times[j] = (borrowed, "no timed stay of this class; that of the largest class, n=0")
            continue
        how = "mean of stays" if cell.whole else "mean of stays, open and late ones counted"
        how += f", the longest by a {cell.laws[0].family} law" if cell.by_law > 0.01 else ""
        how += ", drawn to the other classes" if cell.shrunk else ""
        times[j] = (cell.mean, f"{how}, n={cell.mean.n}")
        if math.isfinite(cell.scv.value):
            few = f"that of an exponential law, fewer than {LEAST} stays"
            spreads[j] = (cell.scv, f"{few if cell.scv.n < LEAST else how}, n={cell.scv.n}")
    draft.put(row, name, "service_time", times)
    if spreads:
        draft.put(row, name, "service_scv", spreads)
    best = {j: cell.laws[0].table for j, cell in cells.items() if cell.laws and j in times}
    if laws and set(best) == set(times):
        for attribute in ("service_time", "service_scv"):
            row.pop(attribute, None)
        origin = row["origin"].pop("service_time")
        row["origin"].pop("service_scv", None)
        row["origin"]["service_distribution"] = origin
        single = len(stays.classes) == 1
        row["service_distribution"] = (
            best[0] if single else {stays.classes[j]: law for j, law in best.items()}
        )


def _routes(draft: Draft, found: Findings) -> None:
    stays, pairs = draft.stays, {}  # type: tuple[Stays, dict[tuple[int, int], Any]]
    for (service, j), routing in found.routes.items():
        for to, share in zip(routing.to[:-1].tolist(), routing.shares[:-1], strict=True):
            pairs.setdefault((service, to), {})[j] = share
    for (start, end), shares in sorted(pairs.items()):
        names = (stays.services[start], stays.services[end])
        row: dict[str, Any] = {"from": names[0], "to": names[1]}
        cells = {j: (share, f"share of jobs, n={share.n}") for j, share in shares.items()}
        owner = f"{names[0]} -> {names[1]}"
        draft.put(row, owner, "routing_probability", cells)
        if len(stays.classes) > 1:
            told = row["routing_probability"]
            row["routing_probability"] = {c: told.get(c, 0.0) for c in stays.classes}
        back = found.returns.get((start, end))
        if back is not None:
            what = f"time from leaving to coming there, n={back.n}"
            cells = dict.fromkeys(shares, (back, what))
            draft.put(row, owner, "transfer_delay", cells)
        draft.document["routes"].append(row)
