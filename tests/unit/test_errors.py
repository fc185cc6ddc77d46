"""`codegrant.errors`: one tree, one useful line each, and nothing that cannot travel."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest

import codegrant
from codegrant import errors
from codegrant.errors import (
    CodegrantError,
    LoginRequired,
    OAuthError,
    PeerError,
    Refused,
    StateError,
    UsageError,
)


def every_class(kind: type[CodegrantError] = CodegrantError) -> Iterator[type[CodegrantError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from every_class(below)


CLASSES = list(every_class())


def an_error(kind: type[CodegrantError]) -> CodegrantError:
    return kind("something_wrong", stage="token", facts={"endpoint": "https://a.test/token"})


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_is_exported_and_public(kind: type[CodegrantError]) -> None:
    assert kind.__name__ in errors.__all__
    assert getattr(codegrant, kind.__name__) is kind


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_stands_in_the_tree_of_the_docstring(kind: type[CodegrantError]) -> None:
    assert f" {kind.__name__} " in f"{errors.__doc__} ".replace("\n", " ")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_a_stable_code_of_its_own(kind: type[CodegrantError]) -> None:
    assert "default_code" in vars(kind)
    assert kind.default_code.replace("_", "").isalpha()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_pickles(kind: type[CodegrantError], protocol: int) -> None:
    error = an_error(kind)
    error.add_note("seen by a worker")
    again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.args == error.args
    assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_copies(kind: type[CodegrantError]) -> None:
    error = an_error(kind)
    assert vars(copy.copy(error)) == vars(copy.deepcopy(error)) == vars(error)


def test_special_values_survive_pickling() -> None:
    refused = LoginRequired(
        "invalid_grant", description="gone", uri="https://a.test/e", status=400, hint="log in"
    )
    ours = OAuthError("invalid_request", "bad", reason="why", status=401, redirectable=False)
    for error in (refused, ours):
        assert vars(pickle.loads(pickle.dumps(error))) == vars(error)  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("error", "line"),
    [
        pytest.param(CodegrantError("it broke"), "it broke [error]", id="bare"),
        pytest.param(
            StateError("no cookie", code="state_cookie_missing", stage="callback", hint="retry"),
            "callback: no cookie [state_cookie_missing] (retry)",
            id="all parts",
        ),
        pytest.param(
            Refused("access_denied", description="the person said no"),
            "the server answered 'access_denied': the person said no [access_denied]",
            id="refused",
        ),
        pytest.param(
            OAuthError("invalid_grant", reason="code redeemed twice"),
            "invalid_grant [invalid_grant]",
            id="ours",
        ),
        pytest.param(
            OAuthError("", status=401),
            "the request carries no credentials [oauth_error]",
            id="without code",
        ),
    ],
)
def test_an_error_is_one_useful_line(error: CodegrantError, line: str) -> None:
    assert str(error) == line


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\0b", "a\u2028b", "a\x85b", "a\u202eb", "a\udc80b"]
)
def test_what_a_peer_says_starts_no_line_and_drives_no_terminal(text: str) -> None:
    line = str(Refused("server_error", description=text))
    assert line.isprintable()
    assert line.encode("utf-8")
    assert len(line.splitlines()) == 1


def test_words_of_other_scripts_stay_readable() -> None:
    assert "прочее — 例" in str(Refused("server_error", description="прочее — 例"))


def test_the_private_reason_is_kept_apart_from_the_line() -> None:
    error = OAuthError("invalid_grant", "the code is not valid", reason="redeemed twice")
    assert error.reason == "redeemed twice"
    assert "twice" not in str(error)
    assert "twice" not in repr(error)


def test_without_a_private_reason_the_description_is_the_reason() -> None:
    assert OAuthError("invalid_scope", "unknown scope").reason == "unknown scope"


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (errors.ConfigurationError, UsageError),
        (errors.MessageError, PeerError),
        (errors.MetadataRejected, PeerError),
        (errors.CallbackRejected, PeerError),
        (errors.StateError, errors.CallbackRejected),
        (errors.ResponseRejected, PeerError),
        (errors.TokenRejected, PeerError),
        (errors.LoginRequired, Refused),
    ],
)
def test_whose_fault_it_is_is_in_the_class(
    kind: type[CodegrantError], parent: type[CodegrantError]
) -> None:
    assert issubclass(kind, parent)


def test_the_facts_are_a_copy() -> None:
    facts: dict[str, str | int] = {"now": 1}
    error = CodegrantError("late", facts=facts)
    facts["now"] = 2
    assert error.facts == {"now": 1}
