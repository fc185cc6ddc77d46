"""Whether a client may use a token response. Layer: rules. RFC 6749 §5.1, §7.1."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from codegrant.errors import MessageError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.token import TokenResponse
from codegrant.providers import Provider
from codegrant.rules.answers import refuse_answer
from codegrant.rules.error_text import clean_error_text
from codegrant.rules.quirks import standard_token_answer
from codegrant.rules.scope import format_scope, parse_scope
from codegrant.secret import Secret

__all__ = ["judge_token_response"]

# access-token = 1*VSCHAR (RFC 6749 Appendix A.12), without the space, which RFC 6750 §2.1 has
# no place for.
_PRINTABLE = re.compile(r"[!-~]+")


def judge_token_response(
    response: Response,
    *,
    stage: str = "token",
    requested_scope: Sequence[str],
    endpoint: str = "",
    method: str = "",
    supported: Sequence[str] = (),
    secrets: Collection[Secret] = (),
    token_types: Collection[str] = ("bearer",),
    provider: Provider | None = None,
    redirect_uri: str = "",
) -> TokenResponse:
    """Return the token response that an answer is, with its scope filled in.

    Args:
        response: of a token endpoint.
        stage: for the errors.
        requested_scope: what no `scope` in the answer stands for.
        endpoint: the URL, for the errors.
        method: how the client authenticated, for the hint.
        supported: what the server's metadata says about that.
        secrets: what the request held; no error repeats one.
        token_types: which the client can use, in lower case.
        provider: of the catalogue, whose quirks the answer may have.
        redirect_uri: of the request, for the hint.

    Raises:
        Refused: the answer is an OAuth error, whatever its status.
        ResponseRejected: `redirect_refused`, `server_failed`, `not_json` (a page, say),
            `malformed_token_response`, `too_large`, `token_type_unknown`.

    RFC 6749 §5.1, §5.2, §7.1.
    """

    def malformed(message: str, code: str = "malformed_token_response") -> ResponseRejected:
        return ResponseRejected(
            f"the token response is malformed: {message}",
            code=code,
            stage=stage,
            hint="is this the address of the token endpoint?",
            facts={"endpoint": endpoint} if endpoint else None,
        )

    def refused() -> Refused | ResponseRejected:
        return refuse_answer(
            response,
            stage=stage,
            endpoint=endpoint,
            method=method,
            supported=supported,
            secrets=secrets,
            redirect_uri=redirect_uri,
        )

    response = standard_token_answer(response, provider)
    if response.status != 200:
        raise refused()
    try:
        token = TokenResponse.parse(response.body)
    except MessageError as error:
        refusal = refused()
        if isinstance(refusal, Refused) or not response.body.lstrip().startswith(b"{"):
            raise refusal from None
        code = error.code if error.code == "too_large" else "malformed_token_response"
        raise malformed(error.message, code) from None
    if token.extra.get("error"):  # some servers answer 200 to an error
        raise refused()
    if not _PRINTABLE.fullmatch(token.access_token.reveal()):
        raise malformed("access_token has characters that no header carries")
    if token.token_type.lower() not in token_types:
        raise ResponseRejected(
            f"token_type: {clean_error_text(token.token_type[:40])!r} is none that this client "
            "can use",
            code="token_type_unknown",
            stage=stage,
            hint=f"{' or '.join(token_types)} tokens are expected; is the client registered for "
            "another kind?",
            facts={"endpoint": endpoint} if endpoint else None,
        )
    if token.scope is None:
        return replace(token, scope=format_scope(requested_scope))
    if token.scope == format_scope(requested_scope):
        return token  # as it was asked for, which was well formed
    # An empty scope is none at all, which some servers grant.
    scope = format_scope(parse_scope(token.scope, error=malformed)) if token.scope else ""
    return token if scope == token.scope else replace(token, scope=scope)
