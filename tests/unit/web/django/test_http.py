"""Requests and responses of Django as ours."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.test import AsyncRequestFactory, RequestFactory, override_settings

from codegrant.http import Headers, Response, find_cookies
from codegrant.web.django.http import from_django, read_form, to_django

FORM = "application/x-www-form-urlencoded"
ALLOWED = override_settings(ALLOWED_HOSTS=["testserver"])
PROXY = override_settings(
    ALLOWED_HOSTS=["app.example"],
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    USE_X_FORWARDED_HOST=True,
)
FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-host": "app.example"}


@pytest.mark.parametrize("factory", [RequestFactory(), AsyncRequestFactory()], ids=["wsgi", "asgi"])
def test_a_request_keeps_its_parts(factory: Any) -> None:
    with ALLOWED:
        found = from_django(factory.get("/a%20b/%25?x=%ff&y=1", headers={"x-odd": "y"}))
    assert (found.method, found.path, found.query) == ("GET", "/a b/%", "x=%ff&y=1")
    assert found.url == "http://testserver/a%20b/%25"
    assert found.headers.get("x-odd") == "y"
    assert found.peer == "127.0.0.1"


def test_the_cookies_of_a_request_are_found() -> None:
    with ALLOWED:
        found = from_django(RequestFactory().get("/", headers={"cookie": "a=1; b=2"}))
        assert find_cookies(found.headers, "b") == ("2",)
        several = AsyncRequestFactory().get("/")
        several.scope = {
            **several.scope,
            "headers": [(b"cookie", b"a=1"), (b"cookie", b"b=2")],
        }  # HTTP/2
        assert find_cookies(from_django(several).headers, "b") == ("2",)


@pytest.mark.parametrize("factory", [RequestFactory(), AsyncRequestFactory()], ids=["wsgi", "asgi"])
def test_forwarded_headers_count_as_far_as_django_believes_them(factory: Any) -> None:
    with PROXY:
        assert from_django(factory.get("/x", headers=FORWARDED)).url == "https://app.example/x"
        evil = factory.get("/x", headers={**FORWARDED, "x-forwarded-host": "evil.example"})
        with pytest.raises(DisallowedHost):
            from_django(evil)
    with ALLOWED:
        assert from_django(factory.get("/x", headers=FORWARDED)).url == "http://testserver/x"
        with pytest.raises(DisallowedHost):
            from_django(factory.get("/x", headers={"host": "evil.example"}))


@pytest.mark.parametrize(
    ("kind", "body", "length", "found"),
    [
        pytest.param(FORM, b"a=1", None, b"a=1", id="a form"),
        pytest.param(f"{FORM}; charset=utf-8", b"a=1", None, b"a=1", id="with a charset"),
        pytest.param("application/json", b"{}", None, b"", id="no form"),
        pytest.param("multipart/form-data; boundary=x", b"--x--", None, b"", id="multipart"),
        pytest.param(FORM, b"a" * 65_537, None, b"", id="too long"),
        pytest.param(FORM, b"a" * 65_536, None, b"a" * 65_536, id="just short enough"),
        pytest.param(FORM, b"a=1", "", b"", id="no length"),
        pytest.param(FORM, b"a=1", "-3", b"", id="a length that is none"),
        pytest.param(FORM, b"a=1", "9" * 30, b"", id="a length beyond all"),
    ],
)
def test_only_a_short_form_is_read(
    kind: str, body: bytes, length: str | None, found: bytes
) -> None:
    request = RequestFactory().post("/", body, content_type=kind)
    if length is not None:
        request.META["CONTENT_LENGTH"] = length
    assert read_form(request) == found
    if found == b"a=1":
        assert request.POST["a"] == "1"


def test_a_response_keeps_its_fields_and_each_of_its_cookies() -> None:
    kept = "Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure"
    ours = Response(
        status=303,
        headers=Headers(
            [
                ("location", "/x"),
                ("set-cookie", f"__Host-a=AbC-_.9; {kept}"),
                ("set-cookie", "b=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"),
                ("vary", "Cookie"),
                ("vary", "Accept"),
            ]
        ),
        body=b"x",
    )
    answer = to_django(ours)
    assert (answer.status_code, answer.content) == (303, b"x")
    assert dict(answer.items()) == {"location": "/x", "vary": "Cookie, Accept"}
    first, second = (cookie.OutputString() for cookie in answer.cookies.values())
    assert first == "__Host-a=AbC-_.9; HttpOnly; Max-Age=60; Path=/; SameSite=Lax; Secure"
    assert second.startswith("b=; HttpOnly; Max-Age=0; Path=/; SameSite=Lax")
    assert "Secure" not in second
