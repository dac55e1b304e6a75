"""Pictures of questions."""
