"""Scenarios: each change against the description written by hand, composition, files, refusals."""

import pickle

import pytest

import flownet as fn
from flownet.errors import NetworkError, ParameterError


def clinic(**changes):
    desk = {"name": "desk", "servers": 2, "service_time": 0.1, "external_arrival_rate": {"a": 9.0}}
    ward = {"name": "ward", "servers": 5, "capacity": 8, "service_time": {"a": 0.3, "b": 0.4}}
    home = {"name": "home", "servers": "inf", "service_time": 2.0}
    document = {
        "network": {"name": "clinic", "time_unit": "hour"},
        "classes": {"a": {}, "b": {}},
        "services": [desk | changes.get("desk", {}), ward | changes.get("ward", {}), home],
        "routes": changes.get(
            "routes", [{"from": "desk", "to": "ward", "routing_probability": 0.5}]
        ),
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
    assert fn.Scenario("s").close(("desk", "ward")).apply(clinic()) == clinic(routes=[])
    shared = fn.Scenario("s").reroute("desk", "ward", to="home", share=0.5).apply(clinic())
    assert shared == clinic(
        routes=[
            {"from": "desk", "to": "ward", "routing_probability": 0.25},
            {"from": "desk", "to": "home", "routing_probability": 0.25},
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
        (lambda s: s.set(("ward", "desk"), transfer_delay=1.0), "routes go to nowhere"),
        (lambda s: s.scale("ward", when_full=2.0), "cannot be multiplied"),
        (lambda s: s.scale("ward", target=2.0), "set it instead"),
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
