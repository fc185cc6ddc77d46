"""Records to rows and back: the one place that knows how each member is stored.

A record's members are the columns of its table, in the record's order; a SELECT that feeds
`Shape.record` names them in that order. Members without a codec are stored as they are.
Layer: stores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

from codegrant.accounts.records import Access, Account, Session
from codegrant.client.effects import StoredSession
from codegrant.flow import Flow
from codegrant.server.records import (
    AccessTokenRecord,
    ClientRecord,
    CodeRecord,
    GrantRecord,
    KeyRecord,
    RefreshTokenRecord,
    ResourceRecord,
    Transaction,
)
from codegrant.stores.statements import SqlValue, Statement, execute

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ACCESS",
    "ACCESS_TOKEN",
    "ACCOUNT",
    "CLIENT",
    "CODE",
    "GRANT",
    "KEY",
    "LOGIN",
    "REFRESH_TOKEN",
    "RESOURCE",
    "SESSION",
    "TRANSACTION",
    "Shape",
    "names_of",
    "text_of",
]

R = TypeVar("R")
_to_json = json.JSONEncoder(separators=(",", ":")).encode


class _Codec(NamedTuple):
    """How a member that is no plain text, number or digest is stored."""

    encode: Callable[[object], SqlValue]
    decode: Callable[[SqlValue], object]


def text_of(names: Sequence[str]) -> str:
    """Return a list of names as JSON text."""
    return _text_of(tuple(names))


@lru_cache(maxsize=256)  # few scopes are in use, each in many rows
def _text_of(names: tuple[str, ...]) -> str:
    return _to_json(names)


@lru_cache(maxsize=256)
def names_of(text: SqlValue) -> tuple[str, ...]:
    """Return the names that `text_of` stored."""
    return tuple(cast("list[str]", json.loads(cast("str", text))))


def _pairs_of(text: SqlValue) -> tuple[tuple[str, str], ...]:
    pairs = cast("list[tuple[str, str]]", json.loads(cast("str", text)))
    return tuple((name, value) for name, value in pairs)


def _names_text(value: object) -> str:
    return text_of(cast("Sequence[str]", value))


def _object_text(value: object) -> str:
    return _to_json(dict(cast("Mapping[str, object]", value)))


def _object_of(text: SqlValue) -> dict[str, object]:
    return {} if text == "{}" else cast("dict[str, object]", json.loads(cast("str", text)))


_NAMES = _Codec(_names_text, names_of)
_PAIRS = _Codec(_to_json, _pairs_of)
_OBJECT = _Codec(_object_text, _object_of)
_FLAG = _Codec(bool, bool)  # SQLite has no truth values, but stores Python's as 0 and 1


class Shape(Generic[R]):
    """How one kind of record is stored.

    Args:
        record: the dataclass, with slots.
        codecs: of the members that need one.
    """

    __slots__ = ("_codecs", "_members", "_positions", "_record", "_slots", "columns")

    def __init__(self, record: type[R], **codecs: _Codec) -> None:
        self._record = record
        self.columns: tuple[str, ...] = tuple(
            f.name for f in fields(cast("type[DataclassInstance]", record))
        )
        self._members: Callable[[R], tuple[SqlValue, ...]] = attrgetter(*self.columns)
        self._slots = tuple(getattr(record, name).__set__ for name in self.columns)
        self._codecs = tuple(codecs.items())
        self._positions = tuple(
            (self.columns.index(name), codec.decode) for name, codec in self._codecs
        )

    def record(self, row: Sequence[SqlValue]) -> R:
        """Return the record of a row that has exactly its columns, in their order."""
        values: list[object] = [*row]
        for position, decode in self._positions:
            values[position] = decode(row[position])
        # A frozen dataclass takes three times as long to make itself: it is filled from here.
        record = object.__new__(self._record)
        for put, value in zip(self._slots, values, strict=True):
            put(record, value)
        return record

    def find(self, statement: Statement, /, **parameters: SqlValue) -> Flow[R | None]:
        """Execute a statement and return the record of its first row, None without one."""
        rows = yield from execute(statement, **parameters)
        return self.record(rows[0]) if rows else None

    def find_all(self, statement: Statement, /, **parameters: SqlValue) -> Flow[tuple[R, ...]]:
        """Execute a statement and return the record of every row."""
        rows = yield from execute(statement, **parameters)
        return tuple(self.record(row) for row in rows)

    def parameters(self, record: R) -> dict[str, SqlValue]:
        """Return the record's members by name, as they are stored."""
        values = dict(zip(self.columns, self._members(record), strict=True))
        for name, codec in self._codecs:
            values[name] = codec.encode(values[name])
        return values


CLIENT = Shape(
    ClientRecord,
    redirect_uris=_NAMES,
    grant_types=_NAMES,
    scope=_NAMES,
    default_scope=_NAMES,
    audiences=_NAMES,
    require_pkce=_FLAG,
    skip_consent=_FLAG,
    metadata=_OBJECT,
    enabled=_FLAG,
)
RESOURCE = Shape(ResourceRecord, scope=_NAMES)
TRANSACTION = Shape(Transaction, request=_PAIRS)
GRANT = Shape(GrantRecord, scope=_NAMES, amr=_NAMES)
CODE = Shape(
    CodeRecord,
    redirect_uri_sent=_FLAG,
    requested_scope=_NAMES,
    auth_time_requested=_FLAG,
    offline=_FLAG,
)
REFRESH_TOKEN = Shape(RefreshTokenRecord)
ACCESS_TOKEN = Shape(AccessTokenRecord, scope=_NAMES)
KEY = Shape(KeyRecord)
ACCOUNT = Shape(Account, email_verified=_FLAG, claims=_OBJECT, enabled=_FLAG)
SESSION = Shape(Session, amr=_NAMES)
ACCESS = Shape(Access, redirect_uris=_NAMES, scope=_NAMES)
LOGIN = Shape(StoredSession)
