"""Event logs: what is read from them, what is refused and why."""

import json

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import ParameterError, ReadError
from flownet.readers.log_files import refuse_entities


class Interchanged:
    """A data frame of which nothing is known but the interchange protocol."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, *args, **kwargs):
        return self.frame.__dataframe__(*args, **kwargs)


def log_of(*rows):
    return pd.DataFrame(rows, columns=["case", "activity", "start", "complete"])


def visits(count=60):
    """One visit a case to a desk, each of 1, 2 or 3 minutes, one every 5 minutes."""
    return [(str(k), "desk", 5.0 * k, 5.0 * k + 1 + k % 3) for k in range(count)]


def estimate(log, **options):
    return fn.from_event_log(log, **{"time_unit": "minute", "families": (), **options})


def counts(found):
    rows = found.report.rows["rows"]
    return {rule: int(n) for rule, n in rows.items() if n}


def test_every_row_is_counted_once_under_the_rule_that_it_breaks():
    bad = [
        (None, "desk", 1.0, 2.0), ("  ", "desk", 1.0, 2.0), ("a", None, 1.0, 2.0),
        ("a", "desk", 2.0, 1.0), ("0", "desk", 0.0, 1.0), ("a", "desk", None, None),
        ("b", "desk", np.inf, 3.0),
    ]  # fmt: skip
    found = estimate(log_of(*visits(), *bad))
    assert counts(found) == {
        "timed": 60, "missing case": 2, "missing activity": 1, "end before beginning": 1,
        "duplicate": 1, "no time": 1, "unreadable time": 1,
    }  # fmt: skip
    assert found.report.read == 67
    assert found.network.graph.nodes["desk"]["service_time"] == pytest.approx(2.0)


def test_a_rate_and_its_interval_are_those_of_a_poisson_count():
    # Garwood (1936): 95% limits of a count of 60 are 45.79 and 77.23 (tables of Poisson limits)
    found = estimate(log_of(*visits()), observed_from=0.0, censored_at=298.0)
    rate = found.parameters.set_index("attribute").loc["external_arrival_rate"]
    assert rate["n"] == 60
    assert rate["estimate"] == pytest.approx(60 / 298)
    # the arrivals are regular, which the test tells from Poisson
    assert found.arrivals["verdict"].iloc[0].startswith("more regular")


@pytest.mark.parametrize(
    "kind", ["polars", "pyarrow", "protocol", "rows", "columns", "csv", "parquet"]
)
def test_the_same_log_in_any_form_gives_the_same_network(kind, tmp_path):
    frame = log_of(*visits())
    if kind == "polars":
        log = pytest.importorskip("polars").DataFrame(frame.to_dict("list"))
    elif kind == "pyarrow":
        log = pytest.importorskip("pyarrow").table(frame.to_dict("list"))
    elif kind == "protocol":
        log = Interchanged(frame)
    elif kind == "rows":
        log = frame.to_dict("records")
    elif kind == "columns":
        log = frame.to_dict("list")
    else:
        log = tmp_path / f"log.{kind}"
        if kind == "csv":
            frame.to_csv(log, index=False, sep=";")
        else:
            pytest.importorskip("pyarrow")
            frame.to_parquet(log)
    assert estimate(log).network == estimate(frame).network


def test_columns_of_pm4py_are_recognized_and_lifecycles_joined():
    begin = pd.Timestamp("2024-01-01")
    rows = [
        {
            "case:concept:name": case,
            "concept:name": activity,
            "lifecycle:transition": stage,
            "time:timestamp": begin + pd.Timedelta(minutes=time),
        }
        for case, activity, start, complete in visits()
        for stage, time in (("start", start), ("complete", complete))
    ]
    found = estimate(pd.DataFrame(rows))
    assert counts(found) == {"timed": 60, "joined": 60}
    assert found.network.graph.nodes["desk"]["service_time"] == pytest.approx(2.0)
    assert "recognized" in found.report.columns["case"]


def test_waiting_and_blocking_are_told_from_service():
    frame = log_of(*visits()).assign(
        arrived=lambda d: d["start"] - 0.5, left=lambda d: d["complete"] + 0.25
    )
    found = estimate(frame)
    assert found.observed.loc["desk", "waiting_time"] == pytest.approx(0.5)
    assert found.observed.loc["desk", "blocked_time"] == pytest.approx(0.25)
    assert found.network.graph.nodes["desk"]["service_time"] == pytest.approx(2.0)
    validated = found.validate()
    assert validated.loc["desk", ("throughput", "ratio")] == pytest.approx(1.0, rel=0.05)


def test_come_backs_within_the_window_are_returns_and_later_ones_new_arrivals():
    rows = []
    for k in range(40):
        back = 10.0 if k < 10 else 1000.0
        start = 3000.0 * k
        rows += [(str(k), "in", start), (str(k), "out", start + 2.0)]
        rows += [(str(k), "in", start + 2.0 + back), (str(k), "out", start + 3.0 + back)]
    frame = pd.DataFrame(rows, columns=["case", "activity", "timestamp"])
    found = estimate(frame, leaving=["out"], returns_within=20.0)
    assert found.returns["come_backs"] == 40
    assert found.returns["returns"] == 10
    route = found.network.graph.edges["in", "in"]
    assert route["routing_probability"] == pytest.approx(10 / 80)
    assert route["transfer_delay"] == pytest.approx(10.0)
    assert found.arrivals["n"].sum() == 70


def test_hours_that_clocks_show_twice_or_skip_are_said():
    # clocks in London go from 02:00 back to 01:00 on 27 October 2024, and skip 01:00 to 02:00 on
    # 31 March 2024
    rows = [
        ("1", "desk", "2024-10-27 00:30", "2024-10-27 03:30"),
        ("2", "desk", "2024-10-27 01:30", "2024-10-27 04:30"),
        ("3", "desk", "2024-03-31 00:30", "2024-03-31 02:30"),
        ("4", "desk", "2024-03-31 01:30", "2024-03-31 05:00"),
    ]
    found = estimate(log_of(*rows), time_zone="Europe/London", time_unit="hour")
    notes = " ".join(found.report.notes)
    assert "twice in autumn" in notes
    assert "skip in spring" in notes
    # 4 hours, 4 hours, 1 hour and (from the end of the hour skipped) 3 hours
    assert found.network.graph.nodes["desk"]["service_time"] == pytest.approx((4 + 4 + 1 + 3) / 4)


def test_dates_that_may_begin_with_day_or_month_are_asked_about():
    rows = [(str(k), "desk", f"0{k}/04/2024 10:00", f"0{k}/04/2024 11:00") for k in range(1, 9)]
    with pytest.raises(ParameterError, match="day_first"):
        estimate(log_of(*rows))
    found = estimate(log_of(*rows), day_first=True)
    assert any("day first" in note for note in found.report.notes)
    # one a day from the 1st to the 8th
    assert found.arrivals["rate"].iloc[0] == pytest.approx(1 / (24 * 60))


def test_several_logs_are_joined_on_the_case_and_disagreeing_clocks_told():
    first = log_of(*[(str(k), "desk", 10.0 * k, 10.0 * k + 2) for k in range(50)])
    second = log_of(*[(str(k), "desk", 10.0 * k + 1, 10.0 * k + 4) for k in range(50)])
    found = estimate({"North": first, "South": second})
    assert set(found.network.services) == {"North: desk", "South: desk"}
    assert found.network.organisation("South: desk") == "South"
    assert found.handovers["overlaps"].tolist() == [50]
    assert any("clock_offsets" in warning for warning in found.warnings)
    right = estimate({"North": first, "South": second}, clock_offsets={"South": -1.0})
    assert right.handovers["overlaps"].tolist() == [0]


def test_one_case_and_one_activity_make_a_network():
    found = estimate(log_of(("1", "desk", 0.0, 4.0)))
    assert found.network.graph.nodes["desk"]["service_time"] == 4.0
    assert bool(found.parameters["thin"].all())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("case,activity,start,complete\n", "no rows"),
        ("just a line of prose\nand another\n", "not a table"),
        ("a,b\n1,2\n", "say which of"),
        ('case,activity,start,complete\n1,desk,"2024', "not a table"),
    ],
)
def test_files_that_are_no_log_are_refused(tmp_path, text, words):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(ReadError, match=words):
        estimate(path)


def test_a_large_file_that_is_no_table_is_refused_by_its_first_bytes(tmp_path):
    path = tmp_path / "log.csv"
    with path.open("wb") as stream:
        stream.truncate(2_000_000_000)  # sparse: holds nothing on disk
    with pytest.raises(ReadError, match="null bytes"):
        estimate(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_bomb_of_entities_is_refused_before_parsing(tmp_path, encoding):
    path = tmp_path / "log.xes"
    nested = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE log [<!ENTITY e0 "x">{nested}]>'
    path.write_bytes(f"{text}<log>&e11;</log>".encode(encoding))
    with pytest.raises(ReadError, match="document type"):
        estimate(path)
    path.write_text("no xml at all")
    with pytest.raises(ReadError, match="not XML"):
        refuse_entities(path)


def test_a_million_activities_are_no_services():
    frame = pd.DataFrame({"case": 1, "activity": np.arange(1_000_000), "start": 0.0,
                          "complete": 1.0})  # fmt: skip
    with pytest.raises(ReadError, match="would make 1,000,000 services"):
        estimate(frame)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time_zone": "Europe/Atlantis"}, "not a known time zone"),
        ({"confidence": 95}, "confidence"),
        ({"time_unit": "fortnight"}, "time_unit"),
        ({"case": "patient"}, "is no column"),
        ({"services": {"dsek": "desk"}}, "did you mean 'desk'"),
        ({"servers": {"ward": 3}}, "is no service of the log"),
        ({"censored_at": "tomorrow"}, "must be a time"),
    ],
)
def test_wrong_parameters_are_refused_in_plain_words(options, words):
    with pytest.raises(ParameterError, match=words):
        estimate(log_of(*visits()), **options)


def test_the_result_goes_to_json_and_repeats_itself():
    found = estimate(log_of(*visits()))
    assert len(repr(found).splitlines()) == 3
    assert "Assumed" in found.explain()
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert fn.Network.from_dict(written["network"]) == found.network
    assert found.sample(3, seed=5) == found.sample(3, seed=5)
    assert found.network.graph.nodes["desk"]["origin"]["service_time"].startswith("estimated")
