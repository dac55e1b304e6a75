"""Writes rows as a build, on disk or in a store, and reads them back."""
