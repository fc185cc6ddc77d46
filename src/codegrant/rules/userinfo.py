"""Whether a client may use a userinfo response. Layer: rules. OpenID Connect Core §5.3."""

from __future__ import annotations

from collections.abc import Collection

from codegrant.errors import MessageError, Refused, ResponseRejected
from codegrant.http import Response
from codegrant.messages.json import JsonValue, parse_json
from codegrant.messages.userinfo import UserInfoResponse
from codegrant.providers import Provider
from codegrant.rules.answers import refuse_answer
from codegrant.rules.quirks import standard_answer
from codegrant.secret import Secret, same_secret

__all__ = ["judge_user_response", "judge_userinfo_response"]


def judge_userinfo_response(
    response: Response,
    *,
    expected_subject: str,
    endpoint: str = "",
    secrets: Collection[Secret] = (),
    provider: Provider | None = None,
) -> UserInfoResponse:
    """Return the userinfo response that an answer is, about the person who logged in.

    Args:
        response: of a userinfo endpoint.
        expected_subject: `sub` of the ID token.
        endpoint: the URL, for the errors.
        secrets: what the request held; no error repeats one.
        provider: of the catalogue, whose quirks the answer may have.

    Raises:
        Refused: the answer is an OAuth error.
        ResponseRejected: `redirect_refused`, `server_failed`, `not_json`,
            `malformed_userinfo`, `signed_userinfo`, `sub_missing`, `sub_mismatch`: it is
            about somebody else, and nothing of it may be used.

    OpenID Connect Core §5.3.2, §5.3.4.
    """

    def rejected(message: str, code: str, hint: str = "") -> ResponseRejected:
        facts = {"endpoint": endpoint} if endpoint else None
        return ResponseRejected(message, code=code, stage="userinfo", hint=hint, facts=facts)

    def refused() -> Refused | ResponseRejected:
        return refuse_answer(response, stage="userinfo", endpoint=endpoint, secrets=secrets)

    response = standard_answer(response, provider)
    if response.status != 200:
        raise refused()
    content_type = response.headers.get("content-type").partition(";")[0].strip().lower()
    if content_type == "application/jwt":
        raise rejected(
            "the userinfo response is signed",
            "signed_userinfo",
            "register the client without userinfo_signed_response_alg",
        )
    try:
        userinfo = UserInfoResponse.parse(response.body)
    except MessageError as error:
        if not response.body.lstrip().startswith(b"{"):
            raise refused() from None
        raise rejected(
            f"the userinfo response is malformed: {error.message}", "malformed_userinfo"
        ) from None
    if not userinfo.sub:
        raise rejected("sub: the userinfo response has none", "sub_missing")
    if not same_secret(userinfo.sub, expected_subject):
        raise rejected(
            "sub: the userinfo response is about somebody else than the ID token",
            "sub_mismatch",
            "nothing of it was used; the access token may be another person's",
        )
    return userinfo


def judge_user_response(
    response: Response,
    *,
    provider: Provider,
    endpoint: str,
    secrets: Collection[Secret] = (),
) -> JsonValue:
    """Return what a provider without OpenID says of the person whose access token was sent.

    Args:
        response: of its userinfo endpoint, or of its list of addresses.
        provider: of the catalogue.
        endpoint: the URL, for the errors.
        secrets: what the request held; no error repeats one.

    Raises:
        Refused: the answer is an error.
        ResponseRejected: `redirect_refused`, `server_failed`, `not_json`, `malformed_userinfo`.
    """
    response = standard_answer(response, provider)
    if response.status != 200:
        raise refuse_answer(response, stage="userinfo", endpoint=endpoint, secrets=secrets)
    try:
        return parse_json(response.body, max_bytes=1 << 20)
    except MessageError as error:
        if not response.body.lstrip().startswith((b"{", b"[")):
            raise refuse_answer(
                response, stage="userinfo", endpoint=endpoint, secrets=secrets
            ) from None
        raise ResponseRejected(
            f"the userinfo response is malformed: {error.message}",
            code="malformed_userinfo",
            stage="userinfo",
            facts={"endpoint": endpoint},
        ) from None
