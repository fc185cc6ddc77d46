"""Pure checks, one module per subject, for every role.

A rule returns nothing or raises, or returns the checked thing as another type. Time,
names and limits are arguments. Rules for what a server is sent raise `OAuthError`; rules
for what a client is answered raise a `PeerError`; a rule of both takes the error as an
argument.
"""
