"""What was asked of a plan, read by the names of services; what is wrong with it is gathered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flownet.errors import Fault
from flownet.kernels.compiled import Floats
from flownet.network.model import ServiceName
from flownet.network.values import nearest, shown


class Reader:
    """Reads terms by the names of services, and gathers what is wrong with them."""

    def __init__(self, services: Sequence[ServiceName]) -> None:
        self.names = services
        self.index: dict[Any, int] = {str(name): k for k, name in enumerate(services)}
        self.index.update({name: k for k, name in enumerate(services)})
        self.faults: list[Fault] = []

    def fault(self, where: str, attribute: str, value: Any, message: str) -> None:
        """Keep what is wrong."""
        self.faults.append(Fault(where, attribute, "" if value is None else shown(value), message))

    def table(self, where: str, given: Any) -> Mapping[Any, Any]:
        """Return a table by name; empty where there is none."""
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return given
        self.fault(where, "", given, "must be a table by name")
        return {}

    def service(self, where: str, name: Any) -> int:
        """Return the number of a service; -1 where there is no such service."""
        try:
            return self.index[name]
        except (KeyError, TypeError):
            message = f"is not a service of the network{nearest(name, self.index)}"
            self.fault(where, "service", name, message)
            return -1

    def figure(self, where: str, attribute: str, value: Any, default: float = math.nan) -> float:
        """Return a number that is not negative (inf allowed)."""
        if value is None and not math.isnan(default):
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if number >= 0:
            return number
        self.fault(where, attribute, value, "must be a number that is not negative")
        return 0.0

    def by_service(self, where: str, given: Any, default: float) -> Floats:
        """Return (n,) figures: one for all, or by service with a default for the rest."""
        out = np.full(len(self.names), default)
        if given is not None and not isinstance(given, Mapping):
            out[:] = self.figure(where, "", given)
            return out
        for name, value in self.table(where, given).items():
            i = self.service(where, name)
            if i >= 0:
                out[i] = self.figure(where, str(name), value)
        return out

    def keys(self, where: str, table: Mapping[Any, Any], known: Sequence[str]) -> None:
        """Keep what a table says that nobody reads."""
        for key in table:
            if key not in known:
                message = f"is not known{nearest(key, known)}; {', '.join(known)} are"
                self.fault(where, str(key), None, message)
