from __future__ import annotations

from typing import Any

from codegrant.errors import OAuthError
from codegrant.http import Request
from codegrant.server.host import Host


def nobody(*_: object) -> Any:
    yield from ()


HOST = Host(find_visitor=nobody, find_consent=nobody, find_person=nobody)


def test_a_host_without_pages_answers_in_plain_text() -> None:
    error = OAuthError("invalid_request", 'no "such"\nclient é', reason="s3cret", status=400)
    answer = HOST.error_page(error, Request(method="GET", url="https://issuer.test/authorize"))
    assert answer.status == 400
    assert answer.body == b"invalid_request\nno 'such' client ?\n"
    assert answer.headers.get("content-type") == "text/plain; charset=utf-8"
    assert answer.headers.get("cache-control") == "no-store"
    assert answer.headers.get("x-content-type-options") == "nosniff"


def test_a_host_that_is_busy_says_when_to_come_back() -> None:
    error = OAuthError("temporarily_unavailable", status=429, facts={"retry_after": 7})
    answer = HOST.error_page(error, Request(method="GET", url="https://issuer.test/authorize"))
    assert (answer.status, answer.headers.get("retry-after")) == (429, "7")
