"""Backends: a model behind a server, a model in this process, or a scripted baseline."""
