"""Values on their way to the wire."""

from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.wire import form_value

SENTENCES = ["", "AB12CD34EF paid.", "a+b & c=d%", "+256772000002", "naïve ~ été\n", "KES 1,010"]


@pytest.mark.parametrize("text", SENTENCES)
def test_form_value_is_written_as_urllib_writes_it(text: str) -> None:
    assert form_value(text).decode() == quote_plus(text)


@given(st.text())
def test_form_value_is_read_back_as_it_was(text: str) -> None:
    body = b"text=" + form_value(text)
    assert parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True) == {"text": [text]}
