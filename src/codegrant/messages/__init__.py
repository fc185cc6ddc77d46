"""The wire: one frozen type per message, built by one role and parsed by the other.

A message type is shape only. `parse` takes what is well formed (sizes bounded, repeated
parameters refused, empty values absent, unknown ones kept aside) and `build` writes it,
so that `parse(build(message)) == message`. What a role allows is a rule: see
`codegrant.rules`.
"""
