from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from codegrant.http import Response
from codegrant.web.login_pages import (
    build_page,
    chooser_page,
    failure_page,
    logout_page,
    not_allowed,
    redirect,
)

MARKUP = "<script>alert('1')</script>\"&"
FAILURE = failure_page(
    title="Not signed in",
    advice="Please try again.",
    code="state_expired",
    reference="0123456789ab",
    retry="/login?return_to=%2Fa&b",
    status=400,
)
PAGES = [
    pytest.param(FAILURE, id="failure"),
    pytest.param(logout_page("/logout"), id="logout"),
    pytest.param(chooser_page([("one", "/login/one"), ("two", "/login/two")]), id="chooser"),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_allows_its_own_style_and_nothing_else(page: Response) -> None:
    policy, text = page.headers.get("content-security-policy"), page.body.decode()
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = b64encode(sha256(style[0].encode()).digest()).decode()
    assert len(style) == 1
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert "style=" not in text
    assert "<script" not in text
    assert "form-action" not in policy


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_kept_nowhere_and_framed_nowhere(page: Response) -> None:
    assert page.headers.get_all("cache-control") == ("no-store",)
    assert page.headers.get("x-frame-options") == "DENY"
    assert page.headers.get("x-content-type-options") == "nosniff"
    assert page.headers.get("content-type") == "text/html; charset=utf-8"
    assert len(page.headers.get_all("referrer-policy")) == 1


def test_only_the_logout_form_may_tell_its_origin() -> None:
    assert FAILURE.headers.get("referrer-policy") == "no-referrer"
    assert logout_page("/logout").headers.get("referrer-policy") == "same-origin"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_a_language_a_title_and_one_heading(page: Response) -> None:
    text = page.body.decode()
    assert '<html lang="en">' in text
    assert text.count("<h1>") == text.count("<main>") == text.count("<title>") == 1


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(build_page(MARKUP, ""), id="title"),
        pytest.param(
            failure_page(
                title=MARKUP,
                advice=MARKUP,
                code=MARKUP,
                reference=MARKUP,
                retry=MARKUP,
                status=400,
            ),
            id="failure",
        ),
        pytest.param(logout_page(MARKUP), id="logout"),
        pytest.param(chooser_page([(MARKUP, MARKUP)]), id="chooser"),
    ],
)
def test_markup_in_any_value_is_escaped(page: Response) -> None:
    text = page.body.decode()
    assert "<script" not in text
    assert "'1'" not in text
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&quot;&amp;" in text


def test_the_failure_page_shows_its_code_and_the_way_on() -> None:
    text = FAILURE.body.decode()
    assert FAILURE.status == 400
    assert '<code id="error-code">state_expired</code>' in text
    assert '<code id="reference">0123456789ab</code>' in text
    assert '<p id="error-description">Please try again.</p>' in text
    assert 'id="retry" href="/login?return_to=%2Fa&amp;b"' in text


def test_the_logout_page_has_one_form_with_one_button() -> None:
    text = logout_page("/shop/logout").body.decode()
    assert text.count("<form") == text.count("<button") == 1
    assert '<form method="post" action="/shop/logout">' in text
    assert 'id="logout-yes"' in text


def test_a_redirect_is_a_303_that_leaves_no_trace() -> None:
    response = redirect("/there", [("set-cookie", "a=b")])
    assert (response.status, response.body) == (303, b"")
    assert response.headers.pairs() == (
        ("location", "/there"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("set-cookie", "a=b"),
    )


def test_a_method_that_is_not_allowed_is_told_which_are() -> None:
    response = not_allowed("GET, POST")
    assert (response.status, response.headers.get("allow")) == (405, "GET, POST")
