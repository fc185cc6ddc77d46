"""What an endpoint's answer means that is no success, for a client. Layer: rules.

RFC 6749 §5.2; RFC 6750 §3.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from codegrant.errors import MessageError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.parameters import form_encode
from codegrant.messages.token import ErrorResponse
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.uri import parse_uri
from codegrant.secret import Secret

__all__ = ["refuse_answer"]

_ENDPOINTS = {"refresh": "token", "revoke": "revocation", "pushed_authorization": "pushed request"}

# The title of a page that came in the place of an answer.
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{1,400})</title", re.IGNORECASE)
_MOST_OF_A_PAGE = 16_384

# Causes in which it helps to know how the client authenticated.
_ABOUT_METHOD = frozenset({
    "auth_method_refused", "client_secret_missing", "client_secret_unexpected",
    "client_secret_wrong",
})  # fmt: skip


def refuse_answer(
    response: Response,
    *,
    stage: str,
    endpoint: str = "",
    method: str = "",
    supported: Sequence[str] = (),
    secrets: Collection[Secret] = (),
    redirect_uri: str = "",
) -> Refused | ResponseRejected:
    """Return the error for an answer that is no success: a refusal, or no answer at all.

    Args:
        response: with a status other than 200, or with an `error` in spite of it.
        stage: `token`, `refresh`, `userinfo` …
        endpoint: its URL, for the message.
        method: how the client authenticated, for the hint.
        supported: what the server's metadata says about that.
        secrets: what the request held; an answer that repeats one is told without it.
        redirect_uri: as sent, for the hint.

    RFC 6749 §5.2; RFC 6750 §3.1.
    """
    from codegrant.rules.known_causes import find_cause  # what goes well needs no table

    facts: dict[str, str | int] = {"status": response.status}
    if endpoint:
        facts["endpoint"] = endpoint
    if method:
        facts["method"] = method
    error = _find_error(response)
    if error is None:
        return _no_answer(response, stage, endpoint or f"the {stage} endpoint", facts, secrets)
    code, description, uri = (
        clean_error_text(_without(text or "", secrets))
        for text in (error.error, error.error_description, error.error_uri)
    )
    cause = find_cause(code, description, stage=stage, host=_host_of(endpoint))
    known, hint = ("", "") if cause is None else (cause.code, cause.hint)
    if code == "invalid_client" and not hint:
        hint = "wrong client_id or secret, or not the method it expects"
    if known in _ABOUT_METHOD or (code == "invalid_client" and not known):
        hint = f"{hint}{_told_method(method, supported)}"
    if known == "redirect_uri_mismatch" and redirect_uri:
        facts["redirect_uri"] = redirect_uri
        hint = f"{hint}; sent {redirect_uri}"
    date = response.headers.get("date")
    if code == "invalid_dpop_proof" and date:
        hint = f"{hint}; its answer is dated {clean_error_text(date[:40])}"
    return Refused(
        code,
        description=description,
        uri=uri,
        status=response.status,
        code=known,
        stage=stage,
        hint=hint,
        facts=facts,
    )


def _without(text: str, secrets: Iterable[Secret]) -> str:
    """Return the peer's text with a mask for each secret in it, also as forms spell it."""
    for secret in secrets:
        value = secret.reveal()
        text = text.replace(value, "***").replace(form_encode(value), "***")
    return text


def _find_error(response: Response) -> ErrorResponse | None:
    """Return the OAuth error of an answer: of its JSON, else of its challenge."""
    from codegrant.messages.bearer import parse_challenges

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
    response: Response,
    stage: str,
    where: str,
    facts: dict[str, str | int],
    secrets: Iterable[Secret],
) -> ResponseRejected:
    """Return what an answer means that speaks no OAuth."""
    from codegrant.rules.known_causes import page_hint

    name = _ENDPOINTS.get(stage, stage)
    title = _title_of(response.body, secrets)
    page = f", a page titled '{title}'" if title else ""
    hint = page_hint(response.status, title, endpoint=name)
    if 300 <= response.status < 400:
        target = _authority_of(response.headers.get("location"))
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
            f"{where} answered {response.status}{page}",
            code="server_failed",
            stage=stage,
            hint=hint,
            facts=facts,
        )
    kind = response.headers.get("content-type").partition(";")[0].strip().lower() or "no type"
    return ResponseRejected(
        f"{where} answered {response.status} with {clean_error_text(kind[:80])}, not OAuth JSON"
        f"{page}",
        code="not_json",
        stage=stage,
        hint=hint,
        facts=facts,
    )


def _title_of(body: bytes, secrets: Iterable[Secret]) -> str:
    """Return the title of a page, without secrets, cleaned and cut; empty when it has none."""
    from html import unescape

    found = _TITLE.search(body[:_MOST_OF_A_PAGE])
    if found is None:
        return ""
    title = " ".join(unescape(found[1].decode("utf-8", "replace")).split())
    # A cut secret would not be found any more.
    return clean_error_text(_without(title, secrets))[:80]


def _host_of(url: str) -> str:
    """Return the host of an address; empty when it has none that can be read."""
    try:
        return parse_uri(url).host
    except MessageError:
        return ""


def _authority_of(location: str) -> str:
    """Return the host of a redirect's target; empty when it has none that can be read."""
    try:
        return parse_uri(location).authority or ""
    except MessageError:
        return ""


def _told_method(method: str, supported: Sequence[str]) -> str:
    """Return how the client authenticated, and how it might have."""
    known = f"; the server's metadata names {', '.join(supported)}" if supported else ""
    if method == "private_key_jwt":
        return (
            "the server does not know the public half of private_key for this client, or its "
            "clock differs, or it wants its token endpoint as audience "
            f"(dangerously_use_token_endpoint_as_audience): sent {method}{known}"
        )
    sent = f": sent {method}" if method else ""
    return f"{sent}{known}"
