"""Rows → a build on disk or in a store, and back."""
