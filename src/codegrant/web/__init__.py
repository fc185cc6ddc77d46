"""Adapters between Codegrant's flows and the web frameworks and servers that people run.

An adapter translates and decides nothing. Each is imported by its own name, so that none
of them asks for a framework that another needs.
"""
