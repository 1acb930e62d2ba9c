"""Settings: a public host gets no development secret, and every environment variable is written down (trust 37)."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from portal import keys

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parent.parent
SECRET = "Zb3x-9fQ2mW7" * 6
FIELD_KEY, OTHER_KEY, INDEX_KEY = (base64.b64encode(bytes([n]) * 32).decode() for n in range(3))
STARTED = "System check identified no issues"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a public deployment."""
    folder = tmp_path_factory.mktemp("production")
    key = folder / "platform.pem"
    key.write_text(keys.new_private_key())
    return {
        "PATH": os.environ["PATH"],
        "ALLOWED_HOSTS": "portal.example.org",
        "CSRF_TRUSTED_ORIGINS": "https://portal.example.org",
        "SECRET_KEY": SECRET,
        "PLATFORM_SIGNING_KEY": str(key),
        "FIELD_ENCRYPTION_KEYS": FIELD_KEY,
        "BLIND_INDEX_KEY": INDEX_KEY,
        "DATABASE_URL": f"sqlite:///{folder}/portal.sqlite3",
        "VAR_DIR": str(folder / "var"),
        "DEBUG": "false",
    }


def manage(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "manage.py", *args], capture_output=True, text=True, env=env, cwd=ROOT)


@pytest.mark.trust(37)
def test_check_deploy_is_clean_in_production(production: dict[str, str]) -> None:
    run = manage(production, "check", "--deploy", "--fail-level", "WARNING")
    assert run.returncode == 0, run.stderr
    assert STARTED in run.stdout
    assert run.stderr == ""


@pytest.mark.trust(37)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": keys.DEVELOPMENT_MARK + "x" * 60}, "SECRET_KEY is a development secret"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is shorter than 50 characters"),
        ({"PLATFORM_SIGNING_KEY": ""}, "PLATFORM_SIGNING_KEY is not set"),
        ({"PLATFORM_SIGNING_KEY": "/no/such/file.pem"}, "PLATFORM_SIGNING_KEY"),
        ({"PLATFORM_SIGNING_KEY": "garbage"}, "PLATFORM_SIGNING_KEY"),
        ({"FIELD_ENCRYPTION_KEYS": ""}, "FIELD_ENCRYPTION_KEYS is not set"),
        (
            {"FIELD_ENCRYPTION_KEYS": keys.DEVELOPMENT_MARK + FIELD_KEY},
            "FIELD_ENCRYPTION_KEYS is a development",
        ),
        ({"FIELD_ENCRYPTION_KEYS": " , "}, "FIELD_ENCRYPTION_KEYS: it holds no key. Make one with: openssl rand"),
        ({"FIELD_ENCRYPTION_KEYS": f"{FIELD_KEY},nonsense!"}, "FIELD_ENCRYPTION_KEYS: a key in it is not base64"),
        ({"FIELD_ENCRYPTION_KEYS": FIELD_KEY[:24]}, "FIELD_ENCRYPTION_KEYS: a key in it has 18 bytes, not 32"),
        ({"FIELD_ENCRYPTION_KEYS": f"{FIELD_KEY},{FIELD_KEY}"}, "FIELD_ENCRYPTION_KEYS: it holds one key twice"),
        ({"BLIND_INDEX_KEY": ""}, "BLIND_INDEX_KEY is not set"),
        ({"BLIND_INDEX_KEY": keys.DEVELOPMENT_MARK + INDEX_KEY}, "BLIND_INDEX_KEY is a development secret"),
        ({"BLIND_INDEX_KEY": "c2hvcnQ="}, "BLIND_INDEX_KEY: a key in it has 5 bytes, not 32"),
        ({"BLIND_INDEX_KEY": f"{INDEX_KEY},{OTHER_KEY}"}, "BLIND_INDEX_KEY: it must be one key"),
        ({"BLIND_INDEX_KEY": FIELD_KEY}, "none of FIELD_ENCRYPTION_KEYS"),
        ({"DATABASE_URL": ""}, "DATABASE_URL must begin with postgres:// or sqlite:///"),
        ({"DATABASE_URL": "mysql://portal@db/portal"}, "DATABASE_URL must begin with postgres://"),
        ({"DEBUG": "true"}, "DEBUG is on"),
        ({"ALLOWED_HOSTS": "localhost,portal.example.org", "SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"ALLOWED_HOSTS": "*", "SECRET_KEY": ""}, "SECRET_KEY is not set"),
    ],
    ids=lambda value: str(value)[:44],
)
def test_a_public_host_does_not_start(production: dict[str, str], change: dict[str, str], words: str) -> None:
    run = manage({**production, **change}, "check")
    assert run.returncode != 0
    last_line = run.stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in last_line
    assert words in last_line


@pytest.mark.trust(37)
def test_a_public_host_does_not_start_with_the_key_this_machine_made_for_itself(
    production: dict[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "platform.pem"
    keys.development_private_key(key)
    for value in (str(key), key.read_text()):
        run = manage({**production, "PLATFORM_SIGNING_KEY": value}, "check")
        assert run.returncode != 0
        assert "PLATFORM_SIGNING_KEY is a development secret" in run.stderr


def test_a_key_may_stand_in_the_environment_itself(production: dict[str, str]) -> None:
    text = Path(production["PLATFORM_SIGNING_KEY"]).read_text()
    for value in (text, text.replace("\n", "\\n")):
        run = manage({**production, "PLATFORM_SIGNING_KEY": value}, "check")
        assert run.returncode == 0, run.stderr


def test_field_keys_may_stand_in_a_file_and_be_several(production: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "field-keys"
    file.write_text(f"{OTHER_KEY}\n{FIELD_KEY}\n")
    for value in (str(file), f"{OTHER_KEY},{FIELD_KEY}"):
        run = manage({**production, "FIELD_ENCRYPTION_KEYS": value}, "check")
        assert run.returncode == 0, run.stderr


def test_a_newcomer_starts_without_any_variable() -> None:
    run = manage({"PATH": os.environ["PATH"]}, "check")
    assert run.returncode == 0, run.stderr
    assert STARTED in run.stdout


@pytest.mark.parametrize("hosts", ["127.0.0.1", "localhost,127.0.0.1,[::1]"])
def test_debug_is_allowed_on_this_machine_alone(hosts: str) -> None:
    run = manage({"PATH": os.environ["PATH"], "DEBUG": "true", "ALLOWED_HOSTS": hosts}, "check")
    assert run.returncode == 0, run.stderr


def test_a_bad_scopes_file_is_told_by_check_not_by_a_traceback(production: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "scopes.toml"
    path.write_text('[scopes.USER_NAME]\nsilent = "yes"\n')
    run = manage({**production, "SCOPES_FILE": str(path)}, "check")
    assert run.returncode == 1
    assert "(portal.E001) SCOPES_FILE: scope USER_NAME: silent must be a bool" in run.stderr
    assert "Traceback" not in run.stderr


# --- .env.example ---------------------------------------------------------------------------------------------


def example_lines() -> list[str]:
    return (ROOT / ".env.example").read_text().splitlines()


def test_every_variable_that_the_settings_read_stands_in_the_example() -> None:
    source = (ROOT / "portal" / "settings.py").read_text()
    read = re.findall(r"""(?:env(?:\.\w+)?|secret)\(\s*"([A-Z_]+)\"""", source)
    written = re.findall(r"^#?\s?([A-Z_]+)=", "\n".join(example_lines()), re.MULTILINE)
    assert len(read) > 20
    assert sorted(set(read)) == sorted(written)


def test_every_variable_of_the_example_has_its_comment_line() -> None:
    lines = example_lines()
    for number, line in enumerate(lines):
        if re.match(r"#?[A-Z_]+=", line):
            assert re.match(r"# \S", lines[number - 1]), line


def test_a_copy_of_the_example_changes_nothing(tmp_path: Path) -> None:
    lines = [line.partition("=") for line in example_lines() if re.match(r"[A-Z_]+=", line)]
    nothing = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
    copied = {**nothing, **{name: value for name, _equals, value in lines}}
    effective = [manage(env, "diffsettings", "--all").stdout.splitlines() for env in (nothing, copied)]
    assert len(effective[0]) > 100
    different = {line.removeprefix("### ").split()[0] for line in set(effective[0]) ^ set(effective[1])}
    assert different == {"GATEWAY_PREFIXES"}  # "/" there, "" here: both are no prefix
    (prefixes,) = (line for line in effective[1] if "GATEWAY_PREFIXES" in line)
    assert "['/', '/ams/api', '/ams/sandbox/api', '/aps/api', '/api/open', '/miniprogram/api']" in prefixes


def test_the_example_holds_no_secret() -> None:
    text = "\n".join(example_lines())
    assert "BEGIN" not in text
    assert re.search(r"^SECRET_KEY=$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TASKS_BACKEND": "redis"}, "REDIS_URL must be redis://"),
        ({"TASKS_BACKEND": "celery"}, "TASKS_BACKEND must be database or redis"),
        ({"TASKS_BACKEND": "redis", "REDIS_URL": "redis://127.0.0.1:1/2"}, STARTED),
        ({"TASKS_BACKEND": "redis", "CACHE_URL": "redis://127.0.0.1:1/1"}, STARTED),
    ],
)
def test_background_work_goes_through_the_database_or_redis(
    production: dict[str, str], change: dict[str, str], words: str
) -> None:
    run = manage(production | change, "check", "--deploy", "--fail-level", "WARNING")
    assert (run.returncode == 0) == (words == STARTED)
    assert words in run.stdout + run.stderr


def test_periodic_work_of_no_seconds_is_never_done() -> None:
    ask = "from django.conf import settings; print(*settings.PERIODIC_WORK)"
    run = manage({**os.environ, "VERIFY_LEDGER_SECONDS": "0"}, "shell", "-v0", "-c", ask)
    assert "authapi.sealing.seal_all" in run.stdout
    assert "authapi.verification" not in run.stdout
