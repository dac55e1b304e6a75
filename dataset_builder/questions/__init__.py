"""Clip → question → row: what is asked of which video, and what a row of the dataset holds."""
