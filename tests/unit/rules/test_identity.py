"""Who somebody is, read out of whatever a provider says."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant import Identity, ResponseRejected
from codegrant.providers import IDS, EmailList, UserShape, find_entry
from codegrant.rules.identity import StatedEmail, find_email, find_user, read_identity

ISSUER = "https://issuer.example"
CLAIMS: dict[str, Any] = {
    "sub": "1",
    "email": "a@b.example",
    "email_verified": True,
    "name": "Ada",
    "picture": "https://p.example/1",
}


def test_standard_claims_are_an_identity() -> None:
    found = read_identity(CLAIMS, issuer=ISSUER)
    assert found == Identity(
        issuer=ISSUER,
        subject="1",
        email="a@b.example",
        email_verified=True,
        name="Ada",
        picture="https://p.example/1",
        raw=CLAIMS,
    )
    shown = "Identity(issuer='https://issuer.example', subject='1', email_verified=True)"
    assert repr(found) == shown
    with pytest.raises(FrozenInstanceError):
        found.email = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "email", "verified"),
    [
        ({"email_verified": False}, "a@b.example", False),
        ({"email_verified": "true"}, "a@b.example", False),
        ({"email_verified": 1}, "a@b.example", False),
        ({"email_verified": None}, "a@b.example", False),
        ({"email": None}, None, False),
        ({"email": ""}, None, False),
        ({"email": ["a@b.example"]}, None, False),
    ],
)
def test_only_a_literal_true_beside_an_address_is_proof(
    change: dict[str, Any], email: str | None, verified: bool
) -> None:
    found = read_identity({**CLAIMS, **change}, issuer=ISSUER)
    assert (found.email, found.email_verified) == (email, verified)


def test_a_number_is_true_only_where_it_is_said_to_be() -> None:
    zoom = find_entry("zoom").provider
    for value, expected in ((1, True), (0, False), (2, False), ("1", False), (True, True)):
        user: dict[str, Any] = {"id": "1", "email": "a@b.example", "verified": value}
        found = read_identity(user, issuer=ISSUER, shape=zoom.user, provider=zoom)
        assert found.email_verified is expected
        strict = replace(zoom, quirks=frozenset())
        found = read_identity(user, issuer=ISSUER, shape=zoom.user, provider=strict)
        assert found.email_verified is (value is True)


def test_a_proven_subject_goes_before_what_userinfo_says() -> None:
    assert read_identity({"sub": "2"}, issuer=ISSUER, subject="1").subject == "1"


def test_a_listed_address_goes_before_the_profile_s() -> None:
    listed = StatedEmail("x@y.example", True)
    found = read_identity(CLAIMS, issuer=ISSUER, stated=listed)
    assert (found.email, found.email_verified) == ("x@y.example", True)


@pytest.mark.parametrize(
    "subject", [None, "", True, 1.0, [], {}, "s" * 256, pytest.param(10**255, id="long number")]
)
def test_nobody_is_refused(subject: object) -> None:
    user: Any = {"sub": subject}
    with pytest.raises(ResponseRejected) as caught:
        read_identity(user, issuer=ISSUER)
    assert caught.value.code == "sub_missing"
    assert read_identity({"sub": 7}, issuer=ISSUER).subject == "7"


def test_paths_lead_into_objects_and_lists() -> None:
    shape = UserShape(
        subject=("a.b",), name=("none", "first last", "first"), picture=("images.1.url",), email=()
    )
    user: dict[str, Any] = {
        "a": {"b": "1"},
        "first": "Ada",
        "images": [{"url": "0"}, {"url": "1"}],
    }
    found = read_identity(user, issuer=ISSUER, shape=shape)
    assert (found.subject, found.name, found.picture, found.email) == ("1", "Ada", "1", None)
    user["last"] = "Lovelace"
    assert read_identity(user, issuer=ISSUER, shape=shape).name == "Ada Lovelace"
    user["images"] = [{}]
    assert read_identity(user, issuer=ISSUER, shape=shape).picture is None


def test_the_person_may_be_wrapped() -> None:
    user: dict[str, Any] = {"id": "1"}
    assert find_user({"data": user}, ["data"]) == user
    assert find_user(user, ["Profile", ""]) == user
    assert find_user({"data": [user]}, ["data"]) is None
    assert find_user({"a": {"b": user}}, ["a.b"]) == user


@given(
    name=st.sampled_from(IDS),
    user=st.dictionaries(
        st.sampled_from(
            ["sub", "id", "email", "email_verified", "name", "data", "picture", "verified", "user"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=6),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["0", "id", "data", "url", "name"]), inner)
            ),
            max_leaves=8,
        ),
    ),
)
def test_garbage_is_somebody_with_a_subject_or_a_refusal(name: str, user: dict[str, Any]) -> None:
    provider = find_entry(name).provider
    try:
        found = read_identity(user, issuer=ISSUER, shape=provider.user, provider=provider)
    except ResponseRejected:
        return
    assert found.subject
    for text in (found.email, found.name, found.picture):
        assert text is None or text
    if found.email_verified:
        assert found.email
        assert provider.user.email_proof != "never"


def test_only_a_primary_and_verified_address_of_a_list_counts() -> None:
    emails = EmailList(url="https://api.example/emails", within="values")
    good: Any = {"email": "a@b.example", "primary": True, "verified": True}
    assert find_email({"values": [good]}, emails) == StatedEmail("a@b.example", True)
    refused: list[Any] = [
        [good], {"values": good}, {"values": [{**good, "primary": 1}]}, {"values": []}, None, 7,
        {"values": [{**good, "verified": "true"}]}, {"values": [{**good, "email": ""}]},
        {"values": ["a@b.example", None, []]},
    ]  # fmt: skip
    for answer in refused:
        assert find_email(answer, emails) is None
