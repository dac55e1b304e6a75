"""Runs as others read them: Inspect's logs, the Hub's evaluation results."""
