"""Strategies for the texts of messages."""

from __future__ import annotations

from hypothesis import strategies as st

from codegrant.messages.json import JsonValue
from codegrant.secret import Secret

# What a form carries: any character but the controls; tab and line ends may be in it.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\r\n\x85"), min_size=1
)
OPTIONAL = st.none() | TEXTS
SECRETS = st.builds(Secret, TEXTS)

JSON_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | JSON_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_TEXTS, inner, max_size=3),
    max_leaves=6,
)
