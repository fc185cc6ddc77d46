from __future__ import annotations

import re
from typing import get_args

import pytest

from codegrant.server.events import FACTS, Event, EventName, brief
from tests.support.documents import ROOT


def test_an_event_carries_allowed_facts() -> None:
    assert Event("code_redeemed", 1, {"client_id": "a"}).facts["client_id"] == "a"


@pytest.mark.parametrize("name", ["code", "access_token", "password", "cookie", "code_verifier"])
def test_any_other_fact_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Event("code_redeemed", 1, {name: "x"})


def test_foreign_text_is_cut() -> None:
    assert brief("short") == "short"
    assert brief("x" * 1000) == "x" * 120 + "…"


def test_every_event_and_its_facts_are_documented() -> None:
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(get_args(EventName))
    facts = {fact for _, column in rows for fact in re.findall(r"`(\w+)`", column)}
    assert facts <= FACTS
