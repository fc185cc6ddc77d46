from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.errors import CallbackRejected, CodegrantError, Refused, StateError, UsageError
from codegrant.messages.authorization import (
    AuthorizationErrorResponse,
    AuthorizationResponse,
    CallbackResponse,
    parse_authorization_response,
)
from codegrant.messages.parameters import Parameters
from codegrant.rules.callback import CheckedCallback, check_callback
from codegrant.secret import Secret

STATE = "wZ3-p_Tq0f/9"
ISSUER = "https://as.example/t1"
CODE = "SplxlOBeZQQYbYS6WxSbIA"
VALID = urlencode({"code": CODE, "state": STATE, "iss": ISSUER})
ALPHABET = st.sampled_from("aZ09-_/:.&=%+# \x00é;")


def check(response: CallbackResponse, **changes: Any) -> CheckedCallback:
    expected: dict[str, Any] = {
        "expected_state": STATE,
        "expected_iss": ISSUER,
        "iss_required": True,
    }
    return check_callback(response, **(expected | changes))


def check_text(query: str) -> CheckedCallback:
    return check(parse_authorization_response(Parameters.parse(query)))


def answer(**changes: Any) -> AuthorizationResponse:
    said: dict[str, Any] = {"code": Secret(CODE), "state": STATE, "iss": ISSUER}
    return AuthorizationResponse(**(said | changes))


def refusal(response: CallbackResponse, **changes: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as refused:
        check(response, **changes)
    assert refused.value.stage == "callback"
    return refused.value


def test_a_valid_callback_may_be_exchanged() -> None:
    assert check_text(VALID).code == Secret(CODE)


def mutations(text: str) -> set[str]:
    """Return `text` with each character taken out, doubled, or exchanged for a neighbour."""
    changed = {text.swapcase(), text + "/", " " + text, text[::-1], ""}
    for at, char in enumerate(text):
        before, after = text[:at], text[at + 1 :]
        other = [chr(ord(char) ^ 1), char.swapcase(), "", char * 2, char + "\u200b"]
        changed.update(f"{before}{each}{after}" for each in other)
    return changed - {text}


def test_any_single_mutation_of_the_state_is_refused() -> None:
    for state in mutations(STATE):
        error = refusal(answer(state=state))
        assert isinstance(error, StateError)
        assert error.code == ("state_mismatch" if state else "state_missing")
    assert refusal(answer(state=None)).code == "state_missing"
    assert check(answer()).code == Secret(CODE)


@pytest.mark.requirement("CL-FLOW-07")
@pytest.mark.parametrize("iss_required", [True, False])
def test_any_single_mutation_of_the_issuer_is_refused(iss_required: bool) -> None:
    for iss in mutations(ISSUER):
        error = refusal(answer(iss=iss), iss_required=iss_required)
        assert isinstance(error, CallbackRejected)
        assert error.code == "iss_mismatch"
    assert check(answer(), iss_required=iss_required).code == Secret(CODE)


PARAMETERS = parse_qsl(VALID)


@pytest.mark.requirement("CL-FLOW-09")
@pytest.mark.parametrize(
    "pairs",
    [
        *[
            pytest.param([p for p in PARAMETERS if p[0] != name], id=f"without {name}")
            for name, _ in PARAMETERS
        ],
        *[
            pytest.param([(k, "" if k == name else v) for k, v in PARAMETERS], id=f"empty {name}")
            for name, _ in PARAMETERS
        ],
        *[pytest.param([*PARAMETERS, pair], id=f"{pair[0]} twice") for pair in PARAMETERS],
        *[
            pytest.param([(pair[0], "x"), *PARAMETERS], id=f"another {pair[0]} first")
            for pair in PARAMETERS
        ],
        *[
            pytest.param(
                [(k.title() if k == name else k, v) for k, v in PARAMETERS],
                id=f"{name} in another case",
            )
            for name, _ in PARAMETERS
        ],
        pytest.param([*PARAMETERS, ("error", "access_denied")], id="an error as well"),
        pytest.param([("error", "x"), *PARAMETERS[1:]], id="an error instead"),
        pytest.param([*PARAMETERS, ("foo", "1"), ("foo", "2")], id="an unknown name twice"),
        pytest.param([(v, k) for k, v in PARAMETERS], id="names for values"),
        pytest.param([], id="nothing"),
    ],
)
def test_any_single_mutation_of_the_parameters_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(CodegrantError):
        check_text(urlencode(pairs))
    assert check_text(urlencode([*PARAMETERS[::-1], ("foo", "1")])).code == Secret(CODE)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return the text of the callback with one character put in, taken out or exchanged."""
    at = draw(st.integers(0, len(VALID)))
    cut = draw(st.integers(0, 1))
    return VALID[:at] + draw(ALPHABET | st.just("")) + VALID[at + cut :]


@given(mutated())
def test_a_mutated_text_is_refused_unless_it_still_says_the_same(query: str) -> None:
    try:
        found = check_text(query).code.reveal()
    except CodegrantError:
        return
    # What any reader makes of it: one state and one issuer, the right ones, and the code
    # that the token endpoint will judge.
    said = parse_qsl(query, keep_blank_values=True)
    named = {name: [v for n, v in said if n == name] for name, _ in said}
    assert named["state"] == [STATE]
    assert named["iss"] == [ISSUER]
    assert named["code"] == [found]
    assert "error" not in {name for name, values in named.items() if any(values)}


@pytest.mark.parametrize(
    ("iss", "expected_iss", "iss_required", "code"),
    [
        (ISSUER, ISSUER, True, ""),
        (ISSUER, ISSUER, False, ""),
        (None, ISSUER, False, ""),
        (None, ISSUER, True, "iss_missing"),
        (None, None, True, "iss_missing"),
        ("https://evil.example", ISSUER, False, "iss_mismatch"),
        (ISSUER, None, True, ""),
        (ISSUER, None, False, ""),
        (None, None, False, ""),
    ],
)
def test_the_issuer_is_compared_when_it_is_there_and_required_when_it_is_promised(
    iss: str | None, expected_iss: str | None, iss_required: bool, code: str
) -> None:
    response = answer(iss=iss)
    expected = {"expected_iss": expected_iss, "iss_required": iss_required}
    if not code:
        assert check(response, **expected).code == Secret(CODE)
        return
    assert refusal(response, **expected).code == code


@pytest.mark.requirement("CL-FLOW-08")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": None}, "state_missing"),
        ({"state": "other"}, "state_mismatch"),
        ({"iss": None}, "iss_missing"),
        ({"iss": "https://evil.example"}, "iss_mismatch"),
    ],
)
def test_an_error_is_believed_only_when_state_and_issuer_hold(
    changes: dict[str, Any], code: str
) -> None:
    said: dict[str, Any] = {"error": "access_denied", "state": STATE, "iss": ISSUER}
    error = refusal(AuthorizationErrorResponse(**(said | changes)))
    assert error.code == code
    assert not isinstance(error, Refused)
    believed = refusal(AuthorizationErrorResponse(**said))
    assert isinstance(believed, Refused)
    assert believed.error == "access_denied"
    assert "normal outcome" in believed.hint


def test_an_error_of_the_server_is_made_fit_for_a_page() -> None:
    error = refusal(
        AuthorizationErrorResponse(
            error='<b>"x"',
            error_description="no\r\nway é",
            error_uri="https://as.example/\\",
            state=STATE,
            iss=ISSUER,
        )
    )
    assert isinstance(error, Refused)
    assert (error.error, error.description, error.uri) == (
        "<b>'x'", "no  way ?", "https://as.example//",
    )  # fmt: skip
    assert (error.status, error.hint) == (0, "")


def test_a_mix_up_tells_both_issuers_and_never_the_code() -> None:
    error = refusal(answer(iss="https://evil.example/\n"))
    assert error.facts == {"expected": ISSUER, "got": "https://evil.example/ "}
    assert "mix-up" in error.hint
    assert CODE not in f"{error} {error.facts}"
    assert STATE not in str(refusal(answer(state="other")))


def test_nothing_else_makes_a_checked_callback() -> None:
    for proof in (None, object(), True):
        with pytest.raises(UsageError):
            CheckedCallback(Secret(CODE), proof)
    assert repr(check(answer())) == "CheckedCallback(***)"
