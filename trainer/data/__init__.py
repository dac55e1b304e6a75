"""Questions into verl: rows of a build, or made live; frames are read where a rollout needs them."""
