"""What is known to stand behind the errors of others, as data. Layer: rules.

A cause is found by what the peer said: its OAuth error, the words of its description, the
stage and the host. It gives the error a code of its own and a hint, and decides nothing:
what a peer says is never trusted with more than words. The first row that fits counts.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from codegrant.rules.entra_causes import find_entra_cause

__all__ = [
    "Cause",
    "discovery_hint",
    "find_cause",
    "issuer_hint",
    "page_hint",
    "tls_hint",
]


class Cause(NamedTuple):
    """One known cause.

    Attributes:
        code: what our error is called; empty for the peer's own word.
        hint: the likely cause and its fix.
        errors: OAuth errors that it comes with; empty for any.
        says: pattern that the description must contain, in any case; empty for any.
        stages: of the flow; empty for any.
        host: suffix of the endpoint's host; empty for any.
    """

    code: str
    hint: str
    errors: tuple[str, ...] = ()
    says: str = ""
    stages: tuple[str, ...] = ()
    host: str = ""


_REDIRECT = (
    "the redirect URI must be registered at the server exactly as it is sent: scheme, host, port, "
    "path and slash"
)
_SECRET = (
    "the server has another secret for this client: copy it again, whole, without a space or a "
    "newline, and look whether it was replaced"
)
_CLIENT = "is client_id the one of this server, environment and tenant?"
_SPENT = (
    "a code is good for one exchange: the callback was loaded twice, or two processes exchanged "
    "it; start the login again"
)
_LATE = "the code lay too long between callback and exchange, often a minute; start the login again"
_CODE = (
    "the code is wrong, too old or was exchanged before; start the login again, and pass the "
    "callback's address as the browser asked for it"
)
_NO_PKCE = (
    "this client sends code_challenge with S256 in every login: is the address rewritten on its "
    "way, or does the server take plain only?"
)
_PKCE = (
    "the code belongs to a login with another code verifier: finish a login with the PendingLogin "
    "that it began with"
)
_GONE = (
    "the refresh token has expired, was revoked or was used before: send the person to log in again"
)
_SCOPES = "ask for scopes that the client is registered for, spelled as the server documents them"
_GRANT = (
    "is the grant allowed for this client at the server? this is about the client's registration, "
    "not about its secret"
)
_NOT_ASKED = "the person must be asked: start a login without prompt=none"
_ABANDONED = "the person stayed too long on the server's pages or left them; start the login again"
_NO = "the person said no, or the server's policy did; this is a normal outcome"
_NOT_GIVEN = "give this person, or a group of theirs, access to the application at the server"
_TESTING = (
    "the person took the access back, or the Google project is in publishing status Testing, whose "
    "refresh tokens end after 7 days: publish it, then send the person to log in again"
)

# The narrow rows first: what they leave is for the wide ones.
_CAUSES: tuple[Cause, ...] = (
    # Words of one provider whose meaning is not that of the RFC.
    Cause("testing_mode_expired", _TESTING, ("invalid_grant",), r"expired or revoked|^bad request$",
          ("refresh",), "googleapis.com"),
    Cause("client_secret_wrong", _SECRET, ("access_denied",), "^unauthorized$", ("token",)),
    Cause("client_secret_wrong", _SECRET, ("unauthorized_client",), "client credentials|secret"),
    Cause("client_secret_wrong", f"{_SECRET}; {_CLIENT}",
          ("incorrect_client_credentials", "bad_client_secret")),
    Cause("client_unknown", _CLIENT, ("invalid_client_id", "deleted_client", "invalid_client"),
          r"^(?!.*(secret|credential|authentication)).*(not found|deleted|unknown|does not exist)"),
    Cause("client_unknown", _CLIENT, ("invalid_client_id", "deleted_client")),
    Cause("redirect_uri_mismatch", _REDIRECT,
          ("redirect_uri_mismatch", "redirect_mismatch", "bad_redirect_uri")),
    Cause("code_already_used", _SPENT, ("code_already_used",)),
    Cause("code_refused", _CODE, ("bad_verification_code", "invalid_code")),
    Cause("access_denied", _NO,
          ("user_cancelled_login", "user_cancelled_authorize", "user_denied")),
    Cause("scope_refused", _SCOPES, ("unauthorized_scope_error",)),
    Cause("login_abandoned", _ABANDONED, ("temporarily_unavailable", "login_timeout"),
          "authentication_expired|timed? ?out"),
    Cause("person_not_assigned", _NOT_GIVEN, ("access_denied",), "not assigned"),
    # One sentence for every cause at once: nothing is known.
    Cause("", _CODE, ("invalid_grant",), "or was issued to another client", ("token",)),
    Cause("", _GONE, ("invalid_grant",), "or was issued to another client", ("refresh",)),
    Cause("", "", ("invalid_client",), "due to unknown client, no client authentication"),
    # Words that servers share.
    Cause("", "the server wants another nonce with each proof, or one that no proof can have",
          ("use_dpop_nonce",)),
    Cause("", "the server wants tokens that are bound to a key: give the client dpop=True", (),
          r"\bdpop( proof)?( jwt)?( header)? (is |was )?(missing|required|not provided)\W*$"),
    Cause("redirect_uri_mismatch", _REDIRECT, (),
          r"(redirect|callback|reply)[ _-]?(ion )?(ur[il]|address)"),
    Cause("pkce_missing", _NO_PKCE, (), r"code[ _]challenge|\bpkce\b", ("callback", "authorize")),
    Cause("pkce_mismatch", _PKCE, (), r"code[ _](verifier|challenge)|\bpkce\b", ("token",)),
    Cause("code_already_used", _SPENT, ("invalid_grant", "invalid_request"),
          r"already (been )?(redeemed|used|exchanged|consumed)|more than once", ("token",)),
    Cause("code_expired", _LATE, ("invalid_grant",), r"code\b.*\bexpired|expired.*\bcode\b",
          ("token",)),
    Cause("code_refused", _CODE, ("invalid_grant",), r"malformed auth code|code not valid|"
          r"invalid.{0,3}code", ("token",)),
    Cause("auth_method_refused", "name the method the server expects as "
          "token_endpoint_auth_method", (), r"authentication method|auth[ _]method"),
    Cause("client_secret_expired", "make a new secret at the server and give it to this client",
          ("invalid_client",), r"secret.*\bexpired|expired.*\bsecret"),
    Cause("client_secret_missing", "the server takes this client for one with a secret: give "
          "client_secret, or register it as a public client", ("invalid_client", "invalid_request"),
          r"secret.{0,20}(missing|required|must be)|(missing|no|without).{0,20}secret"),
    Cause("client_secret_wrong", _SECRET, ("invalid_client",), "secret"),
    Cause("refresh_token_expired", _GONE, ("invalid_grant",), "expired|inactiv", ("refresh",)),
    # The errors of the RFCs, whose words do not help.
    Cause("", _CODE, ("invalid_grant",), "", ("token",)),
    Cause("", _GONE, ("invalid_grant",), "", ("refresh",)),
    Cause("", _GRANT, ("unauthorized_client", "unsupported_grant_type")),
    Cause("", _SCOPES, ("invalid_scope",)),
    Cause("", _NO, ("access_denied",)),
    Cause("", _NOT_ASKED, ("consent_required", "interaction_required",
                           "account_selection_required")),
    Cause("", "nobody is logged in there: start a login without prompt=none", ("login_required",)),
    Cause("", "the server has a problem of its own; its log says more", ("server_error",)),
    Cause("", "the server is busy; try again later", ("temporarily_unavailable",)),
    Cause("", "the server does not offer the authorization code grant",
          ("unsupported_response_type",)),
    Cause("", "the access token has expired, was revoked, or is for another API",
          ("invalid_token",)),
    Cause("", "ask for the missing scope when the login starts", ("insufficient_scope",)),
    Cause("", "this machine's clock is wrong, or the server does not know itself by the address "
          "that the proof was sent to", ("invalid_dpop_proof",)),
    Cause("", "the server does not know this resource, or not for this client",
          ("invalid_target",)),
    Cause("", "the server misses or does not take a parameter: its description says which",
          ("invalid_request",)),
)  # fmt: skip

_PATTERNS = {cause.says: re.compile(cause.says, re.IGNORECASE) for cause in _CAUSES}


def find_cause(error: str, description: str, *, stage: str, host: str = "") -> Cause | None:
    """Return the known cause of a refusal, or None.

    Args:
        error: the OAuth error, cleaned.
        description: in the peer's words, cleaned.
        stage: of the flow.
        host: of the endpoint that said it; empty for the browser.
    """
    entra = find_entra_cause(description)
    if entra is not None:
        return Cause(*entra)
    for cause in _CAUSES:
        if cause.errors and error not in cause.errors:
            continue
        if cause.stages and stage not in cause.stages:
            continue
        if cause.host and host != cause.host and not host.endswith(f".{cause.host}"):
            continue
        if _PATTERNS[cause.says].search(description):
            return cause
    return None


# What a page in the place of an answer says of itself.
_PAGES = (
    (r"cloudflare|attention required|just a moment|captcha|access denied|forbidden",
     "a firewall or bot check in front of the server answered; let this machine through"),
    (r"sign in|log ?in|anmeld|password",
     "a login page answered: a proxy guards this address, or it is not the {endpoint} endpoint"),
    (r"gateway|unavailable|upstream|proxy|nginx|heroku",
     "a proxy answered in the server's place: the server behind it is down or too slow"),
)  # fmt: skip
_STATUSES = {
    404: "there is nothing at this address: is it the {endpoint} endpoint?",
    405: "this address takes no POST: is it the {endpoint} endpoint?",
    407: "a proxy wants credentials: see HTTPS_PROXY and NO_PROXY",
    429: "the server counts too many requests; try again later",
    502: "a proxy answered in the server's place: the server behind it is down",
    503: "the server or a proxy in front of it is overloaded or down for maintenance",
    504: "a proxy answered in the server's place: the server behind it is too slow",
}


def page_hint(status: int, title: str, *, endpoint: str) -> str:
    """Return the likely cause of an answer that is no OAuth at all.

    Args:
        status: of the answer.
        title: of the page that came, cleaned; empty when none did.
        endpoint: its name, `token` for example.
    """
    for pattern, hint in _PAGES:
        if re.search(pattern, title, re.IGNORECASE):
            return hint.format(endpoint=endpoint)
    if status in _STATUSES:
        return _STATUSES[status].format(endpoint=endpoint)
    if status >= 500:
        return "the server has a problem of its own; its log says more"
    return f"is this the address of the {endpoint} endpoint?"


# Issuers whose form people miss: the host's suffix, and what they look like.
_ISSUERS = (
    ("login.microsoftonline.com", "Entra's issuers are https://login.microsoftonline.com/TENANT/v2.0"),
    ("auth0.com", "Auth0's issuers end in a slash"),
    ("okta.com", "Okta's issuers are https://HOST or https://HOST/oauth2/SERVER"),
    ("amazonaws.com", "Cognito's issuers are https://cognito-idp.REGION.amazonaws.com/POOL"),
    ("amazoncognito.com", "Cognito's issuers are https://cognito-idp.REGION.amazonaws.com/POOL"),
    ("github.com", "GitHub has no discovery: describe it by ServerMetadata(...)"),
    ("discord.com", "describe Discord by ServerMetadata(...)"),
)  # fmt: skip
_ISSUER = (
    "is the issuer spelled as the provider documents it, path and slash included? Keycloak's end "
    "in /realms/NAME; a server without discovery is described by ServerMetadata(...)"
)


def discovery_hint(issuer: str) -> str:
    """Return why there is probably no metadata for `issuer`."""
    host, _, path = issuer.partition("://")[2].partition("/")
    for suffix, hint in _ISSUERS:
        if host == suffix or host.endswith(f".{suffix}"):
            return hint
    if path.startswith("auth/realms/"):
        return "Keycloak since 17 has no /auth before /realms, unless its relative path says so"
    if "/.well-known/" in issuer:
        return "the issuer is the part before /.well-known/"
    return _ISSUER


def issuer_hint(expected: str, got: str) -> str:
    """Return what to do about metadata that name another issuer than the one asked for."""
    if got.removesuffix("/") == expected.removesuffix("/"):
        ending = "with" if got.endswith("/") else "without"
        return f"the server writes its issuer {ending} a slash at the end; write it so, too"
    if got.casefold() == expected.casefold():
        return "upper and lower case differ; write the issuer as the server does"
    if got.partition("://")[2] == expected.partition("://")[2]:
        return (
            "only http and https differ: use the one the server names, or tell the server its "
            "public address if a proxy ends TLS in front of it"
        )
    if "{" in got or "/common/" in expected or "/organizations/" in expected:
        return "the address serves many tenants: use the issuer of one, with its id"
    return (
        "use the issuer exactly as the server writes it, or tell the server its public address if "
        "it names an inner one"
    )


_PRIVATE_CA = (
    "a private CA, or a proxy that opens TLS, signed the certificate: name the CA's file by "
    "ca_file or SSL_CERT_FILE; if the CA is public, the server does not send the intermediate one"
)
_TLS = (
    (r"self.signed certificate in certificate chain|local issuer|unable to get issuer",
     _PRIVATE_CA),
    ("self.signed",
     "a self-signed certificate is its own CA: name it by ca_file or SSL_CERT_FILE"),
    ("has expired",
     "the server's certificate must be renewed, unless this machine's clock is wrong"),
    ("not yet valid", "this machine's clock is wrong, or the certificate is dated in the future"),
    ("mismatch|not valid for|doesn.t match",
     "the certificate is of another host name: use the name that it was issued for"),
    ("wrong version|record layer|unknown protocol|http request",
     "this port does not speak TLS: is it http, or another port?"),
    ("protocol version|unsupported protocol|alert",
     "the server refuses TLS 1.2 and 1.3, the ciphers, or wants a client certificate"),
)  # fmt: skip


def tls_hint(complaint: str) -> str:
    """Return what to do about a TLS connection that failed with `complaint`."""
    for pattern, hint in _TLS:
        if re.search(pattern, complaint, re.IGNORECASE):
            return hint
    return "a certificate of a private CA needs ca_file; a self-signed one is not accepted"
