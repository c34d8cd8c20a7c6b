"""What moves a goal most: factors of a study, parameters of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from flownet.display import figure
from flownet.errors import Fault, ParameterError
from flownet.study.ranking import Tornado
from flownet.view.ink import BLUE, INK, LEGEND, ORANGE, cut, figure_of, plural, shown, with_unit

if TYPE_CHECKING:
    from flownet.constraint.sensitivity import Sensitivities


def tornado_chart(tornado: Tornado, *, most: int = 20) -> go.Figure:
    """Return how far each factor moves a goal, as bars from its low to its high end.

    Parameters
    ----------
    tornado : Tornado
        Of a study: ``result.tornado("delay")``.
    most : int
        Factors that are drawn, the strongest first.

    Returns
    -------
    plotly.graph_objects.Figure
        An end without limit (a backlog grows) runs to the edge and says so.

    Raises
    ------
    ParameterError
        Where the baseline or every factor has no finite value.
    """
    table = tornado.table[tornado.table["swing"].notna()].iloc[:most]
    ends = table[["low", "high"]].to_numpy(dtype=float)
    finite = ends[np.isfinite(ends)]
    if not np.isfinite(tornado.baseline) or not finite.size:
        message = "neither the baseline nor a factor is finite: there is nothing to measure from"
        raise ParameterError([Fault("tornado_chart", tornado.goal.name, "", message)])
    low, high = (float(pick(finite.min(), tornado.baseline)) if pick is min else
                 float(pick(finite.max(), tornado.baseline)) for pick in (min, max))  # fmt: skip
    span = (high - low) or abs(tornado.baseline) or 1.0
    edge = high + 0.3 * span if np.isposinf(ends).any() else high
    bars = []
    for side, color in (("low", BLUE), ("high", ORANGE)):
        values = table[side].to_numpy(dtype=float)
        drawn = np.where(np.isposinf(values), edge, values)
        bars.append(go.Bar(
            x=np.where(np.isnan(drawn), 0.0, drawn - tornado.baseline),
            base=tornado.baseline, y=list(range(len(table))), orientation="h", name=f"{side} end",
            marker={"color": color},
            hovertext=[f"{shown(setting, 60) or shown(name, 60)}: {figure(float(value))}"
                       for setting, name, value in zip(table[f"{side}_setting"], table.index,
                                                       values, strict=True)],
            hoverinfo="text",
        ))  # fmt: skip
    notes = [
        {"x": edge, "y": place, "text": "no limit", "showarrow": False, "xanchor": "right",
         "font": {"size": 11, "color": INK}}
        for place in np.flatnonzero(np.isposinf(ends).any(axis=1)).tolist()
    ]  # fmt: skip
    goal, unit = tornado.goal.name.removeprefix("goal ").replace("_", " "), tornado.goal.unit
    strongest = table.iloc[0]
    title = (
        f"{table.index[0]} moves {goal} most: {_ends(strongest)} {plural(unit)}, "
        f"from {figure(tornado.baseline)} today"
    )
    left = len(tornado.table) - len(table)
    note = tornado.method.capitalize() + "." + f" {left} more are not drawn." * (left > 0)
    chart = figure_of(
        bars, title, 30 * len(table) + 30, note=note, barmode="overlay", bargap=0.3,
        annotations=notes, legend=LEGEND,
    )  # fmt: skip
    chart.update_xaxes(title={"text": with_unit(goal, unit)},
                       range=[low - 0.06 * span, edge + 0.06 * span])  # fmt: skip
    _rows(chart, [shown(name, 34) for name in table.index])
    chart.add_vline(x=tornado.baseline, line={"color": INK, "width": 1.5})
    return chart


def _ends(row: pd.Series[float]) -> str:
    """Return the ends of a factor in words."""
    ends = [float(row[side]) for side in ("low", "high") if not np.isnan(row[side])]
    return " or ".join(figure(end) for end in ends)


def sensitivity_bars(sensitivities: Sensitivities, *, most: int = 20) -> go.Figure:
    """Return by how many percent 1 % more of each parameter moves a goal, the strongest first.

    Parameters
    ----------
    sensitivities : Sensitivities
        As `flownet.sensitivities` returns them.
    most : int
        Parameters that are drawn.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParameterError
        Where no parameter has a finite elasticity.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
    ... })
    >>> len(fn.view.sensitivity_bars(fn.sensitivities(network)).data) > 0
    True
    """
    whole = sensitivities.table
    known = whole[np.isfinite(whole["elasticity"].to_numpy(dtype=float))]
    known = known[known["elasticity"] != 0]
    if known.empty:
        message = "no parameter moves it by a finite share"
        raise ParameterError([Fault("sensitivity_bars", sensitivities.goal, "", message)])
    table = known.iloc[:most]
    network = sensitivities.solution.network
    several = len(network.classes) > 1
    labels = {str(name): network.label(name) for name in network.services}
    names = [_parameter(key, labels, 16, several=several) for key in table.index]
    values = table["elasticity"].tolist()
    places = range(len(values))
    bars = [
        go.Bar(
            x=[values[k] for k in places if (values[k] > 0) == rises],
            y=[k for k in places if (values[k] > 0) == rises],
            orientation="h", name="more of it raises the goal" if rises else "… lowers the goal",
            marker={"color": ORANGE if rises else BLUE},
            text=[figure(values[k], 2) for k in places if (values[k] > 0) == rises],
            textposition="outside", cliponaxis=False,
            hovertemplate="%{text} % for 1 % more<extra></extra>",
        )
        for rises in (True, False)
    ]  # fmt: skip
    whole_name = _parameter(table.index[0], labels, 60, several=several)
    title = f"1 % more of {whole_name} moves {sensitivities.goal} by "
    left = len(known) - len(table)
    chart = figure_of(
        [bar for bar in bars if len(bar.x)], title + f"{figure(values[0], 2)} %",
        26 * len(values) + 30, note=f"{left} weaker parameters are not drawn." * (left > 0),
        bargap=0.3, legend=LEGEND,
    )  # fmt: skip
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.13 * (high - low)
    chart.update_xaxes(title={"text": f"change of {shown(sensitivities.goal)} [% for 1 % more]"},
                       range=[low - room * (low < 0), high + room * (high > 0)])  # fmt: skip
    _rows(chart, [shown(name, 54) for name in names])
    return chart


SHORT = {"routing_probability": "share", "external_arrival_rate": "arrivals",
         "service_time": "stay"}  # fmt: skip


def _parameter(
    key: tuple[str, str, str], labels: dict[str, str], most: int, *, several: bool
) -> str:
    """Return what a parameter is called: its short name, where, and of which class."""
    where, job_class, parameter = (str(part) for part in key)
    ends = [where] if where in labels else where.split(" -> ")
    place = " → ".join(cut(labels.get(end, end), most if len(ends) > 1 else 24) for end in ends)
    of = f" ({cut(job_class, 10)})" if several and job_class not in {"", "all"} else ""
    return f"{SHORT.get(parameter, parameter.replace('_', ' '))} at {place}{of}"


def _rows(chart: go.Figure, names: list[str]) -> None:
    chart.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6],
        showgrid=False, zeroline=False,
    )  # fmt: skip
