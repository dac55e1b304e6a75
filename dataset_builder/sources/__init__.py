"""Files and URLs → `Source`: which raw videos there are, and what each one's content is."""
