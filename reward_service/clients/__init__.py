"""Python clients of the reward service, for trainers that call a function. They need httpx, and nothing of the server."""
