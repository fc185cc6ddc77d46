"""docs/settings.md: every setting of the program is in its table, as the program has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from codegrant.cli.settings import SETTINGS
from codegrant.server.policy import AccessFormat, SigningAlgorithm
from tests.support.serving import codegrant
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_settings import CONTRACT, FLAGS

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


@dataclass(frozen=True)
class Row:
    """One row of the page's table."""

    key: str
    default: str
    allowed: str
    remark: str


def rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"\| (?:`\[(\w+)\]` )?`(\w+)` \| (.+?) \| (.+?) \| (.*?) ?\|", line)
        if found:
            section, name, *rest = found.groups()
            yield Row(f"{section}.{name}" if section else name, *rest)


ROWS = {row.key: row for row in rows()}


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert list(ROWS) == list(SETTINGS)
    assert len(list(rows())) == len(ROWS)


@pytest.mark.parametrize("key", CONTRACT)
def test_the_default_is_the_programs(key: str) -> None:
    default = CONTRACT[key].default
    shown = ROWS[key].default.strip("`")
    if key == "issuer":
        assert shown == "http://HOST:PORT"
    elif default in {None, ()}:
        assert shown == "none"
    else:
        assert shown == (str(default).lower() if isinstance(default, bool) else str(default))


@pytest.mark.parametrize("key", CONTRACT)
def test_what_is_allowed_is_the_programs(key: str) -> None:
    allowed, shown = SETTINGS[key].reader.allowed, ROWS[key].allowed
    if allowed.startswith("a whole number from "):
        assert shown.startswith(allowed.removeprefix("a whole number from "))
    elif re.fullmatch(r"(?:\w+, )*\w+ or \w+", allowed):
        assert shown.replace("`", "").split(", ") == re.split(", | or ", allowed)
    elif key == "database":
        assert shown.replace("`", "") == allowed.replace(" or ", ", ")


def test_the_choices_are_those_of_the_policy() -> None:
    for key, names in (
        ("tokens.access_format", get_args(AccessFormat)),
        ("tokens.access_alg", get_args(SigningAlgorithm)),
    ):
        assert set(ROWS[key].allowed.replace("`", "").split(", ")) == set(names)


@pytest.mark.parametrize("key", CONTRACT)
def test_its_flag_is_named_where_it_has_one(key: str) -> None:
    named = re.findall(r"`(--[a-z-]+)`", ROWS[key].remark)
    assert named == ([f"--{key.replace('_', '-')}"] if key in FLAGS else [])


def test_the_page_shows_how_a_variable_is_called() -> None:
    assert SETTINGS["lifetimes.code"].variable == "CODEGRANT_LIFETIMES_CODE"
    assert "`[lifetimes] code` is `CODEGRANT_LIFETIMES_CODE`" in PAGE.read_text(encoding="utf-8")


def test_the_lines_that_the_page_shows_are_the_programs(run: Run) -> None:
    shown = re.findall(r"^codegrant: (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    Path("codegrant.toml").write_text("[lifetimes]\nkode = 60\n")
    assert shown == [
        codegrant("serve", "--port", "70000", folder=Path()).error.removeprefix("codegrant: "),
        run("config", "check", "--config", "codegrant.toml").error,
    ]
