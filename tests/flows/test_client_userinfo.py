"""`userinfo`, at a provider that lies or fails, in both colours; what it costs is nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codegrant import CodegrantError, ResponseRejected, Tokens, TransportError
from tests.flows.conftest import MakeApplication
from tests.support.application import Application
from tests.support.mock_provider import (
    BROKEN,
    CLIENT_SECRET,
    HUGE,
    Answer,
    Listener,
    MockProvider,
    as_json,
    html,
    redirect,
)


def forged(provider: MockProvider) -> Answer:
    """Return a signed answer about the right person, with a signature that is not theirs."""
    whole = provider.sign({"iss": provider.issuer, "sub": provider.subject, "aud": "app"})
    body = f"{whole.rpartition('.')[0]}.{'A' * 86}".encode()
    return Answer(200, body, [("content-type", "application/jwt")])


def says(answer: Answer) -> Callable[[MockProvider], Answer]:
    return lambda _: answer


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(
            says(as_json({"sub": "eve"})), ResponseRejected, "sub_mismatch", id="somebody else"
        ),
        pytest.param(
            says(as_json({"sub": "PERSON-1"})), ResponseRejected, "sub_mismatch", id="another case"
        ),
        pytest.param(says(as_json({})), ResponseRejected, "sub_missing", id="nobody"),
        pytest.param(says(html()), ResponseRejected, "not_json", id="a page"),
        pytest.param(says(html(500)), ResponseRejected, "server_failed", id="a failure"),
        pytest.param(says(BROKEN), ResponseRejected, "malformed_userinfo", id="half of it"),
        pytest.param(says(HUGE), TransportError, "too_large", id="10 MB"),
        pytest.param(forged, ResponseRejected, "signed_userinfo", id="signed by somebody else"),
        pytest.param(None, TransportError, "timeout", id="none at all"),
    ],
)
def test_a_bad_answer_is_refused_and_the_tokens_stay_good(
    make_app: MakeApplication,
    provider: MockProvider,
    answer: Callable[[MockProvider], Answer] | None,
    kind: type[CodegrantError],
    code: str,
) -> None:
    app = make_app(provider, timeout=0.3 if answer is None else 5.0)
    tokens, truth = app.log_in(provider), provider.routes["/userinfo"]
    told = provider.hang if answer is None else lambda _: answer(provider)
    provider.routes["/userinfo"] = told
    with pytest.raises(kind) as caught:
        app.userinfo(tokens)
    error = caught.value
    assert (error.code, error.stage) == (code, "userinfo")
    assert tokens.access_token.reveal() not in f"{error} {error.facts} {error.hint}"
    provider.routes["/userinfo"] = truth
    assert app.userinfo(tokens).sub == "person-1"
    assert app.refresh(tokens).access_token != tokens.access_token


CALLS: dict[str, tuple[str, Callable[[Application, Tokens], object]]] = {
    "userinfo": ("/userinfo", lambda app, tokens: app.userinfo(tokens)),
    "refresh": ("/token", lambda app, tokens: app.refresh(tokens)),
    "revoke": ("/revoke", lambda app, tokens: app.revoke(tokens)),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_an_endpoint_that_leads_away_takes_no_credential_along(
    app: Application, provider: MockProvider, call: str, status: int
) -> None:
    elsewhere = Listener()
    path, ask = CALLS[call]
    tokens, truth = app.log_in(provider), provider.routes[path]
    provider.routes[path] = lambda _: redirect(f"{elsewhere.origin}{path}", status)
    with pytest.raises(ResponseRejected) as caught:
        ask(app, tokens)
    assert (caught.value.code, caught.value.stage) == ("redirect_refused", call)
    for secret in (CLIENT_SECRET, tokens.access_token.reveal(), *provider.refresh_tokens):
        assert secret not in f"{caught.value} {caught.value.facts} {caught.value.hint}"
    provider.routes[path] = truth
    ask(app, tokens)
    elsewhere.close()
    assert elsewhere.received == []
