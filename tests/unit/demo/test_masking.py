"""What may be seen of the demo's traffic, and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.demo.masking import MASK, mask_json, show_request, show_response
from codegrant.http import Headers, Request, Response
from codegrant.messages.json import JsonValue, build_json

TOKEN = "Zk3vJ9aQ0pLw8XyB5tRm2NcDhGfSeUiO1qA7"
ENCODED = TOKEN.replace("k", "%6b")


def request(
    target: str = "/", *, method: str = "GET", body: bytes = b"", **fields: str
) -> tuple[str, ...]:
    path, _, query = target.partition("?")
    headers = Headers((name.replace("_", "-"), value) for name, value in fields.items())
    return show_request(
        Request(method=method, url=f"http://host{path}", query=query, headers=headers, body=body)
    ).lines


def response(status: int = 200, body: bytes = b"", *fields: tuple[str, str]) -> tuple[str, ...]:
    return show_response(Response(status=status, headers=Headers(fields), body=body)).lines


def form(body: str) -> tuple[str, ...]:
    return request(
        method="POST", body=body.encode(), content_type="application/x-www-form-urlencoded"
    )[3:]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(request(f"/callback?code={TOKEN}"), id="code"),
        pytest.param(request(f"/callback?state={TOKEN}&iss=http://host"), id="state"),
        pytest.param(request(f"/authorize?nonce={TOKEN}&code_challenge={TOKEN}"), id="nonce"),
        pytest.param(request(f"/?{TOKEN}"), id="no name"),
        pytest.param(request(f"/?{TOKEN}=x"), id="a token as the name"),
        pytest.param(request(f"/{TOKEN}"), id="a token in the path"),
        pytest.param(request(f"/?scope={TOKEN}"), id="a token where a scope belongs"),
        pytest.param(request(f"/?scope={ENCODED}"), id="the same, percent-encoded"),
        pytest.param(request(f"/?s%63ope%20={TOKEN}"), id="a name that is nearly known"),
        pytest.param(request(authorization=f"Bearer {TOKEN}"), id="bearer"),
        pytest.param(request(authorization=f"bearer {TOKEN}"), id="bearer, small"),
        pytest.param(request(authorization=f"Basic {TOKEN}"), id="basic"),
        pytest.param(request(authorization=f"{TOKEN} x"), id="a token as the scheme"),
        pytest.param(request(cookie=f"cg-app-1={TOKEN}; other={TOKEN}"), id="cookies"),
        pytest.param(request(cookie=TOKEN), id="a cookie without a name"),
        pytest.param(request(x_api_key=TOKEN), id="a field that nobody knows"),
        pytest.param(form(f"password={TOKEN}"), id="password"),
        pytest.param(form(f"client_secret={TOKEN}&code_verifier={TOKEN}"), id="client secret"),
        pytest.param(form(f"transaction={TOKEN}&csrf={TOKEN}"), id="csrf"),
        pytest.param(request(method="POST", body=TOKEN.encode()), id="a body of no kind"),
        pytest.param(response(303, b"", ("location", f"/cb?code={TOKEN}")), id="redirect"),
        pytest.param(response(303, b"", ("location", f"/cb#code={TOKEN}")), id="fragment"),
        pytest.param(response(200, b"", ("set-cookie", f"cg-app-1={TOKEN}; Path=/")), id="set"),
        pytest.param(response(200, b"", ("set-cookie", f"a=b; Domain={TOKEN}")), id="attribute"),
        pytest.param(
            response(200, f"<title>{TOKEN}</title>".encode(), ("content-type", "text/html")),
            id="title",
        ),
        pytest.param(
            response(
                200, f'{{"access_token":"{TOKEN}"'.encode(), ("content-type", "application/json")
            ),
            id="broken JSON",
        ),
    ],
)
def test_a_secret_is_not_shown(lines: tuple[str, ...]) -> None:
    text = "\n".join(lines)
    assert TOKEN not in text
    assert ENCODED not in text


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        pytest.param(
            request("/login?return_to=%2Fprofile"),
            "GET /login?return_to=%2Fprofile",
            id="one parameter",
        ),
        pytest.param(request("/a?scope=openid&client_id=b"), "    &client_id=b", id="several"),
        pytest.param(request(host="127.0.0.1:8400"), "Host: 127.0.0.1:8400", id="field"),
        pytest.param(request(authorization="Basic x"), f"Authorization: Basic {MASK}", id="scheme"),
        pytest.param(
            request(cookie="cg-app-1=x; b=c"), f"Cookie: cg-app-1={MASK}", id="our cookie"
        ),
        pytest.param(response(404), "404 Not Found", id="status"),
        pytest.param(
            response(303, b"", ("set-cookie", "a=b; Path=/; HttpOnly")),
            f"Set-Cookie: a={MASK}; Path=/; HttpOnly",
            id="attributes",
        ),
        pytest.param(
            response(401, b"", ("www-authenticate", 'Bearer error="invalid_token"')),
            'WWW-Authenticate: Bearer error="invalid_token"',
            id="challenge",
        ),
        pytest.param(
            response(200, b"<title>A &amp; B</title>", ("content-type", "text/html")),
            "(a page: A & B)",
            id="title",
        ),
    ],
)
def test_what_teaches_something_is_shown(lines: tuple[str, ...], shown: str) -> None:
    assert shown in lines


def test_a_form_is_shown_field_by_field() -> None:
    assert form("grant_type=authorization_code&code=abc&username=alice") == (
        "grant_type=authorization_code",
        f"&code={MASK}",
        "&username=alice",
    )


def test_of_json_only_known_members_are_told() -> None:
    value: JsonValue = {
        "access_token": "short",
        "token_type": "Bearer",
        "keys": [{"kty": "EC", "x": "abc", "y": "def"}],
        "name": TOKEN,
        "surprise": 1,
    }
    assert mask_json(value) == {
        "access_token": MASK,
        "token_type": "Bearer",
        "keys": [{"kty": "EC", "…": "2 more"}],
        "name": MASK,
        "…": "1 more",
    }


def test_nothing_can_drive_a_terminal_or_start_a_line() -> None:
    lines = request("/a%0d\x1b[2J?scope=%0a\x1b[31m")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(request("/?" + "scope=a&" * 500), id="parameters"),
        pytest.param(
            response(
                200,
                build_json({"keys": [{"kty": "EC"}] * 500}),
                ("content-type", "application/json"),
            ),
            id="members",
        ),
    ],
)
def test_what_is_kept_is_bounded(lines: tuple[str, ...]) -> None:
    assert len(lines) <= 61
    assert lines[-1] == "…"


@given(
    st.binary(max_size=300),
    st.text(max_size=100),
    st.sampled_from(
        ["application/json", "text/html", "application/x-www-form-urlencoded", "", "a/b"]
    ),
)
def test_no_body_and_no_query_is_too_odd(body: bytes, query: str, kind: str) -> None:
    headers = Headers({"content-type": kind})
    shown = show_request(
        Request(method="POST", url="http://host/a", query=query, headers=headers, body=body)
    )
    answer = show_response(Response(status=200, headers=headers, body=body))
    assert all(line.isprintable() for line in (*shown.lines, *answer.lines))
