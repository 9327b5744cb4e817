"""Our code as syntax trees, for rules that import-linter can't state."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """`path` is as one imports it: `chassis/database/transactions.py`, `catalog/reserve_stock.py`."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes() if isinstance(node, ast.Call))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in self.nodes() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of such an expression; of any other its last names, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def called(call: ast.Call) -> str:
    return dotted(call.func)


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Text that isn't documentation."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def our_sources() -> list[Source]:
    """What runs in production; neither tests nor migrations."""
    files = [(root, file) for root in (ROOT / "libs", ROOT / "services") for file in sorted(root.rglob("*.py"))]
    ours = [(root, file) for root, file in files if not {"tests", "migrations"} & set(file.relative_to(root).parts)]
    return [Source(str(file.relative_to(root)), file.read_text()) for root, file in ours]
