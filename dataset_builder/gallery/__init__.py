"""Questions as pictures for people."""
