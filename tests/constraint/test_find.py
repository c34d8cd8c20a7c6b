"""The finding names the cause and not the place where the queue stands."""

import pytest

import flownet as fn


def line(*, short_last, places=True):
    """Return three services in a row, with beds and no waiting rooms after the first.

    Patients wait outside the first. Whichever service is short has a load of 0.9, the others 0.5.
    """
    beds = [8, 8, 8]
    loads = (0.5, 0.5, 0.9) if short_last else (0.9, 0.5, 0.5)
    services = []
    for name, servers, load in zip(("first", "middle", "last"), beds, loads, strict=True):
        service = {"name": name, "servers": servers, "service_time": servers * load}
        if places:
            service["waiting_room"] = 0
        services.append(service)
    services[0] |= {"external_arrival_rate": 1.0, "external_when_full": "wait_outside"}
    routes = [{"from": "first", "to": "middle"}, {"from": "middle", "to": "last"}]
    return fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )


def test_the_last_service_is_short_while_the_queue_stands_at_the_first():
    finding = fn.find_constraint(line(short_last=True))
    assert finding.constraint == "last"
    services = finding.solution.services
    queue = services["number_waiting"] + services["number_outside"]
    assert queue.idxmax() == "first"
    assert "last" in finding.headline
    assert finding.throughput_limit.scale == pytest.approx(1 / 0.9)


def test_with_the_roles_turned_round_the_first_is_named():
    finding = fn.find_constraint(line(short_last=False))
    assert finding.constraint == "first"
    assert "first" not in finding.symptoms


def test_relief_is_the_exact_difference_of_one_more_server():
    network = line(short_last=True)
    finding = fn.find_constraint(network)
    more = network.replace(services={"last": {"servers": 9}})
    before, after = fn.solve(network).system["delay"], fn.solve(more).system["delay"]
    assert finding.ranking.loc["last", "relief"] == pytest.approx(before - after, rel=1e-6)


def test_elasticity_is_the_central_difference_of_a_change_of_rate():
    network = line(short_last=True)
    finding = fn.find_constraint(network)
    step = 0.01
    slow, fast = (
        fn.solve(
            network.replace(services={"last": {"service_time": 7.2 * factor}}), method="blocking"
        ).system["delay"]
        for factor in (1 + step, 1 / (1 + step))
    )
    delay = fn.solve(network).system["delay"]
    import math

    expected = (slow - fast) / (2 * math.log(1 + step)) / delay
    # the difference's own error is of the order of the squared step times the third derivative
    assert finding.ranking.loc["last", "elasticity"] == pytest.approx(expected, rel=0.02)


def test_elasticities_of_an_mm1_queue_have_their_closed_form():
    """The mean number waiting of M/M/1 is r^2 / (1 - r); -d ln Lq / d ln mu = 2 + r / (1 - r)."""
    network = fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "services": [{"name": "a", "service_time": 0.8, "external_arrival_rate": 1.0}],
        }
    )
    finding = fn.find_constraint(network)
    # central difference with a step of 1e-3: its error is of the order of 1e-6 times the third
    # derivative, which is large near saturation
    assert finding.ranking.loc["a", "elasticity"] == pytest.approx(2 + 0.8 / 0.2, rel=1e-4)


def test_the_flow_adds_up_to_the_delay_seen_and_follows_the_chain_of_beds():
    finding = fn.find_constraint(line(short_last=True))
    seen = finding.solution.services["delay"]
    assert finding.flow.sum(axis=1).to_numpy() == pytest.approx(seen.to_numpy(), rel=1e-9)
    # nobody is ever blocked at the last service, so its delay is its own
    assert finding.flow.loc["last", "last"] == pytest.approx(seen["last"])
    assert finding.flow["last"].sum() > finding.flow["middle"].sum()


def test_overload_is_ranked_by_the_growth_of_the_backlog():
    services = [
        {"name": "operators", "servers": 13, "service_time": 7.33, "external_arrival_rate": 1.6667},
        {"name": "nurses", "servers": 9, "service_time": 15.0},
    ]
    routes = [{"from": "operators", "to": "nurses", "routing_probability": 0.4}]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "minute"}, "services": services, "routes": routes}
    )
    finding = fn.find_constraint(network)
    assert finding.constraint == "nurses"
    # arrivals 0.4 * 1.6667 less nine nurses at one in 15 minutes
    assert finding.value.growth == pytest.approx(0.4 * 1.6667 - 9 / 15, rel=1e-9)
    # one more nurse: ten serve 10 / 15 = 0.6667 a minute, just under what arrives
    assert finding.ranking.loc["nurses", "relief"] == pytest.approx(1 / 15, rel=1e-6)


def test_two_equal_services_are_named_as_a_set():
    services = [
        {"name": name, "servers": 2, "service_time": 1.8, "external_arrival_rate": 1.0}
        for name in ("left", "right")
    ]
    network = fn.Network.from_dict({"network": {"time_unit": "day"}, "services": services})
    finding = fn.find_constraint(network)
    assert set(finding.constraint_set) == {"left", "right"}
    assert "cannot be told apart" in finding.headline


def test_nothing_limits_where_nobody_waits():
    services = [
        {"name": "home", "servers": "inf", "service_time": 3.0, "external_arrival_rate": 1.0}
    ]
    finding = fn.find_constraint(
        fn.Network.from_dict({"network": {"time_unit": "day"}, "services": services})
    )
    assert finding.constraint is None
    assert "No service limits" in finding.headline


def test_delay_is_refused_where_jobs_are_lost_without_a_price():
    services = [
        {
            "name": "ward",
            "servers": 3,
            "capacity": 4,
            "service_time": 1.0,
            "external_arrival_rate": 2.5,
        }
    ]
    network = fn.Network.from_dict({"network": {"time_unit": "day"}, "services": services})
    with pytest.raises(fn.FlownetError, match="cost_of_loss"):
        fn.find_constraint(network)
    assert fn.find_constraint(network, goal="throughput").constraint == "ward"
    priced = network.replace(network={"cost_of_loss": 2.0})
    assert fn.find_constraint(priced).constraint == "ward"


def test_unknown_goal_and_method_are_told_with_the_nearest():
    network = line(short_last=True)
    with pytest.raises(fn.FlownetError, match="did you mean 'delay'"):
        fn.find_constraint(network, goal="dealy")
    with pytest.raises(fn.FlownetError, match="did you mean 'blocking'"):
        fn.find_constraint(network, method="bloking")
    with pytest.raises(fn.FlownetError, match="finite capacity"):
        fn.find_constraint(network, method="product_form")


def test_a_finding_goes_to_json():
    import json

    finding = fn.find_constraint(line(short_last=True))
    text = json.dumps(finding.to_dict(), allow_nan=False)
    assert json.loads(text)["constraint"] == "last"


def nearly_alike(first=1.0, second=1.0, **more):
    """Return two services in a row that lose who finds them full, the first perhaps slower."""
    services = [
        {"name": "a", "servers": 2, "service_time": first, "external_arrival_rate": 2.0},
        {"name": "b", "servers": 2, "service_time": second},
    ]
    services = [each | {"waiting_room": 1, "when_full": "lost"} | more for each in services]
    for each in services:
        if "service_distribution" in each:
            del each["service_time"]
    routes = [{"from": "a", "to": "b"}]
    return fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )


def test_what_an_approximate_method_cannot_tell_the_exact_chain_is_asked():
    network = nearly_alike(1.0, 1.03)
    finding = fn.find_constraint(network, "throughput")
    assert set(finding.second_look.before) == {"a", "b"}
    chain = fn.find_constraint(network, "throughput", "exact")
    assert chain.second_look is None
    assert finding.constraint_set == chain.constraint_set
    for column in ("elasticity", "relief"):
        table = finding.ranking[column]
        assert table.to_dict() == pytest.approx(chain.ranking[column].to_dict())
    assert "told by the exact chain" in repr(finding)
    assert "too near to each other" in finding.explain()
    assert finding.to_dict()["second_look"]["before"] == list(finding.second_look.before)


def test_where_the_chain_cannot_be_asked_the_finding_says_that_it_is_not_sure():
    law = {"service_distribution": {"family": "lognormal", "mean": 1.0, "scv": 2.0}}
    network = nearly_alike(**law)
    finding = fn.find_constraint(network, "throughput")
    assert len(finding.constraint_set) == 2
    assert finding.second_look.table is None
    assert "not sure" in repr(finding)
    assert finding.second_look.why_not in finding.explain()


def test_a_clear_constraint_needs_no_second_look():
    assert fn.find_constraint(nearly_alike(1.0, 3.0), "throughput").second_look is None
