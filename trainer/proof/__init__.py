"""Proof that training works, without a GPU: verl's training loop improves a tiny model with rewards over HTTP."""
