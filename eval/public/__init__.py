"""The paper's public benchmarks: run by lmms-eval in its own environment, or converted to question files for `eval vqa` and `vtg`."""
