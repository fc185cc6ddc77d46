from __future__ import annotations

import pytest

from codegrant.server.events import Event, brief


def test_an_event_carries_allowed_facts() -> None:
    assert Event("code_redeemed", 1, {"client_id": "a"}).facts["client_id"] == "a"


@pytest.mark.parametrize("name", ["code", "access_token", "password", "cookie", "code_verifier"])
def test_any_other_fact_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Event("code_redeemed", 1, {name: "x"})


def test_foreign_text_is_cut() -> None:
    assert brief("short") == "short"
    assert brief("x" * 1000) == "x" * 120 + "…"
