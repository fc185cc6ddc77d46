"""One module for each command. Layer: web."""
