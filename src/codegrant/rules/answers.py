"""What an endpoint's answer means that is no success, for a client. Layer: rules.

RFC 6749 §5.2; RFC 6750 §3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codegrant.errors import MessageError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.bearer import parse_challenges
from codegrant.messages.token import ErrorResponse
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.uri import parse_uri
from codegrant.secret import Secret

__all__ = ["refuse_answer"]

_ENDPOINTS = {"refresh": "token", "revoke": "revocation", "pushed_authorization": "pushed request"}

_HINTS = {
    "invalid_grant": "the code was used before, is too old, or was made for another client, "
    "redirect_uri or code verifier; start the login again",
    "redirect_uri_mismatch": "the redirect URI must be registered at the server exactly as it "
    "was sent",
    "unauthorized_client": "is the authorization code grant allowed for this client at the server?",
    "invalid_token": "the access token has expired, was revoked, or is for another API",
    "insufficient_scope": "ask for the missing scope when the login starts",
}


def refuse_answer(
    response: Response,
    *,
    stage: str,
    endpoint: str = "",
    method: str = "",
    supported: Sequence[str] = (),
    secrets: Iterable[Secret] = (),
) -> Refused | ResponseRejected:
    """Return the error for an answer that is no success: a refusal, or no answer at all.

    Args:
        response: with a status other than 200, or with an `error` in spite of it.
        stage: `token`, `refresh`, `userinfo` …
        endpoint: its URL, for the message.
        method: how the client authenticated, for the hint.
        supported: what the server's metadata says about that.
        secrets: what the request held; an answer that repeats one is told without it.

    RFC 6749 §5.2; RFC 6750 §3.1.
    """
    facts: dict[str, str | int] = {"status": response.status}
    if endpoint:
        facts["endpoint"] = endpoint
    if method:
        facts["method"] = method
    error = _find_error(response)
    if error is None:
        return _no_answer(response, stage, endpoint or f"the {stage} endpoint", facts)
    code, description, uri = (
        clean_error_text(_without(text or "", secrets))
        for text in (error.error, error.error_description, error.error_uri)
    )
    return Refused(
        code,
        description=description,
        uri=uri,
        status=response.status,
        stage=stage,
        hint=_authentication_hint(method, supported)
        if code == "invalid_client"
        else _HINTS.get(code, ""),
        facts=facts,
    )


def _without(text: str, secrets: Iterable[Secret]) -> str:
    """Return the peer's text with a mask for each secret in it."""
    for secret in secrets:
        text = text.replace(secret.reveal(), "***")
    return text


def _find_error(response: Response) -> ErrorResponse | None:
    """Return the OAuth error of an answer: of its JSON, else of its challenge."""
    try:
        return ErrorResponse.parse(response.body)
    except MessageError:
        pass
    try:
        challenges = parse_challenges(response.headers.get("www-authenticate"))
    except MessageError:
        return None
    for challenge in challenges:
        if challenge.params.get("error"):
            return ErrorResponse(
                error=challenge.params["error"],
                error_description=challenge.params.get("error_description"),
                error_uri=challenge.params.get("error_uri"),
            )
    return None


def _no_answer(
    response: Response, stage: str, where: str, facts: dict[str, str | int]
) -> ResponseRejected:
    """Return what an answer means that speaks no OAuth."""
    if 300 <= response.status < 400:
        target = _host_of(response.headers.get("location"))
        return ResponseRejected(
            f"{where} redirects{f' to {target}' if target else ''}",
            code="redirect_refused",
            stage=stage,
            hint="secrets do not follow redirects: use the final address (http instead of https, "
            "a missing slash, or a login page in front of it?)",
            facts=facts,
        )
    if response.status >= 500:
        return ResponseRejected(
            f"{where} answered {response.status}",
            code="server_failed",
            stage=stage,
            hint="the server has a problem of its own; its log says more",
            facts=facts,
        )
    kind = response.headers.get("content-type").partition(";")[0].strip().lower() or "no type"
    return ResponseRejected(
        f"{where} answered {response.status} with {clean_error_text(kind[:80])}, not OAuth JSON",
        code="not_json",
        stage=stage,
        hint=f"is this the address of the {_ENDPOINTS.get(stage, stage)} endpoint?",
        facts=facts,
    )


def _host_of(location: str) -> str:
    """Return the host of a redirect's target; empty when it has none that can be read."""
    try:
        return parse_uri(location).authority or ""
    except MessageError:
        return ""


def _authentication_hint(method: str, supported: Sequence[str]) -> str:
    known = f"; the server's metadata names {', '.join(supported)}" if supported else ""
    if method == "private_key_jwt":
        return (
            "the server does not know the public half of private_key for this client, or its "
            "clock differs, or it wants its token endpoint as audience "
            f"(dangerously_use_token_endpoint_as_audience): sent {method}{known}"
        )
    sent = f": sent {method}" if method else ""
    return f"wrong client_id or secret, or not the method it expects{sent}{known}"
