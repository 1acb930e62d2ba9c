"""What the suite needs of the machine beyond Python: found, or its tests are skipped with one line that says how to
get it. With CI set they fail instead."""

import os
import shutil

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ADVICE = "Chromium is not installed, so the tests in a browser were skipped: apt-get install chromium"


def lacks_chromium() -> bool:
    """Whether the tests in a browser are left out as a whole; under CI they run, and fail."""
    return not os.environ.get("CI") and not any(map(shutil.which, CHROMIUM))


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
