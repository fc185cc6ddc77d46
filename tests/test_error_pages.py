"""Every code of an error has a page, every page a code, and every error leads to its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codegrant.errors import CodegrantError, LoginRequired, OAuthError, Refused, TokenRejected
from tests.support.documents import ROOT
from tests.support.error_codes import CLASSES, find_codes

FOLDER = ROOT / "docs" / "errors"
PAGES = {file.stem: file for file in FOLDER.glob("*.md") if file.stem != "codes"}
CODES = find_codes()
PARTS = ["Likely causes", "What to do", "Where it is raised"]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert len(CODES) > 200  # a reader of the source that finds nothing would prove nothing
    assert sorted(CODES.keys() - PAGES.keys()) == []
    assert sorted(PAGES.keys() - CODES.keys()) == []


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_says_what_happened_why_what_to_do_and_where(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    title, what, *_ = text.split("\n\n")
    assert title == f"# {page.stem}"
    assert what.endswith((".", ".)"))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    where = text.partition("## Where it is raised\n\n")[2]
    modules = set(re.findall(r"^- `([\w.]+)`$", where, re.MULTILINE))
    assert modules
    assert modules <= CODES[page.stem]


def test_the_index_names_every_page_and_says_what_it_says_first() -> None:
    index = (FOLDER / "codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (.*) \|$", index, re.MULTILINE)
    assert [code for code, _ in rows] == sorted(PAGES)
    for code, sentence in rows:
        what = PAGES[code].read_text(encoding="utf-8").split("\n\n")[1].replace("\n", " ")
        assert what.startswith(sentence), code


def page_of(error: CodegrantError) -> str:
    address, _, name = error.url.rpartition("/")
    assert address == "https://codegrant.dev/errors"
    return name


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_an_error_of_every_class_leads_to_a_page(kind: type[CodegrantError]) -> None:
    assert page_of(kind("words of somebody")) in PAGES


@pytest.mark.parametrize(
    ("error", "page"),
    [
        pytest.param(Refused("invalid_grant"), "invalid_grant", id="a word of the RFC"),
        pytest.param(Refused("x", code="client_unknown"), "client_unknown", id="a known cause"),
        pytest.param(Refused("../../evil?"), "refused", id="a peer's own word is no address"),
        pytest.param(LoginRequired("invalid_token"), "invalid_token", id="no tokens any more"),
        pytest.param(OAuthError("invalid_scope"), "invalid_scope", id="an answer of ours"),
        pytest.param(OAuthError("made_up"), "oauth_error", id="an odd answer of ours"),
        pytest.param(TokenRejected("x", code="bad_signature"), "bad_signature", id="a token"),
    ],
)
def test_an_error_leads_to_the_page_about_its_code(error: CodegrantError, page: str) -> None:
    assert page_of(error) == page
