"""Posts that a client authenticates, and the judgement of their answers. Layer: remote, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from codegrant.errors import ConfigurationError, MessageError, Refused, ResponseRejected
from codegrant.flow import Flow
from codegrant.http import Headers, Request, Response
from codegrant.messages.client_authentication import build_client_authentication
from codegrant.messages.parameters import build_query
from codegrant.messages.token import ErrorResponse
from codegrant.remote.fetch import send
from codegrant.rules.error_text import clean_error_text
from codegrant.secret import Secret

__all__ = ["METHODS", "authenticated_post", "choose_method", "reject_answer"]

METHODS = ("client_secret_basic", "client_secret_post", "none")
_FORM = "application/x-www-form-urlencoded"


def choose_method(configured: str | None, secret: Secret | None, supported: Sequence[str]) -> str:
    """Return how to authenticate at a token endpoint; never by trying.

    Args:
        configured: what the program named, or `None`.
        secret: the client's secret, or `None` for a public client.
        supported: the server's `token_endpoint_auth_methods_supported`; empty means
            `client_secret_basic`.

    Raises:
        ConfigurationError: the server takes no method that this client can use.

    RFC 6749 §2.3; RFC 8414 §2. Basic goes first: form fields end in logs more often.
    """
    if configured is not None:
        return configured
    if secret is None:
        return "none"
    for method in ("client_secret_basic", "client_secret_post"):
        if method in (supported or METHODS):
            return method
    raise ConfigurationError(
        f"token_endpoint_auth_method: the server takes {', '.join(supported)}, and a client with "
        "a secret can use client_secret_basic or client_secret_post",
        hint="name the method explicitly if the server's metadata is wrong",
    )


def authenticated_post(
    url: str,
    form: Iterable[tuple[str, str]],
    *,
    method: str,
    client_id: str,
    secret: Secret | None,
    stage: str,
    guarded: bool = False,
) -> Flow[Response]:
    """Post `form` as the client and return the answer, whatever its status.

    Raises:
        TransportError: the answer did not come.
    """
    auth_headers, auth_form = build_client_authentication(method, client_id, secret)
    request = Request(
        method="POST",
        url=url,
        headers=Headers([("accept", "application/json"), ("content-type", _FORM), *auth_headers]),
        body=build_query([*form, *auth_form]).encode(),
    )
    return (yield from send(request, stage=stage, guarded=guarded))


def reject_answer(
    response: Response, *, url: str, stage: str, method: str = "", supported: Sequence[str] = ()
) -> Refused | ResponseRejected:
    """Return what an answer means that is no success: a refusal, or no answer at all.

    Args:
        response: of the endpoint at `url`, with a status other than 200, or with an
            `error` in spite of it.
        url: the endpoint.
        stage: `token`, `userinfo` …
        method: how the client authenticated, for the hint.
        supported: what the server's metadata says about that.

    RFC 6749 §5.2.
    """
    facts: dict[str, str | int] = {"endpoint": url, "status": response.status}
    try:
        error = ErrorResponse.parse(response.body)
    except MessageError:
        return _no_answer(response, url, stage, facts)
    return Refused(
        clean_error_text(error.error),
        description=clean_error_text(error.error_description or ""),
        uri=clean_error_text(error.error_uri or ""),
        status=response.status,
        stage=stage,
        hint=_hint(error.error, method, supported),
        facts=facts | ({"method": method} if method else {}),
    )


def _no_answer(
    response: Response, url: str, stage: str, facts: dict[str, str | int]
) -> ResponseRejected:
    kind = response.headers.get("content-type").partition(";")[0].strip().lower() or "no type"
    if 300 <= response.status < 400:
        target = _host_of(response.headers.get("location"))
        return ResponseRejected(
            f"{url} redirects{f' to {target}' if target else ''}",
            code="redirect_refused",
            stage=stage,
            hint="secrets do not follow redirects: use the final address (http instead of https, "
            "a missing slash, or a login page in front of it?)",
            facts=facts,
        )
    if response.status >= 500:
        return ResponseRejected(
            f"{url} answered {response.status}",
            code="server_failed",
            stage=stage,
            hint="the server has a problem of its own; its log says more",
            facts=facts,
        )
    return ResponseRejected(
        f"{url} answered {response.status} with {clean_error_text(kind[:80])}, not OAuth JSON",
        code="not_json",
        stage=stage,
        hint=f"is this the address of the {stage} endpoint?",
        facts=facts,
    )


def _host_of(location: str) -> str:
    try:
        return clean_error_text(urlsplit(location).netloc.rpartition("@")[2])
    except ValueError:
        return ""


def _hint(error: str, method: str, supported: Sequence[str]) -> str:
    """Return the likely cause of a known error code."""
    match error:
        case "invalid_client":
            known = f"; the server's metadata names {', '.join(supported)}" if supported else ""
            return f"wrong client_id or secret, or not the method it expects: sent {method}{known}"
        case "invalid_grant":
            return (
                "the code was used before, is too old, or was made for another client, "
                "redirect_uri or code verifier; start the login again"
            )
        case "redirect_uri_mismatch":
            return "the redirect URI must be registered at the server exactly as it was sent"
        case "unauthorized_client":
            return "is the authorization code grant allowed for this client at the server?"
        case _:
            return ""
