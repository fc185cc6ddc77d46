"""Personas: providers as the catalogue knows them, in a test's process.

    persona = Persona("github", client_id="app", client_secret="...")
    with Wire() as wire:
        persona.serve(wire)
        login = Client("github", client_id="app", ...).start_login(...)
        tokens = client.finish_login(persona.authorize(login.url), login)

Each answers at its provider's own addresses, in its shapes and with its errors, and takes
only what that provider takes: a client without the quirks of its provider fails. What was
not seen in a source of the provider is said in `codegrant.providers`. Layer: testing.
"""

from codegrant.testing.personas.facts import Facts, Person
from codegrant.testing.personas.persona import Persona

__all__ = ["Facts", "Person", "Persona"]
