"""`codegrant.secret`: text that only `reveal()` shows."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass
from hashlib import sha256

import pytest

from codegrant.secret import Secret, digest_of, same_secret

TEXT = "correct-horse-battery-staple"


@dataclass(frozen=True)
class Holder:
    name: str
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(repr(Secret(TEXT)), id="repr"),
        pytest.param(str(Secret(TEXT)), id="str"),
        pytest.param(f"{Secret(TEXT)}", id="f-string"),
        pytest.param(f"{Secret(TEXT):>40}", id="f-string with a width"),
        pytest.param(f"{Secret(TEXT)!r:.50}", id="f-string of the repr"),
        pytest.param("%s and %r" % (Secret(TEXT), Secret(TEXT)), id="percent"),  # noqa: UP031
        pytest.param("{:s}".format(Secret(TEXT)), id="format"),  # noqa: UP032
        pytest.param(repr(Holder("a", Secret(TEXT))), id="inside a dataclass"),
        pytest.param(repr([Secret(TEXT)]), id="inside a list"),
        pytest.param(json.dumps({"a": Secret(TEXT)}, default=str), id="json with default=str"),
    ],
)
def test_a_secret_never_shows_its_text(shown: str) -> None:
    assert TEXT not in shown
    assert "***" in shown


def test_a_secret_is_not_in_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("codegrant.test").warning("the secret is %s", Secret(TEXT))
    assert TEXT not in caplog.text


def test_a_secret_is_not_in_a_traceback_with_its_locals() -> None:
    def use(secret: Secret) -> None:
        raise ValueError(f"bad {secret}")

    with pytest.raises(ValueError, match="bad") as caught:
        use(Secret(TEXT))
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = "".join(report.format())
    assert "Secret(***)" in frames
    assert TEXT not in frames.replace(f"TEXT = '{TEXT}'", "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_does_not_pickle(protocol: int) -> None:
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(Secret(TEXT), protocol)


def test_a_secret_is_not_copied_into_plain_values() -> None:
    with pytest.raises(TypeError, match="does not pickle"):
        asdict(Holder("a", Secret(TEXT)))
    with pytest.raises(TypeError, match="does not pickle"):
        copy.deepcopy(Secret(TEXT))
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(Secret(TEXT))
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Secret("")


def test_only_reveal_shows_it() -> None:
    assert Secret(TEXT).reveal() == TEXT


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) != hash("a")


def test_a_digest_is_the_sha256_of_the_text() -> None:
    assert Secret("köy").digest() == digest_of("köy") == sha256("köy".encode()).digest()


def test_undecodable_bytes_have_a_digest_too() -> None:
    assert digest_of("\udcff") != digest_of("?")
    assert Secret("\udcff") == Secret("\udcff")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("a", "a", True, id="equal"),
        pytest.param("ä", "ä", True, id="equal beyond ascii"),
        pytest.param("a", b"a", True, id="text and bytes"),
        pytest.param("\udc80", "\udc80", True, id="equal surrogates"),
        pytest.param("a", "b", False, id="different"),
        pytest.param("a", "A", False, id="different case"),
        pytest.param("a", "aa", False, id="longer"),
        pytest.param("a", "", False, id="empty"),
        pytest.param("ä", "a\u0308", False, id="another normal form"),
    ],
)
def test_same_secret_compares_bytes(one: str, other: str | bytes, same: bool) -> None:
    assert same_secret(one, other) is same
