"""`codegrant demo`: the three parties of a login on one machine, and what they say. Layer: demo.

`parties` starts them; `application` and `api` are what a user of Codegrant would write;
`recording` stands on the wire between them; `masking` decides what may be seen of it;
`steps` puts it in the order of the tutorial; `browser` plays the person; `command` is the
command itself.
"""
