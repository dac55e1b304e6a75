"""All code that touches pixels: video file → `Clip` and its statistics; edit list → videos."""
