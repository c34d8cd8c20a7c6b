"""Tables of exchanges: every form that is taken, and everything that is refused."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.allocate.exchanges import check_exchanges
from flownet.errors import FlownetError, ParameterError

SERVICES = ("ED", "Ward", "Home care")
ROW = {"from": "Ward", "to": "Home care", "rate": 2.3, "cost": 10.0, "limit": 4}


@pytest.mark.parametrize(
    "rows",
    [
        [ROW],
        [("Ward", "Home care", 2.3, 10.0, 4.0)],
        pd.DataFrame([ROW]),
        [{**ROW, "rate": "2.3", "limit": "4"}],
    ],
    ids=["dicts", "tuples", "frame", "texts"],
)
def test_every_form_of_the_table(rows) -> None:
    table = check_exchanges(rows, SERVICES)
    assert len(table) == 1
    assert (table.start.tolist(), table.end.tolist()) == ([1], [2])
    assert (table.rate[0], table.cost[0], table.limit[0]) == (2.3, 10.0, 4.0)
    assert table.label(0) == "Ward -> Home care"
    with pytest.raises(ValueError, match="read-only"):
        table.rate[0] = 3.0


@pytest.mark.parametrize(
    "rows",
    [
        [("Ward", "ED")],
        [{"from": "Ward", "to": "ED", "limit": "inf", "cost": None}],
        pd.DataFrame({"from": ["Ward"], "to": ["ED"], "limit": [math.nan]}),
    ],
)
def test_what_is_not_said_takes_its_default(rows) -> None:
    table = check_exchanges(rows, SERVICES)
    assert (table.rate[0], table.cost[0], table.limit[0]) == (1.0, 0.0, math.inf)


def test_no_table_is_an_empty_one() -> None:
    for rows in (None, [], pd.DataFrame(columns=["from", "to"])):
        assert len(check_exchanges(rows, SERVICES)) == 0


def test_services_may_be_numbers() -> None:
    table = check_exchanges([(1, 2), ("2", "3")], [1, 2, 3])
    assert (table.start.tolist(), table.end.tolist()) == ([0, 1], [1, 2])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**ROW, "from": "Wards"}], r"exchange 1, from = 'Wards'.*did you mean 'Ward'"),
        ([{"to": "ED"}], "exchange 1, from: is missing"),
        ([("Ward", "Ward")], "exchange 1, to = 'Ward': leads back"),
        ([{**ROW, "rate": -1}], "exchange 1, rate = -1"),
        ([{**ROW, "rate": math.inf}], "exchange 1, rate = inf"),
        ([{**ROW, "cost": -0.1}], "exchange 1, cost"),
        ([{**ROW, "limit": -2}], "exchange 1, limit"),
        ([{**ROW, "limit": True}], "exchange 1, limit"),
        ([{**ROW, "rate": "much"}], "exchange 1, rate = 'much'"),
        ([{**ROW, "rates": 1}], r"exchange 1, rates: is not a column; did you mean 'rate'"),
        ([("Ward",)], "exchange 1"),
        (["Ward"], "exchange 1"),
        ([{**ROW, "to": ["ED"]}], "exchange 1, to"),
        ("Ward", "exchanges"),
        ({"from": "Ward"}, "exchanges"),
        (3, "exchanges"),
    ],
)
def test_faults_are_told_by_row_and_column(rows, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_exchanges(rows, SERVICES)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        check_exchanges([{**ROW, "cost": -1}, ("Ward", "Ward"), ("A", "B")], SERVICES)
    assert len(caught.value.faults) == 4


def test_a_loop_that_makes_servers_is_named() -> None:
    rows = [("ED", "Ward", 0.5), ("Ward", "Home care", 2.3), ("Home care", "ED", 0.9)]
    with pytest.raises(ParameterError, match=r"makes 1\.035 servers") as caught:
        check_exchanges(rows, SERVICES)
    assert any(
        f"the loop {' -> '.join(turn)} " in str(caught.value)
        for turn in (
            ("ED", "Ward", "Home care", "ED"),
            ("Ward", "Home care", "ED", "Ward"),
            ("Home care", "ED", "Ward", "Home care"),
        )
    )


def test_a_loop_that_loses_or_keeps_is_allowed() -> None:
    rows = [("ED", "Ward", 0.8), ("Ward", "ED", 1.25), ("Ward", "Home care", 0.1)]
    assert len(check_exchanges(rows, SERVICES)) == 3
    closed = [("ED", "Ward", 2.0), ("Ward", "ED", 2.0, 0.0, 0.0)]  # nothing may move back
    assert len(check_exchanges(closed, SERVICES)) == 2


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 4),
            st.sampled_from([0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 2.3]),
        ).filter(lambda row: row[0] != row[1]),
        max_size=9,
    )
)
def test_loops_against_looking_at_every_one(rows) -> None:
    best = np.zeros((5, 5))
    for start, end, rate in rows:
        best[start, end] = max(best[start, end], rate)
    mints = any(
        math.prod(best[a, b] for a, b in itertools.pairwise([*loop, loop[0]])) > 1 + 1e-6
        for size in range(2, 6)
        for loop in itertools.permutations(range(5), size)
    )
    if mints:
        with pytest.raises(ParameterError, match="the loop"):
            check_exchanges(rows, range(5))
    else:
        assert len(check_exchanges(rows, range(5))) == len(rows)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=12,
    )
)
def test_rubbish_is_refused_in_our_own_words(rows) -> None:
    try:
        check_exchanges(rows, SERVICES)
    except FlownetError:
        return
    assert rows is None or len(rows) == 0
