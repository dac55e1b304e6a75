"""Clip → question → row: assigns questions to videos, makes them, and turns them into rows."""
