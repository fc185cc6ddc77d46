"""`stores.translation`: a record comes back as it went."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.client.effects import StoredSession
from codegrant.secret import digest_of
from codegrant.stores import translation
from codegrant.stores.translation import Shape, names_of, text_of
from tests.unit.stores import examples

ONE = examples.issued()


@pytest.mark.parametrize(
    ("shape", "record"),
    [
        pytest.param(translation.CLIENT, examples.client(), id="client"),
        pytest.param(translation.CLIENT, examples.public_client(), id="public client"),
        pytest.param(translation.RESOURCE, examples.resource(), id="resource"),
        pytest.param(translation.TRANSACTION, examples.transaction(), id="transaction"),
        pytest.param(translation.GRANT, ONE.grant, id="grant"),
        pytest.param(translation.GRANT, replace(ONE.grant, revoked_at=5), id="revoked grant"),
        pytest.param(translation.CODE, ONE.code, id="code"),
        pytest.param(translation.ACCESS_TOKEN, examples.access_token(ONE.grant), id="token"),
        pytest.param(translation.KEY, examples.key("kid"), id="key"),
        pytest.param(translation.ACCOUNT, examples.account(), id="account"),
        pytest.param(translation.SESSION, examples.session(), id="session"),
        pytest.param(
            translation.LOGIN,
            StoredSession(digest=digest_of("a"), sealed="s", expires_at=1),
            id="login",
        ),
    ],
)
def test_a_record_comes_back(shape: Shape[Any], record: object) -> None:
    parameters = shape.parameters(record)
    assert tuple(parameters) == shape.columns
    assert all(isinstance(value, str | int | bytes | None) for value in parameters.values())
    assert shape.record(list(parameters.values())) == record


@pytest.mark.parametrize("names", [(), ("a",), ("a b", '"', "\\", "é", "\ud800", "a,b")])
def test_names_come_back(names: tuple[str, ...]) -> None:
    assert names_of(text_of(names)) == names


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        translation.KEY.record(["kid", "ES256"])
