"""A build on the Hugging Face Hub: its files, its card, and whether it can be made again."""
