"""Exports runs: Inspect logs, and evaluation results for the Hugging Face Hub."""
