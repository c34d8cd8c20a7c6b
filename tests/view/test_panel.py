"""The panel: its sliders solve the network that they describe, and show it."""

import itertools
import sys

import pytest

import flownet as fn
from flownet.errors import MissingExtraError, ParameterError, UnknownNameError

pytest.importorskip("ipywidgets")


@pytest.fixture
def network():
    return fn.example("urgent_care")


@pytest.fixture
def panel(network):
    return fn.panel(network)


def test_a_slider_of_servers_gives_the_network_with_so_many(panel, network):
    panel.set("Home care", servers=48)
    expected = fn.solve(network.replace(services={"Home care": {"servers": 48}}))
    delay = panel.solution.system["delay"]
    # both stop at a residual of 1e-9 or so of their own fixed point
    assert delay == pytest.approx(expected.system["delay"], rel=1e-6)
    assert f"{delay:.3g} jobs delayed" in panel._picture.value


def test_a_slider_of_demand_scales_every_class(panel, network):
    panel.set("Waiting room", demand=0.9)
    rates = network.graph.nodes["Waiting room"]["external_arrival_rate"]
    less = {name: 0.9 * rate for name, rate in rates.items()}
    expected = fn.solve(network.replace(services={"Waiting room": {"external_arrival_rate": less}}))
    assert panel.solution.system["delay"] == pytest.approx(expected.system["delay"], rel=1e-6)


def test_the_settings_become_a_scenario_that_gives_the_same(panel, network):
    panel.set("Home care", servers=46)
    panel.set("Ambulance handover", demand=1.05)
    changed = panel.scenario("winter").apply(network)
    assert changed.graph.nodes["Home care"]["servers"] == 46
    delay = fn.solve(changed).system["delay"]
    assert panel.solution.system["delay"] == pytest.approx(delay, rel=1e-6)


def test_as_today_takes_everything_back(panel):
    before = panel.solution
    panel.set("Home care", servers=60)
    panel.reset()
    assert panel.solution is before
    assert panel.scenario().changes == ()


def test_overload_is_an_answer():
    panel = fn.panel(fn.example("discharge_to_assess"))
    names = ", ".join(map(panel.solution.network.label, panel.solution.overloaded))
    assert names
    assert f"Overloaded at {names}" in panel._picture.value
    assert panel._picture.value.count("<svg") == 1


def test_what_has_no_slider_is_refused(panel):
    with pytest.raises(UnknownNameError, match="Home care"):
        panel.set("Home cares", servers=4)
    with pytest.raises(UnknownNameError):
        panel.set("Home care", demand=1.5)  # nobody comes there from outside
    with pytest.raises(ParameterError, match="from 1 to"):
        panel.set("Home care", servers=0)
    with pytest.raises(ParameterError, match="most"):
        fn.panel(fn.example("stroke"), most=0)


def test_settings_without_a_solution_keep_the_last_one_and_say_why(network, monkeypatch):
    panel = fn.panel(network)
    panel.set("Home care", servers=45)
    last = panel.solution

    def refused(*_args, **_options):
        raise ParameterError("no such network")

    monkeypatch.setattr(type(panel._state._variation), "compilation", refused)
    panel.set("Home care", servers=46)
    assert panel.solution is last
    assert "No solution:" in panel._picture.value
    assert "no such network" in panel._picture.value


def test_names_are_escaped_and_the_rest_is_told():
    names = ["<script>alert(1)</script>", "b", "c"]
    services = [{"name": name, "servers": 4 + i, "service_time": 2.0}
                for i, name in enumerate(names)]  # fmt: skip
    services[0]["external_arrival_rate"] = 1.0
    routes = [
        {"from": a, "to": b, "routing_probability": 0.9} for a, b in itertools.pairwise(names)
    ]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )
    panel = fn.panel(network, most=1)
    texts = [child.value for child in panel.widget.children[0].children if hasattr(child, "value")]
    joined = " ".join([panel._picture.value, *map(str, texts)])
    assert "<script>" not in joined
    assert "2 services of less load have no slider" in joined


def test_without_ipywidgets_the_error_names_the_extra(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingExtraError, match=r"\[notebook\]"):
        fn.panel(network)
