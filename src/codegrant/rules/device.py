"""Whether a device may use what it was answered. Layer: rules. RFC 8628 §3.2."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from codegrant.errors import MessageError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.device import DeviceAuthorizationResponse
from codegrant.rules.answers import refuse_answer
from codegrant.rules.uri import check_https_or_loopback
from codegrant.secret import Secret

__all__ = ["judge_device_authorization"]

_STAGE = "device_authorization"
_MOST_CHARACTERS = 64


def judge_device_authorization(
    response: Response,
    *,
    endpoint: str,
    method: str,
    supported: Sequence[str] = (),
    secrets: Collection[Secret] = (),
) -> DeviceAuthorizationResponse:
    """Return what a device authorization endpoint answered.

    Args:
        response: of the endpoint.
        endpoint: its URL, for the errors.
        method: how the client authenticated, for the hint.
        supported: what the server's metadata says about that.
        secrets: what the request held; no error repeats one.

    Raises:
        Refused: the answer is an OAuth error.
        ResponseRejected: `malformed_device_response`; a person must be shown a short code in
            characters that print, and sent to https (or loopback) alone. Others as
            `refuse_answer`.

    RFC 8628 §3.2. Stricter: its addresses are https.
    """

    def malformed(message: str) -> ResponseRejected:
        return ResponseRejected(
            f"the device authorization response is malformed: {message}",
            code="malformed_device_response",
            stage=_STAGE,
            hint="is this the address of the device authorization endpoint?",
            facts={"endpoint": endpoint},
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

    if response.status != 200:
        raise refused()
    try:
        answer = DeviceAuthorizationResponse.parse(response.body)
    except MessageError as error:
        refusal = refused()
        if isinstance(refusal, Refused) or not response.body.lstrip().startswith(b"{"):
            raise refusal from None
        raise malformed(error.message) from None
    if not answer.user_code.isprintable() or len(answer.user_code) > _MOST_CHARACTERS:
        raise malformed("user_code is none that a person can be shown")
    for name in ("verification_uri", "verification_uri_complete"):
        url: str = getattr(answer, name)
        if url:
            # A page of the server's may well have a fragment of its own.
            address, _, fragment = url.partition("#")
            check_https_or_loopback(address, name=name, error=malformed)
            if not fragment.isascii() or not f"{fragment}.".isprintable() or " " in fragment:
                raise malformed(f"{name} has characters that no URL has")
    return answer
