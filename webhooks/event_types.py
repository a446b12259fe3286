"""The types of events there are; whoever makes events declares them here, and webhooks know no more of them."""

EVENT_TYPES: dict[str, str] = {}


def declare(name: str, words: str) -> str:
    """Make a type known, with a few words for people, and return its name."""
    EVENT_TYPES[name] = words
    return name


#: What "Send test" sends.
TEST = "webhook.test"
