"""Derivatives where no adjoint tells them, what each method gives, and those by simulation."""

import math

import numpy as np
import pytest

import flownet as fn
from flownet.constraint.differences import slope
from flownet.errors import ParameterError
from flownet.network.parameters import UNITS


def network(arrival_scv=1.0, *, room=None, patience=None, held=False):
    """Return three services with a transfer; without `room` nobody is lost or blocked."""
    services = [
        {"name": "a", "servers": 2, "service_time": 0.6, "external_arrival_rate": 1.2,
         "arrival_scv": arrival_scv, "cost_per_server": 2.0},
        {"name": "b", "servers": 1, "service_time": 0.5},
        {"name": "c", "servers": 1, "service_time": 0.4},
    ]  # fmt: skip
    if patience is not None:
        services[0]["patience"] = patience
    if room is not None:
        services[0]["waiting_room"] = 1
        services[1] |= {"waiting_room": 1, "when_full": room}
        services[2] |= {"waiting_room": 1, "when_full": "lost"}
    routes = [
        {"from": "a", "to": "b", "routing_probability": 0.6, "transfer_delay": 0.3,
         "holds_server": held},
        {"from": "a", "to": "c", "routing_probability": 0.3},
        {"from": "b", "to": "c", "routing_probability": 0.5},
    ]  # fmt: skip
    return fn.Network.from_dict({
        "network": {"time_unit": "hour", "cost_of_delay": 1.0, "cost_of_loss": 5.0},
        "services": services, "routes": routes,
    })  # fmt: skip


BLOCKING = network(room="blocked_after_service", patience=4.0, held=True)
METHODS = {
    "product_form": (network(), "product_form", {}),
    "decomposition": (network(room="lost", patience=4.0), "decomposition", {}),
    "decomposition, not Poisson": (
        network(2.0, room="lost", patience=4.0), "decomposition", {}),
    "blocking, full": (BLOCKING, "blocking", {"mode": "full"}),
    "blocking, compressed": (BLOCKING, "blocking", {"mode": "compressed"}),
    "exact": (network(room="blocked_after_service", held=True), "exact", {}),
}  # fmt: skip
GOALS = ["delay", "cost", "blocked_time", "throughput", "within 2",
         {"number_waiting": 1.0, ("b", "loss_rate"): 5.0}]  # fmt: skip
FLOWS = ("service_time", "external_arrival_rate", "patience", "routing_probability",
         "transfer_delay")  # fmt: skip
WHOLE = ("servers", "waiting_room")
BY_ADJOINT = {
    "product_form": {*FLOWS, *WHOLE},
    "decomposition": {*FLOWS, *WHOLE},
    "decomposition, not Poisson": set(),
    "blocking, full": set(),
    "blocking, compressed": set(FLOWS),
    "exact": set(FLOWS),
}
"""What one adjoint solve gives for goals that are sums of measures (docs/methods.md)."""


@pytest.mark.parametrize("goal", GOALS, ids=str)
@pytest.mark.parametrize("case", METHODS)
def test_every_method_gives_every_goal_by_every_parameter(case, goal):
    system, method, options = METHODS[case]
    table = fn.sensitivities(system, goal, method, **options).table
    parameters = set(table.index.get_level_values("parameter"))
    missing = {"patience"} if case == "exact" else set()
    missing |= {"patience", "waiting_room"} if case == "product_form" else set()
    assert parameters == set(UNITS) - missing
    assert np.isfinite(table["derivative"]).all()
    # a quantile is no sum of measures; nor is the limit of demand, where nobody can be lost
    linear = goal != "within 2" and not (goal == "throughput" and case == "product_form")
    for (_, _, name), how in table["how"].items():
        adjoint = linear and name in BY_ADJOINT[case]
        whole = "one more, one less" if name in WHOLE else "difference"
        assert how == ("adjoint" if adjoint else whole)


def test_the_full_mode_of_two_services_has_the_derivatives_of_their_chain():
    """Two services are one neighborhood: the mode is the chain, whose adjoint is exact."""
    line = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "a", "servers": 2, "waiting_room": 2, "service_time": 0.9,
             "external_arrival_rate": 2.0},
            {"name": "b", "servers": 2, "waiting_room": 1, "service_time": 0.8},
        ],
        "routes": [{"from": "a", "to": "b", "routing_probability": 0.9}],
    })  # fmt: skip
    rows = ["service_time", "external_arrival_rate", "routing_probability"]
    for goal in ("throughput", "blocked_time"):
        full, chain = (
            fn.sensitivities(line, goal, method, parameters=rows).table.sort_index()
            for method in ("blocking", "exact")
        )
        assert (full["how"] == "difference").all()
        # fixed points to 1e-12 over a step of 1e-4
        assert full["derivative"].to_numpy() == pytest.approx(
            chain["derivative"].to_numpy(), rel=1e-6, abs=1e-7
        )
    finding = fn.find_constraint(line, "throughput")
    exact = fn.find_constraint(line, "throughput", "exact")
    assert (finding.how, exact.how) == ("difference", "adjoint")
    assert finding.ranking["elasticity"].to_dict() == pytest.approx(
        exact.ranking["elasticity"].to_dict(), rel=1e-6
    )
    assert "two solutions" in finding.explain()
    assert "one adjoint solve" in exact.explain()


@pytest.mark.parametrize(("lowest", "highest"), [(-9.0, 9.0), (1.0, 9.0), (-9.0, 1.0)])
def test_a_slope_is_of_second_order_also_at_an_edge(lowest, highest):
    step = 1e-4
    found = slope(math.exp, 1.0, step, lowest=lowest, highest=highest)
    assert found == pytest.approx(math.e, rel=2 * step**2)  # the error term h^2 f''' / 3 at most


def test_a_slope_next_to_overload_is_taken_on_the_other_side():
    """1 / (1 - x) has no value from 1 on."""

    def wait(x):
        return 1.0 / (1.0 - x) if x < 1.0 else math.inf

    at, step = 0.9, 0.11
    assert slope(wait, at, step) < 100.0  # far below the true 100, but finite: no side is infinite
    assert slope(wait, at, 1e-4) == pytest.approx(100.0, rel=1e-5)
    assert math.isnan(slope(lambda x: math.inf if x else 1.0, 0.0, step))


def test_by_simulation_derivatives_are_those_of_the_formulas():
    """Product form: exact derivatives, within three half-widths of ten paired replications."""
    system = network()
    rows = ["service_time", "external_arrival_rate", "routing_probability"]
    for goal in ("delay", "within 2"):
        found = fn.sensitivities(
            system, goal, "simulation", parameters=rows, horizon=1500, warmup=100, seed=5
        )
        exact = fn.sensitivities(system, goal, "product_form", parameters=rows).table
        table = found.table.join(exact[["derivative"]].rename(columns={"derivative": "exact"}))
        assert (table["how"] == "paired difference").all()
        apart = (table["derivative"] - table["exact"]).abs()
        # a change of 5 % has a bias of h^2 J''' / 6: below 1 % of the derivative at these loads
        assert (apart <= 3 * table["halfwidth"] + 0.02 * table["exact"].abs()).all()
    assert "method simulation" in repr(found)


def test_by_simulation_servers_and_calendars_change_as_a_whole():
    rows = [{"start": 0, "end": 12, "value": 3.0}, {"start": 12, "end": 24, "value": 1.0}]
    system = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "a", "servers": 1, "service_time": 0.25, "waiting_room": 0,
                      "external_arrival_calendar": rows}],
    })  # fmt: skip
    found = fn.sensitivities(
        system, "throughput", "simulation", parameters=["external_arrival_rate", "servers"],
        horizon=24 * 400, warmup=24.0, seed=1, replications=5,
    )  # fmt: skip
    # pointwise B(1, a) = a / (1 + a): d/dm of the mean of x / (1 + x / 4), x = 3m/2 and m/2
    expected = 0.5 * (1.5 / (1 + 3 / 4) ** 2 + 0.5 / (1 + 1 / 4) ** 2)
    row = found.table.xs("external_arrival_rate", level="parameter").iloc[0]
    assert row["derivative"] == pytest.approx(expected, abs=3 * row["halfwidth"] + 0.01)
    more = found.table.xs("servers", level="parameter").iloc[0]
    assert more["how"] == "one more, one less"
    two = [a - a**3 / 2 / (1 + a + a * a / 2) for a in (3 / 4, 1 / 4)]  # Erlang's B of two servers
    one = [a / (1 + a) for a in (3 / 4, 1 / 4)]
    gain = 4 * (sum(two) - sum(one)) / 2
    assert more["derivative"] == pytest.approx(gain, abs=3 * more["halfwidth"] + 0.01)


@pytest.mark.parametrize(
    ("goal", "options", "message"),
    [
        ("delay", {"change": 0.0}, "above 0 and below 1"),
        ("delay", {"steps": True}, "for formulas"),
        ("within never", {}, "must name a finite time"),
        ("throughput", {}, "is the limit of demand"),
    ],
)
def test_what_no_simulation_tells_is_refused(goal, options, message):
    with pytest.raises(ParameterError, match=message):
        fn.sensitivities(network(), goal, "simulation", horizon=50, warmup=1.0, **options)
