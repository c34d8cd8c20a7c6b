"""Every format gives back the network that was written; every damaged file a clear error."""

import json
import os

import pytest

import flownet as fn
from flownet.readers.flat import flatten, unflatten

RICH = {
    "network": {"name": "rich <b>", "time_unit": "hour", "currency": "GBP", "cost_of_loss": 5.0,
                "notes": 'two\nlines, "quotes" and ünïcode'},
    "classes": {"frail": {"label": "Frail", "priority": 1}, "a.b": {}},
    "services": [
        {"name": "ED", "servers": 3, "external_arrival_rate": {"frail": 0.5, "a.b": 1.0},
         "service_distribution": {"frail": {"family": "empirical", "values": [1.0, 2.5]},
                                  "a.b": {"family": "lognormal", "mean": 1.0, "scv": 2.0}},
         "capacity": "inf", "patience": {"frail": 3.0},
         "origin": {"servers": "published: somebody, table 2"},
         "standard_error": {"external_arrival_rate": {"frail": 0.1}}},
        {"name": 'Ward, "A"', "servers": "inf", "service_time": 2, "organisation": "Trust"},
    ],
    "routes": [{"from": "ED", "to": 'Ward, "A"', "routing_probability": {"frail": 0.5},
                "transfer_delay": 0.25, "holds_server": True, "to_class": {"frail": "a.b"},
                "origin": {"transfer_delay": "assumed"}}],
}  # fmt: skip


@pytest.fixture
def rich():
    return fn.Network.from_dict(RICH)


@pytest.mark.parametrize("name", ["n.toml", "n.json", "n.graphml", "tables"])
def test_every_format_goes_round(rich, tmp_path, name):
    fn.write(rich, tmp_path / name)
    assert fn.read(tmp_path / name) == rich


def test_node_link_goes_round_and_is_what_networkx_reads(rich, tmp_path):
    import networkx as nx

    fn.write(rich, tmp_path / "n.json", node_link=True)
    assert fn.read(tmp_path / "n.json") == rich
    graph = nx.node_link_graph(json.loads((tmp_path / "n.json").read_text()), edges="edges")
    assert fn.Network.from_graph(graph) == rich


def test_packaged_systems_go_round(tmp_path):
    for name in fn.examples():
        network = fn.example(name)
        for file in ("n.toml", "n.json", "n.graphml", name):
            fn.write(network, tmp_path / file)
            assert fn.read(tmp_path / file) == network


def test_tables_that_declare_no_time_unit_take_the_one_given(tmp_path):
    (tmp_path / "services.csv").write_text("name,service_time,external_arrival_rate\na,1,0.5\n")
    with pytest.raises(fn.NetworkError, match="time_unit"):
        fn.read(tmp_path / "services.csv")
    assert fn.read(tmp_path / "services.csv", time_unit="day").time_unit == "day"


def test_flat_tables_go_round():
    table = {"a": 1, "b": {"c.d": {"e": 2}, "f": {}}}
    assert unflatten(flatten(table)) == table


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("n.toml", "[network", "is not TOML"),
        ("n.toml", f"x = {'9' * 5000}", "is not TOML"),
        ("n.json", "{", "is not JSON"),
        ("n.json", '{"network": {}, "services": [], "services": []}', "services: stands twice"),
        ("n.json", "[" * 100_000, "is not JSON"),
        ("n.json", "[]", "must hold an object"),
        ("n.json", '{"nodes": 3}', "node-link"),
        ("n.json", '{"network": {"time_unit": "day"}, "services": [{"name": "a", "target": NaN}]}',
         "target = nan"),
        ("n.graphml", "<graphml>", "is not GraphML"),
        ("n.graphml", '<!DOCTYPE x [<!ENTITY a "b">]><graphml/>', "entities"),
        ("n.xlsx", "x", "no known format"),
        ("services.csv", "", "is empty"),
        ("services.csv", "name,name\n1,2\n", "stands twice"),
        ("services.csv", "name\na,b,c\n", "row 2"),
        ("services.csv", 'name\n"a', "is not CSV"),
    ],
)  # fmt: skip
def test_damaged_files_are_named(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(fn.FlownetError, match=says):
        fn.read(tmp_path / name)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_read_as_spreadsheets_write_them(tmp_path, sign, encoding):
    rows = "name,service_time,external_arrival_rate\r\nwärd,1.5,0.5\r\n".replace(",", sign)
    (tmp_path / "services.csv").write_bytes(rows.encode(encoding))
    network = fn.read(tmp_path / "services.csv", time_unit="day")
    assert network.graph.nodes["wärd"]["service_time"] == 1.5


def test_a_table_in_another_encoding_says_how_to_save_it(tmp_path):
    (tmp_path / "services.csv").write_bytes("name\nwärd\n".encode("latin-1"))
    with pytest.raises(fn.FlownetError, match="save it as UTF-8 text"):
        fn.read(tmp_path / "services.csv")


def test_routes_that_are_asked_for_must_be_there(tmp_path):
    table = tmp_path / "services.csv"
    table.write_text("name,service_time,external_arrival_rate\na,1,0.5\n")
    assert not fn.read(table, time_unit="day").graph.edges
    with pytest.raises(fn.FlownetError, match=r"'ruotes\.csv': does not exist"):
        fn.read(table, tmp_path / "ruotes.csv", time_unit="day")


def test_missing_binary_and_huge_files_are_named(tmp_path):
    with pytest.raises(fn.FlownetError, match="does not exist"):
        fn.read(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(fn.FlownetError, match="cannot be read"):
        fn.read(tmp_path / "binary.toml")
    with (tmp_path / "huge.toml").open("wb") as file:
        os.truncate(file.fileno(), 3_000_000_000)
    with pytest.raises(fn.FlownetError, match="no description"):
        fn.read(tmp_path / "huge.toml")


def test_a_failed_write_leaves_the_old_file_whole(rich, tmp_path, monkeypatch):
    target = tmp_path / "n.toml"
    fn.write(rich, target)
    before = target.read_text()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flownet.readers.text.os.fdopen", full)
    with pytest.raises(OSError, match="No space"):
        fn.write(rich, target)
    assert target.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["n.toml"]


def test_unknown_example_is_told_with_the_nearest():
    with pytest.raises(fn.FlownetError, match="did you mean 'stroke'"):
        fn.example("strok")
