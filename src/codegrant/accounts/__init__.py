"""People, for those who have no login of their own: passwords, sessions, consent, pages.

The ready-made answer to the questions of `codegrant.server.interaction`. `Site` is the
whole issuer: the server's endpoints and the pages together. Flows, as everywhere; only
`hashing` has a thread, because a password takes long to hash.
"""
