"""The demo: sample footage, and a page of questions made from it."""
