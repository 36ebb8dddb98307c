"""Readers of dependency files."""
