"""What is said of errors that others raise."""

import pytest

from churnlens.errors import first_line, without_password


@pytest.mark.parametrize(
    ("message", "said"), [("one\ntwo", "one"), ("\n  late \n", "late"), ("", "no message")]
)
def test_the_first_line_of_an_error_is_said_and_none_is_no_fault(message: str, said: str) -> None:
    assert first_line(ValueError(message)) == said


def test_a_message_shows_no_password() -> None:
    said = "postgres://reader:s3cret@db.example/shop cannot be opened: ask a@b.example"
    assert without_password(said) == said.replace("s3cret", "***")
