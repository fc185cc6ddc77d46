"""Known causes from end to end: what a program is told when a server refuses, in both colours.

The table itself is tested in `tests/unit/rules/test_known_causes.py`; here a server says the
words, and the error that comes out of the client carries all that a person needs to mend it.
"""

from __future__ import annotations

import pickle
import time
from base64 import b64decode
from collections.abc import Callable
from urllib.parse import unquote_plus

import pytest

from codegrant import CodegrantError, LoginRequired, Refused, ResponseRejected, TokenRejected
from codegrant.testing import Wire
from tests.flows.conftest import MakeApplication
from tests.support.application import REDIRECT_URI, Application, Clock
from tests.support.colours import Colour
from tests.support.documents import DOCUMENTS
from tests.support.mock_provider import (
    CLIENT_SECRET,
    Answer,
    Lie,
    MockProvider,
    Received,
    as_json,
)
from tests.support.personas import SECRET, make_persona, make_site

PAGES = {file.stem for file in DOCUMENTS if file.parent.name == "errors"}


def complains(error: str, description: str, seen: list[str]) -> Callable[[Received], Answer]:
    """Return an endpoint that refuses, and repeats every secret it was sent in its words."""

    def answer(request: Received) -> Answer:
        form, sent = request.form, request.headers.get("authorization", "")
        names = ("code", "code_verifier", "refresh_token", "client_secret")
        secrets = [form[name] for name in names if name in form]
        if sent.startswith("Basic "):
            basic = sent.removeprefix("Basic ")
            encoded = b64decode(basic).decode().partition(":")[2]
            secrets += [basic, encoded, unquote_plus(encoded)]
        seen.extend(secrets)
        words = f"{description} got {' '.join(secrets)}"
        return as_json({"error": error, "error_description": words}, 400)

    return answer


def check_shown(error: CodegrantError, secrets: list[str]) -> None:
    """Check that nothing of an error shows a secret, and that its page is there."""
    everything = (
        f"{error} {error!r} {error.hint} {error.facts} {vars(error)} {pickle.dumps(error)!r}"
    )
    assert secrets
    assert [one for one in secrets if one in everything] == []
    assert error.url.rpartition("/")[2].removesuffix(".html") in PAGES


EXCHANGES = [
    pytest.param("redirect_uri_mismatch", "Bad Request", "redirect_uri_mismatch",
                 f"sent {REDIRECT_URI}", id="redirect URI"),
    pytest.param("invalid_grant", "Incorrect redirect_uri", "redirect_uri_mismatch",
                 f"sent {REDIRECT_URI}", id="redirect URI, in Keycloak's words"),
    pytest.param("invalid_client", "The provided client secret is invalid.",
                 "client_secret_wrong", "another secret", id="wrong secret"),
    pytest.param("unauthorized_client", "Invalid client credentials",
                 "client_secret_wrong", "another secret", id="wrong secret, in Keycloak's words"),
    pytest.param("invalid_client", "The client secret has expired",
                 "client_secret_expired", "new secret", id="old secret"),
    pytest.param("invalid_client", "The OAuth client was not found.",
                 "client_unknown", "client_id", id="unknown client"),
    pytest.param("invalid_client", "client supports authentication method 'client_secret_post'",
                 "auth_method_refused", "token_endpoint_auth_method", id="wrong method"),
    pytest.param("invalid_grant", "PKCE verification failed",
                 "pkce_mismatch", "PendingLogin", id="another verifier"),
    pytest.param("invalid_grant", "Code was already redeemed",
                 "code_already_used", "one exchange", id="code used twice"),
    pytest.param("invalid_grant", "authorization code expired",
                 "code_expired", "too long", id="code too old"),
    pytest.param("invalid_client", "AADSTS7000215: Invalid client secret provided.",
                 "client_secret_wrong", "not its id", id="Entra, secret"),
    pytest.param("invalid_request", "AADSTS9002325: PKCE is required for redemption.",
                 "pkce_missing", "code_challenge", id="Entra, no PKCE"),
    pytest.param("invalid_grant", "AADSTS53003: Access has been blocked.",
                 "policy_blocked", "Conditional Access", id="Entra, policy"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "words", "code", "hint"), EXCHANGES)
def test_a_refused_exchange_tells_its_cause_to_the_program(
    app: Application, provider: MockProvider, said: str, words: str, code: str, hint: str
) -> None:
    secrets: list[str] = []
    provider.routes["/token"] = complains(said, words, secrets)
    with pytest.raises(Refused) as caught:
        app.log_in(provider)
    error = caught.value
    assert (error.error, error.stage, error.code) == (said, "token", code)
    assert error.facts["endpoint"] == f"{provider.issuer}/token"
    assert error.description.startswith(words)
    assert hint in error.hint
    assert CLIENT_SECRET in secrets
    check_shown(error, secrets)


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        pytest.param("token expired", "refresh_token_expired", "log in again", id="too old"),
        pytest.param("AADSTS700082: inactive.", "refresh_token_expired", "too long", id="Entra"),
        pytest.param("AADSTS50173: fresh auth is needed.", "session_ended", "password",
                     id="Entra, new password"),
        pytest.param("no such token", "invalid_grant", "log in again", id="gone"),
    ],
)  # fmt: skip
def test_a_refused_refresh_tells_its_cause_to_the_program(
    app: Application, provider: MockProvider, words: str, code: str, hint: str
) -> None:
    tokens, secrets = app.log_in(provider), list[str]()
    provider.routes["/token"] = complains("invalid_grant", words, secrets)
    with pytest.raises(LoginRequired) as caught:
        app.refresh(tokens)
    error = caught.value
    assert (error.error, error.stage, error.code) == ("invalid_grant", "refresh", code)
    assert error.facts["endpoint"] == f"{provider.issuer}/token"
    assert error.description.startswith(words)
    assert hint in error.hint
    check_shown(error, secrets)


def test_a_google_project_in_testing_tells_why_everybody_is_logged_out_after_a_week(
    colour: Colour,
) -> None:
    """Google's own addresses and words; what it says is the same for a person who withdraws."""
    clock = Clock()
    persona = make_persona("google", clock=clock)
    with Wire() as wire:
        site = make_site(wire, colour, "google", persona=persona, clock=clock)
        tokens = site.log_in()
        clock.ahead += 6 * 86_400
        assert site.refresh(tokens).access_token != tokens.access_token
        clock.ahead += 86_401
        persona.end_refresh_tokens()
        with pytest.raises(LoginRequired) as caught:
            site.refresh(tokens)
        again = site.log_in(prompt="consent")
        assert site.refresh(again).access_token != again.access_token
        site.close()
    error = caught.value
    assert (error.error, error.stage) == ("invalid_grant", "refresh")
    assert (error.code, error.status) == ("testing_mode_expired", 400)
    assert error.description == "Token has been expired or revoked."
    assert error.facts["endpoint"] == "https://oauth2.googleapis.com/token"
    assert "Testing" in error.hint
    assert "7 days" in error.hint
    assert "publish it" in error.hint
    assert tokens.refresh_token is not None
    check_shown(error, [SECRET, tokens.refresh_token.reveal()])


def test_a_busy_server_ends_no_tokens(app: Application, provider: MockProvider) -> None:
    """Beside the refusals above: this one passes, and nobody has to log in again."""
    tokens, usual = app.log_in(provider), provider.routes["/token"]
    provider.routes["/token"] = complains("temporarily_unavailable", "busy", [])
    with pytest.raises(Refused) as caught:
        app.refresh(tokens)
    assert not isinstance(caught.value, LoginRequired)
    assert "try again" in caught.value.hint
    provider.routes["/token"] = usual
    assert app.refresh(tokens).access_token != tokens.access_token


@pytest.mark.parametrize(
    ("said", "words", "code", "hint"),
    [
        pytest.param("access_denied", "The user denied", "access_denied", "normal outcome",
                     id="consent denied"),
        pytest.param("user_cancelled_login", "", "access_denied", "normal outcome",
                     id="consent denied, in LinkedIn's words"),
        pytest.param("access_denied", "User is not assigned to the client application.",
                     "person_not_assigned", "give this person", id="Okta, not assigned"),
        pytest.param("access_denied", "AADSTS90094: admin consent is needed",
                     "admin_consent_required", "administrator", id="Entra, admin consent"),
        pytest.param("invalid_request", "Missing parameter: code_challenge_method",
                     "pkce_missing", "S256", id="Keycloak, no PKCE"),
        pytest.param("login_required", "", "login_required", "prompt=none", id="nobody is there"),
    ],
)  # fmt: skip
def test_a_refused_login_tells_its_cause_to_the_program(
    app: Application, provider: MockProvider, said: str, words: str, code: str, hint: str
) -> None:
    login = app.start()
    provider.callback = Lie({"code": None, "error": said, "error_description": words or None})
    callback = provider.authorize(login.url)
    with pytest.raises(Refused) as caught:
        app.finish(callback, login)
    error = caught.value
    assert (error.error, error.stage, error.code) == (said, "callback", code)
    assert error.facts["endpoint"] == f"{provider.issuer}/authorize"
    assert error.description == words
    assert hint in error.hint
    check_shown(error, [callback.partition("state=")[2].partition("&")[0]])
    assert provider.sent("authorization_code") == []


def page(status: int, title: str) -> Answer:
    return Answer(status, f"<title>{title}</title>".encode(), [("content-type", "text/html")])


@pytest.mark.parametrize(
    ("answer", "code", "hint"),
    [
        pytest.param(page(200, "Sign in"), "not_json", "a login page", id="a login page"),
        pytest.param(page(404, "Oops"), "not_json", "nothing at this address", id="no such page"),
        pytest.param(page(405, "Oops"), "not_json", "takes no POST", id="another page"),
        pytest.param(page(502, "Oops"), "server_failed", "a proxy answered", id="a gateway"),
    ],
)
def test_a_page_at_the_token_address_tells_its_cause_to_the_program(
    app: Application, provider: MockProvider, answer: Answer, code: str, hint: str
) -> None:
    provider.routes["/token"] = lambda _: answer
    with pytest.raises(ResponseRejected) as caught:
        app.log_in(provider)
    error = caught.value
    assert (error.stage, error.code) == ("token", code)
    assert error.facts["endpoint"] == f"{provider.issuer}/token"
    assert hint in error.hint
    check_shown(error, [CLIENT_SECRET, *provider.minted])


@pytest.mark.parametrize("before", [0, 40, 70])
def test_a_title_that_is_cut_within_a_secret_shows_no_part_of_it(
    app: Application, provider: MockProvider, before: int
) -> None:
    def answer(request: Received) -> Answer:
        return page(400, f"{'-' * before}{request.form['code_verifier']} was sent")

    provider.routes["/token"] = answer
    with pytest.raises(ResponseRejected) as caught:
        app.log_in(provider)
    (sent,) = provider.sent("authorization_code")
    check_shown(caught.value, [sent["code_verifier"][:8]])
    assert "***" in str(caught.value)


@pytest.mark.parametrize(
    ("times", "code", "off"),
    [
        pytest.param((600, 900), "token_from_the_future", "600 s ahead of", id="ahead"),
        pytest.param((-900, -600), "token_expired", "600 s behind", id="behind"),
    ],
)
def test_clocks_that_differ_are_told_in_seconds(
    make_app: MakeApplication,
    provider: MockProvider,
    times: tuple[int, int],
    code: str,
    off: str,
) -> None:
    now = int(time.time())
    app = make_app(provider, clock=lambda: float(now))
    provider.claims = Lie({"iat": now + times[0], "exp": now + times[1]})
    with pytest.raises(TokenRejected) as caught:
        app.log_in(provider)
    error = caught.value
    assert (error.stage, error.code) == ("id_token", code)
    assert off in error.hint
    assert error.facts["now"] == now
    check_shown(error, [CLIENT_SECRET, *provider.minted])
