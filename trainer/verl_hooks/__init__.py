"""All that touches verl's internals on GPUs and CPUs alike; `trainer.cpu` holds what only a CPU needs."""
