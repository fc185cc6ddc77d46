"""Where the source refuses, and a copy of it in which each refusal can be switched off.

A point is one refusal: a `raise`; one alternative of the condition that leads to it; one
demand of a function that returns whether something holds. `instrument` returns the module
with every point wrapped in a question, so that all mutants live in one process and none of
them needs an import of its own.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

__all__ = ["ASK", "MODULE", "Point", "instrument"]

MODULE = "tests.mutation.switch"
ASK = "_is_off"


@dataclass(frozen=True, slots=True)
class Point:
    """One refusal.

    Attributes:
        number: unique in this run.
        path: of the file, below the package.
        function: the qualified name it stands in.
        line: where it was found; for people, it moves.
        text: what is removed, as source: `raise …`, `or …`, `and …`, `return …`.
    """

    number: int
    path: str
    function: str
    line: int
    text: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the point from one run to the next."""
        return self.path, self.function, self.text


def instrument(source: str, path: str, first: int) -> tuple[ast.Module, list[Point]]:
    """Return the tree of `source` with a switch at every refusal, and the refusals.

    Args:
        source: of one module.
        path: as `Point.path`.
        first: the number of its first point.
    """
    tree = ast.parse(source)
    switches = _Switches(path, first)
    switches.visit(tree)
    if switches.points:
        line = next((i for i, node in enumerate(tree.body) if not _opens(node)), 0)
        tree.body[line:line] = ast.parse(f"from {MODULE} import is_off as {ASK}").body
    return ast.fix_missing_locations(tree), switches.points


def _opens(node: ast.stmt) -> bool:
    """Return whether a statement must stay before every other: docstring, __future__."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


class _Switches(ast.NodeTransformer):
    """Puts the switches in."""

    def __init__(self, path: str, first: int) -> None:
        self.points: list[Point] = []
        self._path = path
        self._first = first
        self._names: list[str] = []
        self._judges: list[bool] = [False]

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._names.append(node.name)
        self.generic_visit(node)
        self._names.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._names.append(node.name)
        self._judges.append(isinstance(node.returns, ast.Name) and node.returns.id == "bool")
        node.body = [self.visit(statement) for statement in node.body]
        self._judges.pop()
        self._names.pop()
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        number = self._add(node, ast.unparse(node))
        return ast.copy_location(ast.If(test=_is_on(number), body=[node], orelse=[]), node)

    def visit_If(self, node: ast.If) -> ast.AST:
        if _refuses(node.body):
            node.test = self._open(node.test, to=False)
        self.generic_visit(node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        value = node.value
        if _is_refusal(value):
            number = self._add(node, ast.unparse(node))
            return ast.copy_location(ast.If(test=_is_on(number), body=[node], orelse=[]), node)
        if value is None or not self._judges[-1] or isinstance(value, ast.Constant):
            return node
        number = self._add(node, ast.unparse(node))
        demands = self._open(value, to=True)
        node.value = ast.IfExp(test=_ask(number), body=ast.Constant(value=True), orelse=demands)
        return node

    def _open(self, test: ast.expr, *, to: bool) -> ast.expr:
        """Return `test` with a switch at each part that alone can keep it from being `to`."""
        match test:
            case ast.UnaryOp(ast.Not(), operand):
                test.operand = self._open(operand, to=not to)
            case ast.BoolOp(ast.And() as op, values) if to:
                test.values = [self._drop(value, op, neutral=True) for value in values]
            case ast.BoolOp(ast.Or() as op, values) if not to:
                test.values = [self._drop(value, op, neutral=False) for value in values]
            case ast.Compare(left, ops, comparators) if to and len(ops) > 1:
                return self._shorten(test, left, ops, comparators)
            case _:
                pass
        return test

    def _drop(self, part: ast.expr, op: ast.boolop, *, neutral: bool) -> ast.expr:
        word = "and" if isinstance(op, ast.And) else "or"
        number = self._add(part, f"{word} {ast.unparse(part)}")
        kept = self._open(part, to=neutral)
        return ast.IfExp(test=_ask(number), body=ast.Constant(value=neutral), orelse=kept)

    def _shorten(
        self, chain: ast.expr, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]
    ) -> ast.expr:
        """Return `a < b < c` with a switch at each of its two ends."""
        head = ast.Compare(left, ops[:-1], others[:-1])
        tail = ast.Compare(others[0], ops[1:], others[1:])
        lower = self._add(chain, f"and the first of {ast.unparse(chain)}")
        upper = self._add(chain, f"and the last of {ast.unparse(chain)}")
        inner = ast.IfExp(test=_ask(upper), body=head, orelse=chain)
        return ast.IfExp(test=_ask(lower), body=tail, orelse=inner)

    def _add(self, node: ast.AST, text: str) -> int:
        number = self._first + len(self.points)
        line: int = getattr(node, "lineno", 0)
        point = Point(number, self._path, ".".join(self._names), line, text)
        self.points.append(point)
        return number


def _is_refusal(value: ast.expr | None) -> bool:
    """Return whether `return False` or `return "the reason"` is what a judge says for no."""
    match value:
        case ast.Constant(False):
            return True
        case ast.Constant(str(text)):
            return text != ""
        case _:
            return False


def _refuses(body: list[ast.stmt]) -> bool:
    """Return whether a block ends in a refusal."""
    match body[-1]:
        case ast.Raise() | ast.Return(None) | ast.Return(ast.Constant(None | False)):
            return True
        case ast.Return(value):
            return _is_refusal(value)
        case _:
            return False


def _ask(number: int) -> ast.expr:
    return ast.Call(ast.Name(ASK, ast.Load()), [ast.Constant(number)], [])


def _is_on(number: int) -> ast.expr:
    return ast.UnaryOp(ast.Not(), _ask(number))
