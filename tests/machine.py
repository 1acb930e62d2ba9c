"""What the suite needs of the machine beyond Python: found, or its tests are skipped with one line that says how to
get it. With CI set they fail instead."""

import os
import shutil

import pytest


def need(*programs: str, package: str) -> str:
    """The path of the first of these programs that is installed."""
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        absent(f"{programs[0]} is not installed. To run these tests: apt-get install {package}")
    assert found
    return found


def absent(advice: str) -> None:
    """Skip the test with this line; fail it under CI."""
    if os.environ.get("CI"):
        pytest.fail(advice, pytrace=False)
    pytest.skip(advice)
