"""The public benchmarks of the paper: run by lmms-eval in its own environment, or converted to our questions."""
