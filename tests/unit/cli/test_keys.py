"""`codegrant keys`, and the key ring that the signing keys are sealed with."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Run

ONE, OTHER = "1" * 32, "2" * 32
ALGORITHMS = ["ES256", "RS256"]


def keys(run: Run) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = run("keys", "list", "--json").json
    return listed


def statuses(listed: list[dict[str, Any]], alg: str) -> list[str]:
    return sorted(key["status"] for key in listed if key["alg"] == alg)


def test_before_the_first_start_there_is_no_key(run: Run) -> None:
    assert keys(run) == []
    assert run("keys", "list").stdout.split()[:3] == ["kid", "alg", "status"]
    assert not Path("codegrant.db.key").exists()


def test_the_first_rotation_makes_one_key_per_algorithm_that_signs_at_once(run: Run) -> None:
    made = run("keys", "rotate", "--json").json
    assert sorted(key["alg"] for key in made) == ALGORITHMS
    assert {key["status"] for key in made} == {"active"}
    assert made == keys(run)
    assert list(made[0]) == [
        *("kid", "alg", "status", "created_at", "activates_at", "retires_at", "removes_at")
    ]


def test_a_successor_is_published_before_it_signs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("keys", "rotate", "--json").json
    monkeypatch.setenv("CODEGRANT_KEYS_ACTIVATE_AFTER", "7200")
    run("keys", "rotate")
    for alg in ALGORITHMS:
        assert statuses(keys(run), alg) == ["active", "published"]
    old = {key["kid"] for key in first}
    for key in keys(run):
        if key["kid"] in old:
            assert key["retires_at"] < key["removes_at"]
        else:
            assert key["activates_at"] == key["created_at"] + 7200


def test_now_signs_with_the_successor_at_once(run: Run) -> None:
    first = run("keys", "rotate", "--json").json
    after = run("keys", "rotate", "--now", "--json").json
    for alg in ALGORITHMS:
        assert statuses(after, alg) == ["active", "retired"]
    retired = {key["kid"] for key in after if key["status"] == "retired"}
    assert retired == {key["kid"] for key in first}


def test_list_is_a_table_or_a_json_array(run: Run) -> None:
    run("keys", "rotate")
    lines = run("keys", "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["kid", "alg", "status"]
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(k["kid"] for k in keys(run))
    assert "PRIVATE" not in run("keys", "list", "--json").stdout


def test_the_key_file_is_made_beside_the_database_for_its_owner_alone(run: Run) -> None:
    run("keys", "rotate", "--database", "sqlite:///other.db")
    file = Path("other.db.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert len(before.strip()) >= 32
    run("keys", "rotate", "--database", "sqlite:///other.db")
    assert file.read_bytes() == before
    assert sorted(path.name for path in Path().glob("*.key")) == ["other.db.key"]


@pytest.mark.parametrize("how", ["variable", "file by variable", "file by setting"])
def test_a_key_ring_that_is_set_is_used_and_none_is_made(
    run: Run, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    Path("ring").write_text(f"{ONE}\n")
    Path("codegrant.toml").write_text('[secret]\nfile = "ring"\n')
    more = ("--config", "codegrant.toml") if how == "file by setting" else ()
    if how == "variable":
        monkeypatch.setenv("CODEGRANT_SECRET", ONE)
    elif how == "file by variable":
        monkeypatch.setenv("CODEGRANT_SECRET_FILE", "ring")
    assert run("keys", "rotate", *more).status == 0
    assert not Path("codegrant.db.key").exists()
    monkeypatch.setenv("CODEGRANT_SECRET", ONE)
    assert run("db", "check").status == 0


def test_a_comma_list_rotates_the_key_ring(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGRANT_SECRET", ONE)
    run("keys", "rotate")
    monkeypatch.setenv("CODEGRANT_SECRET", OTHER)
    wrong = run("keys", "rotate").error
    assert wrong.startswith("the key ring does not open this database (set CODEGRANT_SECRET")
    monkeypatch.setenv("CODEGRANT_SECRET", f"{OTHER}, {ONE}")
    assert run("keys", "rotate").status == 0
    monkeypatch.setenv("CODEGRANT_SECRET", OTHER)
    assert run("keys", "rotate").status == 0
    monkeypatch.setenv("CODEGRANT_SECRET", ONE)
    assert run("keys", "rotate").error == wrong


def test_a_lost_key_file_is_named_and_not_made_anew(run: Run) -> None:
    run("keys", "rotate")
    kept = Path("codegrant.db.key").rename("kept")
    line = run("keys", "rotate").error
    assert line.startswith("codegrant.db.key: there is no such file, and no key ring is set (put")
    assert not Path("codegrant.db.key").exists()
    kept.rename("codegrant.db.key")
    assert run("keys", "rotate").status == 0


def test_a_key_file_that_holds_no_key_is_one_line(run: Run) -> None:
    Path("codegrant.db.key").write_text("short\n")
    Path("codegrant.db.key").chmod(0o600)
    assert "codegrant.db.key: key ring: a key has 5 char" in run("keys", "rotate").error
    assert keys(run) == []
