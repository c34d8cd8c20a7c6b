"""Damaged event logs: each is read as far as it goes, or refused in plain words."""

import datetime as dt
import gzip
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flownet as fn
from flownet.errors import FlownetError, ParameterError, ReadError
from flownet.readers.log_quality import RULES

HEAD = "case,activity,start,complete\n"
LINES = "".join(
    f"{k},desk,2024-01-01 {k // 60:02d}:{k % 60:02d},2024-01-01 03:00\n" for k in range(96)
)


def estimate(log, **options):
    return fn.from_event_log(log, **{"families": (), **options})


def frame_of(start, complete):
    return pd.DataFrame({
        "case": range(len(start)), "activity": "desk", "start": start, "complete": complete,
    })  # fmt: skip


def counts(found):
    return {rule: int(n) for rule, n in found.report.rows["rows"].items() if n}


def time_at(found, service="desk"):
    return found.network.graph.nodes[service]["service_time"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("log.csv", (HEAD + LINES).encode("utf-16"), "UTF-16"),
        ("log.csv", (HEAD + LINES.replace("desk", "Büro")).encode("latin-1"), "not UTF-8"),
        ("log.csv", (HEAD + LINES * 900 + "x,Büro,,\n").encode("latin-1"), "not UTF-8"),
        ("log.csv", bytes(range(1, 256)) * 20, "null bytes or"),
        ("log.csv", b"PK\x03\x04" + bytes(100), "spreadsheet"),
        ("log.csv", (HEAD + LINES + '1,"desk,2024-01-01,\n').encode(), "not a table"),
        ("log.csv.gz", gzip.compress((HEAD + LINES).encode(), mtime=0)[:90], "cannot be read"),
        ("log.csv.gz", b"no gzip at all", "cannot be read"),
        ("log.parquet", b"PAR1 and then nothing of use", "not Parquet"),
        ("log.xes", b"<log><trace>", "not XES"),
        ("log.xes", bytes(200), "not XML"),
        ("log.xlsx", b"anything", "no known format"),
    ],
)
def test_files_that_are_damaged_are_refused_in_plain_words(tmp_path, name, content, words):
    if words == "not XES":
        pytest.importorskip("pm4py", reason="what is XML is read by pm4py, an extra")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReadError, match=words):
        estimate(path)


def test_a_parquet_file_cut_short_is_refused(tmp_path):
    whole = tmp_path / "whole.parquet"
    frame_of([0.0, 1.0], [1.0, 2.0]).to_parquet(whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ReadError, match="not Parquet"):
        estimate(cut)


def test_nothing_usable_is_refused_with_what_became_of_the_rows():
    with pytest.raises(ReadError, match=r"5 rows: 5 end before beginning"):
        estimate(frame_of(np.arange(5.0) + 2, np.arange(5.0)), time_unit="hour")
    with pytest.raises(ReadError, match=r"3 rows: 3 unreadable time"):
        estimate(frame_of(["soon"] * 3, ["later"] * 3))


def test_two_columns_of_one_name_are_refused():
    log = pd.DataFrame([["1", "desk", 0.0, 1.0, 2.0]])
    log.columns = ["case", "activity", "start", "complete", "start"]
    with pytest.raises(ReadError, match="several columns"):
        estimate(log, time_unit="hour")


@pytest.mark.parametrize("log", [{}, [], None, 7, b"bytes", pd.DataFrame()])
def test_what_is_no_log_is_refused(log):
    with pytest.raises(ReadError):
        estimate(log)


clock = dt.datetime.fromisoformat
# Each of these tells the same two stays of 30 and 90 minutes.
FORMS = {
    "ISO 8601": ("2024-03-14T13:00:00", "2024-03-14T13:30:00", "2024-03-14T14:30:00"),
    "no seconds": ("2024-03-14 13:00", "2024-03-14 13:30", "2024-03-14 14:30"),
    "offsets": ("2024-03-14T13:00:00Z", "2024-03-14T14:30:00+01:00", "2024-03-14T09:30:00-05:00"),
    "day first": ("14/03/2024 13:00", "14/03/2024 13:30", "14/03/2024 14:30"),
    "month first": ("03/14/2024 1:00 PM", "03/14/2024 1:30 PM", "03/14/2024 2:30 PM"),
    "short years": ("14.03.24 13:00", "14.03.24 13:30", "14.03.24 14:30"),
    "words": ("14 Mar 2024 13:00", "14 Mar 2024 13:30", "14 Mar 2024 14:30"),
    "digits": (20240314130000, 20240314133000, 20240314143000),
    "seconds since 1970": (1710421200, 1710423000, 1710426600),
    "milliseconds as text": ("1710421200000", "1710423000000", "1710426600000"),
    "datetime": tuple(clock("2024-03-14T" + at) for at in ("13:00", "13:30", "14:30")),
    "mixed": ("2024-03-14 13:00", clock("2024-03-14T13:30"), "14 March 2024 14:30"),
}


@pytest.mark.parametrize("form", FORMS)
def test_times_in_many_forms_are_read_alike(form):
    start, first, second = FORMS[form]
    found = estimate(frame_of([start, start], [first, second]), time_unit="minute")
    assert counts(found) == {"timed": 2}
    assert time_at(found) == pytest.approx(60.0)


def test_a_day_above_twelve_in_one_column_tells_of_the_other():
    found = estimate(frame_of(["03/04/2024", "05/04/2024"], ["13/04/2024", "14/04/2024"]),
                     time_unit="day")  # fmt: skip
    assert time_at(found) == pytest.approx((10 + 9) / 2)


def test_dates_against_the_order_that_was_told_are_refused_not_turned():
    found = estimate(
        frame_of(["03/04/2024", "04/13/2024"], ["04/04/2024", "04/14/2024"]),
        time_unit="day", day_first=True,
    )  # fmt: skip
    assert counts(found) == {"timed": 1, "unreadable time": 1}


def test_zones_by_letters_are_not_guessed():
    log = frame_of(["2024-01-01 10:00 IST", "2024-01-01 10:00"], ["2024-01-01 11:00"] * 2)
    found = estimate(log)
    assert counts(found) == {"timed": 1, "unreadable time": 1}
    assert any("letters" in note for note in found.report.notes)


def test_dates_that_fill_a_gap_are_no_times():
    log = frame_of(["2024-01-01", "0001-01-01", "1900-01-01", "2024-01-02"],
                   ["2024-01-03", "2024-01-03", "2024-01-03", "9999-12-31"])  # fmt: skip
    found = estimate(log, time_unit="day")
    if int(pd.__version__.split(".")[0]) < 3:  # its clocks hold the years 1678 to 2261 only
        assert counts(found) == {"timed": 1, "unreadable time": 2, "placeholder date": 1}
        return
    assert counts(found) == {"timed": 1, "untimed": 1, "placeholder date": 2}
    assert time_at(found) == pytest.approx(2.0)
    assert any("not ended" in note for note in found.report.notes)


def test_of_an_hour_shown_twice_the_second_is_taken_where_the_first_is_too_early():
    # clocks in London go from 02:00 back to 01:00 on 27 October 2024: from 01:50 to 01:10 are
    # 20 minutes
    log = frame_of(["2024-10-27 01:50"], ["2024-10-27 01:10"])
    assert time_at(estimate(log, time_zone="Europe/London", time_unit="minute")) == 20.0


def test_numbers_with_commas_and_ids_with_leading_zeros_are_kept(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("case;activity;start;complete\n001;desk;0,5;1,5\n1;desk;2,0;4,0\n")
    found = estimate(path, time_unit="hour")
    assert time_at(found) == pytest.approx(1.5)
    # were 001 and 1 the same case, there would be a route from the desk to itself
    assert not found.network.graph.edges


def test_ends_go_with_beginnings_where_some_are_missing():
    events = [("a", "start", 0.0), ("a", "start", 10.0), ("a", "complete", 12.0),
              ("b", "start", 0.0), ("b", "complete", 2.0), ("b", "start", 2.0),
              ("b", "complete", 4.0)]  # fmt: skip
    log = pd.DataFrame(events, columns=["case", "lifecycle", "timestamp"]).assign(activity="desk")
    found = estimate(log, time_unit="hour")
    # the first beginning of a has no end: its stay is not one of 12 hours
    assert counts(found) == {"timed": 3, "untimed": 1, "joined": 3}
    assert time_at(found) == pytest.approx(2.0)


def test_logs_of_stays_and_of_events_are_joined():
    stays = pd.DataFrame({"case": range(40), "activity": "ward", "start": np.arange(40) * 9.0})
    stays["complete"] = stays["start"] + 4
    events = pd.DataFrame({
        "pid": np.repeat(np.arange(40), 2), "activity": "scan",
        "lifecycle": ["start", "complete"] * 40,
        "timestamp": (np.arange(40)[:, None] * 9.0 + [5.0, 6.0]).ravel(),
    })  # fmt: skip
    found = estimate(
        {"North": stays, "South": events}, case={"North": "case", "South": "pid"}, time_unit="hour"
    )
    assert time_at(found, "ward") == pytest.approx(4.0)
    assert time_at(found, "scan") == pytest.approx(1.0)
    assert found.network.graph.edges["ward", "scan"]["routing_probability"] == pytest.approx(1.0)
    assert found.report.logs["rows"].tolist() == [40, 80]


def test_cases_that_end_with_an_event_have_left():
    ways = [("in", "seen"), ("in", "seen", "in")]
    rows = [
        (k, name, 10.0 * k + at) for k in range(30) for at, name in enumerate(ways[k % 2])
    ]  # fmt: skip
    log = pd.DataFrame(rows, columns=["case", "activity", "timestamp"])
    found = estimate(log, time_unit="hour")
    assert found.network.graph.edges["seen", "in"]["routing_probability"] == pytest.approx(0.5)
    assert any("left with" in sentence for sentence in found.assumptions)


WEEK = clock("2024-01-01"), clock("2024-01-09")
TIMES = st.one_of(
    st.none(), st.floats(-1e3, 1e3), st.just(float("nan")), st.just(float("inf")), st.just(1e308),
    st.integers(-5, 5), st.booleans(),
    st.datetimes(), st.datetimes(*WEEK), st.datetimes(*WEEK).map(str),
    st.sampled_from(["", " ", "soon", "03/04/2024 10:00", "13/04/2024", "2024-01-02 10:00 IST",
                     "2024-01-02T10:00:00+02:00", "2024-10-27 01:30", "9999-12-31", "1,5", "7"]),
)  # fmt: skip
WORDS = st.one_of(
    st.none(), st.sampled_from(["a", "b", " a ", "", "c"]), st.integers(0, 3),
    st.floats(0, 3), st.just([1]),
)  # fmt: skip
ROWS = st.lists(st.tuples(WORDS, WORDS, TIMES, TIMES, WORDS), min_size=1, max_size=12)


@settings(max_examples=120, deadline=None)
@given(rows=ROWS, kind=st.sampled_from(["stays", "events", "lifecycle"]), zone=st.booleans())
def test_whatever_a_log_holds_each_of_its_rows_is_counted_once(rows, kind, zone):
    frame = pd.DataFrame(rows, columns=["case", "activity", "start", "complete", "resource"])
    if kind != "stays":
        frame = frame.drop(columns="complete").rename(columns={"start": "timestamp"})
    if kind == "lifecycle":
        frame["lifecycle"] = np.resize(["start", "complete", "schedule", "resume"], len(frame))
    options = {
        "time_unit": "hour",
        "day_first": True,
        "time_zone": "Europe/London" if zone else None,
    }
    try:
        report = estimate(frame, **options).report
    except FlownetError as error:
        # where nothing can be used the message itself counts the rows
        told = re.search(r"of ([\d,]+) rows: (.*?)(?: \(|$)", str(error))
        if told and "none refused" not in told[2]:
            parts = re.findall(r"(\d+) (" + "|".join(map(re.escape, RULES)) + ")", told[2])
            assert sum(int(number) for number, _ in parts) == int(told[1]) == len(frame)
        return
    assert report.read == len(frame)
    assert report.used + report.refused + report.left_out == report.read
    assert report.logs["rows"].sum() == report.read


def test_a_time_of_the_wrong_kind_is_refused():
    log = frame_of(["2024-01-01"], ["2024-01-02"])
    with pytest.raises(ParameterError, match="must be a date"):
        estimate(log, censored_at=17.0)
