"""Small systems to simulate, and how a simulated figure is held against a true one."""

import flownet as fn

SURE = 0.999


def network(*services, routes=(), classes=None, **whole):
    document = {
        "network": {"time_unit": "hour", **whole},
        "services": list(services),
        "routes": list(routes),
    }
    return fn.Network.from_dict(document | ({"classes": classes} if classes else {}))


def desk(load=0.5, **attributes):
    given = {"name": "desk", "service_time": 1.0, "external_arrival_rate": load}
    return network(given | attributes)


def tandem(**second):
    """Two services of two servers, the second with two places, so that it blocks the first."""
    first = {"name": "a", "servers": 2, "service_time": 1.0, "external_arrival_rate": 1.0,
             "capacity": 4}  # fmt: skip
    then = {"name": "b", "servers": 2, "capacity": 2, "service_time": 1.0} | second
    return network(first, then, routes=[{"from": "a", "to": "b"}])


def run(model, horizon=20_000.0, **options):
    given = {"warmup": 200.0, "replications": 10, "seed": 1, "confidence": SURE}
    return fn.simulate(model, horizon=horizon, **given | options)


def agrees(row, column, truth, relative=0.1):
    """Compare a column with its true value; the interval must be narrow enough to say something."""
    value, width = row[column], row[f"{column}_halfwidth"]
    assert abs(value - truth) <= width, (column, value, truth, width)
    assert width <= relative * abs(truth)
