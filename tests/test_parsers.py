"""What is parsed by hand, for whatever may come: it reads what was meant, or gives its one refusal (trust 36).

`test_fuzz.py` looks at crashes and at endpoints; these are statements about what comes out. Always the same examples.
"""

import io
import json
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from authapi import bodies, signing
from portal import json_lines, masking, phones, scopes, user_lines
from portal.middleware import AbsoluteFormMiddleware
from portal.models.mini_programs import origin_of

pytestmark = pytest.mark.trust(36)
pure = settings(max_examples=200, deadline=None, derandomize=True, database=None)

text = st.text(max_size=40)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)


def attempt(reader: Callable[[Any], Any], raw: Any, refusal: type[Exception]) -> Any:
    """What the reader makes of it, or its one refusal."""
    try:
        return reader(raw)
    except refusal as error:
        return error


# --- Signing --------------------------------------------------------------------------------------------------


@pure
@given(st.binary(min_size=1, max_size=300), st.integers(0, 10**9 - 1))
def test_the_header_we_write_is_the_header_we_read(signature: bytes, version: int) -> None:
    header = signing.parse_header(signing.header(signature, str(version)))
    assert (header.algorithm, header.key_version, header.signature) == ("RSA256", version, signature)


@pure
@given(
    st.permutations(["algorithm=rsa256", "keyVersion=7", "signature=QUJD"]),
    st.lists(st.sampled_from(["", " ", "  ", "\t"]), min_size=6, max_size=6),
)
def test_order_blanks_and_case_of_a_header_are_free(parts: list[str], blanks: list[str]) -> None:
    spaced = (f"{before}{part}{after}" for part, before, after in zip(parts, blanks[:3], blanks[3:], strict=True))
    assert signing.parse_header(",".join(spaced)) == signing.SignatureHeader("rsa256", 7, b"ABC")


@pure
@given(st.text(st.characters(exclude_characters="%"), max_size=30))
def test_what_is_no_base64_is_no_signature(value: str) -> None:
    try:
        decoded = signing.decode(value)
    except signing.MalformedError:
        return
    assert set(value) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
    assert len(decoded) == len(value.rstrip("=")) * 6 // 8


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.wire("4.1 Request-Time with offset, compact offset, Z, fractions, or epoch ms")
@pure
@given(moments, offsets)
def test_every_way_to_write_a_moment_is_the_same_moment(moment: datetime, offset: timezone) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    local = moment.astimezone(offset)
    head, sign, tail = re.fullmatch(r"(.*)([+-])(\d\d:\d\d)", local.isoformat(timespec="milliseconds")).groups()  # type: ignore[union-attr]
    ways = [local.isoformat(), f"{head}{sign}{tail.replace(':', '')}", moment.isoformat().replace("+00:00", "Z")]
    if 10**12 <= (epoch := round(moment.timestamp() * 1000)) < 10**13:
        ways.append(str(epoch))
    assert {signing.parse_time(way) for way in ways} == {moment}
    assert signing.is_fresh(moment, moment + timedelta(minutes=15), timedelta(minutes=15))
    assert not signing.is_fresh(moment, moment + timedelta(minutes=15, milliseconds=1), timedelta(minutes=15))


@pure
@given(moments)
def test_a_moment_without_offset_is_refused(moment: datetime) -> None:
    with pytest.raises(signing.MalformedError, match="no offset"):
        signing.parse_time(moment.replace(tzinfo=None).isoformat())


# A body may hold anything; the three before it may not hold a line feed, and a Client-Id and a time no dot... but ISO
# fractions have one: so the statement is about changes of one part, as trust 12 makes it.
parts = st.tuples(text, text, text, st.binary(max_size=60))


@pytest.mark.trust(12)
@pure
@given(parts, st.integers(0, 3), st.data())
def test_a_change_of_any_part_changes_the_string_to_sign(
    one: tuple[Any, ...], which: int, data: st.DataObject
) -> None:
    changed = list(one)
    changed[which] = data.draw(st.binary(max_size=60) if which == 3 else text)
    assume(changed[which] != one[which])
    assert signing.string_to_sign(*one) != signing.string_to_sign(*changed)
    assert signing.string_to_sign(*one).endswith(one[3])


# --- Bodies ---------------------------------------------------------------------------------------------------


def request_with(stream: Any, **meta: Any) -> HttpRequest:
    return RequestFactory().post("/", **{"wsgi.input": stream, "CONTENT_TYPE": "application/json", **meta})


@pytest.mark.wire("4.1 a body in chunks")
@pure
@given(st.binary(max_size=200) | st.sampled_from([b"x" * (bodies.MAX_BYTES + n) for n in (-1, 0, 1, 5000)]))
def test_a_body_in_chunks_is_the_same_body(raw: bytes) -> None:
    def read(**meta: Any) -> bytes | str:
        try:
            return bodies.read(request_with(io.BytesIO(raw), **meta))
        except bodies.MalformedError as error:
            return str(error)

    whole = read(CONTENT_LENGTH=str(len(raw)))
    chunked = read(CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True})
    assert whole == chunked == (raw if len(raw) <= bodies.MAX_BYTES else bodies.TOO_LARGE)


@pure
@given(st.dictionaries(text, json_values, max_size=5), st.integers(0, 3), st.booleans())
def test_an_object_is_read_as_it_was_meant(body: dict[str, Any], indent: int, escaped: bool) -> None:
    raw = json.dumps(body, indent=indent or None, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    read = attempt(bodies.parse, raw, bodies.MalformedError)
    assert read == body or "nested" in str(read)
    assert isinstance(read, bodies.MalformedError) or json.loads(bodies.dump(read)) == body


# --- People ---------------------------------------------------------------------------------------------------

digits = st.text("0123456789", min_size=3, max_size=15)
phone_like = st.tuples(st.sampled_from(["", "+", "00", "+63", "27-", "+290", "63 ", "0"]), digits).map("".join)
E164 = re.compile(r"\+[1-9][0-9]{4,16}")


@pure
@given(phone_like | text)
@example("2903456")
@example("+2903456")
@example("²-345678")
@example("٣٩١٧١٢٣٤٥٦٧")
def test_a_phone_number_is_e164_and_stays_the_same(written: str) -> None:
    number = attempt(phones.parse, written, ValidationError)
    if isinstance(number, ValidationError):
        assert number.messages[0].startswith(written[:32])
        return
    assert E164.fullmatch(number)
    assert phones.parse(number) == phones.parse(phones.wire(number)) == number


@pytest.mark.wire("5.2 masked 27-6****0084")
@pytest.mark.trust(32)
@pure
@given(phone_like)
@example("+2903456")
@example("+6834002")
def test_a_masked_phone_number_keeps_half_of_its_digits_to_itself(written: str) -> None:
    number = attempt(phones.parse, written, ValidationError)
    assume(isinstance(number, str))
    country, rest = phones.wire(number).split("-")
    masked = masking.wire_phone(number)
    assert re.fullmatch(rf"{country}-\d?\*\*\*\*\d*", masked)
    for shown in (masked.partition("-")[2], masking.phone(number).partition(" ")[2]):
        assert sum(letter.isdigit() for letter in shown) <= max(len(rest) - 3, len(rest) // 2)


@pure
@given(
    st.dictionaries(
        st.sampled_from(["externalId", "birthDate", "nickName", "loginIdInfos", "gender"]) | text, json_values
    )
)
@example({"externalId": "1", "birthDate": "19940312"})
@example({"externalId": "1", "birthDate": "1994-W10-6"})
@example({"externalId": "1", "birthDate": "9999-12-31"})
def test_a_line_of_an_import_is_a_user_or_refused_by_name(record: dict[str, Any]) -> None:
    raw = json.dumps(record).encode()
    line = attempt(lambda raw: user_lines.read(1, raw), raw, json_lines.RejectedError)
    if isinstance(line, json_lines.RejectedError):
        assert str(line).encode()
        assert "password" not in (line.record or {})
        return
    assert line.external_id == record["externalId"].strip()
    assert all(len(value) <= 256 for value in line.profile.values() if isinstance(value, str))


@pytest.mark.parametrize("depth", [*range(1, 12), *range(850, 1010, 10), 5000])
@pytest.mark.parametrize("kind", ["list", "object"])
def test_a_deep_line_is_refused_wherever_the_stack_ends(depth: int, kind: str) -> None:
    start, end = ("[", "]") if kind == "list" else ('{"a":', "}")
    raw = f'{{"externalId": "\\u0031", "nickName": {start * depth}1{end * depth}}}'.encode()
    with pytest.raises(json_lines.RejectedError):
        user_lines.read(1, raw)


@pure
@given(
    st.lists(st.binary(max_size=30).filter(lambda raw: b"\n" not in raw)),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
def test_the_lines_of_a_file_are_its_lines(rows: list[bytes], end: bytes, bom: bool) -> None:
    file = io.BytesIO((json_lines.BOM if bom else b"") + end.join(rows))
    expected = [(number, row.strip()) for number, row in enumerate(rows, 1) if row.strip()]
    assume(not rows or bom or not rows[0].startswith(json_lines.BOM))
    assert list(json_lines.lines(file)) == expected


def test_a_line_with_thousands_of_keys_is_refused_quickly() -> None:
    raw = ("{" + ",".join(f'"{number}":1' for number in range(7000)) + ',"6999":1}').encode()
    start = datetime.now()
    with pytest.raises(json_lines.RejectedError, match="6999: it stands twice"):
        json_lines.parse(raw)
    assert datetime.now() - start < timedelta(seconds=0.5)


# --- Addresses ------------------------------------------------------------------------------------------------

hosts = st.sampled_from(
    ["example.org", "EXAMPLE.org", "127.0.0.1", "[::1]", "a.b-c.example", "user@evil.example", "", "["]
)
ports = st.sampled_from(["", ":80", ":443", ":8443", ":0", ":x", ":99999"])
urls = st.tuples(st.sampled_from(["http", "https", "HTTPS", "javascript", ""]), hosts, ports, text).map(
    lambda bits: f"{bits[0]}://{bits[1]}{bits[2]}/{bits[3]}"
)


@pytest.mark.trust(18)
@pure
@given(urls | text)
@example("https://a.example;script-src *")
@example("https://a.example\n.evil/")
def test_an_origin_is_one_or_nothing(url: str) -> None:
    origin = origin_of(url)
    assert origin == "" or re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/@?#;,'\"]+", origin), origin
    assert origin_of(origin) == origin


def received(path_info: str) -> tuple[str, str]:
    """(Host, path) as the views see them."""
    seen: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    request = RequestFactory().post("/", HTTP_HOST="testserver")
    request.META["PATH_INFO"] = request.path = request.path_info = path_info
    AbsoluteFormMiddleware(view)(request)
    return str(seen[0].META["HTTP_HOST"]), seen[0].path


@pytest.mark.wire("4.1 accept absolute-form request targets and verify over the path alone")
@pure
@given(st.sampled_from(["http", "https"]), st.sampled_from(["://", ":/"]), text)
@example("https", "://", "v1/a?b#c")
@example("https", "://", "v1/a\tb")
def test_an_absolute_target_keeps_its_host_and_every_letter_of_its_path(scheme: str, dots: str, path: str) -> None:
    assert received(f"{scheme}{dots}portal.example:8443/{path}") == ("portal.example:8443", f"/{path}")


@pure
@given(text.map("/{}".format).filter(lambda path: not path.lstrip("/").startswith(("http:/", "https:/"))))
def test_a_plain_target_is_left_alone(path: str) -> None:
    assert received(path) == ("testserver", path)


@pure
@given(st.sampled_from(["https://", "http:/", "/https://"]), text)
@example("https://", "[")
@example("https://", "a]b/x")
def test_a_broken_absolute_target_is_no_error_here(scheme: str, rest: str) -> None:
    assert received(scheme + rest)[1].startswith("/")


# --- The scopes file ------------------------------------------------------------------------------------------

toml_values = st.recursive(
    st.booleans() | st.integers(-100, 100) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(["label", "description", "fields", "silent", "sensitive", "icon", "labels"])
entries = st.dictionaries(
    st.sampled_from(["KYC_INFO", "USER_NAME", "auth_base", "bad name", ""]),
    st.dictionaries(keys, toml_values | st.sampled_from(["Label", ["kycLevel"], ["userName"]]), max_size=4)
    | toml_values,
    max_size=3,
)


def toml(value: Any) -> str:
    """A TOML value: JSON but for objects."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


documents = entries.map(lambda tables: "\n".join(f"scopes.{json.dumps(n)} = {toml(t)}" for n, t in tables.items()))


@pure
@given(documents | text)
@example('scopes.KYC_INFO = {"label" = "KYC", "fields" = ["kycLevel"]}')
def test_a_scopes_file_gives_a_catalogue_or_says_what_is_wrong(content: str) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(content.encode("utf-8", "surrogatepass"))
        file.flush()
        catalogue = attempt(scopes._catalogue.__wrapped__, file.name, ImproperlyConfigured)
    if isinstance(catalogue, ImproperlyConfigured):
        assert str(catalogue).startswith("SCOPES_FILE")
        return
    assert set(catalogue) >= {scope.name for scope in scopes.BUILT_IN}
    for name, scope in catalogue.items():
        assert name == scope.name
        assert str(scope.label)
        assert isinstance(scope.silent, bool)
        assert all(isinstance(field, str) for field in scope.fields)
