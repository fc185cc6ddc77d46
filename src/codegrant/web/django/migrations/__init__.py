"""The tables, step by step. Layer: web."""
