"""What schemathesis cannot know by itself: what a text of rules looks like, and how lines of JSON are read."""

import json

import schemathesis
from hypothesis import strategies as st

RULES = [
    "",
    '[[rule]]\nname = "warm"\nwhen = "Environ/Temperature"\non = "celsius >= 25.0"\n'
    'then = [{ actuator = "TEMP_LED" }]\n',
    '[[rule]]\nname = "damp"\nwhen = "+/Humidity"\non = "value > 60.0"\noff = "value < 55.0"\nfor = "10s"\n'
    'then = [{ actuator = "TEMP_LED" }]\n'
    '[[rule.test]]\nname = "stays off"\ngiven = "12:00:00 40.0 | 12:00:02 41.0"\nexpect = ""\n',
    '[[rule]]\nname = "nobody"\nwhen = "#"\non = "celsius >="\nthen = [{ actuator = "none" }]\n',
    "[[rule",
]

schemathesis.openapi.media_type(
    "application/toml",
    st.one_of(
        st.sampled_from(RULES).map(str.encode),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")),
    ),
)


@schemathesis.deserializer("application/x-ndjson")
def lines(_, response):
    """The last line, which is what was asked for; the document describes one line."""
    whole = response.content.decode("utf-8").splitlines()
    return [json.loads(line) for line in whole][-1]
