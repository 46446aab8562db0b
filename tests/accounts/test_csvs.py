"""CSV that a spreadsheet does not calculate."""

import pytest

from accounts.csvs import csv_lines, safe_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_would_be_calculated_is_quoted(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_other_values_stay_as_they_are() -> None:
    assert [safe_cell(value) for value in ("web-1", "a=b", -5, None)] == ["web-1", "a=b", -5, ""]


def test_lines_follow_rfc_4180() -> None:
    lines = list(csv_lines(["name", "note"], [["web-1", 'says "hi", twice'], ["=cmd", "x"]]))

    assert lines == ["name,note\r\n", 'web-1,"says ""hi"", twice"\r\n', "'=cmd,x\r\n"]
