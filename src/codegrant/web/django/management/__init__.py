"""Commands of `manage.py`. Layer: web."""
