from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import OAuthError
from codegrant.rules.pkce import challenge_of, check_challenge, check_verifier_syntax

# RFC 7636 Appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def test_the_challenge_is_that_of_the_specification() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE


@given(st.text(UNRESERVED, min_size=43, max_size=128))
def test_every_verifier_has_a_challenge_that_passes(verifier: str) -> None:
    check_verifier_syntax(verifier)
    check_challenge(challenge_of(verifier), "S256")
    assert challenge_of(verifier + "a") != challenge_of(verifier)


@pytest.mark.requirement("AS-PKCE-06")
@pytest.mark.parametrize("method", [None, "", "plain", "s256", "S256 ", "S512", "S256\n"])
def test_any_method_but_s256_is_refused(method: str | None) -> None:
    check_challenge(CHALLENGE, "S256")
    with pytest.raises(OAuthError) as refused:
        check_challenge(CHALLENGE, method)
    assert refused.value.error == "invalid_request"
    assert refused.value.description == "code_challenge_method must be S256"
    expected = "code_challenge_method missing" if method is None else "not S256"
    assert refused.value.reason == expected


@pytest.mark.requirement("AS-PKCE-08")
@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(CHALLENGE + "=", id="padded"),
        pytest.param(CHALLENGE[:-1], id="42 characters"),
        pytest.param(CHALLENGE + "A", id="44 characters"),
        pytest.param(CHALLENGE[:-1] + "N", id="bits beyond the 256"),
        pytest.param("+" + CHALLENGE[1:], id="base64 of the other kind"),
        pytest.param("/" + CHALLENGE[1:], id="a slash"),
        pytest.param("~" + CHALLENGE[1:], id="no base64"),
        pytest.param(CHALLENGE + "\n", id="a line end"),
        pytest.param("Ä" + CHALLENGE[1:], id="not ASCII"),
        pytest.param("", id="nothing"),
        pytest.param("a" * 128, id="a plain challenge"),
    ],
)
def test_any_other_challenge_is_refused(challenge: str) -> None:
    check_challenge(CHALLENGE, "S256")
    with pytest.raises(OAuthError) as refused:
        check_challenge(challenge, "S256")
    assert refused.value.error == "invalid_request"
    assert "43 base64url characters" in refused.value.description


@pytest.mark.requirement("AS-PKCE-07")
@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param("a" * 42, id="42 characters"),
        pytest.param("a" * 129, id="129 characters"),
        pytest.param("", id="nothing"),
        *[pytest.param("a" * 42 + char, id=repr(char)) for char in "+/= \n\0%é٣"],
        pytest.param("a" * 43 + "\n", id="a line end after it"),
    ],
)
def test_what_is_no_verifier_is_refused(verifier: str) -> None:
    check_verifier_syntax("a" * 43)
    check_verifier_syntax("~" * 128)
    with pytest.raises(OAuthError) as refused:
        check_verifier_syntax(verifier)
    error = refused.value
    assert (error.error, error.reason) == ("invalid_grant", "code_verifier malformed")
    assert error.description == "the code is not valid"
