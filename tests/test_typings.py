"""my.js satisfies the published typings of `my` (@mini-types/my), and stays small."""

import subprocess
from pathlib import Path

import pytest

from tests.machine import absent, need

HERE = Path(__file__).parent / "typings"
MY_JS = Path(__file__).parent.parent / "authapi" / "static" / "authapi" / "my.js"
OPTIONS = "--noEmit --strict --allowJs --checkJs --skipLibCheck --target ES2017 --lib ES2017,DOM,DOM.Iterable"

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def tsc() -> str:
    """The TypeScript compiler of the pinned packages, installed when they are not."""
    npm = need("npm", package="npm")
    if not (HERE / "node_modules" / ".bin" / "tsc").exists():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            absent(f"npm could not install the typings: {done.stderr[-300:]}")
    return str(HERE / "node_modules" / ".bin" / "tsc")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)


def test_the_bridge_and_the_samples_compile_under_strict(tsc: str) -> None:
    done = run(tsc, "-p", ".")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("good", "bad"), [("authCode: result.authCode, ", ""), ("return { success: true };", "return {};")]
)
def test_a_bridge_that_breaks_the_typings_does_not_compile(tsc: str, tmp_path: Path, good: str, bad: str) -> None:
    source = MY_JS.read_text()
    assert good in source
    broken = tmp_path / "my.js"
    broken.write_text(source.replace(good, bad))
    assert run(tsc, *OPTIONS.split(), "bridge.d.ts", str(broken)).returncode != 0


def test_the_bridge_is_under_ten_kilobytes() -> None:
    assert len(MY_JS.read_bytes()) < 10_000
