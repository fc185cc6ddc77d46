"""`codegrant clients`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from codegrant.jose import PrivateKey
from codegrant.secret import digest_of
from codegrant.server.effects import FindClient
from codegrant.server.records import ClientRecord
from codegrant.stores.sqlite import SqliteStore
from tests.unit.cli.conftest import Outcome, Run

CALLBACK = "https://app.test/callback"
LONG = "a secret of the operator's own, and long"


def add(run: Run, *more: str, client_id: str = "app", **options: Any) -> Outcome:
    return run("clients", "add", client_id, "--redirect-uri", CALLBACK, *more, **options)


def stored(client_id: str = "app") -> ClientRecord:
    with SqliteStore.open("codegrant.db") as store:
        client = store.perform(FindClient(client_id))
    assert client is not None
    return client


def test_a_client_is_confidential_by_default_and_its_secret_shown_once(run: Run) -> None:
    shown = add(run).json
    assert shown["client_id"] == "app"
    assert len(shown["client_secret"]) >= 43
    assert shown["client_secret_expires_at"] == 0
    assert shown["client_id_issued_at"] > 1_700_000_000
    assert shown["redirect_uris"] == [CALLBACK]
    assert shown["grant_types"] == ["authorization_code", "refresh_token"]
    assert shown["response_types"] == ["code"]
    assert shown["token_endpoint_auth_method"] == "client_secret_basic"
    assert shown["application_type"] == "web"
    assert shown["scope"] == "openid profile email offline_access"
    assert shown["default_scope"] == ""
    assert shown["id_token_signed_response_alg"] == "RS256"
    assert shown["require_pkce"] is True
    assert shown["skip_consent"] is False
    assert stored().secret_digest == digest_of(shown["client_secret"])
    again = run("clients", "show", "app").json
    assert "client_secret" not in again
    assert again == {k: v for k, v in shown.items() if not k.startswith("client_secret")}


def test_two_clients_never_get_the_same_secret(run: Run) -> None:
    one, other = add(run).json, add(run, client_id="other").json
    assert one["client_secret"] != other["client_secret"]


def test_a_secret_that_was_brought_is_not_shown(run: Run) -> None:
    outcome = add(run, "--secret-stdin", stdin=f"{LONG}\n")
    assert "client_secret" not in outcome.json
    assert outcome.stderr == ""
    assert LONG not in outcome.stdout
    assert stored().secret_digest == digest_of(LONG)


def test_a_short_secret_is_taken_with_a_warning(run: Run) -> None:
    outcome = add(run, "--secret-stdin", stdin="short\n")
    assert outcome.status == 0
    assert outcome.stderr.startswith("codegrant: warning: secret: it has 5 characters")
    assert "short" not in outcome.stderr
    assert stored().secret_digest == digest_of("short")


def test_an_empty_secret_is_refused(run: Run) -> None:
    assert "empty" in add(run, "--secret-stdin", stdin="\n").error
    assert run("clients", "list", "--json").json == []


@pytest.mark.parametrize("how", [("--public",), ("--auth-method", "none")])
def test_a_public_client_has_no_secret(run: Run, how: tuple[str, ...]) -> None:
    shown = add(run, *how).json
    assert "client_secret" not in shown
    assert shown["token_endpoint_auth_method"] == "none"
    assert stored().secret_digest is None


def test_every_flag_ends_up_in_the_registration(run: Run, tmp_path: Path) -> None:
    key = PrivateKey.generate("ES256")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.public.to_jwk()]}))
    (tmp_path / "more.json").write_text(
        json.dumps({"contacts": ["a@app.test"], "logo_uri": "https://app.test/logo"})
    )
    shown = add(
        run,
        *("--redirect-uri", "http://127.0.0.1/cb"),
        "--native",
        *("--scope", "openid read  read"),
        *("--default-scope", "openid"),
        *("--grant", "authorization_code"),
        *("--auth-method", "client_secret_post"),
        *("--id-token-alg", "ES256"),
        "--no-require-pkce",
        "--skip-consent",
        *("--audience", "https://api.test"),
        *("--jwks", "keys.json"),
        *("--name", "An app"),
        *("--metadata", "more.json"),
    ).json
    assert shown["redirect_uris"] == [CALLBACK, "http://127.0.0.1/cb"]
    assert shown["application_type"] == "native"
    assert shown["scope"] == "openid read"
    assert shown["default_scope"] == "openid"
    assert shown["grant_types"] == ["authorization_code"]
    assert shown["token_endpoint_auth_method"] == "client_secret_post"
    assert shown["id_token_signed_response_alg"] == "ES256"
    assert (shown["require_pkce"], shown["skip_consent"]) == (False, True)
    assert shown["audiences"] == ["https://api.test"]
    assert shown["jwks"]["keys"][0]["kid"] == key.kid
    assert shown["client_name"] == "An app"
    assert (shown["contacts"], shown["logo_uri"]) == (["a@app.test"], "https://app.test/logo")


def test_the_scope_has_offline_access_only_with_refresh_tokens(run: Run) -> None:
    assert add(run, "--grant", "authorization_code").json["scope"] == "openid profile email"


@pytest.mark.requirement("AS-CC-01", "AS-CC-02")
def test_a_client_may_be_registered_for_itself_alone(run: Run) -> None:
    shown = run(
        *("clients", "add", "robot", "--grant", "client_credentials", "--scope", "read")
    ).json
    assert (shown["grant_types"], shown["response_types"]) == (["client_credentials"], [])
    assert (shown["redirect_uris"], "client_secret" in shown) == ([], True)
    refused = run(
        *("clients", "add", "spa", "--public", "--grant", "client_credentials", "--scope", "read")
    )
    assert refused.error == "grant: a public client has no credentials of its own"
    assert add(run).json["response_types"] == ["code"]


def test_metadata_may_come_from_stdin(run: Run) -> None:
    shown = add(run, "--metadata", "-", stdin='{"tos_uri": "https://app.test/terms"}').json
    assert shown["tos_uri"] == "https://app.test/terms"


def test_an_audience_that_is_not_registered_yet_is_taken_with_a_warning(run: Run) -> None:
    outcome = add(run, "--audience", "https://api.test")
    assert "audience: 'https://api.test' is not registered yet" in outcome.stderr
    run("resources", "add", "https://api.test", "--id", "api")
    assert add(run, "--audience", "https://api.test", client_id="b").stderr == ""


@pytest.mark.requirement("AS-RED-01", "AS-RED-05")
@pytest.mark.parametrize(
    "uris",
    [
        pytest.param((), id="none at all"),
        pytest.param(("https://app.test/cb#x",), id="fragment"),
        pytest.param(("https://app.test/cb#",), id="empty fragment"),
        pytest.param(("/cb",), id="relative"),
        pytest.param(("http://app.test/cb",), id="plain http"),
        pytest.param(("https://*.app.test/cb",), id="wildcard"),
        pytest.param((CALLBACK, "javascript:alert(1)"), id="a good one and a bad one"),
    ],
)
def test_only_complete_redirect_uris_are_registered(run: Run, uris: Sequence[str]) -> None:
    options = [part for uri in uris for part in ("--redirect-uri", uri)]
    outcome = run("clients", "add", "app", *options)
    assert outcome.status == 1
    assert outcome.error.startswith("redirect-uri: ")
    assert run("clients", "list", "--json").json == []
    assert add(run).json["redirect_uris"] == [CALLBACK]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--scope", 'a"b'), "scope: 'a\"b' is not allowed", id="scope"),
        pytest.param(("--scope", "ä"), "scope: 'ä' is not allowed", id="scope beyond ASCII"),
        pytest.param(("--default-scope", "x"), "default-scope: 'x' is not allowed", id="default"),
        pytest.param(("--grant", "password"), "grant: 'password' is not allowed", id="grant"),
        pytest.param(
            ("--auth-method", "tls"),
            "auth-method: 'tls' is not allowed, client_secret_basic and",
            id="method",
        ),
        pytest.param(("--id-token-alg", "none"), "id-token-alg: 'none' is not", id="no signature"),
        pytest.param(("--id-token-alg", "HS256"), "id-token-alg: 'HS256' is not", id="HMAC"),
        pytest.param(("--public", "--no-require-pkce"), "a public client always", id="no PKCE"),
        pytest.param(("--audience", "api"), "audience: 'api' is not allowed", id="audience"),
        pytest.param(("--name", "x" * 201), "name: at most 200", id="long name"),
        pytest.param(("--name", "a\nb"), "name: at most 200", id="name of two lines"),
        pytest.param(("--jwks", "nowhere"), "jwks: nowhere: No such file", id="no file"),
        pytest.param(("--jwks", "list"), "jwks: JSON: expected an object", id="no JWK Set"),
        pytest.param(("--jwks", "empty"), "jwks: an object with an array", id="empty JWK Set"),
        pytest.param(("--jwks", "private"), "jwks: ", id="private key"),
        pytest.param(("--metadata", "nowhere"), "metadata: nowhere: No such", id="no metadata"),
        pytest.param(("--metadata", "list"), "metadata: JSON: expected an object", id="a list"),
        pytest.param(("--metadata", "twice"), "metadata: JSON: two members", id="a member twice"),
        pytest.param(("--metadata", "flag"), "scope is not allowed, --scope is for", id="a flag"),
        pytest.param(("--metadata", "ours"), "client_id is not allowed, it is not", id="ours"),
        pytest.param(("--metadata", "script"), "metadata: logo_uri", id="a script as a link"),
        pytest.param(("--metadata", "uris"), "metadata: request_uris", id="one bad of several"),
        pytest.param(("--metadata", "number"), "metadata: tos_uri is not", id="no text as URL"),
    ],
)
def test_a_registration_that_is_not_allowed_is_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    private = {**PrivateKey.generate("ES256").public.to_jwk(), "d": "AAAA"}
    files = {
        "list": [],
        "empty": {"keys": []},
        "private": {"keys": [private]},
        "flag": {"scope": "openid"},
        "ours": {"client_id": "b"},
        "script": {"logo_uri": "javascript:alert(1)"},
        "uris": {"request_uris": ["https://app.test/a", "http://app.test/b"]},
        "number": {"tos_uri": 1},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "twice").write_text('{"a": 1, "a": 2}')
    outcome = add(run, *arguments)
    assert outcome.status == 1
    assert said in outcome.error
    assert run("clients", "list", "--json").json == []


@pytest.mark.parametrize("client_id", ["", "a b", "ä", "x" * 256, "a\nb", "person-abc", "Person-1"])
def test_an_id_that_no_client_may_have_is_one_line(run: Run, client_id: str) -> None:
    outcome = add(run, client_id=client_id)
    assert outcome.status == 1
    assert "id: " in outcome.error


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--public", "--secret-stdin"), id="a secret for a public client"),
        pytest.param(("--auth-method", "none", "--secret-stdin"), id="… by its method"),
        pytest.param(("--public", "--auth-method", "client_secret_basic"), id="public and not"),
        pytest.param(("--metadata", "-", "--secret-stdin"), id="stdin for two things"),
    ],
)
def test_options_that_exclude_each_other_are_wrong_usage(
    run: Run, arguments: tuple[str, ...]
) -> None:
    outcome = add(run, *arguments, stdin=f"{LONG}\n")
    assert outcome.status == 2
    assert outcome.error.endswith("--help)")


def test_an_id_that_is_taken_is_refused(run: Run) -> None:
    secret = add(run).json["client_secret"]
    assert add(run).error == "client: 'app' exists already, or its id is taken"
    assert stored().secret_digest == digest_of(secret)
    run("resources", "add", "https://api.test", "--id", "api")
    assert "its id is taken" in add(run, client_id="api").error


def test_list_is_a_table_or_a_json_array(run: Run) -> None:
    add(run, client_id="b")
    add(run, "--public", client_id="a")
    lines = run("clients", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["client_id", "a", "b"]
    rows = run("clients", "list", "--json").json
    assert [row["client_id"] for row in rows] == ["a", "b"]
    assert rows[0] == run("clients", "show", "a").json


def test_update_changes_what_is_given_and_leaves_the_rest(run: Run) -> None:
    before = add(run, "--name", "Old", "--audience", "https://api.test").json
    after = run("clients", "update", "app", "--name", "New", "--skip-consent").json
    assert (after["client_name"], after["skip_consent"]) == ("New", True)
    same = set(before) - {"client_name", "skip_consent", "updated_at"}
    same -= {"client_secret", "client_secret_expires_at"}
    assert {k: after[k] for k in same} == {k: before[k] for k in same}
    assert stored().secret_digest == digest_of(before["client_secret"])
    assert run("clients", "update", "app", "--audience", "").json["audiences"] == []
    assert run("clients", "update", "app", "--disabled").json["enabled"] is False
    assert run("clients", "update", "app", "--name", "").json["client_name"] == ""


def test_update_judges_the_whole_client(run: Run) -> None:
    add(run, "--scope", "openid read", "--default-scope", "read")
    assert "default-scope: 'read'" in run("clients", "update", "app", "--scope", "openid").error
    assert run("clients", "show", "app").json["scope"] == "openid read"


def test_a_client_that_becomes_public_loses_its_secret(run: Run) -> None:
    add(run)
    run("clients", "update", "app", "--auth-method", "none")
    assert stored().secret_digest is None
    assert run("clients", "rotate-secret", "app").error == (
        "client: 'app' is public, it has no secret"
    )
    outcome = run("clients", "update", "app", "--auth-method", "client_secret_basic")
    assert "has no secret yet" in outcome.stderr
    secret = run("clients", "rotate-secret", "app").json["client_secret"]
    assert stored().secret_digest == digest_of(secret)


def test_rotate_secret_makes_or_takes_another_one(run: Run) -> None:
    first = add(run).json["client_secret"]
    second = run("clients", "rotate-secret", "app").json["client_secret"]
    assert second != first
    assert stored().secret_digest == digest_of(second)
    outcome = run("clients", "rotate-secret", "app", "--secret-stdin", stdin=LONG)
    assert "client_secret" not in outcome.json
    assert stored().secret_digest == digest_of(LONG)


def test_remove_leaves_nothing(run: Run) -> None:
    add(run)
    outcome = run("clients", "remove", "app")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    assert run("clients", "list", "--json").json == []


@pytest.mark.parametrize("command", ["show", "update", "rotate-secret", "remove"])
def test_a_client_that_is_not_there_is_one_line(run: Run, command: str) -> None:
    outcome = run("clients", command, "nobody")
    assert outcome.status == 1
    assert outcome.error == "client: 'nobody' does not exist"
