"""GRPO training with verl on VideoSSR tasks, with rewards over HTTP. Run as `python -m trainer`."""
