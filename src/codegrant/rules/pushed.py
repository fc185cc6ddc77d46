"""Whether a client may use what its pushed request was answered. Layer: rules. RFC 9126 §2.2."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from codegrant.errors import MessageError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.pushed import PushedAuthorizationResponse
from codegrant.rules.answers import refuse_answer
from codegrant.secret import Secret

__all__ = ["judge_pushed_authorization"]

_STAGE = "pushed_authorization"
# scheme ":" and characters that a URI may have; the rest is the server's own. RFC 3986 §3, §2.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,1024}")


def judge_pushed_authorization(
    response: Response,
    *,
    endpoint: str,
    method: str,
    supported: Sequence[str] = (),
    secrets: Collection[Secret] = (),
) -> PushedAuthorizationResponse:
    """Return what a pushed authorization request endpoint answered.

    Args:
        response: of the endpoint.
        endpoint: its URL, for the errors.
        method: how the client authenticated, for the hint.
        supported: what the server's metadata says about that.
        secrets: what the request held; no error repeats one.

    Raises:
        Refused: the answer is an OAuth error.
        ResponseRejected: `malformed_pushed_response`: a success without a `request_uri` that is a
            URI, or without a positive `expires_in`. Others as `refuse_answer`.

    RFC 9126 §2.2, §2.3.
    """

    def malformed(message: str) -> ResponseRejected:
        return ResponseRejected(
            f"the answer to the pushed request is malformed: {message}",
            code="malformed_pushed_response",
            stage=_STAGE,
            hint="is this the address of the pushed authorization request endpoint?",
            facts={"endpoint": endpoint, "status": response.status},
        )

    def refused() -> Refused | ResponseRejected:
        return refuse_answer(
            response,
            stage=_STAGE,
            endpoint=endpoint,
            method=method,
            supported=supported,
            secrets=secrets,
        )

    if response.status != 201:
        refusal = refused()
        if response.status == 200 and not isinstance(refusal, Refused):
            raise malformed("the status is 200, not 201")
        raise refusal
    try:
        answer = PushedAuthorizationResponse.parse(response.body)
    except MessageError as error:
        refusal = refused()
        if isinstance(refusal, Refused) or not response.body.lstrip().startswith(b"{"):
            raise refusal from None
        raise malformed(error.message) from None
    if not _URI.fullmatch(answer.request_uri):
        raise malformed("request_uri is no URI")
    return answer
