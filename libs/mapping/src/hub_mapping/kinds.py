"""Turns a raw value into what a canonical field of some kind holds: exactly, or not at all.

Every reader takes any JSON value, gives None for null and blank text, and raises InvalidInput for what it refuses.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.json_values import check_json, check_name
from hub_mapping.numbers import to_decimal, to_integer
from hub_mapping.schemas import Field, Kind
from hub_mapping.texts import clean_text, number_text, scalar_text
from hub_mapping.times import date_reader, datetime_reader, to_clock
from hub_mapping.vocabularies import MAX_WORD, Unmapped, Vocabulary, normal_form

Read = Callable[[object], object]

_MAX_ENTRIES = 500


def reader(field: Field, zone: ZoneInfo) -> Read:
    """The reader of one field. A word may come out as Unmapped; everything else is final."""
    if field.kind is Kind.WORD and field.words is not None:
        return _word_reader(field.words)
    limit = field.max_length
    readers: dict[Kind, Callable[[], Read]] = {
        Kind.TEXT: lambda: _text_reader(limit),
        Kind.ID: lambda: _id_reader(limit),
        Kind.EMAIL: lambda: _email_reader(limit),
        Kind.INTEGER: lambda: to_integer,
        Kind.DECIMAL: lambda: to_decimal,
        Kind.DATE: lambda: date_reader(zone),
        Kind.CLOCK: lambda: to_clock,
        Kind.INSTANT: lambda: datetime_reader(zone),
        Kind.IDS: lambda: _ids_reader(limit),
        Kind.TEXTS: lambda: _texts_reader(limit),
        Kind.OBJECT: lambda: _read_object,
        Kind.JSON: lambda: check_json,
    }
    return readers[field.kind]()


def plain_length(field: Field) -> int:
    """Up to which length text is taken as it is, trimmed, if it is ASCII without NUL; -1: it always has to be read.

    Invariant: for such text the reader of the field gives the same.
    """
    return field.max_length if field.kind in (Kind.TEXT, Kind.ID) else -1


def _text_reader(limit: int) -> Read:
    def read(value: object) -> str | None:
        if type(value) is str:
            return clean_text(value, limit)
        return None if value is None else number_text(value)

    return read


def _id_reader(limit: int) -> Read:
    """Ids are text. A number is written out exactly; one with a fraction may have lost digits (1.10 is 1.1)."""

    def read(value: object) -> str | None:
        if type(value) is str:
            return clean_text(value, limit)
        if value is None:
            return None
        if type(value) is float and not value.is_integer():
            raise flaw("not_an_id", "Is a number with a fraction; ids are text, so send it as text.")
        return number_text(value)

    return read


def _email_reader(limit: int) -> Read:
    def read(value: object) -> str | None:
        if type(value) is str:
            text = clean_text(value, limit)
            return text.lower() if text else None
        if value is None:
            return None
        raise unexpected("text", value)

    return read


def _word_reader(vocabulary: Vocabulary) -> Read:
    table = vocabulary.table
    # Most values are spelt in one of few ways: one look-up for those, the normal form for the rest.
    usual = {
        spelling: word
        for text, word in {**dict.fromkeys(vocabulary.words), **vocabulary.synonyms}.items()
        for word in [word or text]
        for spelling in (text, text.upper(), text.lower(), text.capitalize(), text.title())
    }

    def read(value: object) -> object:
        if type(value) is str:
            if word := usual.get(value):
                return word
            text = clean_text(value, MAX_WORD)
            return None if text is None else table.get(normal_form(text)) or stray(Unmapped.of(text))
        if value is None:
            return None
        if type(value) is Unmapped:
            return stray(value)
        if isinstance(value, int | float):
            return table.get(scalar_text(value)) or stray(Unmapped.of(value))
        raise unexpected("a word", value)

    def stray(unmapped: Unmapped) -> Unmapped:
        if vocabulary.strict:
            raise flaw("not_allowed", f"Is not one of {', '.join(vocabulary.words)}; translate it with map.")
        return unmapped

    return read


def _ids_reader(limit: int) -> Read:
    read_id = _id_reader(limit)

    def read(value: object) -> list[object] | None:
        if value is None or value == "":
            return None
        if type(value) is not list:
            raise flaw("wrong_type", 'Expected a list of ids; make one of text with ["split", ","].')
        if len(value) > _MAX_ENTRIES:
            raise flaw("too_long", f"Has {len(value)} entries; at most {_MAX_ENTRIES} are kept.")
        # A set: whoever teaches two classes of a subject teaches one subject.
        return list(dict.fromkeys(text for text in map(read_id, value) if text is not None))

    return read


def _texts_reader(limit: int) -> Read:
    read_text = _text_reader(limit)

    def read(value: object) -> dict[str, object] | None:
        if value is None or value == "":
            return None
        if type(value) is not dict:
            raise unexpected("an object of texts", value)
        if len(value) > _MAX_ENTRIES:
            raise flaw("too_long", f"Has {len(value)} entries; at most {_MAX_ENTRIES} are kept.")
        for name in value:
            check_name(name)
        texts = {name: read_text(text) for name, text in value.items()}
        return {name: text for name, text in texts.items() if text is not None}

    return read


def _read_object(value: object) -> object:
    if value is None or value == "":
        return None
    if type(value) is not dict:
        raise unexpected("an object", value)
    return check_json(value)
