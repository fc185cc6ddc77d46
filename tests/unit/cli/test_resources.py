"""`codegrant resources`."""

from __future__ import annotations

import pytest

from codegrant.secret import digest_of
from codegrant.server.effects import FindResource
from codegrant.server.records import ResourceRecord
from codegrant.stores.sqlite import SqliteStore
from tests.unit.cli.conftest import Outcome, Run

API = "https://api.test"
LONG = "a secret of the operator's own, and long"


def add(run: Run, *more: str, audience: str = API, stdin: str = "") -> Outcome:
    return run("resources", "add", audience, "--id", "api", *more, stdin=stdin)


def stored() -> ResourceRecord:
    with SqliteStore.open("codegrant.db") as store:
        resource = store.perform(FindResource(API))
    assert resource is not None
    return resource


def test_add_prints_the_resource_server_and_its_secret_once(run: Run) -> None:
    shown = add(run, "--scope", "read write").json
    assert (shown["resource"], shown["client_id"], shown["scope"]) == (API, "api", "read write")
    assert stored().secret_digest == digest_of(shown["client_secret"])
    again = run("resources", "show", API).json
    assert again == {k: v for k, v in shown.items() if not k.startswith("client_secret")}


def test_a_secret_that_was_brought_is_not_shown(run: Run) -> None:
    assert "client_secret" not in add(run, "--secret-stdin", stdin=LONG).json
    assert stored().secret_digest == digest_of(LONG)


@pytest.mark.parametrize("audience", ["api", "https://api.test/#x", "", "https://a b"])
def test_an_audience_that_none_may_have_is_one_line(run: Run, audience: str) -> None:
    assert add(run, audience=audience).error.startswith(f"audience: {audience!r} is not allowed")


@pytest.mark.parametrize("resource_id", ["", "a b", "person-1"])
def test_an_id_that_none_may_have_is_one_line(run: Run, resource_id: str) -> None:
    assert "id: " in run("resources", "add", API, "--id", resource_id).error


def test_what_is_taken_is_refused(run: Run) -> None:
    add(run)
    assert add(run).error.startswith(f"resource: {API!r} exists already")
    assert "the id 'api' is taken" in add(run, audience="https://other.test").error


def test_the_other_commands_follow(run: Run) -> None:
    secret = add(run).json["client_secret"]
    assert run("resources", "list").stdout.split()[:4] == ["resource", "client_id", "scope", API]
    assert len(run("resources", "list", "--json").json) == 1
    assert run("resources", "update", API, "--scope", "read").json["scope"] == "read"
    assert run("resources", "update", API, "--scope", "").json["scope"] == ""
    assert run("resources", "rotate-secret", API).json["client_secret"] != secret
    assert run("resources", "remove", API).status == 0
    assert run("resources", "list", "--json").json == []


@pytest.mark.parametrize("command", ["show", "update", "rotate-secret", "remove"])
def test_one_that_is_not_there_is_one_line(run: Run, command: str) -> None:
    more = ("--scope", "read") if command == "update" else ()
    assert run("resources", command, API, *more).error == f"resource: {API!r} does not exist"
