"""What is said of errors that others raise."""

import pytest

from churnlens.errors import first_line


@pytest.mark.parametrize(
    ("message", "said"), [("one\ntwo", "one"), ("\n  late \n", "late"), ("", "no message")]
)
def test_the_first_line_of_an_error_is_said_and_none_is_no_fault(message: str, said: str) -> None:
    assert first_line(ValueError(message)) == said
