from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.flows.authorization_server import CALLBACK, SECRET, Bench, document

NOBODY = "no client has this secret"
ASSERTION = {
    "client_assertion": "e30.e30.AA",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_secret_that_stands_in_for_nobody_opens_nothing(bench: Bench) -> None:
    bench.change_client("b", secret_digest=None)
    attempts: list[tuple[tuple[str, str] | None, dict[str, str], str]] = [
        (("unknown", NOBODY), {}, "unknown client"),
        (("p", NOBODY), {}, "the client has no secret"),
        (None, {"client_id": "b", "client_secret": NOBODY}, "the client has no secret"),
        (("a", NOBODY), {}, "wrong secret"),
    ]
    for auth, form, reason in attempts:
        answer = bench.token("any", auth=auth, form=form)
        assert (answer.status, document(answer)["error"]) == (401, "invalid_client")
        event = next(e for e in bench.store.events[::-1] if e.name.endswith("_failed"))
        assert event.facts["reason"] == reason


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(ASSERTION, id="both parameters"),
        pytest.param({"client_assertion": "x"}, id="the assertion alone"),
        pytest.param({"client_assertion_type": "x"}, id="its type alone"),
    ],
)
def test_a_method_that_is_not_offered_does_not_pass_for_a_public_client(
    bench: Bench, form: Mapping[str, str]
) -> None:
    bench.change_client("p", redirect_uris=(CALLBACK,))
    code = bench.code(client_id="p")
    for client_id in ("p", "a", None):
        answer = bench.token(code, auth=None, form={"client_id": client_id, **form})
        assert (answer.status, document(answer)["error"]) == (401, "invalid_client")
        assert bench.reason() == "unsupported_method"
    assert bench.token(code, auth=None, form={"client_id": "p"}).status == 200


def test_an_empty_assertion_is_none(bench: Bench) -> None:
    code = bench.code()
    empty = dict.fromkeys(ASSERTION, "")
    assert bench.token(code, auth=("a", SECRET), form=empty).status == 200


def test_a_public_client_has_nothing_to_guess_and_is_not_counted(bench: Bench) -> None:
    for _ in range(30):
        answer = bench.token("wrong code", auth=None, form={"client_id": "p"})
        assert (answer.status, document(answer)["error"]) == (400, "invalid_grant")
    assert not bench.store.failures


def test_the_name_that_was_sent_is_cut_in_the_event(bench: Bench) -> None:
    bench.token("any", auth=("x" * 2000, "y"))
    event = next(e for e in bench.store.events if e.name == "client_authentication_failed")
    assert len(str(event.facts["client_id"])) < 300
    assert event.facts["source"] == "192.0.2.1"
