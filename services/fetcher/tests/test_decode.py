"""From bytes to a value, or to an error that says what came instead: every format, charset and mishap."""

import gzip
from typing import Any

import orjson
import pytest
from hub_fetcher.responses.decode import Decoded, Reading, decode
from hub_fetcher.responses.unreadable import UnreadableBody
from hub_fetcher.responses.xml_tree import Lists, parse_xml
from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, HubError, SourceError, TransientError
from hypothesis import given
from hypothesis import strategies as st

RAHUL = {"id": "0101", "name": "Rahul"}


def read(body: bytes, content_type: str = "", **request: Any) -> Decoded:
    return decode(body, content_type, Reading(Request.model_validate({"path": "/s", **request})), label="/s")


def value(body: bytes, content_type: str = "", **request: Any) -> Any:
    return read(body, content_type, **request).value


def refusal(body: bytes, content_type: str = "", **request: Any) -> HubError:
    with pytest.raises(HubError) as caught:
        read(body, content_type, **request)
    assert caught.value.__cause__ is None
    return caught.value


# JSON


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b" \n ", "empty_body"),
        (b"<students><student/></students>", "web_page"),
        (b"OK", "not_json"),
        (b"\xff\xfe", "empty_body"),
        (b"\xff\xfea", "bad_charset"),
        (gzip.compress(b"{}", mtime=0), "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"[" * 100_000 + b"]" * 100_000, "not_json"),
        (b'{"a": 1}{"a": 2}', "not_json"),
        (b'{"a": "\xc9"}', "not_json"),
    ],
)
def test_what_is_no_json_is_an_error(body: bytes, code: str) -> None:
    error = refusal(body, "application/json")
    assert isinstance(error, UnreadableBody)
    assert error.code == code


@pytest.mark.parametrize("body", [b'{"data": [{"id": 1}, {"id"', b'[{"id": 1}, {"id": 2}', b"[" * 100_000])
def test_json_that_breaks_off_is_worth_another_try(body: bytes) -> None:
    error = refusal(body)
    assert isinstance(error, TransientError)
    assert error.code == "truncated_response"
    assert "pageSize" in error.public


@pytest.mark.parametrize(
    ("page", "code", "expected"),
    [
        (
            b"<html><form><input name='u'><input type = \"password\" name='p'></form></html>",
            "credentials_refused",
            ErrorClass.AUTH,
        ),
        (b"<!DOCTYPE html><h1>Down for Maintenance</h1>", "source_maintenance", ErrorClass.TRANSIENT),
        (b"<html><title>504 Gateway Time-out</title></html>", "source_unavailable", ErrorClass.TRANSIENT),
        (b"<br />\n<b>Fatal error</b>:  Maximum execution time", "source_unavailable", ErrorClass.TRANSIENT),
        (b"<html>Too Many Requests</html>", "rate_limited", ErrorClass.RATE),
        (b"<!doctype html><html><div id=root></div></html>", "web_page", ErrorClass.CONFIG),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "web_page", ErrorClass.CONFIG),
        (b"<!-- proxy --><html></html>", "web_page", ErrorClass.CONFIG),
    ],
)
@pytest.mark.parametrize("format_", ["auto", "json", "csv", "ndjson", "text"])
def test_a_web_page_is_told_by_what_it_is(page: bytes, code: str, expected: ErrorClass, format_: str) -> None:
    error = refusal(page, "text/html", format=format_)
    assert (error.code, error.error_class) == (code, expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"Invalid API key", "credentials_refused"),
        (b"Unauthorized", "credentials_refused"),
        (b"Too Many Requests", "rate_limited"),
        (b"Hello", "not_json"),
    ],
)
def test_a_message_in_plain_text_is_told_by_what_it_says(text: bytes, code: str) -> None:
    assert refusal(text, "text/plain").code == code


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"name": "\xc3\x89va"}', "text/html"),
        (b'\xef\xbb\xbf{"name": "\xc3\x89va"}', "application/json; charset=utf-8"),
        (b'{"name": "\xc3\x89va"}', "application/json; charset=iso-8859-1"),
        (b'{"name": "\xc3\x89va"}', "application/json; charset=klingon"),
        (b'{"name": "\xc9va"}', 'application/json; charset="iso-8859-1"'),
        (b'{"name": "\xc9va"}', "application/json; charset=windows-1252"),
        ('{"name": "\xc9va"}'.encode("utf-16"), "application/json; charset=utf-16"),
        ('{"name": "\xc9va"}'.encode("utf-16"), "application/json; charset=utf-8"),
        ('{"name": "\xc9va"}'.encode("utf-16-le"), ""),
        ('{"name": "\xc9va"}'.encode("utf-16-be"), "application/json"),
        ('{"name": "\xc9va"}'.encode("utf-32"), ""),
        (b'  {"name": "\\u00c9va"}\n', ""),
    ],
)
def test_content_types_may_lie_and_charsets_may_differ(body: bytes, content_type: str) -> None:
    assert value(body, content_type) == {"name": "\xc9va"}


@given(st.integers(min_value=-(10**40), max_value=10**40))
def test_no_digit_of_a_whole_number_is_lost(number: int) -> None:
    told = str(number).encode()
    exact = number if -(2**63) <= number < 2**64 else str(number)
    assert value(b'{"id": ' + told + b"}")["id"] == exact
    assert orjson.loads(orjson.dumps(exact)) == exact
    lines = value(b'{"id": ' + told + b'}\n{"id": 1}', format="ndjson")
    assert [line["id"] for line in lines] == [exact, 1]
    assert value(b"id,n\n" + told + b",1", format="csv") == [{"id": str(number), "n": "1"}]
    assert value(b"<r><id>" + told + b"</id></r>", format="xml") == {"r": {"id": str(number)}}


# NDJSON


@pytest.mark.parametrize(
    ("body", "content_type", "format_"),
    [
        (b'{"id": 1}\n{"id": 2}\n', "", "auto"),
        (b'{"id": 1}\r\n\r\n{"id": 2}', "text/plain", "auto"),
        (b'{"id": 1}\n{"id": 2}', "", "ndjson"),
        (b'\xef\xbb\xbf{"id": 1}\n{"id": 2}', "application/x-ndjson", "auto"),
    ],
)
def test_lines_of_json_are_records(body: bytes, content_type: str, format_: str) -> None:
    assert value(body, content_type, format=format_) == [{"id": 1}, {"id": 2}]


def test_one_line_is_a_line_only_where_the_source_or_the_endpoint_says_so() -> None:
    assert value(b'{"id": 1}') == {"id": 1}
    assert value(b'{"id": 1}', "application/x-ndjson") == [{"id": 1}]
    assert value(b'{"id": 1}\n', format="ndjson") == [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"id": 1}\n{"id": 2', "truncated_response"),
        (b'{"id": 1}\nid 2}', "not_ndjson"),
        (b"", "empty_body"),
    ],
)
def test_a_torn_line_spoils_the_page(body: bytes, code: str) -> None:
    assert refusal(body, format="ndjson").code == code


def test_no_line_is_no_record_only_where_the_endpoint_says_so() -> None:
    assert value(b"\n", format="ndjson", missingRecords="empty") == []


# CSV and lines of text


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (b"id,name\n0101,Rahul\n", {}),
        (b"\xef\xbb\xbfid,name\r\n0101,Rahul\r\n", {}),
        ("id,name\n0101,Rahul".encode("utf-16"), {}),
        (b'"id","name"\n"0101","Rahul"', {}),
        (b" id ,name\n\n0101,Rahul\n,\n", {}),
        (b"id;name\n0101;Rahul", {"text": {"delimiter": ";"}}),
        (b"0101\tRahul", {"text": {"delimiter": "\t", "columns": ["id", "name"]}}),
        (b"id,name\n0101,Rahul,,\n", {}),
    ],
)
def test_csv_becomes_records_of_text(body: bytes, request_: dict[str, Any]) -> None:
    assert value(body, format="csv", **request_) == [RAHUL]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends() -> None:
    rows = value(b'id,note\n1,"a, ""b""\r\nc"\n', format="csv")
    assert rows == [{"id": "1", "note": 'a, "b"\r\nc'}]


@pytest.mark.parametrize("content_type", ["text/csv", "text/csv; charset=utf-8; header=present"])
def test_csv_is_known_by_its_content_type_alone(content_type: str) -> None:
    assert value(b"id,name\n0101,Rahul", content_type) == [RAHUL]
    assert value(b"id\tname\n0101\tRahul", "text/tab-separated-values") == [RAHUL]
    assert value(b'[{"id": "0101", "name": "Rahul"}]', content_type) == [RAHUL]
    assert refusal(b"id,name\n0101,Rahul", "text/plain").code == "not_json"


@pytest.mark.parametrize(("header", "place"), [(b"id,name,id", 3), (b"id,,name", 2), (b",id", 1), (b"id,name,", 3)])
def test_a_header_with_a_double_or_missing_name_is_an_error(header: bytes, place: int) -> None:
    error = refusal(header + b"\n1,2,3", format="csv")
    assert (error.code, error.error_class) == ("bad_header", ErrorClass.CONFIG)
    assert f"Column {place} " in error.public


def test_a_header_is_never_repeated_since_it_may_be_data() -> None:
    error = refusal(b"canary,canary\n1,2", format="csv")
    assert "canary" not in str(error) + error.public


def test_a_ragged_line_is_no_record_and_is_seen() -> None:
    decoded = read(b"id,name\n1,Rao, Rahul\n2,Asha\n3\n", format="csv")
    assert decoded.value == [
        {"#cells": ["1", "Rao", " Rahul"]},
        {"id": "2", "name": "Asha"},
        {"#cells": ["3"]},
    ]
    assert decoded.ragged == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"Hello", "not_csv"),
        (b"Invalid user", "credentials_refused"),
        (b"id;name\n1;2", "not_csv"),
        (b"id,name\n1,2,3\n", "not_csv"),
        (b'id,name\n1,"Rah', "truncated_response"),
        (b'id,name\n1,"a"b', "not_csv"),
        (b'"id" ,"name"\n1,a', "not_csv"),
        (b"id,name\n1,\xff", "not_csv"),
        (b"", "empty_body"),
    ],
)
def test_text_without_the_columns_is_never_zero_records(body: bytes, code: str) -> None:
    assert refusal(body, format="csv").code == code


def test_a_header_alone_is_zero_records() -> None:
    assert value(b"id,name\n", format="csv") == []


def test_lines_of_text_may_leave_out_columns_at_their_end_and_hold_quotes() -> None:
    text = {"delimiter": "\t", "columns": ["code", "at", "direction"]}
    decoded = read(b'0101\t2026-07-20 08:31:10\tin\r\n0102\t2026-07-20 "x\r\nLogs\r\n', format="text", text=text)
    assert decoded.value == [
        {"code": "0101", "at": "2026-07-20 08:31:10", "direction": "in"},
        {"code": "0102", "at": '2026-07-20 "x'},
        {"#cells": ["Logs"]},
    ]
    assert decoded.ragged == 1
    assert refusal(b"Unathorised", format="text", text=text).code == "credentials_refused"
    assert refusal(b"No such device", format="text", text=text).code == "not_text"


# XML


def test_xml_becomes_objects_by_local_names() -> None:
    document = b"""<?xml version="1.0"?>
        <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
          <a:students xmlns:a="urn:a" a:term="1"><a:student id="7">Rahul<b/></a:student></a:students>
        </s:Body></s:Envelope>"""
    assert parse_xml(document) == {
        "Envelope": {"Body": {"students": {"@term": "1", "student": {"@id": "7", "b": "", "#text": "Rahul"}}}}
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("<r><a/></r>", {"r": {"a": ""}}),
        ("<r><a> x </a></r>", {"r": {"a": " x "}}),
        ("<r><a>1</a><a>2</a><a/></r>", {"r": {"a": ["1", "2", ""]}}),
        ("<r>\n</r>", {"r": ""}),
        ("<r><a><![CDATA[<b>&]]></a></r>", {"r": {"a": "<b>&"}}),
        ("<r><a>&lt;&#9;&amp;</a><!-- c --><?p i?></r>", {"r": {"a": "<\t&"}}),
        ('<r><n type="integer">007</n><d type="date"/></r>', {"r": {"n": "007", "d": ""}}),
        ('<r><n nil="true"/></r>', {"r": {"n": None}}),
        ('<r xmlns:x="http://www.w3.org/2001/XMLSchema-instance"><n x:nil="true" x:type="y"/></r>', {"r": {"n": None}}),
        ('<r type="array"><n>1</n></r>', {"r": {"n": ["1"]}}),
        ('<r><n type="quiz">1</n></r>', {"r": {"n": {"@type": "quiz", "#text": "1"}}}),
        ('<r><n id=" 5 "/></r>', {"r": {"n": {"@id": " 5 "}}}),
    ],
)
def test_each_part_of_xml_has_its_place(document: str, expected: Any) -> None:
    assert parse_xml(document) == expected
    assert parse_xml(document.encode()) == expected


@pytest.mark.parametrize(
    ("document", "records_path", "named", "expected"),
    [
        ("<s><r>1</r></s>", "s.r", (), {"s": {"r": ["1"]}}),
        ("<s/>", "s.r", (), {"s": {"r": []}}),
        ("<s>\n</s>", "s.r", (), {"s": {"r": []}}),
        ("<s n='0'/>", "s.r", (), {"s": {"@n": "0", "r": []}}),
        ("<s><o/></s>", "s.r", (), {"s": {"o": ""}}),
        ("<s><r>1</r></s>", "s.x", ("r",), {"s": {"r": ["1"]}}),
        ("<s><r><m>1</m></r></s>", "s.r", ("r.m",), {"s": {"r": [{"m": ["1"]}]}}),
        ("<s><mr>1</mr></s>", None, ("r",), {"s": {"mr": "1"}}),
        ("<s><c><r>1</r></c></s>", "s.c.*.r", (), {"s": {"c": [{"r": ["1"]}]}}),
        ("<r>1</r>", "r", (), {"r": ["1"]}),
    ],
)
def test_a_single_child_is_a_list_where_the_endpoint_says_so(
    document: str, records_path: str | None, named: tuple[str, ...], expected: Any
) -> None:
    assert parse_xml(document, Lists(records_path, named)) == expected


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<?xml version='1.0' encoding='iso-8859-1'?><r>\xc9va</r>", "text/xml"),
        (b"<?xml version='1.0' encoding='utf-8'?><r>\xc9va</r>", "text/xml; charset=iso-8859-1"),
        (b"<?xml version='1.0' encoding='utf-8'?><r>\xc3\x89va</r>", "text/html"),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='iso-8859-1'?><r>\xc3\x89va</r>", ""),
        ("<?xml version='1.0' encoding='utf-16'?><r>\xc9va</r>".encode("utf-16"), "text/xml"),
        ("<?xml version='1.0'?><r>\xc9va</r>".encode("utf-16-le"), "text/xml"),
        (b"<r>\xc3\x89va</r>", "application/atom+xml"),
    ],
)
def test_xml_is_read_in_the_encoding_that_it_has(body: bytes, content_type: str) -> None:
    assert value(body, content_type) == {"r": "\xc9va"}


def test_xml_is_known_by_its_content_type_or_its_first_bytes_alone() -> None:
    assert read(b"<r/>", "text/xml").value == {"r": ""}
    assert read(b"<soap:Envelope xmlns:soap='u'/>").value == {"Envelope": ""}
    assert read(b"<r/>", format="xml").value == {"r": ""}
    assert refusal(b"<r/>", "application/json").code == "web_page"


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>',
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        b'<!DOCTYPE r SYSTEM "http://127.0.0.1/evil.dtd"><r/>',
        b'<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1/p"> %p;]><r/>',
        b"<!DOCTYPE r><r/>",
        b"<a>" * 101 + b"</a>" * 101,
    ],
)
def test_hostile_xml_is_refused(document: bytes) -> None:
    assert refusal(document, "text/xml").code == "unsafe_xml"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"<r><a>1</a>", "not_xml"),
        (b"<r><a>1</a", "truncated_response"),
        (b"<r>&undefined;</r>", "not_xml"),
        (b"<r a='1' a='2'/>", "not_xml"),
        (b"<?xml version='1.0' encoding='klingon'?><r/>", "not_xml"),
        (b"<a>" * 50_000, "unsafe_xml"),
        (b"<r/><r/>", "not_xml"),
    ],
)
def test_xml_that_is_not_well_formed_is_an_error(document: bytes, code: str) -> None:
    assert refusal(document, "text/xml", format="xml").code == code


def test_huge_attributes_and_texts_are_read_like_others() -> None:
    size = 1_000_000
    many = " ".join(f'a{place}="{place}"' for place in range(20_000))
    assert parse_xml(f'<r><a b="{"x" * size}"/></r>')["r"]["a"]["@b"] == "x" * size
    assert len(parse_xml(f"<r {many}/>")["r"]) == 20_000


# All of them


@given(
    body=st.binary(max_size=200)
    | st.text(alphabet="<>/={}[]\",;:&!?-ab1 \n\t'", max_size=80).map(str.encode)
    | st.sampled_from([b"<r>", b"{", b"id,name\n", b"<!DOCTYPE", b"\xff\xfe", b"\x1f\x8b"]),
    content_type=st.sampled_from(["", "application/json", "text/csv", "text/xml", "text/html; charset=utf-16", "x"]),
    format_=st.sampled_from(["auto", "json", "ndjson", "csv", "xml", "text"]),
    columns=st.sampled_from([None, ["a"], ["a", "b"]]),
)
def test_no_bytes_at_all_raise_anything_but_errors_of_ours(
    body: bytes, content_type: str, format_: str, columns: list[str] | None
) -> None:
    try:
        decoded = read(body, content_type, format=format_, text={"columns": columns})
    except (SourceError, TransientError):
        return
    assert decoded.value is None or orjson.dumps(decoded.value)
