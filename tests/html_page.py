"""Reads the HTML pages that the project writes."""

import re
from html import unescape
from html.parser import HTMLParser


class Tags(HTMLParser):
    """Checks that tags are closed in order, and keeps the addresses that the page refers to."""

    NEVER_CLOSED = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.stack, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.NEVER_CLOSED:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        """A tag such as <line .../>, which is open and closed at once."""

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"{tag} is closed where another tag is open"


def assert_whole(html: str, num_pictures: int | None = None) -> None:
    """All tags are closed, there is no script, and nothing is fetched from elsewhere."""
    tags = Tags()
    tags.feed(html)
    assert tags.stack == []
    assert all(address.startswith("data:image/jpeg;base64,") for address in tags.addresses), tags.addresses
    assert num_pictures is None or len(tags.addresses) == num_pictures
    assert "<script" not in html and "url(" not in html and "@import" not in html


def text_of(html: str) -> str:
    """The words of a page with single spaces, as HTML writes them."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def shown_text(html: str) -> str:
    """The words that a reader sees, without the style sheet."""
    return unescape(text_of(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)))
