"""Statements: the same journal for SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import fields

import pytest
from sqlalchemy import Dialect, make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from runner.journal import tables
from runner.journal.statements import Statements, compile_for


def dialect_of(name: str) -> Dialect:
    """A database's dialect, without its driver."""
    return make_url(f"{name}://").get_dialect()()


BOTH = [dialect_of("sqlite"), dialect_of("postgresql")]


@pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)
def test_every_table_can_be_created(dialect: Dialect) -> None:
    """Tables and partial indexes compile for both databases."""
    tables.for_postgresql()
    for table in tables.metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=dialect))
        if dialect.name == "postgresql" and "seq" in table.c:
            assert "seq BIGSERIAL" in text
        for index in table.indexes:
            text = str(CreateIndex(index).compile(dialect=dialect))
            assert ("WHERE" in text) == (index.name != "fills_of_leg")


@pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)
def test_every_statement_is_one_text_with_its_parameters(dialect: Dialect) -> None:
    """A driver gets plain text: positions for SQLite, names for PostgreSQL, no RETURNING."""
    names = {column.name for table in tables.metadata.sorted_tables for column in table.c}
    row = dict.fromkeys(names, "x") | {f"the_{name}": "x" for name in {*names, "id"}}
    row |= {"old_state": "x", "old_attempt": "x"}
    statements = compile_for(dialect)
    for field in fields(Statements):
        prepared = getattr(statements, field.name)
        arranged = prepared.arrange(row)
        assert "RETURNING" not in prepared.text
        if dialect.name == "sqlite":
            assert isinstance(arranged, tuple)
            assert prepared.text.count("?") == len(arranged)
        else:
            assert prepared.text % arranged


def test_the_lease_is_held_for_the_transaction_on_postgresql() -> None:
    """There, others could take over between the look and the commit: the row is locked."""
    assert "FOR SHARE" in compile_for(dialect_of("postgresql")).lease.text


def test_another_database_is_not_guessed() -> None:
    """Only what was thought through compiles."""
    with pytest.raises(KeyError):
        compile_for(dialect_of("mysql"))
