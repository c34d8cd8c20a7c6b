"""`panel`: sliders for servers and demand at each service, with map and table that follow."""

from __future__ import annotations

import html
import math
from typing import Any

from flownet.display import figure
from flownet.errors import Fault, FlownetError, ParameterError, UnconvergedError, UnknownNameError
from flownet.network.model import Network, ServiceName
from flownet.network.values import nearest
from flownet.readers.extras import library
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.study.parameters import Parameter
from flownet.study.scenario import Scenario
from flownet.study.variation import Variation
from flownet.view.map import draw
from flownet.view.page import map_picture, stored

MOST_DEMAND = 2.0
"""Demand goes from a tenth to so many times today's."""


class WhatIf:
    """A solved network whose servers and demand can be set, and what it then looks like.

    The part of a `Panel` that needs no widgets.

    Attributes
    ----------
    today : Solution
        As the network is.
    now : Solution
        With the present settings.
    values, start : dict
        Servers, and factors of demand, by ``(what, service)``: now and today.
    trouble : str
        Why the settings have no solution; empty where they have.
    """

    def __init__(self, network: Network, method: str) -> None:
        self.today = solve(network, method)
        if not self.today.converged:
            message = f"the network could not be solved by '{self.today.method}'"
            raise UnconvergedError(message)
        self.now, self.trouble = self.today, ""
        self._parameters: dict[tuple[str, ServiceName], Parameter] = {}
        self.values: dict[tuple[str, ServiceName], float] = {}
        arrays = self.today.compilation.arrays
        entering = arrays.external_arrival_rate.sum(axis=1)
        for name, servers, rate in zip(network.services, arrays.servers, entering, strict=True):
            if math.isfinite(servers):
                self._add("servers", name, float(servers))
            if rate > 0:
                self._add("demand", name, 1.0)
        self.start = dict(self.values)
        self._variation = Variation(network, tuple(self._parameters.values()))

    def _add(self, what: str, name: ServiceName, value: float) -> None:
        scale = what == "demand"
        attribute = "external_arrival_rate" if scale else "servers"
        text = f"scale {attribute} at {name}" if scale else f"{attribute} at {name}"
        self._parameters[what, name] = Parameter(text, attribute, (name,), "", scale)
        self.values[what, name] = value

    def put(self, what: str, name: ServiceName, value: float) -> None:
        """Set the servers of a service, or the factor of its demand, and solve."""
        self.values[what, name] = value
        try:
            arrays = self._variation.compilation(list(self.values.values())).arrays
            found = self.today.again(arrays, any_mode=True)
            if not found.converged:
                message = f"method '{found.method}' does not converge with these settings"
                raise UnconvergedError(message)
        except FlownetError as error:
            self.trouble = str(error)
        else:
            self.now, self.trouble = found, ""

    def back(self) -> None:
        """Set everything as it is today."""
        self.values = dict(self.start)
        self.now, self.trouble = self.today, ""

    def scenario(self, name: str) -> Scenario:
        """Return the settings that differ from today's as a scenario."""
        return Scenario(name, tuple(
            self._parameters[key].change(value)
            for key, value in self.values.items()
            if value != self.start[key]
        ))  # fmt: skip

    def picture(self) -> str:
        """Return what it looks like: a sentence, the map, the table."""
        style = f"<style>{stored('map.css')}</style>"
        drawn = map_picture(draw(self.now, None, 900.0), self.now.network.name)
        return style + f"<p role='status'>{self._said()}</p>" + str(drawn) + self._table()

    def _said(self) -> str:
        if self.trouble:
            return f"<strong>No solution:</strong> {html.escape(self.trouble)}"
        before, after = self.today.system["delay"], self.now.system["delay"]
        label = self.now.network.label
        if self.now.overloaded:
            names = ", ".join(label(name) for name in self.now.overloaded)
            rate = figure(float(self.now.system["growth_rate"]))
            said = f"Overloaded at {names}: the backlog grows by {rate} jobs per "
            return f"<strong>{html.escape(said + self.now.network.time_unit)}</strong>"
        return (
            f"<strong>{figure(float(after))} jobs delayed at any time</strong> "
            f"({figure(float(before))} today)"
        )

    def _table(self) -> str:
        table = self.now.services
        head = "".join(
            f"<th scope='col'>{name}</th>"
            for name in ("service", "servers", "held", "delay [job]", "today")
        )
        rows = []
        today = self.today.services["delay"].to_numpy()
        columns = (table[c].to_numpy() for c in ("servers", "occupancy", "delay"))
        for name, servers, held, delay, was in zip(table.index, *columns, today, strict=True):
            cells = (figure(servers), f"{held:.0%}", figure(delay), figure(was))
            rows.append(
                f"<tr><th scope='row'>{html.escape(self.now.network.label(name))}</th>"
                + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
            )  # fmt: skip
        return (
            f"<table class='what-if'><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )


class Panel:
    """Sliders for the servers and the demand of each service; map and table follow.

    Shown in a notebook where it is the last value of a cell.

    Attributes
    ----------
    widget : ipywidgets.HBox
        What is shown.
    """

    def __init__(self, state: WhatIf, most: int) -> None:
        widgets = library("ipywidgets", "notebook", "A panel")
        self._state, self._sliders = state, {}
        network = state.today.network
        keys = list(state.values)
        load = state.today.services["load_ratio"]
        chosen = set(load.sort_values(ascending=False, kind="stable").index[:most])
        rows: list[Any] = []
        for what, name in keys:
            if name not in chosen:
                continue
            label = html.escape(network.label(name))
            slider = _slider(widgets, what, state.values[what, name])
            slider.observe(self._follow(what, name), names="value")
            self._sliders[what, name] = slider
            rows += [widgets.HTML(f"<small>{label}: {what}</small>"), slider]
        if len(chosen) < len(network.services):
            left = len(network.services) - len(chosen)
            rows.append(widgets.HTML(f"<small>{left} services of less load have no slider</small>"))
        self._picture = widgets.HTML(state.picture())
        again = widgets.Button(description="As today")
        again.on_click(lambda _: self.reset())
        controls = widgets.VBox(
            [again, *rows], layout=widgets.Layout(min_width="270px", max_height="720px",
                                                  overflow="auto"),
        )  # fmt: skip
        shown = widgets.Box([self._picture], layout=widgets.Layout(flex="1", overflow="auto"))
        self.widget = widgets.HBox([controls, shown])
        self._quiet = False

    def _follow(self, what: str, name: ServiceName) -> Any:
        def changed(change: Any) -> None:
            if not self._quiet:
                self._state.put(what, name, float(change["new"]))
                self._picture.value = self._state.picture()

        return changed

    @property
    def solution(self) -> Solution:
        """The solution with the present settings; the last one that there was."""
        return self._state.now

    def set(
        self, service: ServiceName, *, servers: float | None = None, demand: float | None = None
    ) -> None:
        """Move the sliders of a service, as a hand would.

        Parameters
        ----------
        service : str
        servers : int, optional
        demand : float, optional
            Times today's arrivals from outside, from 0.1 to 2.

        Raises
        ------
        UnknownNameError
            Where the service has no such slider.
        ParameterError
            Where a value is beyond the slider.
        """
        for what, value in (("servers", servers), ("demand", demand)):
            if value is None:
                continue
            if (what, service) not in self._sliders:
                near = nearest(str(service), [str(name) for _, name in self._sliders])
                fault = Fault("panel", what, repr(service), f"has no slider{near}")
                raise UnknownNameError([fault])
            slider = self._sliders[what, service]
            if not slider.min <= value <= slider.max:
                message = f"the slider goes from {slider.min:g} to {slider.max:g}"
                raise ParameterError([Fault(f"service '{service}'", what, f"{value:g}", message)])
            slider.value = value

    def reset(self) -> None:
        """Set everything as it is today."""
        self._quiet = True
        for (what, name), slider in self._sliders.items():
            slider.value = self._state.start[what, name]
        self._quiet = False
        self._state.back()
        self._picture.value = self._state.picture()

    def scenario(self, name: str = "from the panel") -> Scenario:
        """Return the settings that differ from today's as a scenario, to be kept and compared."""
        return self._state.scenario(name)

    def __repr__(self) -> str:
        """Return the settings in plain words."""
        return f"Panel of '{self._state.today.network.name}': {self.scenario()}"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]  # IPython has no types here


def _slider(widgets: Any, what: str, value: float) -> Any:
    """Return the slider of one setting."""
    wide = widgets.Layout(width="240px")
    if what == "demand":
        return widgets.FloatSlider(value=1.0, min=0.1, max=MOST_DEMAND, step=0.05, layout=wide,
                                   readout_format=".0%")  # fmt: skip
    top = max(math.ceil(2 * value), math.ceil(value) + 5)
    if value.is_integer():
        return widgets.IntSlider(value=int(value), min=1, max=top, layout=wide)
    return widgets.FloatSlider(value=value, min=min(value, 1.0), max=float(top), step=0.1,
                               layout=wide)  # fmt: skip


def panel(network: Network, method: str = "auto", *, most: int = 60) -> Panel:
    """Return sliders for the servers and the demand of each service, with map and table.

    Parameters
    ----------
    network : Network
        The system as it is; it is not changed.
    method : str
        As for `solve`; the settings are solved by the same method.
    most : int
        Services that get sliders, at least 1: those with the highest load ratio.

    Returns
    -------
    Panel

    Raises
    ------
    MissingExtraError
        Where ipywidgets is not installed.
    ParameterError
        Where `most` is out of its range.
    UnconvergedError
        Where the network could not be solved.
    """
    if most < 1:
        raise ParameterError([Fault("panel", "most", repr(most), "must be at least 1")])
    return Panel(WhatIf(network, method), most)
