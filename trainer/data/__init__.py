"""verl's dataset: questions from a build, or generated live. Frames are read only when a rollout needs them."""
