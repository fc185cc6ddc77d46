"""Talking to others, for every role: discovery, key sets, authenticated posts, guarded fetch.

The flows live in `discovery`, `key_sets` and `posts`; only the drivers `sync` and `aio`
touch the network. Layer: remote.
"""
