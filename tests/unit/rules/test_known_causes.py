"""What servers really answer, in their shapes, and what we say is behind it."""

from __future__ import annotations

import json

import pytest

from codegrant.errors import CodegrantError, Refused, ResponseRejected
from codegrant.http import Headers, Response
from codegrant.messages.authorization import AuthorizationErrorResponse
from codegrant.rules.answers import refuse_answer
from codegrant.rules.callback import check_callback
from codegrant.rules.entra_causes import find_entra_cause
from codegrant.rules.known_causes import discovery_hint, issuer_hint, tls_hint
from codegrant.secret import Secret

URL = "https://as.example/token"
GOOGLE = "https://oauth2.googleapis.com/token"
DOORKEEPER = (
    "The provided authorization grant is invalid, expired, revoked, does not match the "
    "redirection URI used in the authorization request, or was issued to another client."
)


def refused(
    error: str,
    description: str = "",
    *,
    status: int = 400,
    stage: str = "token",
    endpoint: str = URL,
) -> CodegrantError:
    body = json.dumps({"error": error, "error_description": description}).encode()
    return refuse_answer(
        Response(status=status, headers=Headers(), body=body),
        stage=stage,
        endpoint=endpoint,
        method="client_secret_basic",
        supported=("client_secret_post",),
        redirect_uri="https://app.example/callback",
    )


@pytest.mark.parametrize(
    ("error", "description", "code", "hint"),
    [
        pytest.param("redirect_uri_mismatch", "Bad Request", "redirect_uri_mismatch",
                     "sent https://app.example/callback", id="Google, redirect URI"),
        pytest.param("invalid_grant", "Incorrect redirect_uri", "redirect_uri_mismatch",
                     "sent https://app.example/callback", id="Keycloak, redirect URI"),
        pytest.param("unauthorized_client", "Invalid client or Invalid client credentials",
                     "client_secret_wrong", "sent client_secret_basic", id="Keycloak, secret"),
        pytest.param("access_denied", "Unauthorized", "client_secret_wrong",
                     "another secret", id="Auth0, secret"),
        pytest.param("invalid_client", "The provided client secret is invalid.",
                     "client_secret_wrong", "another secret", id="Google, secret"),
        pytest.param("incorrect_client_credentials", "", "client_secret_wrong",
                     "client_id", id="GitHub, secret"),
        pytest.param("bad_verification_code", "The code passed is incorrect or expired.",
                     "code_refused", "start the login again", id="GitHub, code"),
        pytest.param("invalid_client", "The OAuth client was not found.", "client_unknown",
                     "client_id", id="Google, client"),
        pytest.param("invalid_client", "client supports authentication method "
                     "'client_secret_post', but 'client_secret_basic' was requested",
                     "auth_method_refused", "metadata names client_secret_post", id="Hydra"),
        pytest.param("invalid_grant", "Code was already redeemed", "code_already_used",
                     "one exchange", id="code used twice"),
        pytest.param("invalid_grant", "authorization code expired", "code_expired",
                     "too long", id="code too old"),
        pytest.param("invalid_grant", "Malformed auth code.", "code_refused",
                     "as the browser asked", id="Google, code"),
        pytest.param("invalid_grant", "PKCE verification failed", "pkce_mismatch",
                     "PendingLogin", id="Keycloak, PKCE"),
        pytest.param("invalid_client", "Client secret missing", "client_secret_missing",
                     "public client", id="no secret"),
        pytest.param("invalid_client", "The client secret has expired", "client_secret_expired",
                     "new secret", id="old secret"),
        pytest.param("invalid_grant", DOORKEEPER, "invalid_grant", "too old", id="Doorkeeper"),
        pytest.param("unauthorized_client", "", "unauthorized_client",
                     "not about its secret", id="grant not allowed"),
        pytest.param("invalid_client", "", "invalid_client",
                     "wrong client_id or secret", id="nothing is known of the client"),
        pytest.param("invalid_scope", "", "invalid_scope", "registered for", id="scope"),
        pytest.param("invalid_dpop_proof", "", "invalid_dpop_proof", "clock", id="proof"),
        pytest.param("use_dpop_nonce", "DPoP proof requires a nonce", "use_dpop_nonce",
                     "nonce", id="nonce"),
        pytest.param("invalid_dpop_proof", "The DPoP proof JWT header is missing.",
                     "invalid_dpop_proof", "dpop=True", id="no header"),
        pytest.param("invalid_grant", "DPoP proof JWT not provided", "invalid_grant",
                     "dpop=True", id="oidc-provider, no proof"),
        pytest.param("invalid_request", "DPoP proof is missing", "invalid_request",
                     "dpop=True", id="no proof"),
        pytest.param("invalid_dpop_proof", "DPoP proof is expired", "invalid_dpop_proof",
                     "clock", id="an old proof"),
        pytest.param("odd_error", "odd words", "odd_error", "", id="nothing is known"),
    ],
)  # fmt: skip
def test_a_refused_exchange_names_its_cause(
    error: str, description: str, code: str, hint: str
) -> None:
    found = refused(error, description)
    assert isinstance(found, Refused)
    assert (found.error, found.description) == (error, description)
    assert found.code == code
    assert hint in found.hint
    assert bool(hint) == bool(found.hint)
    assert str(found).startswith(f"token at {URL}: the server answered '{error}'")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("50011", "redirect_uri_mismatch"), ("50105", "person_not_assigned"),
        ("53003", "policy_blocked"), ("54005", "code_already_used"), ("65001", "consent_missing"),
        ("70008", "grant_expired"), ("90094", "admin_consent_required"),
        ("500113", "redirect_uri_mismatch"), ("501481", "pkce_mismatch"),
        ("700016", "client_unknown"), ("700082", "refresh_token_expired"),
        ("7000215", "client_secret_wrong"), ("7000222", "client_secret_expired"),
        ("9002313", "request_malformed"), ("9002325", "pkce_missing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("error", ["invalid_client", "invalid_grant", "interaction_required"])
def test_the_numbers_of_entra_go_before_its_oauth_error(error: str, number: str, code: str) -> None:
    found = refused(error, f"AADSTS{number}: Some words. Trace ID: 0 Correlation ID: 1")
    assert found.code == code
    assert found.hint
    assert found.facts["endpoint"] == URL


@pytest.mark.parametrize("text", ["AADSTS1", "AADSTS99999999", "50011", "XAADSTS50011", ""])
def test_what_is_no_known_number_tells_nothing(text: str) -> None:
    assert find_entra_cause(text) is None


@pytest.mark.parametrize(
    ("endpoint", "stage", "code"),
    [
        pytest.param(GOOGLE, "refresh", "testing_mode_expired", id="Google"),
        pytest.param(GOOGLE, "token", "invalid_grant", id="Google, but a code"),
        pytest.param(URL, "refresh", "refresh_token_expired", id="another server"),
        pytest.param("https://evilgoogleapis.com/token", "refresh", "refresh_token_expired",
                     id="a host that only ends so"),
    ],
)  # fmt: skip
def test_the_seven_days_of_a_google_project_in_testing(
    endpoint: str, stage: str, code: str
) -> None:
    found = refused(
        "invalid_grant", "Token has been expired or revoked.", stage=stage, endpoint=endpoint
    )
    assert found.code == code
    assert ("7 days" in found.hint) == (code == "testing_mode_expired")


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        pytest.param("access_denied", "", "access_denied", id="the person said no"),
        pytest.param("user_cancelled_login", "", "access_denied", id="LinkedIn, no"),
        pytest.param("access_denied", "User is not assigned to the client application.",
                     "person_not_assigned", id="Okta, nobody of ours"),
        pytest.param("temporarily_unavailable", "authentication_expired", "login_abandoned",
                     id="Keycloak, left alone"),
        pytest.param("temporarily_unavailable", "", "temporarily_unavailable", id="busy"),
        pytest.param("invalid_request", "Missing parameter: code_challenge_method",
                     "pkce_missing", id="Keycloak, PKCE"),
        pytest.param("unauthorized_scope_error", "Scope r_x is not authorized", "scope_refused",
                     id="LinkedIn, scope"),
        pytest.param("access_denied", "Unauthorized", "access_denied", id="no, in other words"),
    ],
)  # fmt: skip
def test_a_callback_with_an_error_names_its_cause_and_both_addresses(
    error: str, description: str, code: str
) -> None:
    answer = AuthorizationErrorResponse(error=error, error_description=description, state="s" * 20)
    with pytest.raises(Refused) as refusal:
        check_callback(
            answer,
            expected_state="s" * 20,
            expected_iss=None,
            iss_required=False,
            endpoint="https://as.example/authorize",
            redirect_uri="https://app.example/callback",
        )
    assert (refusal.value.error, refusal.value.code) == (error, code)
    assert refusal.value.hint
    assert refusal.value.facts == {
        "endpoint": "https://as.example/authorize",
        "redirect_uri": "https://app.example/callback",
    }


@pytest.mark.parametrize(
    ("status", "title", "code", "hint"),
    [
        pytest.param(200, "Sign in to Example", "not_json", "a login page", id="login page"),
        pytest.param(404, "Not Found", "not_json", "nothing at this address", id="no such page"),
        pytest.param(405, "Oops", "not_json", "takes no POST", id="another page"),
        pytest.param(403, "Just a moment...", "not_json", "firewall", id="bot check"),
        pytest.param(502, "502 Bad Gateway", "server_failed", "a proxy answered", id="nginx"),
        pytest.param(504, "", "server_failed", "too slow", id="a slow server"),
        pytest.param(500, "Error", "server_failed", "its log says more", id="a broken server"),
    ],
)
def test_a_page_in_the_place_of_an_answer_is_told_by_its_title(
    status: int, title: str, code: str, hint: str
) -> None:
    body = f"<html><head><title>\n {title} </title></head><body>s3cret</body></html>".encode()
    headers = Headers([("content-type", "text/html")])
    found = refuse_answer(
        Response(status=status, headers=headers, body=body), stage="token", endpoint=URL
    )
    assert isinstance(found, ResponseRejected)
    assert found.code == code
    assert hint in found.hint
    assert (f"a page titled '{title}'" in found.message) == bool(title)
    assert "s3cret" not in str(found)


def test_a_title_repeats_no_secret_and_starts_no_line() -> None:
    body = b"<title>no s3cret here\r\nWARNING &lt;b&gt;\x1b[0m" + b"x" * 200 + b"</title>"
    found = refuse_answer(
        Response(status=400, headers=Headers(), body=body),
        stage="token",
        secrets=[Secret("s3cret")],
    )
    assert "no *** here WARNING <b>?[0m" in found.message
    assert found.message.isprintable()
    assert len(found.message) < 200


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        ("https://a.example", "https://a.example/", "with a slash"),
        ("https://a.example/", "https://a.example", "without a slash"),
        ("https://a.example/A", "https://a.example/a", "upper and lower case"),
        ("https://a.example", "http://a.example", "only http and https differ"),
        ("https://l.example/common/v2.0", "https://l.example/{tenantid}/v2.0", "many tenants"),
        ("https://a.example", "http://keycloak:8080", "public address"),
    ],
)
def test_an_issuer_that_differs_says_in_what(expected: str, got: str, said: str) -> None:
    assert said in issuer_hint(expected, got)


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("https://kc.example", "/realms/NAME"),
        ("https://kc.example/auth/realms/x", "no /auth"),
        ("https://x.eu.auth0.com", "slash"),
        ("https://login.microsoftonline.com/x", "/v2.0"),
        ("https://github.com", "no discovery"),
        ("https://a.example/.well-known/openid-configuration", "the part before"),
    ],
)
def test_an_issuer_without_metadata_says_how_issuers_look_there(issuer: str, said: str) -> None:
    assert said in discovery_hint(issuer)


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("self-signed certificate in certificate chain", "private CA"),
        ("unable to get local issuer certificate", "private CA"),
        ("self-signed certificate", "its own CA"),
        ("certificate has expired", "renewed"),
        ("certificate is not yet valid", "clock"),
        ("Hostname mismatch, certificate is not valid for 'x'.", "another host name"),
        ("wrong version number", "does not speak TLS"),
        ("handshake failed", "ca_file"),
    ],
)
def test_a_failed_handshake_says_what_to_do(complaint: str, said: str) -> None:
    assert said in tls_hint(complaint)
