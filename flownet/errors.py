"""The exception family: everything that flownet raises on purpose derives from `FlownetError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SHOWN = 50
"""So many faults are spelled out in an error's message; all of them stand in `faults`."""


class FlownetError(Exception):
    """Base of all errors that flownet raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a description, in plain words.

    Parameters
    ----------
    where : str
        What it concerns, for instance ``service 'Ward'`` or ``route 'ED' -> 'Ward'``.
    attribute : str
        The attribute, or an empty string where the fault concerns the whole object.
    value : str
        The value that was found, as text; empty where there is none.
    message : str
        What is wrong and what would be right.
    severity : {'error', 'warning'}
        An error refuses the network; a warning is carried along.
    """

    where: str
    attribute: str
    value: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return the fault as one line."""
        attribute = f", {self.attribute}" if self.attribute else ""
        value = f" = {self.value}" if self.value else ""
        return f"{self.where}{attribute}{value}: {self.message}"


class InputError(FlownetError):
    """The input is at fault; `faults` lists everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault] | str, source: str = "") -> None:
        if isinstance(faults, str):
            faults = (Fault(source or "input", "", "", faults),)
        self.faults: tuple[Fault, ...] = tuple(faults)
        self.source = source
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [str(fault) for fault in self.faults]
        if len(lines) == 1:
            return lines[0]
        head = f"{len(lines)} faults" + (f" in {self.source}" if self.source else "")
        shown = [f"  - {line}" for line in lines[:SHOWN]]
        if len(lines) > SHOWN:
            shown.append(f"  and {len(lines) - SHOWN} more, in the error's `faults`")
        return "\n".join([f"{head}:", *shown])

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...], str]]:
        """Pickle by the faults, so that the error survives a process boundary."""
        return type(self), (self.faults, self.source)


class NetworkError(InputError):
    """The described network is at fault: every fault is listed."""


class ReadError(InputError):
    """A file could not be read as a network."""


class ParameterError(InputError, ValueError):
    """A parameter of a public function is out of its range or impossible."""


class UnknownNameError(InputError, KeyError):
    """A name (service, class, method, goal, column) does not exist; the nearest known is told."""

    __str__ = InputError.__str__


class MethodError(FlownetError):
    """The chosen method does not apply to this network; `reasons` say why."""

    def __init__(self, method: str, reasons: Sequence[str]) -> None:
        self.method = method
        self.reasons: tuple[str, ...] = tuple(reasons)
        super().__init__(f"method '{method}' does not apply: " + "; ".join(self.reasons))

    def __reduce__(self) -> tuple[type[MethodError], tuple[str, tuple[str, ...]]]:
        """Pickle by the parts, so that the error survives a process boundary."""
        return type(self), (self.method, self.reasons)


class UnconvergedError(FlownetError):
    """Numbers were asked from a result that did not converge."""


class ProgramError(FlownetError):
    """A program has no solution that may be read: infeasible, unbounded, stopped at a limit."""


class StoreError(FlownetError, OSError):
    """Results could not be kept in files; the message says what is kept."""


class MissingExtraError(FlownetError, ImportError):
    """An optional package is not installed; the message names the extra to install."""
