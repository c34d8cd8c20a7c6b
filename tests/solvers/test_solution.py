"""What a Solution shows, refuses to show, and tells."""

import json
import math

import numpy as np
import pytest

import flownet as fn
from flownet.errors import InputError, MethodError, UnconvergedError
from flownet.solvers.register import METHODS
from flownet.solvers.solution import Solution


def network(*services, routes=(), **whole):
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "hour", **whole},
            "services": list(services),
            "routes": list(routes),
        }
    )


def test_auto_takes_the_first_that_applies_and_says_why():
    exact = fn.solve(network({"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0}))
    assert (exact.method, exact.exact, exact.assumptions) == ("product_form", True, ())
    general = fn.solve(
        network(
            {"name": "a", "service_time": 0.5, "service_scv": 2.0, "external_arrival_rate": 1.0}
        )
    )
    assert general.method == "decomposition"
    assert "not exponential" in general.choice
    assert "not exponential" in general.explain()


def test_pollaczek_khinchine_and_erlang_loss_come_out():
    """M/G/1: Wq = lambda E[S^2] / (2 (1 - rho)); M/G/c/c: Erlang B, here B(2, 1) = 1/5."""
    mg1 = fn.solve(
        network(
            {"name": "a", "service_time": 0.5, "service_scv": 3.0, "external_arrival_rate": 1.0}
        )
    )
    assert mg1.services.loc["a", "waiting_time"] == pytest.approx(0.25 * 4 / (2 * 0.5), rel=1e-9)
    loss = fn.solve(
        network({"name": "a", "servers": 2, "capacity": 2, "service_time": 1.0, "service_scv": 3.0,
                 "external_arrival_rate": 1.0})
    )  # fmt: skip
    assert loss.services.loc["a", "loss_probability"] == pytest.approx(0.2, rel=1e-9)
    assert loss.system["throughput"] == pytest.approx(0.8, rel=1e-9)


def test_overload_shows_growth_and_no_plausible_number():
    solution = fn.solve(
        network(
            {"name": "a", "service_time": 1.0, "external_arrival_rate": 1.5},
            {"name": "b", "service_time": 0.5},
            routes=[{"from": "a", "to": "b"}],
        )
    )
    table = solution.services
    assert solution.overloaded == ("a",)
    assert table.loc["a", "load_ratio"] == pytest.approx(1.5)
    assert table.loc["a", "growth_rate"] == pytest.approx(0.5)
    assert math.isinf(table.loc["a", "waiting_time"])
    assert math.isinf(table.loc["a", "number_present"])
    assert table.loc["b", "arrival_rate"] == pytest.approx(1.0)
    assert math.isfinite(table.loc["b", "waiting_time"])
    assert math.isinf(solution.system["delay"])
    assert math.isinf(solution.classes.loc["all", "system_response_time"])
    assert "overloaded" in repr(solution)
    assert "150%" in solution.warnings[0]


def test_a_service_near_its_limit_is_warned_of():
    solution = fn.solve(network({"name": "a", "service_time": 0.98, "external_arrival_rate": 1.0}))
    assert "near its limit" in solution.warnings[0]


@pytest.mark.parametrize(("again", "scv", "warned"), [(0.9, 2.0, 1), (0.5, 2.0, 0), (0.9, 1.0, 0)])
def test_jobs_that_go_round_many_times_are_warned_of(again, scv, warned):
    """1/(1 - p) rounds; with exponential times the solution is exact, however many there are."""
    solution = fn.solve(
        network(
            {"name": "a", "service_time": 0.5, "service_scv": scv, "external_arrival_rate": 0.1},
            {"name": "b", "service_time": 0.4},
            {"name": "c", "service_time": 0.4},
            routes=[{"from": "a", "to": "b"}, {"from": "b", "to": "c"},
                    {"from": "c", "to": "a", "routing_probability": again}],
        )
    )  # fmt: skip
    told = [text for text in solution.warnings if "go round" in text]
    assert len(told) == warned
    assert all("'a', 'b', 'c' go round them 10.0 times" in text for text in told)


def test_what_is_lost_is_warned_of():
    solution = fn.solve(
        network({"name": "a", "capacity": 1, "service_time": 1.0, "external_arrival_rate": 1.0})
    )
    assert "lost at a full service" in solution.warnings[0]
    assert "50.0%" in solution.warnings[0]


def test_reading_an_unconverged_solution_raises():
    whole = fn.solve(network({"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0}))
    document = whole.to_dict()
    document["measures"]["status"] = 1
    broken = Solution.from_dict(document)
    assert not broken.converged
    assert "not converged" in repr(broken)
    for table in ("services", "classes", "service_classes", "system", "blocked_by", "overloaded"):
        with pytest.raises(UnconvergedError):
            getattr(broken, table)


def test_a_solution_goes_to_json_and_back_without_loss():
    solution = fn.solve(network({"name": "a", "service_time": 1.5, "external_arrival_rate": 1.0}))
    text = json.dumps(solution.to_dict(), allow_nan=False)
    back = Solution.from_dict(json.loads(text))
    assert back.to_dict() == solution.to_dict()
    assert back.services.equals(solution.services)


def test_units_travel_with_the_tables():
    solution = fn.solve(
        network({"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0}, currency="GBP")
    )
    assert solution.services.attrs["units"]["waiting_time"] == "hour"
    assert solution.services.attrs["units"]["arrival_rate"] == "job/hour"


def test_times_end_to_end_follow_the_job_through_feedback():
    """M/M/1 with feedback 1/3: two visits of W = 1 / (mu - lambda) = 2 on average 1.5 times."""
    solution = fn.solve(
        network(
            {"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0},
            routes=[{"from": "a", "to": "a", "routing_probability": 1 / 3}],
        )
    )
    row = solution.classes.loc["all"]
    assert row["system_response_time"] == pytest.approx(3.0, rel=1e-9)
    assert row["system_response_time"] == pytest.approx(
        solution.system["number_present"] / solution.system["throughput"], rel=1e-9
    )
    assert row["served_probability"] == pytest.approx(1.0)


def test_times_end_to_end_add_transfers_and_a_change_of_class():
    solution = fn.solve(
        fn.Network.from_dict(
            {
                "network": {"time_unit": "day"},
                "classes": {"new": {}, "back": {}},
                "services": [{"name": "ward", "servers": "inf",
                              "service_time": {"new": 3.0, "back": 5.0},
                              "external_arrival_rate": {"new": 2.0}}],
                "routes": [{"from": "ward", "to": "ward", "routing_probability": {"new": 0.5},
                            "to_class": {"new": "back"}, "transfer_delay": 10.0}],
            }
        )
    )  # fmt: skip
    # 3 days, then for every second one 10 days at home and 5 days as a returner
    assert solution.classes.loc["new", "system_response_time"] == pytest.approx(3 + 0.5 * (10 + 5))
    assert np.isnan(solution.classes.loc["back", "system_response_time"])
    assert solution.system["in_transit"] == pytest.approx(2.0 * 0.5 * 10)
    assert solution.classes.loc["back", "throughput"] == pytest.approx(1.0)


def test_every_method_of_the_register_has_its_papers_and_words():
    for name, method in METHODS.items():
        assert method.name == name
        assert any(character.isdigit() for character in method.reference)
        assert method.formulas
    with pytest.raises(fn.FlownetError, match="did you mean 'decomposition'"):
        fn.solve(
            network({"name": "a", "service_time": 1.0, "external_arrival_rate": 0.5}),
            "decompositon",
        )
    with pytest.raises(fn.FlownetError, match="must be a flownet Network"):
        fn.solve({"network": {}})


def test_costs_add_up_capacity_delay_and_loss():
    solution = fn.solve(
        network(
            {"name": "a", "servers": 2, "capacity": 2, "service_time": 1.0,
             "external_arrival_rate": 1.0, "cost_per_server": 10.0},
            cost_of_delay=3.0, cost_of_loss=100.0,
        )
    )  # fmt: skip
    # two servers, nobody waits, one in five is lost (Erlang B of 2 servers at load 1)
    assert solution.system["cost"] == pytest.approx(2 * 10 + 0.2 * 100)


def test_a_queue_outside_that_hangs_on_a_small_difference_is_told_so():
    """A line of three that lets in hardly more than what arrives is full most of the time."""
    beds = [{"name": name, "service_time": 1.0, "servers": 1, "waiting_room": 0}
            for name in ("ward", "rehabilitation", "home")]  # fmt: skip
    beds[0] |= {"external_arrival_rate": 0.55, "external_when_full": "wait_outside"}
    routes = [{"from": "ward", "to": "rehabilitation"}, {"from": "rehabilitation", "to": "home"}]
    document = {"network": {"time_unit": "day"}, "services": beds, "routes": routes}
    solution = fn.solve(fn.Network.from_dict(document), method="blocking")
    # Hillier and Boling (1967): 22/39 = 0.564 is the most that such a line lets through
    assert not solution.overloaded
    assert any("small difference" in text for text in solution.warnings)
    assert solution.options == {"mode": "full"}
    assert "in the full mode" in solution.choice


def test_a_mode_that_cannot_be_had_is_refused_with_the_reason():
    """What is asked for by name is given or refused; left alone, the other mode is taken."""
    wards = [{"name": name, "servers": 60, "waiting_room": 0, "service_time": 1.0}
             for name in "abc"]  # fmt: skip
    wards[0]["external_arrival_rate"] = 50.0
    routes = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
    document = {"network": {"time_unit": "day"}, "services": wards, "routes": routes}
    network = fn.Network.from_dict(document)
    with pytest.raises(MethodError, match="many states"):
        fn.solve(network, method="blocking", mode="full")
    assert "in the compressed mode" in fn.solve(network, method="blocking").choice


def test_a_damaged_record_is_refused_with_all_its_faults():
    document = fn.solve(fn.example("stroke")).to_dict()
    del document["measures"]["throughput"]
    document["measures"]["waiting_time"] = [["soon"]]
    with pytest.raises(InputError) as caught:
        Solution.from_dict(document)
    assert [fault.attribute for fault in caught.value.faults] == [
        "measures.throughput", "measures.waiting_time",
    ]  # fmt: skip
    document["measures"] = 3
    with pytest.raises(InputError, match="table of arrays"):
        Solution.from_dict(document)
