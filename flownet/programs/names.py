"""Names that every solver and file format takes, made from names that people gave."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from flownet.errors import Fault, ParameterError, UnknownNameError

_LONGEST = 60
_OUTSIDE = re.compile(r"[^A-Za-z0-9_.]+")
_TAKEN = ("OBJ", "__dummy", "_dummy", "NoName")
_RESERVED = re.compile(
    r"(e\d.*|inf|infinity|free|bounds?|end|st|s\.t\.|min|max|minimi[sz]e|maximi[sz]e|minimum|"
    r"maximum|gen|general|generals|bin|binary|binaries|int|integers?|semi.*|sos\d?|subject|such)",
    re.IGNORECASE,
)


def safe_name(name: str) -> str:
    """Return `name` in letters, digits, underscores and points, as LP and MPS files take it.

    Accents are taken off; all else becomes an underscore. Two names can become one: `NameBook`
    keeps them apart.

    Examples
    --------
    >>> safe_name("servers[Médecine <3>]"), safe_name("2nd ward"), safe_name("救急")
    ('servers_Medecine_3', 'n_2nd_ward', 'n')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _OUTSIDE.sub("_", plain).strip("_")[:_LONGEST]
    if not plain or not plain[0].isalpha() or _RESERVED.fullmatch(plain):
        plain = f"n_{plain}".rstrip("_")
    return plain


class NameBook:
    """Names given by people beside the names given to the solver; both are unique.

    Parameters
    ----------
    kind : str
        What is named, for messages: 'variable' or 'constraint'.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._index: dict[str, int] = {}
        self._names: list[str] = []
        self._safe: list[str] = []
        self._used: set[str] = set(_TAKEN)

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Tell whether a name was given."""
        return name in self._index

    def __iter__(self) -> Iterator[str]:
        """Run through the names in the order in which they were given."""
        return iter(self._names)

    def add(self, name: str) -> None:
        """Take a new name in.

        Raises
        ------
        ParameterError
            Where the name was given before.
        """
        if name in self._index:
            message = f"is given twice: every {self.kind} needs a name of its own"
            raise ParameterError([Fault(self.kind, "name", repr(name), message)])
        self._index[name] = len(self._names)
        self._names.append(name)

    def add_all(self, names: Sequence[str]) -> None:
        """Take new names in, in their order.

        Raises
        ------
        ParameterError
            Where one of them was given before.
        """
        fresh = dict(
            zip(names, range(len(self._names), len(self._names) + len(names)), strict=True)
        )
        if len(fresh) < len(names) or not self._index.keys().isdisjoint(fresh):
            for name in names:
                self.add(name)
        self._index |= fresh
        self._names += names

    def index(self, name: str) -> int:
        """Return the number of a name, in the order in which names were given.

        Raises
        ------
        UnknownNameError
            Where no such name was given.
        """
        if name not in self._index:
            message = f"is not known; the program has {len(self)} {self.kind}s"
            raise UnknownNameError([Fault(self.kind, "name", repr(name), message)])
        return self._index[name]

    def safe(self, index: int) -> str:
        """Return the solver's name of the name with this number; made when first asked for."""
        for name in self._names[len(self._safe) : index + 1]:
            stem = safe = safe_name(name)
            count = 1
            while safe in self._used:
                count += 1
                safe = f"{stem}_{count}"
            self._used.add(safe)
            self._safe.append(safe)
        return self._safe[index]
