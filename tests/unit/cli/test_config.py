"""`codegrant config check`: all that `serve` would refuse, and nothing opened or changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tls import self_signed
from tests.unit.cli.conftest import Outcome, Run

WHOLE = """
issuer = "https://login.example/tenant"
host = "0.0.0.0"
port = 8443
database = "sqlite:///people.db"
workers = 2
refresh_grace_seconds = 10
tls_cert = "certificate.pem"
tls_key = "key.pem"
ca = "certificate.pem"

[lifetimes]
code = 30
access_token = 600
id_token = 600
refresh_idle = 86400
refresh_absolute = 172800
session_idle = 3600
session_absolute = 7200

[tokens]
access_format = "jwt"
access_alg = "PS256"

[limits]
enabled = true
account_failures = 5
source_failures = 50
window = 60

[keys]
activate_after = 60

[fetch]
allow_private = false

[proxy]
trusted = ["10.0.0.0/8"]

[secret]
file = "ring"

[sqlite]
synchronous = "NORMAL"
"""


def check(run: Run, text: str) -> Outcome:
    Path("codegrant.toml").write_text(text, encoding="utf-8")
    return run("config", "check", "--config", "codegrant.toml")


def test_a_good_file_is_good_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    self_signed(tmp_path)
    (tmp_path / "ring").write_text("k" * 32)
    before = {path.name for path in tmp_path.iterdir()}
    for text in ("", WHOLE):
        outcome = check(run, text)
        assert (outcome.status, outcome.stderr) == (0, "")
        assert outcome.stdout == "codegrant: codegrant.toml is good\n"
    assert {path.name for path in tmp_path.iterdir()} == {*before, "codegrant.toml"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("port = 70000", "port: 70000 is not allowed, a whole number from", id="port"),
        pytest.param("prt = 1", "prt: unknown key in codegrant.toml; did you mean port?", id="key"),
        pytest.param("[lifetimes]\ncode = 601", "lifetimes.code: 601 is not", id="lifetime"),
        pytest.param("host = '10.0.0.5'", "issuer: an https URL must be set while", id="host"),
        pytest.param("issuer = 'http://a.example'", "issuer: 'http://a.example' is", id="issuer"),
        pytest.param("tls_cert = 'nowhere'", "tls_key: it must be set together", id="TLS"),
        pytest.param("ca = 'nowhere'", "ca: 'nowhere' is not allowed", id="CA"),
        pytest.param(
            "database = 'postgresql://u:s3cret@h/d'",
            "database: postgresql:… is not allowed yet, this release stores in SQLite only",
            id="PostgreSQL",
        ),
        pytest.param("database = 'x.db'", "database: this value is not allowed", id="database"),
        pytest.param("[secret]\nfile = 'nowhere'", "secret.file: nowhere: No such", id="ring"),
        pytest.param("port = ", "config: codegrant.toml: Invalid value", id="no TOML"),
    ],
)
def test_a_wrong_file_is_one_line(run: Run, text: str, said: str) -> None:
    outcome = check(run, text)
    assert outcome.status == 1
    assert outcome.error.startswith(said)
    assert "s3cret" not in outcome.stderr


def test_the_environment_is_judged_as_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGRANT_LIMITS_WINDOW", "0")
    assert check(run, "[limits]\nwindow = 60").error == (
        "limits.window: '0' is not allowed, a whole number from 1 to 86400 is "
        "(from CODEGRANT_LIMITS_WINDOW)"
    )
    monkeypatch.delenv("CODEGRANT_LIMITS_WINDOW")
    monkeypatch.setenv("CODEGRANT_SECRET", "short")
    assert check(run, "").error.startswith("CODEGRANT_SECRET: key ring: a key has 5 characters")


def test_it_wants_a_file(run: Run) -> None:
    outcome = run("config", "check")
    assert outcome.status == 2
    assert "--config" in outcome.error
    assert run("config", "check", "--config", "nowhere").error == (
        "config: nowhere: No such file or directory"
    )
