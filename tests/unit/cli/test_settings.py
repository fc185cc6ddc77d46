"""`cli.settings`: every key by file, by environment and by flag, with good and bad values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from codegrant.cli.serve import command as serve
from codegrant.cli.settings import SETTINGS, Settings, load_settings
from codegrant.errors import ConfigurationError


class Case(NamedTuple):
    """What the contract of the command line says about one key (`log_level` came later)."""

    default: object
    good: str
    value: object
    bad: str
    allowed: str


DAY = 86_400
AGE = "a whole number from 60 to 315360000"
CONTRACT = {
    "issuer": Case(None, "https://a.test", "https://a.test", " https://a.test", "an https URL"),
    "host": Case("127.0.0.1", "::1", "::1", "a\tb", "a host name or an IP address"),
    "port": Case(8080, "0", 0, "65536", "a whole number from 0 to 65535"),
    "database": Case(
        "sqlite:///codegrant.db", "sqlite:////a.db", "sqlite:////a.db", "a\nb", "sqlite:///relative"
    ),
    "workers": Case(1, "64", 64, "65", "a whole number from 1 to 64"),
    "refresh_grace_seconds": Case(30, "0", 0, "61", "a whole number from 0 to 60"),
    "tls_cert": Case(None, "c.pem", Path("c.pem"), "a\0b", "the path of a file"),
    "tls_key": Case(None, "k.pem", Path("k.pem"), "a\0b", "the path of a file"),
    "ca": Case(None, "ca.pem", Path("ca.pem"), "a\0b", "the path of a file"),
    "log_level": Case("info", "debug", "debug", "DEBUG", "debug, info, warning or error"),
    "lifetimes.code": Case(60, "600", 600, "601", "a whole number from 1 to 600"),
    "lifetimes.access_token": Case(300, "3600", 3600, "3601", "a whole number from 1 to 3600"),
    "lifetimes.id_token": Case(300, "86400", DAY, "0", "a whole number from 1 to 86400"),
    "lifetimes.refresh_idle": Case(30 * DAY, "60", 60, "59", AGE),
    "lifetimes.refresh_absolute": Case(180 * DAY, "315360000", 3650 * DAY, "315360001", AGE),
    "lifetimes.session_idle": Case(12 * 3600, "61", 61, "1e3", AGE),
    "lifetimes.session_absolute": Case(30 * DAY, "62", 62, "-62", AGE),
    "tokens.access_format": Case("jwt", "opaque", "opaque", "JWT", "jwt or opaque"),
    "tokens.access_alg": Case("ES256", "EdDSA", "EdDSA", "none", "RS256, ES256, PS256 or EdDSA"),
    "limits.enabled": Case(True, "false", False, "no", "true or false"),
    "limits.account_failures": Case(10, "1", 1, "0", "a whole number from 1 to 1000000"),
    "limits.source_failures": Case(100, "5", 5, "many", "a whole number from 1 to 1000000"),
    "limits.window": Case(300, "86400", DAY, "86401", "a whole number from 1 to 86400"),
    "keys.activate_after": Case(3600, "0", 0, "-1", "a whole number from 0 to 2592000"),
    "fetch.allow_private": Case(False, "1", True, "2", "true or false"),
    "proxy.trusted": Case(
        (), "::1, 10.0.0.0/8", ("::1/128", "10.0.0.0/8"), "10.0.0.1/8", "a list of IP addresses"
    ),
    "secret.file": Case(None, "ring", Path("ring"), "a\0b", "the path of a file"),
    "sqlite.synchronous": Case("FULL", "NORMAL", "NORMAL", "OFF", "FULL or NORMAL"),
}
FLAGS = ("issuer", "host", "port", "database", "workers", "tls_cert", "tls_key", "ca")

every_key = pytest.mark.parametrize("key", CONTRACT)


def load(
    *,
    flags: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    return load_settings(flags=flags or {}, environment=environment or {}, file=file)


def value_of(settings: Settings, key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name)
    return found


def variable(key: str) -> str:
    return f"CODEGRANT_{key.replace('.', '_').upper()}"


def write(folder: Path, key: str, value: str) -> Path:
    """Write a file with one key, whose value is this text as a TOML string."""
    section, _, name = key.rpartition(".")
    header = f"[{section}]\n" if section else ""
    return write_text(folder, f"{header}{name} = {json.dumps(value)}\n")


def write_text(folder: Path, text: str) -> Path:
    file = folder / "codegrant.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(**sources: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(**sources)
    return raised.value.message


def test_the_program_knows_the_keys_of_the_contract_and_no_other() -> None:
    assert set(SETTINGS) == set(CONTRACT)
    # Every member of the classes is a setting or a section: none was left out by a mistake.
    members = [f.name for f in fields(Settings)]
    for name in members:
        assert (name in SETTINGS) != is_dataclass(value_of(Settings(), name))


def test_serve_has_a_flag_for_the_keys_of_the_contract() -> None:
    assert {p.name for p in serve.params} == {*FLAGS, "config"}
    assert {f"--{name.replace('_', '-')}" for name in FLAGS} <= {
        option for parameter in serve.params for option in parameter.opts
    }


@every_key
def test_a_key_that_nobody_sets_has_its_default(key: str) -> None:
    value = value_of(load(), key)
    assert value == CONTRACT[key].default
    assert type(value) is type(CONTRACT[key].default)


@every_key
def test_a_good_value_is_taken_from_each_source(key: str, tmp_path: Path) -> None:
    case = CONTRACT[key]
    file = write(tmp_path, key, case.good)
    assert value_of(load(file=file), key) == case.value
    assert value_of(load(environment={variable(key): case.good}), key) == case.value
    assert value_of(load(flags={key: case.good}), key) == case.value


@every_key
def test_a_bad_value_is_one_line_that_names_key_value_and_what_is_allowed(
    key: str, tmp_path: Path
) -> None:
    case = CONTRACT[key]
    shown = "this value" if key == "database" else repr(case.bad)
    line = f"{key}: {shown} is not allowed, {case.allowed}"
    file = write(tmp_path, key, case.bad)
    in_file, in_environment = refusal(file=file), refusal(environment={variable(key): case.bad})
    in_flag = refusal(flags={key: case.bad})
    for said in (in_file, in_environment, in_flag):
        assert said.startswith(line)
        assert "\n" not in said
    assert in_file.endswith(f"(from {file})")
    assert in_environment.endswith(f"(from {variable(key)})")
    assert in_flag.endswith(f"(from --{key.replace('_', '-')})")


@every_key
def test_a_value_of_another_type_is_refused(key: str, tmp_path: Path) -> None:
    section, _, name = key.rpartition(".")
    header = f"[{section}]\n" if section else ""
    for wrong in ("1.5", "[1]", "{ a = 1 }", "1979-05-27"):
        said = refusal(file=write_text(tmp_path, f"{header}{name} = {wrong}\n"))
        assert said.startswith(f"{key}: ")
        assert "is not allowed" in said


def test_a_file_may_have_the_types_of_toml(tmp_path: Path) -> None:
    text = 'port = 9\n[limits]\nenabled = false\n[proxy]\ntrusted = ["10.0.0.5", "fd00::/8"]\n'
    settings = load(file=write_text(tmp_path, text))
    assert (settings.port, settings.limits.enabled) == (9, False)
    assert settings.proxy.trusted == ("10.0.0.5/32", "fd00::/8")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("port = true", "port", id="yes is no number"),
        pytest.param("[limits]\nenabled = 1", "limits.enabled", id="a number is no yes"),
        pytest.param(
            '[proxy]\ntrusted = ["10.0.0.5", 7]', "proxy.trusted", id="a number in a list"
        ),
        pytest.param('[proxy]\ntrusted = ["proxy.test"]', "proxy.trusted", id="a name"),
        pytest.param('ca = ""', "ca", id="an empty path"),
        pytest.param('host = ""', "host", id="an empty text"),
        pytest.param("host = 127", "host", id="a number is no host"),
        pytest.param("issuer = []", "issuer", id="a list is no issuer"),
    ],
)
def test_types_are_not_mixed_up(tmp_path: Path, text: str, key: str) -> None:
    assert refusal(file=write_text(tmp_path, text)).startswith(f"{key}: ")


@every_key
def test_flag_before_environment_before_file_before_default(key: str, tmp_path: Path) -> None:
    """The value that wins is the good one; had another been read, it would be an error."""
    case = CONTRACT[key]
    wrong_file = write(tmp_path, key, case.bad)
    assert (
        value_of(load(file=wrong_file, environment={variable(key): case.good}), key) == case.value
    )
    wrong = {variable(key): case.bad}
    assert (
        value_of(load(flags={key: case.good}, file=wrong_file, environment=wrong), key)
        == case.value
    )
    assert refusal(flags={key: None}, file=wrong_file).endswith(f"(from {wrong_file})")


def test_an_empty_variable_counts_as_absent_and_an_unknown_one_is_ignored() -> None:
    settings = load(environment={"CODEGRANT_PORT": "", "CODEGRANT_LIFETIMES_KODE": "x"})
    assert settings == Settings()


def test_an_empty_flag_is_a_wrong_value_and_not_an_absent_one() -> None:
    assert refusal(flags={"issuer": ""}).startswith("issuer: '' is not allowed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("prot = 1", "prot: unknown key in {file}; did you mean port?", id="typo"),
        pytest.param(
            "code = 60",
            "code: unknown key in {file}; did you mean lifetimes.code?",
            id="no section",
        ),
        pytest.param(
            "[lifetimes]\nkode = 1", "lifetimes.kode: unknown key in {file}; did you", id="inner"
        ),
        pytest.param("[server]\nport = 1", "server: unknown key in {file}", id="section"),
        pytest.param("[secret]\nkey = 'x'", "secret.key: unknown key in {file}", id="a key itself"),
        pytest.param('"lifetimes.code" = 60', "'lifetimes.code': unknown key in {file}", id="dot"),
        pytest.param("zzz = 1", "zzz: unknown key in {file}", id="nothing like it"),
        pytest.param("limits = 5", "limits: 5 is not allowed, a table [limits] is", id="no table"),
    ],
)
def test_an_unknown_key_in_the_file_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    file = write_text(tmp_path, text)
    assert refusal(file=file).startswith(said.format(file=file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "No such file", id="none"),
        pytest.param(b"port =", "Invalid value", id="not TOML"),
        pytest.param(b"port = 1\nport = 2", "overwrite", id="a key twice"),
        pytest.param(b"host = '\xff'", "not UTF-8", id="not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "codegrant.toml"
    if content is not None:
        file.write_bytes(content)
    line = refusal(file=file)
    assert line.startswith(f"config: {file}: ")
    assert said in line
    assert refusal(file=tmp_path) == f"config: {tmp_path}: Is a directory"


def test_a_password_in_the_database_url_is_not_shown(tmp_path: Path) -> None:
    bad = "postgresql://u:s3cret@h/db\n"
    for said in (
        refusal(flags={"database": bad}),
        refusal(environment={"CODEGRANT_DATABASE": bad}),
        refusal(file=write(tmp_path, "database", bad)),
    ):
        assert "s3cret" not in said


def test_a_long_value_is_cut() -> None:
    assert len(refusal(flags={"port": "9" * 100_000})) < 400
