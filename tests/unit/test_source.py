"""What no module of the source may do with secrets and entropy: read from the syntax trees."""

from __future__ import annotations

import ast
import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegrant.secret import Secret, same_secret

SRC = Path(__file__).parents[2] / "src" / "codegrant"
MODULES = sorted(SRC.rglob("*.py"))

DRAWS = {"RandomBytes", "urandom", "token_bytes", "token_urlsafe", "token_hex"}
LEAST_BYTES = 16
NO_SECRETS = {"draft", "reference", "request_id"}  # the name of a file, numbers for a log


def name_of(node: ast.AST) -> str:
    """Return the dotted name of an expression such as `a.b().c`, or an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return name_of(node.func) if isinstance(node, ast.Call) else ""


def find_weak_entropy(source: str) -> Iterator[str]:
    """Yield each import of a guessable generator, and each secret drawn with too few bytes."""
    tree = ast.parse(source)
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    named = [node.value for node in assigned if name_of(node.targets[0]) in NO_SECRETS]
    harmless = {id(node) for value in named for node in ast.walk(value)}
    for node in ast.walk(tree):
        imported: list[str] = []
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(name)):
                imported = [name]
            case ast.Call(func=func, args=[ast.Constant(value=int(size)), *_]):
                weak = name_of(func).rpartition(".")[2] in DRAWS and size < LEAST_BYTES
                if weak and id(node) not in harmless:
                    yield f"{name_of(func)} draws {size} bytes"
        yield from (f"imports {name}" for name in imported if name in {"random", "uuid"})


def find_plain_comparisons(source: str) -> Iterator[str]:
    """Yield each comparison of a revealed secret or of a digest that may stop early."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(
            isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops
        ):
            for side in (node.left, *node.comparators):
                called = name_of(side).rpartition(".")[2] if isinstance(side, ast.Call) else ""
                if called in {"reveal", "digest", "hexdigest", "digest_of", "challenge_of"}:
                    yield f"line {node.lineno}: compares {called}() with an operator"


@pytest.mark.requirement("CO-SEC-01")
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SRC).as_posix())
def test_every_secret_is_drawn_from_the_system_with_128_bits_or_more(path: Path) -> None:
    faults = list(find_weak_entropy(path.read_text(encoding="utf-8")))
    assert not faults, "\n".join(faults)


@pytest.mark.requirement("CO-SEC-02")
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SRC).as_posix())
def test_no_secret_is_compared_with_an_operator(path: Path) -> None:
    faults = list(find_plain_comparisons(path.read_text(encoding="utf-8")))
    assert not faults, "\n".join(faults)


@pytest.mark.requirement("CO-SEC-02")
def test_both_ways_of_comparing_secrets_take_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def watch(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return compare(one, other)

    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", watch)
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert not same_secret("ä", "b")
    assert seen == [(b"a", b"a"), (b"a", b"b"), ("ä".encode(), b"b")]


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        pytest.param("import random", 1, id="the guessable generator"),
        pytest.param("from random import choice", 1, id="a part of it"),
        pytest.param("def f():\n from uuid import uuid4", 1, id="in a function"),
        pytest.param("ask(RandomBytes(8))", 1, id="few bytes by effect"),
        pytest.param("os.urandom(15) + secrets.token_bytes(4)", 2, id="few bytes"),
        pytest.param("import secrets, os\nask(RandomBytes())\nos.urandom(16)", 0, id="good ones"),
        pytest.param("request_id = token_hex(8)", 0, id="no secret"),
        pytest.param("session_id = token_hex(8)", 1, id="a secret with a name like it"),
        pytest.param("from codegrant.flow import RandomBytes\nRandomBytes(size)", 0, id="a size"),
    ],
)
def test_weak_entropy_is_caught(source: str, faults: int) -> None:
    assert len(list(find_weak_entropy(source))) == faults


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        pytest.param("a.reveal() == b", 1, id="revealed"),
        pytest.param("b != a.secret.reveal()", 1, id="revealed, right"),
        pytest.param("a.reveal() in known", 1, id="looked up"),
        pytest.param("sha256(x).digest() == row.digest", 1, id="digest"),
        pytest.param("digest_of(x) == row.digest", 1, id="digest, ours"),
        pytest.param("challenge_of(verifier) == challenge", 1, id="challenge"),
        pytest.param("same_secret(a.reveal(), b)", 0, id="constant time"),
        pytest.param("a == b and len(a.reveal()) < 4096", 0, id="secrets, and a length"),
    ],
)
def test_a_plain_comparison_is_caught(source: str, faults: int) -> None:
    assert len(list(find_plain_comparisons(source))) == faults
