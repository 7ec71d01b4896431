"""Shows a formula with the values it had, for `why` and `explain`."""

from __future__ import annotations

from runner.core.formula.closures import Builder
from runner.core.formula.errors import EvaluationError
from runner.core.formula.tree import Compare, Logic, Node, Unary
from runner.core.formula.types import Values, shown


def trace(builder: Builder, node: Node, values: Values) -> str:
    """Return the node with each compared value filled in: 499.99 >= 500.

    What has no value shows its reason in brackets instead; nothing is raised.
    """
    if isinstance(node, Compare):
        left, right = _value(builder, node.left, values), _value(builder, node.right, values)
        return f"{left} {node.operator} {right}"
    if isinstance(node, Logic):
        return f" {node.operator} ".join(_part(builder, part, values) for part in node.parts)
    if isinstance(node, Unary) and node.operator == "not":
        return f"not {_part(builder, node.operand, values)}"
    return _value(builder, node, values)


def _part(builder: Builder, node: Node, values: Values) -> str:
    inner = trace(builder, node, values)
    return f"({inner})" if isinstance(node, Logic) else inner


def _value(builder: Builder, node: Node, values: Values) -> str:
    try:
        return shown(builder.build(node).run(values))
    except EvaluationError as error:
        return f"({error.reason})"
