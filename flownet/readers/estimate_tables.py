"""The tables of an estimated network, and what is said of its assumptions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from flownet.display import figure
from flownet.readers.estimate import Findings, Setting, observed
from flownet.readers.estimate_cells import Concurrency
from flownet.readers.estimate_document import PARAMETERS, Draft
from flownet.readers.log_arrivals import WEEK, Arrivals
from flownet.readers.log_quality import CODE, RULES
from flownet.readers.log_rows import Rows
from flownet.readers.stay_laws import weights_of
from flownet.readers.stays import BACK, LEFT, UNKNOWN, Stays, Steps

if TYPE_CHECKING:
    import pandas as pd

SHARED = 0.05
"""A resource counts at a service from this share of its stays on."""


def tables_of(
    rows: Rows, stays: Stays, steps: Steps, found: Findings, setting: Setting, draft: Draft
) -> dict[str, Any]:
    """Return the tables of an `EstimatedNetwork` by name."""
    import pandas as pd

    names = pd.Index(stays.services, name="service")
    lines = observed(stays, setting)
    seen = pd.DataFrame(lines, index=names)
    servers = [float(row.get("servers", 1.0)) for row in draft.document["services"]]
    seen["occupancy"] /= np.where(np.isfinite(servers), servers, math.nan)
    if not setting.true_clock:
        seen[["throughput", "number_present", "number_in_service", "occupancy"]] = math.nan
    routing = tuple(
        (stays.services[k], stays.classes[j], each) for (k, j), each in found.routes.items()
    )
    hours = pd.Index(range(WEEK), name="hour_of_week")
    profiles = {
        cell: each.profile for cell, each in found.arrivals.items() if each.profile is not None
    }
    profile = pd.DataFrame(
        {(stays.services[k], stays.classes[j]): v for (k, j), v in profiles.items()},
        index=hours,
    )
    profile.columns = [f"{service}, {kind}" for service, kind in profile.columns]
    return {
        "parameters": pd.DataFrame(draft.parameters, columns=list(PARAMETERS)),
        "arrivals": _arrivals(stays, found),
        "profile": profile,
        "stays": _stay_table(stays, found),
        "laws": _law_table(stays, found),
        "servers": pd.DataFrame(
            [busy._asdict() for busy in found.busy.values()],
            index=pd.Index([stays.services[k] for k in found.busy], name="service"),
            columns=list(Concurrency._fields),
        ),
        "pools": _pools(rows, stays),
        "handovers": _handovers(rows, stays, setting),
        "returns": _returns(steps, setting),
        "observed": seen,
        "routing": routing,
    }


def _indexed(stays: Stays, cells: list[tuple[int, int]], rows: list[Any], columns: Any) -> Any:
    import pandas as pd

    pairs = [(stays.services[k], stays.classes[j]) for k, j in cells]
    index = pd.MultiIndex.from_tuples(pairs, names=["service", "class"]) if pairs else (
        pd.MultiIndex.from_arrays([[], []], names=["service", "class"])
    )  # fmt: skip
    return pd.DataFrame(rows, index=index, columns=columns)


def _arrivals(stays: Stays, found: Findings) -> pd.DataFrame:
    rows = [
        (each.rate.value, each.rate.low, each.rate.high, each.rate.n, each.test.ratio,
         each.test.p_value, each.rhythm, each.about.ratio if each.about else math.nan,
         _verdict(each))
        for each in found.arrivals.values()
    ]  # fmt: skip
    columns = ["rate", "low", "high", "n", "dispersion", "p_value", "rhythm_p_value",
               "dispersion_about_rhythm", "verdict"]  # fmt: skip
    return _indexed(stays, list(found.arrivals), rows, columns)


def _verdict(arrivals: Arrivals) -> str:
    """Return in words whether arrivals are Poisson."""
    if arrivals.about is None:
        return arrivals.test.verdict
    return f"{arrivals.about.verdict}, about a rhythm of the week"


def _stay_table(stays: Stays, found: Findings) -> pd.DataFrame:
    rows = []
    for cell in found.time.values():
        best = cell.laws[0] if cell.laws else None
        rows.append((
            cell.mean.value, cell.mean.error, cell.scv.value, cell.scv.error, cell.mean.n,
            cell.open, best.family if best else "", best.distance if best else math.nan,
            best.fits if best else False, cell.shrunk,
        ))  # fmt: skip
    columns = ["mean", "mean_error", "scv", "scv_error", "n", "open", "family", "distance", "fits",
               "shrunk"]  # fmt: skip
    return _indexed(stays, list(found.time), rows, columns)


def _law_table(stays: Stays, found: Findings) -> pd.DataFrame:
    cells, rows = [], []
    for key, cell in found.time.items():
        weights = weights_of(cell.laws) if cell.laws else ()
        for law, weight in zip(cell.laws, weights, strict=True):
            cells.append(key)
            text = ", ".join(f"{k} = {v:.6g}" for k, v in law.table.items() if k != "family")
            rows.append((law.family, text, law.mean, law.mean_error, law.scv, law.scv_error,
                         law.aic, float(weight), law.distance))  # fmt: skip
    columns = ["family", "parameters", "mean", "mean_error", "scv", "scv_error", "aic", "weight",
               "distance"]  # fmt: skip
    # sorted, for pandas to find the laws of one service at once
    return _indexed(stays, cells, rows, columns).sort_index(kind="stable")


def _pools(rows: Rows, stays: Stays) -> pd.DataFrame:
    """Return resources that work at several services."""
    import pandas as pd

    names = rows.names["resource"]
    columns = ["resource", "services", "stays"]
    if not names or len(names) * len(stays.services) > 50_000_000:
        return pd.DataFrame(columns=columns)
    told = stays.resource >= 0
    width = len(stays.services)
    code, count = np.unique(stays.resource[told] * width + stays.service[told], return_counts=True)
    total = np.bincount(stays.resource[told], minlength=len(names))
    big = count >= SHARED * total[code // width]
    shared = np.bincount(code[big] // width, minlength=len(names)) > 1
    found = []
    for resource in np.flatnonzero(shared):
        at = code[big][code[big] // width == resource] % width
        where = ", ".join(stays.services[k] for k in at)
        found.append((names[resource], where, int(total[resource])))
    return pd.DataFrame(found, columns=columns)


def _handovers(rows: Rows, stays: Stays, setting: Setting) -> pd.DataFrame:
    import pandas as pd

    names = [*rows.names["organisation"], ""]
    columns = ["from", "to", "passages", "overlaps", "shortest_gap", "median_gap", "clock_ahead"]
    same = stays.case[1:] == stays.case[:-1]
    passed = same & (stays.organisation[1:] != stays.organisation[:-1])
    gap = (stays.first_time[1:] - stays.left[:-1]) / setting.unit
    passed &= np.isfinite(gap)
    at = np.flatnonzero(passed)
    pairs = np.stack([stays.organisation[at], stays.organisation[at + 1]], axis=1)
    pieces = {
        (start, end): gap[at[(pairs == (start, end)).all(axis=1)]]
        for start, end in (np.unique(pairs, axis=0).tolist() if at.size else [])
    }
    found = []
    for (start, end), piece in pieces.items():
        # where the quickest passages take as long both ways, half their difference is the clocks'
        back = pieces.get((end, start))
        ahead = math.nan if back is None else (piece.min() - back.min()) / 2.0
        found.append((names[start], names[end], piece.size, int((piece < 0).sum()),
                      float(piece.min()), float(np.median(piece)), float(ahead)))  # fmt: skip
    return pd.DataFrame(found, columns=columns)


def _returns(steps: Steps, setting: Setting) -> pd.Series[Any]:
    import pandas as pd

    delay = steps.delay[np.isfinite(steps.delay)] / setting.unit
    within = np.flatnonzero(steps.after[:-1] == BACK)
    near = steps.delay[within + 1] / setting.unit
    return pd.Series({
        "come_backs": float(delay.size),
        "returns": float(within.size),
        "mean_delay": float(near.mean()) if near.size else math.nan,
        "median_delay": float(np.median(near)) if near.size else math.nan,
    })  # fmt: skip


def sentences(
    rows: Rows, stays: Stays, steps: Steps, found: Findings, setting: Setting,
    given: Mapping[str, Mapping[str, Any]], *, calendars: bool,
) -> tuple[list[str], list[str]]:  # fmt: skip
    """Return what was assumed, and what the user should be wary of."""
    assumed = ["Where a job goes next does not depend on how long it stayed."]
    wary = _odd_stays(stays, setting)
    if rows.dated and setting.zone is None:
        assumed.append("Times without a zone are those of clocks that never change.")
    if np.isnan(stays.arrived).all():
        assumed.append(
            "The log does not tell when jobs came to a service: gaps before stays are taken for "
            "waiting, which the model explains, and not for service."
        )
    if (stays.left == stays.finished)[~np.isnan(stays.finished)].all():
        assumed.append(
            "The log does not tell when a server was free again: every stay is all service. Stays "
            "that end only when the next place opens make service times too long."
        )
    ended = int((stays.ends_with & (steps.after == LEFT)).sum())
    if ended:
        assumed.append(
            f"{ended:,} cases were taken to have left with their last event; say which activities "
            "mean leaving, or censored_at where cases go on."
        )
    unknown = int((steps.after == UNKNOWN).sum())
    if unknown:
        wary.append(f"After {unknown:,} stays it is not known where the job went.")
    away = int(np.isfinite(steps.delay).sum())
    back = int((steps.after == BACK).sum())
    if away > back:
        assumed.append(
            f"{away - back:,} of {away:,} come-backs were taken for new arrivals, the others for "
            "returns (returns_within)."
        )
    for k, busy in found.busy.items():
        if not busy.saturated and "servers" not in given.get(stays.services[k], {}):
            wary.append(
                f"{stays.services[k]} was never seen saturated: {busy.most} servers are only the "
                "most busy at once, and the data cannot tell whether there are more."
            )
    wary += _gaps(stays, setting) + _shared(rows, stays)
    wary += _odd_arrivals(stays, found, calendars=calendars)
    wary += _thin(stays, found) + _clocks(rows, stays, setting)
    bad = [CODE[rule] for rule, meaning in RULES.items() if meaning.startswith("refused")]
    lost = float(np.isin(rows.status, bad).mean())
    if lost > 0.1:
        wary.append(f"{lost:.0%} of the rows were refused; see the report.")
    return assumed, wary


def _odd_stays(stays: Stays, setting: Setting) -> list[str]:
    wary = []
    open_rows = int((~np.isnan(stays.started) & np.isnan(stays.finished)).sum())
    if open_rows and not math.isfinite(setting.drawn):
        wary.append(
            f"{open_rows:,} stays have no end and were not timed; if they had not ended when the "
            "log was drawn, say when by censored_at, or long stays are missed."
        )
    within = (stays.case[1:] == stays.case[:-1]) & (
        stays.organisation[1:] == stays.organisation[:-1]
    )
    overlaps = int((within & (stays.first_time[1:] < stays.left[:-1])).sum())
    if overlaps:
        wary.append(
            f"{overlaps:,} stays begin before the stay before them of the same case has ended: a "
            "job is in one place at a time, and its stays were taken in the order of beginning."
        )
    return wary


def _gaps(stays: Stays, setting: Setting) -> list[str]:
    """Return what is said of long gaps between the stays of a case."""
    same = stays.case[1:] == stays.case[:-1]
    gap = (stays.first_time[1:] - stays.left[:-1])[same & np.isnan(stays.gone[:-1])]
    length = stays.finished - stays.started
    length = length[np.isfinite(length)]
    if not gap.size or not length.size:
        return []
    long = int((gap > 10.0 * np.median(length)).sum())
    if long < 0.01 * gap.size or not math.isinf(setting.leaves_after):
        return []
    return [
        f"{long:,} gaps between stays of a case are longer than ten median stays: where the job "
        "had left meanwhile, say so by leaves_after and returns_within."
    ]


def _shared(rows: Rows, stays: Stays) -> list[str]:
    """Return the pools that are suggested."""
    pools = _pools(rows, stays)
    said = []
    for where, group in list(pools.groupby("services"))[:8]:
        some = ", ".join(group["resource"].iloc[:3]) + (" …" if len(group) > 3 else "")
        said.append(
            f"Resources ({len(group):,}: {some}) work at {where}: their servers may be one pool; "
            "see .pools."
        )
    return said


def _odd_arrivals(stays: Stays, found: Findings, *, calendars: bool) -> list[str]:
    said = []
    for (k, j), each in found.arrivals.items():
        where = f"Arrivals at {stays.services[k]}, {stays.classes[j]},"
        if (each.about or each.test).verdict.startswith("more"):
            said.append(f"{where} are {_verdict(each)}.")
        if each.smooth is not None and not calendars:
            said.append(
                f"{where} follow the hour or the day of the week; see .profile, and calendars = "
                "True for a network that follows them too."
            )
    return said


def _thin(stays: Stays, found: Findings) -> list[str]:
    thin = [
        f"{stays.services[k]}, {stays.classes[j]} (n={cell.mean.n})"
        for (k, j), cell in found.time.items()
        if cell.mean.thin
    ]
    poor = {
        f"{stays.services[k]}, {stays.classes[j]}": cell.mixture
        for (k, j), cell in found.time.items()
        if cell.laws and not cell.laws[0].fits
    }
    said = []
    if thin:
        said.append(f"Lengths of stay rest on few observations at {'; '.join(thin[:8])}.")
    for where, mixture in list(poor.items())[:8]:
        text = f"No single law fits the stays at {where}: they look like a mixture"
        if mixture is not None:
            (share, more), (short, long) = mixture.shares, mixture.means
            text += (
                f", such as {share:.0%} of lognormal stays of mean {figure(short)} and {more:.0%} "
                f"of mean {figure(long)}"
            )
        said.append(f"{text}; consider job classes.")
    return said


def _clocks(rows: Rows, stays: Stays, setting: Setting) -> list[str]:
    table = _handovers(rows, stays, setting)
    return [
        f"{row['overlaps']:,} of {row['passages']:,} passages from {row['from']!r} to "
        f"{row['to']!r} begin before the stay before ended (by up to "
        f"{figure(-row['shortest_gap'])}): stays overlap, or the clocks disagree"
        + (
            ""
            if math.isnan(row["clock_ahead"])
            else f" (passages both ways suggest that those of {row['to']!r} run "
            f"{figure(row['clock_ahead'])} ahead)"
        )
        + "; see clock_offsets."
        for row in table.to_dict("records")
        if row["overlaps"] > 0.05 * row["passages"]
    ]
