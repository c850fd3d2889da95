"""Transforms of text: trim, lower, upper, string, regex, tail, strip_html, urlencode. Each also of a list's entries."""

from urllib.parse import quote
from zoneinfo import ZoneInfo

from hub_mapping.flaws import flaw
from hub_mapping.json_values import MAX_TEXT
from hub_mapping.markup import text_of_html
from hub_mapping.patterns import compile_pattern
from hub_mapping.texts import check_unicode, number_text, scalar_text
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, each, plain, texts


def _text(value: object) -> str:
    return value if type(value) is str else number_text(value)


def _sound(value: object) -> str:
    """Text that can be written as UTF-8, and is not endless."""
    text = _text(value)
    if len(text) > MAX_TEXT:
        raise flaw("too_long", f"Has {len(text)} characters; at most {MAX_TEXT} are read.")
    check_unicode(text)
    return text


def _regex(arguments: Arguments, _zone: ZoneInfo) -> Step:
    pattern = arguments[0] if arguments else None
    if not isinstance(pattern, str) or len(arguments) > 2:
        raise bad_arguments("it takes an RE2 expression, then which group to keep if not the first")
    compiled = compile_pattern(pattern)
    group = arguments[1] if len(arguments) == 2 else min(1, compiled.groups)
    if type(group) is not int or not 0 <= group <= compiled.groups:
        raise bad_arguments(f"its groups are 0, which is all that matches, to {compiled.groups}")

    def search(value: object) -> object:
        match = compiled.search(_sound(value))
        return None if match is None else match.group(group)

    convert = each(search)
    return lambda value, _record: convert(value)


def _tail(arguments: Arguments, _zone: ZoneInfo) -> Step:
    (mark,) = texts(arguments, least=1, most=1)
    if not mark:
        raise bad_arguments("it takes the text after which to keep")
    convert = each(lambda value: _text(value).rpartition(mark)[2])
    return lambda value, _record: convert(value)


def _strip_html(arguments: Arguments, _zone: ZoneInfo) -> Step:
    languages = texts(arguments, least=0, most=1)
    language = languages[0] if languages else None
    convert = each(lambda value: text_of_html(_text(value), language) or None)
    return lambda value, _record: convert(value)


TEXT_TRANSFORMS = (
    Transform(
        "trim", "Text without spaces around it.", '"trim"', plain(each(lambda value: _text(value).strip())),
        Example("trim", " CS01 ", "CS01"),
    ),
    Transform(
        "lower", "Text in lower case.", '"lower"', plain(each(lambda value: _text(value).lower())),
        Example("lower", "A@B.edu", "a@b.edu"),
    ),
    Transform(
        "upper", "Text in upper case.", '"upper"', plain(each(lambda value: _text(value).upper())),
        Example("upper", "cs01", "CS01"),
    ),
    Transform(
        "string", "A number, or true and false, written out exactly; text as it is.", '"string"',
        plain(each(scalar_text)), Example("string", 101, "101"),
    ),
    Transform(
        "regex", "What an RE2 expression finds first: its first group, or another; nothing if it finds nothing.",
        '["regex", "course_([0-9]+)"] or ["regex", "([A-Z]+)-([0-9]+)", 2]', _regex,
        Example(["regex", "course_([0-9]+)"], "user_1_course_42", "42"),
    ),
    Transform(
        "tail", "What follows the last of these marks; all of the text if there is none.", '["tail", "#"]', _tail,
        Example(["tail", "#"], "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy", "Tardy"),
    ),
    Transform(
        "strip_html", "The text that a reader of the HTML sees; of Moodle's languages the first, or the one named.",
        '"strip_html" or ["strip_html", "en"]', _strip_html,
        Example("strip_html", "<p>Good <b>work</b> &amp; so on</p>", "Good work & so on"),
    ),
    Transform(
        "urlencode", "Text as it may stand in a path or a query.", '"urlencode"',
        plain(each(lambda value: quote(_sound(value), safe=""))),
        Example("urlencode", "course-v1:X+CS1", "course-v1%3AX%2BCS1"),
    ),
)  # fmt: skip
