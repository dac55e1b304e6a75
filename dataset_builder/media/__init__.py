"""`Source` → `Clip` and its statistics; edit list → videos. All that looks at pixels."""
