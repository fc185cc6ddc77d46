"""What an operator may set, and where each value comes from.

Flag before environment before file before default. A wrong value is one line that names
the key, the value and what is allowed. docs/settings.md shows every setting.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast, get_type_hints

from codegrant.cli.readers import Reader, addresses, choice, flag, path, text, whole
from codegrant.errors import ConfigurationError

__all__ = [
    "SETTINGS",
    "Fetch",
    "Keys",
    "Lifetimes",
    "Limits",
    "Proxy",
    "SecretFile",
    "Setting",
    "Settings",
    "Sqlite",
    "Tokens",
    "load_settings",
]

_DAY = 86_400
_MOST_SHOWN = 200
_TEN_YEARS = 3650 * _DAY


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """Seconds. Codes live at most ten minutes, RFC 6749 §4.1.2."""

    code: Annotated[int, whole(1, 600)] = 60
    access_token: Annotated[int, whole(1, 3600)] = 300
    id_token: Annotated[int, whole(1, _DAY)] = 300
    refresh_idle: Annotated[int, whole(60, _TEN_YEARS)] = 30 * _DAY
    refresh_absolute: Annotated[int, whole(60, _TEN_YEARS)] = 180 * _DAY
    session_idle: Annotated[int, whole(60, _TEN_YEARS)] = 43_200
    session_absolute: Annotated[int, whole(60, _TEN_YEARS)] = 30 * _DAY


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What access tokens are made of."""

    access_format: Annotated[str, choice("jwt", "opaque")] = "jwt"
    access_alg: Annotated[str, choice("RS256", "ES256", "PS256", "EdDSA")] = "ES256"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many failures are taken; the window is seconds."""

    enabled: Annotated[bool, flag()] = True
    account_failures: Annotated[int, whole(1, 1_000_000)] = 10
    source_failures: Annotated[int, whole(1, 1_000_000)] = 100
    window: Annotated[int, whole(1, _DAY)] = 300


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Signing keys."""

    activate_after: Annotated[int, whole(0, 30 * _DAY)] = 3600


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """Addresses that a client names."""

    allow_private: Annotated[bool, flag()] = False


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """Whose forwarded headers count."""

    trusted: Annotated[tuple[str, ...], addresses()] = ()


@dataclass(frozen=True, kw_only=True)
class SecretFile:
    """Where the key ring is, when it is not in the environment."""

    file: Annotated[Path | None, path()] = None


@dataclass(frozen=True, kw_only=True)
class Sqlite:
    """How SQLite writes."""

    synchronous: Annotated[str, choice("FULL", "NORMAL")] = "FULL"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator may set; `issuer` is None when it follows from host and port."""

    issuer: Annotated[str | None, text("an https URL (or http on loopback)")] = None
    host: Annotated[str, text("a host name or an IP address")] = "127.0.0.1"
    port: Annotated[int, whole(0, 65_535)] = 8080
    database: Annotated[
        str, text("sqlite:///relative.db or sqlite:////absolute.db", hides_value=True)
    ] = "sqlite:///codegrant.db"
    workers: Annotated[int, whole(1, 64)] = 1
    refresh_grace_seconds: Annotated[int, whole(0, 60)] = 30
    tls_cert: Annotated[Path | None, path()] = None
    tls_key: Annotated[Path | None, path()] = None
    ca: Annotated[Path | None, path()] = None
    log_level: Annotated[str, choice("debug", "info", "warning", "error")] = "info"
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    tokens: Tokens = field(default_factory=Tokens)
    limits: Limits = field(default_factory=Limits)
    keys: Keys = field(default_factory=Keys)
    fetch: Fetch = field(default_factory=Fetch)
    proxy: Proxy = field(default_factory=Proxy)
    secret: SecretFile = field(default_factory=SecretFile)
    sqlite: Sqlite = field(default_factory=Sqlite)


# Any: each section is another class, and its constructor checks nothing but names.
_SECTIONS: Mapping[str, type[Any]] = {
    "lifetimes": Lifetimes,
    "tokens": Tokens,
    "limits": Limits,
    "keys": Keys,
    "fetch": Fetch,
    "proxy": Proxy,
    "secret": SecretFile,
    "sqlite": Sqlite,
}


class Setting(NamedTuple):
    """One key: where it stands in the file, and how it is read."""

    section: str
    name: str
    reader: Reader[object]

    @property
    def key(self) -> str:
        """Its name in messages, for example `lifetimes.code`."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        """Its environment variable, for example `CODEGRANT_LIFETIMES_CODE`."""
        return f"CODEGRANT_{self.key.replace('.', '_').upper()}"


def _find_settings() -> Iterator[Setting]:
    """Yield every setting in the order of the classes."""
    for section, kind in (("", Settings), *_SECTIONS.items()):
        for name, hint in get_type_hints(kind, include_extras=True).items():
            for reader in getattr(hint, "__metadata__", ()):
                yield Setting(section, name, reader)


SETTINGS: Mapping[str, Setting] = {setting.key: setting for setting in _find_settings()}


def load_settings(
    *,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    file: Path | None,
) -> Settings:
    """Return the settings of one run.

    Args:
        flags: values of the command line by key; None where a flag is absent.
        environment: variables; empty ones count as absent, unknown ones are ignored.
        file: a TOML file, or None.

    Raises:
        ConfigurationError: a value that is not allowed, or a file that cannot be read.
    """
    in_file = {} if file is None else _read_file(file)
    values: dict[str, dict[str, object]] = {"": {}, **{name: {} for name in _SECTIONS}}
    for key, setting in SETTINGS.items():
        given = flags.get(key)
        if given is not None:
            value = _read(setting, given, f"--{key.replace('_', '-')}")
        elif environment.get(setting.variable):
            value = _read(setting, environment[setting.variable], setting.variable)
        elif key in in_file:
            value = _read(setting, in_file[key], str(file))
        else:
            continue
        values[setting.section][setting.name] = value
    sections: dict[str, Any] = {name: kind(**values[name]) for name, kind in _SECTIONS.items()}
    plain: dict[str, Any] = values[""]
    return Settings(**plain, **sections)


def _read(setting: Setting, raw: object, source: str) -> object:
    """Return the checked value of one setting."""
    try:
        return setting.reader.read(raw)
    except ValueError:
        shown = "this value" if setting.reader.hides_value else repr(raw)[:_MOST_SHOWN]
        raise ConfigurationError(
            f"{setting.key}: {shown} is not allowed, {setting.reader.allowed} is (from {source})"
        ) from None


def _read_file(file: Path) -> dict[str, object]:
    """Return the values of a TOML file by key, all of them known."""
    try:
        with file.open("rb") as stream:
            tables = tomllib.load(stream)
    except OSError as error:
        raise ConfigurationError(f"config: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"config: {file}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"config: {file}: {error}") from None
    values: dict[str, object] = {}
    for name, value in tables.items():
        if "." in name:
            raise ConfigurationError(f"{name!r}: unknown key in {file}")
        if name not in _SECTIONS:
            values[name] = value
        elif isinstance(value, dict):
            table = cast("dict[str, object]", value)
            values |= {f"{name}.{inner}": entry for inner, entry in table.items()}
        else:
            raise ConfigurationError(
                f"{name}: {value!r} is not allowed, a table [{name}] is (from {file})"
            )
    for key in values:
        if key not in SETTINGS:
            raise ConfigurationError(f"{key}: unknown key in {file}{_suggest(key)}")
    return values


def _suggest(key: str) -> str:
    """Return a hint at the key that was probably meant."""
    from difflib import get_close_matches

    close = get_close_matches(key, SETTINGS, n=1) or [
        known for known in SETTINGS if known.partition(".")[2] == key
    ]
    return f"; did you mean {close[0]}?" if close else ""
