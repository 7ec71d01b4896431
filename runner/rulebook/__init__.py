"""Reads rule files and turns them into rules or into diagnostics with a place and a cure."""
