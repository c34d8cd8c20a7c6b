"""Scenarios: each change against the description written by hand, composition, files, refusals."""

import copy
import math
import pickle

import pytest

import flownet as fn
from flownet.errors import NetworkError, ParameterError
from flownet.network.compile import compile_network

TO_WARD = {"from": "desk", "to": "ward", "routing_probability": 0.5}
TO_HOME = {"from": "ward", "to": "home", "routing_probability": 0.3}


def clinic(**changes):
    desk = {"name": "desk", "servers": 2, "service_time": 0.1, "external_arrival_rate": {"a": 9.0}}
    ward = {"name": "ward", "servers": 5, "capacity": 8, "service_time": {"a": 0.3, "b": 0.4},
            "external_arrival_rate": {"b": 2.0}}  # fmt: skip
    home = {"name": "home", "servers": "inf", "service_time": 2.0}
    document = {
        "network": {"name": "clinic", "time_unit": "hour"},
        "classes": {"a": {}, "b": {}},
        "services": [desk | changes.get("desk", {}), ward | changes.get("ward", {}), home],
        "routes": changes.get("routes", [TO_WARD, TO_HOME]),
    }
    return fn.Network.from_dict(document)


LONG = (
    fn.Scenario("all of it")
    .set("ward", servers=6, job_class="")
    .set("ward", service_time=0.2, job_class="b")
    .scale("desk", external_arrival_rate=1.5)
    .add("night", service_time=0.5)
    .add(("desk", "night"), routing_probability=0.1)
    .reroute("desk", "ward", to="home", share=0.4, job_class="a")
    .move(1, "desk", "ward")
    .close("night")
)


def test_each_change_gives_the_description_written_by_hand():
    set_servers = fn.Scenario("s").set("ward", servers=7).apply(clinic())
    assert set_servers == clinic(ward={"servers": 7, "capacity": 10})
    one_class = fn.Scenario("s").set("ward", service_time=0.2, job_class="b").apply(clinic())
    assert one_class == clinic(ward={"service_time": {"a": 0.3, "b": 0.2}})
    scaled = fn.Scenario("s").scale("desk", external_arrival_rate=2.0).apply(clinic())
    assert scaled == clinic(desk={"external_arrival_rate": {"a": 18.0}})
    moved = fn.Scenario("s").move(1, "desk", "ward").apply(clinic())
    assert moved == clinic(desk={"servers": 1.0}, ward={"servers": 6.0, "capacity": 9.0})
    assert fn.Scenario("s").close(("desk", "ward")).apply(clinic()) == clinic(routes=[TO_HOME])
    shared = fn.Scenario("s").reroute("desk", "ward", to="home", share=0.5).apply(clinic())
    assert shared == clinic(
        routes=[
            TO_WARD | {"routing_probability": 0.25},
            {"from": "desk", "to": "home", "routing_probability": 0.25},
            TO_HOME,
        ]
    )


def test_adding_and_closing_again_changes_nothing():
    there = fn.Scenario("there").add("night", service_time=0.5)
    there = there.add(("desk", "night"), routing_probability=0.1)
    assert "night" in there.apply(clinic()).services
    assert (there + fn.Scenario("back").close("night")).apply(clinic()) == clinic()


def test_a_sum_is_one_after_the_other_and_nothing_given_is_changed():
    network, first, second = clinic(), fn.Scenario("1").set("ward", servers=6), LONG
    after = (first + second).apply(network)
    assert after == second.apply(first.apply(network))
    assert network == clinic()
    assert len(first.changes) == 1
    assert (first + second).name == "1 + all of it"


def test_moving_a_server_solves_as_the_network_written_by_hand():
    moved = fn.solve(fn.Scenario("s").move(1, "desk", "ward").apply(clinic()))
    by_hand = fn.solve(clinic(desk={"servers": 1.0}, ward={"servers": 6.0, "capacity": 9.0}))
    assert moved.system["delay"] == by_hand.system["delay"]


def test_there_and_back_through_toml_dict_and_pickle():
    assert fn.Scenario.from_toml(LONG.to_toml()) == LONG
    assert fn.Scenario.from_dict(LONG.to_dict()) == LONG
    assert pickle.loads(pickle.dumps(LONG)) == LONG  # noqa: S301  # our own bytes
    assert hash(fn.Scenario.from_dict(LONG.to_dict())) == hash(LONG)


def test_plain_words():
    text = str(LONG)
    assert "set service_time of 'ward' for class 'b' to 0.2" in text
    assert "send 40 % of 'desk' -> 'ward' for class 'a' to 'home' instead" in text
    assert str(fn.Scenario("as is")).endswith("changes nothing")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.set("wrad", servers=3), "did you mean 'ward'"),
        (lambda s: s.set("ward", sevrers=3), "did you mean 'servers'"),
        (lambda s: s.set("ward", service_time=1.0, job_class="c"), "is no class"),
        (lambda s: s.set("ward", servers=1, job_class="a"), "leave job_class out"),
        (lambda s: s.set(("ward", "desk"), transfer_delay=1.0), "routes go to 'home'"),
        (lambda s: s.scale("ward", when_full=2.0), "cannot be multiplied"),
        (lambda s: s.scale("ward", target=2.0), "set it instead"),
        (lambda s: s.scale("*", target=2.0), "at no service"),
        (lambda s: s.close("*"), "only be set or scaled"),
        (lambda s: s.close("ward", to="ward"), "is what closes"),
        (lambda s: s.pool("ward", into="ward"), "two or more"),
        (lambda s: s.pool("ward", "desk", into="home"), "name of another"),
        (lambda s: s.set("ward", discipline="ps").pool("ward", "desk", into="both"), "discipline"),
        (lambda s: s.add("ward", service_time=1.0), "is there already"),
        (lambda s: s.move(2, "desk", "ward"), "must be below the 2"),
        (lambda s: s.move(1, "desk", "home"), "both limited"),
        (lambda s: s.scale("ward", servers=-1.0), "at least 0"),
        (lambda s: s.reroute("desk", "ward", to="home", share=1.5), "at most 1"),
        (lambda s: s.set("ward"), "at least one attribute"),
    ],
)
def test_what_does_not_fit_is_named(change, words):
    with pytest.raises(ParameterError, match=words):
        change(fn.Scenario("winter")).apply(clinic())


def test_a_network_that_becomes_wrong_is_refused():
    with pytest.raises(NetworkError, match="ward"):
        fn.Scenario("none").set("ward", servers=-3).apply(clinic())


@pytest.mark.parametrize(
    "document",
    [{}, {"name": "x", "changes": [1]}, {"name": "x", "changes": [{"kind": "set"}]},
     {"name": "x", "changes": [{"kind": "sett", "target": ["ward"]}]},
     {"name": "x", "changes": [{"kind": "set", "target": ["ward"], "value": 3}]}],
)  # fmt: skip
def test_a_document_that_is_no_scenario_is_refused(document):
    with pytest.raises(ParameterError):
        fn.Scenario.from_dict(document)
    with pytest.raises(ParameterError, match="is not TOML"):
        fn.Scenario.from_toml("name = ")


def test_all_faults_of_a_scenario_are_named_together():
    wrong = fn.Scenario("winter").set("wrad", servers=3).move(9, "desk", "ward").set("ward", beds=3)
    with pytest.raises(ParameterError) as caught:
        wrong.apply(clinic())
    assert len(caught.value.faults) == 3
    assert "change 2" in str(caught.value)


def test_every_service_at_once_and_one_class_everywhere():
    more = fn.Scenario("s").scale("*", external_arrival_rate=1.5).apply(clinic())
    assert more == clinic(
        desk={"external_arrival_rate": {"a": 13.5}}, ward={"external_arrival_rate": {"b": 3.0}}
    )
    roomy = fn.Scenario("s").scale("*", capacity=1.5, servers=2.0).apply(clinic())
    assert roomy.graph.nodes["ward"]["servers"] == 10
    assert "capacity" not in roomy.graph.nodes["desk"]  # no limit, before and after
    assert roomy.graph.nodes["home"]["servers"] == math.inf
    slow = fn.Scenario("s").scale("*", job_class="b", service_time=2.0).apply(clinic())
    assert slow.graph.nodes["ward"]["service_time"] == {"a": 0.3, "b": 0.8}
    assert slow.graph.nodes["home"]["service_time"] == {"a": 2.0, "b": 4.0}


def test_a_factor_stretches_a_law_and_its_standard_error_and_setting_forgets_the_source():
    for law in (
        {"family": "lognormal", "mu": 0.2, "sigma": 0.5},
        {"family": "gamma", "shape": 2.0, "scale": 0.2},
        {"family": "phase_type", "alpha": [1.0, 0.0], "T": [[-2.0, 1.0], [0.0, -3.0]]},
        {"family": "empirical", "values": [0.1, 0.5]},
        {"family": "triangular", "low": 0.1, "mode": 0.2, "high": 0.5},
    ):
        before = fn.Network.from_dict({
            "network": {"time_unit": "hour"},
            "services": [{"name": "desk", "servers": 2, "service_distribution": law,
                          "external_arrival_rate": 1.0, "origin": {"servers": "published: here"},
                          "standard_error": {"external_arrival_rate": 0.1}}],
        })  # fmt: skip
        after = fn.Scenario("s").scale("desk", service_time=1.5, external_arrival_rate=0.5)
        after = after.set("desk", servers=3).apply(before)
        arrays = [compile_network(network).arrays for network in (before, after)]
        # scaling a time scales its mean and leaves its squared coefficient of variation
        assert arrays[1].service_time[0, 0] == pytest.approx(1.5 * arrays[0].service_time[0, 0])
        assert arrays[1].service_scv[0, 0] == pytest.approx(arrays[0].service_scv[0, 0])
        assert after.graph.nodes["desk"]["standard_error"] == {"external_arrival_rate": 0.05}
        assert "origin" not in after.graph.nodes["desk"]


def test_closing_a_service_and_sending_its_jobs_elsewhere():
    closed = fn.Scenario("s").close("ward", to="home").apply(clinic())
    assert closed.services == ("desk", "home")
    assert closed.graph.edges["desk", "home"]["routing_probability"] == 0.5
    assert closed.graph.nodes["home"]["external_arrival_rate"] == {"a": 0.0, "b": 2.0}


def two_wards(**changes):
    ward = {"servers": 2, "service_time": 0.25}
    return fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "door", "servers": "inf", "service_time": 0.1, "external_arrival_rate": 9.0},
            {"name": "east"} | ward | changes.get("east", {}),
            {"name": "west"} | ward | changes.get("west", {}),
            {"name": "home", "servers": "inf", "service_time": 1.0},
        ],
        "routes": [
            {"from": "door", "to": "east", "routing_probability": 0.6},
            {"from": "door", "to": "west", "routing_probability": 0.4},
            {"from": "east", "to": "home", "routing_probability": 0.5},
        ],
    })  # fmt: skip


def test_pooled_wards_are_the_queue_with_all_servers_and_all_arrivals():
    pooled = fn.Scenario("s").pool("east", "west", into="ward").apply(two_wards())
    assert pooled.services == ("door", "ward", "home")
    solution = fn.solve(pooled)
    assert solution.method == "product_form"
    # Erlang C for c = 4, a = 9/4: the pooled wards are M/M/4 (Kleinrock 1975, eq. 3.40)
    terms = [2.25**k / math.factorial(k) for k in range(5)]
    last = terms[4] / (1 - 2.25 / 4)
    wait = last / (sum(terms[:4]) + last)
    assert solution.services.loc["ward", "wait_probability"] == pytest.approx(wait, rel=1e-12)
    # flows do not change: 60 % of the jobs come from the east, of which half go home
    assert solution.services.loc["home", "throughput"] == pytest.approx(9.0 * 0.6 * 0.5)


def test_services_to_pool_may_come_as_a_list():
    listed = fn.Scenario("one").pool(["a", "b"], into="c")
    assert listed == fn.Scenario("one").pool("a", "b", into="c")


def test_pooled_times_are_those_of_the_mixture():
    unlike = two_wards(west={"service_time": 0.5, "service_scv": 0.5})
    ward = fn.Scenario("s").pool("east", "west", into="ward").apply(unlike).graph.nodes["ward"]
    mean = 0.6 * 0.25 + 0.4 * 0.5
    square = 0.6 * 0.25**2 * 2.0 + 0.4 * 0.5**2 * 1.5
    assert ward["service_time"] == pytest.approx(mean)
    assert ward["service_scv"] == pytest.approx(square / mean**2 - 1)


def test_what_a_scenario_holds_cannot_be_changed():
    scenario = fn.Scenario("s").set("ward", servers=6)
    with pytest.raises(TypeError, match="cannot be changed"):
        scenario.changes[0].attributes["servers"] = 7
    assert copy.deepcopy(scenario) == scenario


def test_a_factor_stretches_a_calendar_and_what_cannot_add_up_is_refused():
    day = [{"start": 0.0, "end": 8.0, "value": 2.0}, {"start": 8.0, "end": 24.0, "value": 6.0}]
    there = fn.Scenario("s").set("ward", external_arrival_calendar={"b": day})
    network = clinic(ward={"external_arrival_rate": None})
    varied = (there + fn.Scenario("t").scale("*", external_arrival_rate=0.5)).apply(network)
    rows = varied.graph.nodes["ward"]["external_arrival_calendar"]["b"]
    assert [row["value"] for row in rows] == [1.0, 3.0]
    assert varied.graph.nodes["desk"]["external_arrival_rate"] == {"a": 4.5}
    for refused in (there.close("ward", to="home"), there.pool("ward", "desk", into="both")):
        with pytest.raises(ParameterError, match="varies with time"):
            refused.apply(network)
