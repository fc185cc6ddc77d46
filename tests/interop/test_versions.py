"""The versions that docs/interop.md names are those that are installed for these tests."""

from __future__ import annotations

import json
import re

from tests.interop.conftest import HERE
from tests.support.documents import ROOT

ROW = re.compile(r"^\| ([\w-]+) \| (\d[\w.]*) \|$", re.MULTILINE)
PIN = re.compile(r"^([\w-]+)==(\S+)$", re.MULTILINE)


def test_the_versions_in_the_document_are_the_pinned_ones() -> None:
    told = dict(ROW.findall((ROOT / "docs" / "interop.md").read_text(encoding="utf-8")))
    npm = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    pypi = dict(PIN.findall((ROOT / "constraints.txt").read_text(encoding="utf-8")))
    assert told == {**npm, "Authlib": pypi["Authlib"], "idpyoidc": pypi["idpyoidc"]}


def test_the_lock_file_names_no_address_to_load_from() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    packages = lock["packages"]
    assert packages["node_modules/oidc-provider"]["version"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
