"""Who calls the token endpoint: one method, the registered one, and no guessing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import pytest

from codegrant.http import Response
from codegrant.secret import digest_of
from tests.flows.authorization_server import SECRET, Bench, basic, document

NATIVE = "http://127.0.0.1:4711/cb"
POSTED = {"client_id": "b", "client_secret": SECRET}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def code_of(bench: Bench, client_id: str) -> tuple[str, str]:
    """Return a code of the client, and its redirect URI."""
    redirect_uri = {"a": "https://a.test/cb", "b": "https://b.test/cb", "p": NATIVE}[client_id]
    if client_id == "p":
        bench.change_client("p", skip_consent=True)
    bench.agree(client_id)
    answer = bench.authorize(client_id=client_id, redirect_uri=redirect_uri)
    query = answer.headers.get("location").partition("?")[2]
    return dict(pair.split("=", 1) for pair in query.split("&"))["code"], redirect_uri


def redeem(
    bench: Bench,
    owner: str,
    /,
    auth: tuple[str, str] | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    **form: str | None,
) -> Response:
    """Redeem a fresh code of the client with these credentials."""
    code, redirect_uri = code_of(bench, owner)
    return bench.token(code, redirect_uri=redirect_uri, auth=auth, headers=headers, form=form)


def test_each_client_authenticates_as_it_is_registered(bench: Bench) -> None:
    assert redeem(bench, "a", ("a", SECRET)).status == 200
    assert redeem(bench, "a", ("a", SECRET), client_id="a").status == 200
    assert redeem(bench, "b", client_id="b", client_secret=SECRET).status == 200
    assert redeem(bench, "p", client_id="p").status == 200


def test_basic_credentials_are_form_encoded_first(bench: Bench) -> None:
    odd = "päss:wörd +%&="
    bench.change_client("a", secret_digest=digest_of(odd))
    assert redeem(bench, "a", ("a", odd)).status == 200


@pytest.mark.parametrize(
    ("auth", "form"),
    [
        pytest.param(None, {}, id="nothing at all"),
        pytest.param(None, {"client_id": "a"}, id="confidential without its secret"),
        pytest.param(None, {"client_id": "a", "client_secret": ""}, id="empty secret"),
        pytest.param(None, {"client_id": "nobody"}, id="unknown client"),
        pytest.param(None, {"client_id": "a", "client_secret": SECRET}, id="post, not basic"),
        pytest.param(("b", SECRET), {}, id="basic, not post"),
        pytest.param(("a", "wrong"), {}, id="wrong secret"),
        pytest.param(("a", SECRET + " "), {}, id="secret and a space"),
        pytest.param(("A", SECRET), {}, id="client in other case"),
        pytest.param(("nobody", SECRET), {}, id="unknown client by basic"),
        pytest.param(("p", "anything"), {}, id="public client with a secret"),
        pytest.param(None, {"client_id": "p", "client_secret": "x"}, id="public, posted secret"),
    ],
)
def test_any_other_way_is_refused_alike(
    bench: Bench, auth: tuple[str, str] | None, form: Mapping[str, str]
) -> None:
    answer = bench.token("any code", auth=auth, form=form)
    assert answer.status == 401
    assert document(answer) == {
        "error": "invalid_client",
        "error_description": "client authentication failed",
    }
    assert answer.headers.get("www-authenticate").startswith("Basic ")
    assert answer.headers.get("cache-control") == "no-store"


def test_a_disabled_client_is_refused(bench: Bench) -> None:
    code, redirect_uri = code_of(bench, "a")
    bench.change_client("a", enabled=False)
    assert bench.token(code, redirect_uri=redirect_uri).status == 401
    code, redirect_uri = code_of(bench, "p")
    bench.change_client("p", enabled=False)
    answer = bench.token(code, redirect_uri=redirect_uri, auth=None, client_id="p")
    assert answer.status == 401


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        pytest.param((basic("a", SECRET),), {"client_secret": SECRET}, id="basic and post"),
        pytest.param((basic("a", SECRET), basic("a", SECRET)), {}, id="two headers"),
        pytest.param((basic("a", SECRET),), {"client_id": "b"}, id="another client_id"),
        pytest.param((basic("a", SECRET),), POSTED, id="another client altogether"),
    ],
)
def test_two_methods_at_once_are_refused(
    bench: Bench, headers: tuple[tuple[str, str], ...], form: Mapping[str, str]
) -> None:
    answer = bench.token("any", auth=None, headers=headers, form=form)
    assert (answer.status, document(answer)["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic !!!",
        "Basic " + b64encode(b"no colon").decode(),
        "Basic " + b64encode(b"\xff:\xff").decode(),
        "Basic " + b64encode(b"a%zz:b").decode(),
        "Bearer abc",
        "Digest x",
    ],
)
def test_malformed_credentials_never_fail_the_server(bench: Bench, value: str) -> None:
    answer = bench.token("any", auth=None, headers=[("authorization", value)])
    assert answer.status in {400, 401}


def test_the_secret_is_not_taken_from_the_query(bench: Bench) -> None:
    answer = bench.send("POST", "/token", query=f"client_id=b&client_secret={SECRET}")
    assert answer.status == 400


def guess(bench: Bench, times: int, *, client_id: str = "a", peer: str = "192.0.2.1") -> None:
    for _ in range(times):
        assert bench.token("any", auth=(client_id, "wrong"), peer=peer).status == 401


def test_guessing_ends_with_429_also_for_the_right_secret(bench: Bench) -> None:
    guess(bench, 10)
    code, redirect_uri = code_of(bench, "a")
    answer = bench.token(code, redirect_uri=redirect_uri)
    assert answer.status == 429
    assert answer.headers.get("retry-after") == "300"
    assert "client_authentication_limited" in bench.event_names()
    bench.now += 299
    assert bench.token("any", auth=("a", SECRET)).status == 429
    bench.now += 1
    assert bench.token("any", auth=("a", SECRET)).status == 400


def test_guessing_locks_nobody_else_out(bench: Bench) -> None:
    guess(bench, 10)
    assert bench.token("any", auth=("a", SECRET), peer="192.0.2.2").status == 400
    assert bench.token("any", auth=None, form=POSTED).status == 400


def test_one_source_has_a_hundred_failures_over_all_clients(bench: Bench) -> None:
    for number in range(100):
        guess(bench, 1, client_id=f"client-{number}")
    assert bench.token("any", auth=("a", SECRET)).status == 429
    assert bench.token("any", auth=("a", SECRET), peer="192.0.2.2").status == 400
    assert redeem(bench, "p", client_id="p").status == 200


def test_success_is_never_counted(bench: Bench) -> None:
    for _ in range(30):
        assert redeem(bench, "a", ("a", SECRET)).status == 200
    assert not bench.store.failures


def test_addresses_of_one_ipv6_network_are_one_source(bench: Bench) -> None:
    for number in range(10):
        guess(bench, 1, peer=f"2001:db8::{number:x}")
    assert bench.token("any", auth=("a", SECRET), peer="2001:db8::ffff").status == 429
    assert bench.token("any", auth=("a", SECRET), peer="2001:db8:0:1::1").status == 400


def test_what_was_guessed_is_not_stored(bench: Bench) -> None:
    guess(bench, 1, client_id="a secret typed in the wrong place")
    assert "typed" not in repr(bench.store.failures)
