"""One change of a network: what is asked for, checked and said in plain words."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from flownet.errors import Fault, ParameterError
from flownet.network.values import nearest, plain, shown

KINDS: Final = ("set", "scale", "add", "close", "reroute", "pool", "move")
EVERY: Final = "*"
"""The target that stands for every service."""
PAIRS: Final = ("reroute", "move")


class Kept(dict[str, Any]):
    """A dictionary that cannot be changed once it is made."""

    def _refuse(self, *_given: Any, **_named: Any) -> NoReturn:
        message = "a change of a scenario cannot be changed: make another scenario"
        raise TypeError(message)

    __setitem__ = __delitem__ = _refuse
    pop = popitem = clear = update = setdefault = _refuse

    def __ior__(self, _other: Any) -> NoReturn:  # type: ignore[misc]  # it never returns
        """Refuse."""
        self._refuse()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy as the plain dictionary, made immutable again on arrival."""
        return Kept, (dict(self),)


def as_names(target: Any) -> tuple[Any, ...]:
    """Return a target as a tuple: one name is a service, two are a route."""
    return tuple(target) if isinstance(target, (tuple, list)) else (target,)


def failure(where: str, attribute: str, value: object, message: str) -> ParameterError:
    """Return the error of one change that cannot be carried out."""
    return ParameterError([Fault(where, attribute, str(value), message)])


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


@dataclasses.dataclass(frozen=True)
class Change:
    """One change of a network.

    Attributes
    ----------
    kind : {'set', 'scale', 'add', 'close', 'reroute', 'pool', 'move'}
        What is done.
    target : tuple of str
        A service, ``'*'`` for every service, the two ends of a route or of a move, or the services
        to pool.
    attributes : mapping
        New values, or factors, by attribute.
    job_class : str
        The class that it concerns; empty for every class.
    to : str
        Where jobs go instead, or what the pooled service is called.
    amount : float
        Share of the jobs that is sent elsewhere, or servers that move.
    """

    kind: str
    target: tuple[Any, ...]
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    job_class: str = ""
    to: Any = ""
    amount: float = 0.0

    def __post_init__(self) -> None:
        """Check what can be checked without a network, and keep an own copy of the values."""
        if self.kind not in KINDS:
            message = f"is not known; known are {', '.join(KINDS)}{nearest(self.kind, KINDS)}"
            raise failure("change", "kind", self.kind, message)
        object.__setattr__(self, "target", as_names(self.target))
        where = f"change '{self.kind}'"
        if not isinstance(self.attributes, Mapping):
            raise failure(where, "attributes", shown(self.attributes), "must be a table")
        object.__setattr__(self, "attributes", Kept(plain(self.attributes)))
        faults = [Fault(where, *wrong) for wrong in (*self._target_faults(), *self._value_faults())]
        if faults:
            raise ParameterError(faults)

    def _target_faults(self) -> list[tuple[str, str, str]]:
        wrong: list[tuple[str, str, str]] = []
        named = all(isinstance(n, (str, int)) and not isinstance(n, bool) for n in self.target)
        if not named or "" in self.target:
            wrong.append(("target", shown(self.target), "must name services"))
        count = len(self.target)
        if self.kind == "pool":
            if count < 2 or len(set(self.target)) < count:
                wrong.append(
                    ("target", shown(self.target), "must name two or more services, each once")
                )
        elif count not in ((2,) if self.kind in PAIRS else (1, 2)):
            wrong.append(("target", shown(self.target), "must be a service, or a pair of services"))
        if EVERY in self.target and (self.kind not in ("set", "scale") or count > 1):
            wrong.append(
                ("target", f"'{EVERY}'", "every service at once can only be set or scaled")
            )
        for name, value in (("job_class", self.job_class), ("to", self.to)):
            if not isinstance(value, str) and not (name == "to" and isinstance(value, int)):
                wrong.append((name, shown(value), "must be a name"))
        if self.kind in ("reroute", "pool") and self.to == "":
            wrong.append(("to" if self.kind == "reroute" else "into", "", "must name a service"))
        return wrong

    def _value_faults(self) -> list[tuple[str, str, str]]:
        wrong: list[tuple[str, str, str]] = []
        if self.kind in ("set", "scale") and not self.attributes:
            wrong.append(("", "", "must name at least one attribute"))
        if self.kind == "scale":
            wrong += [
                (name, shown(factor), "must be a finite factor of at least 0")
                for name, factor in self.attributes.items()
                if not is_number(factor) or factor < 0
            ]
        what = "share" if self.kind == "reroute" else "servers"
        if self.kind in PAIRS and not (is_number(self.amount) and self.amount > 0):
            wrong.append((what, shown(self.amount), "must be a finite number above 0"))
        elif self.kind == "reroute" and self.amount > 1:
            wrong.append((what, shown(self.amount), "must be at most 1"))
        return wrong

    def to_dict(self) -> dict[str, Any]:
        """Return what is given as plain values."""
        row: dict[str, Any] = {"kind": self.kind, "target": list(self.target)}
        if self.attributes:
            row["attributes"] = copy.deepcopy(dict(self.attributes))
        optional = {"job_class": self.job_class, "to": self.to, "amount": self.amount}
        return row | {key: value for key, value in optional.items() if value not in ("", 0.0)}

    def words(self) -> str:
        """Return the change in plain words."""
        return _WORDS[self.kind](self, self._where(), self.attributes.items())

    def _where(self) -> str:
        whom = f" for class '{self.job_class}'" if self.job_class else ""
        if self.target == (EVERY,):
            return f"every service{whom}"
        return " -> ".join(f"'{name}'" for name in self.target) + whom


def _said(value: Any) -> str:
    return f"{value:g}" if is_number(value) else str(value)


def _close_words(change: Change, where: str, _parts: Any) -> str:
    return f"close {where}; " + (
        f"who would have come goes to '{change.to}'" if change.to else "who would have come leaves"
    )


def _add_words(_change: Change, where: str, parts: Any) -> str:
    given = ", ".join(f"{name} {_said(value)}" for name, value in parts)
    return f"add {where}" + (f" with {given}" if given else "")


_WORDS: Final[dict[str, Callable[[Change, str, Any], str]]] = {
    "set": lambda _c, where, parts: "; ".join(
        f"set {name} of {where} to {_said(value)}" for name, value in parts
    ),
    "scale": lambda _c, where, parts: "; ".join(
        f"multiply {name} of {where} by {factor:g}" for name, factor in parts
    ),
    "add": _add_words,
    "close": _close_words,
    "reroute": lambda c, where, _p: f"send {100 * c.amount:g} % of {where} to '{c.to}' instead",
    "pool": lambda c, _w, _p: (
        "pool " + ", ".join(f"'{name}'" for name in c.target) + f" into '{c.to}'"
    ),
    "move": lambda c, where, _p: f"move {c.amount:g} server{'' if c.amount == 1 else 's'} {where}",
}
"""How each kind of change is said."""
