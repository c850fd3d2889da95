"""JSON documents as BSON, and back, without loss; what BSON cannot say is written in its names (see the package)."""

import re
from collections.abc import Callable
from typing import Any, cast

import bson
from bson import Decimal128, Int64
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from hub_model.errors import InvalidInput, TooLarge

BsonDocument = dict[str, Any]

# The server's own limit, which counts nothing but the document.
_MAX_BYTES = 16 * 1024 * 1024
# Documented: no more than 100 levels. A record's data begins at the second.
_MAX_LEVELS = 98
_MIN_INT64, _MAX_INT64 = -(2**63), 2**63 - 1
_UNSAFE = re.compile(r"[%.\x00]|\A\$|\A\Z")
_ESCAPED = re.compile(r"%(25|2E|00|24|5F|\Z)")


class _PlainInt(TypeDecoder):
    """The driver marks integers that were 64 bits wide with a class of its own; a document has plain ones."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


class _BigInt(TypeDecoder):
    """Only integers are ever written as decimals."""

    bson_type = Decimal128

    def transform_bson(self, value: Any) -> int:
        return int(value.to_decimal())


CODEC: CodecOptions[BsonDocument] = CodecOptions(type_registry=TypeRegistry([_PlainInt(), _BigInt()]))


def escape_name(name: str) -> str:
    """A field's name as the database has it: without dots, and without what would make it an operator."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}" if found[0] else "%", name)


def unescape_name(name: str) -> str:
    """The inverse of :func:`escape_name` and :func:`escape_top_name`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", name) if "%" in name else name


def escape_top_name(name: str) -> str:
    """The same for a name at the top of a document, where an underscore begins what is the store's own."""
    return f"%5F{escape_name(name[1:]) if len(name) > 1 else ''}" if name.startswith("_") else escape_name(name)


def to_bson(value: Any, escape: Callable[[str], str] = escape_name, levels: int = _MAX_LEVELS) -> Any:
    """Plain JSON, as ``json_text`` reads it, for the driver; ``escape`` is for the names at its top."""
    if isinstance(value, dict | list) and levels == 0:
        raise InvalidInput(f"a document is nested more than {_MAX_LEVELS} levels deep")
    if isinstance(value, dict):
        return {escape(name): to_bson(inner, escape_name, levels - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [to_bson(inner, escape_name, levels - 1) for inner in value]
    if isinstance(value, int) and not _MIN_INT64 <= value <= _MAX_INT64:
        return Decimal128(str(value))
    return value


def from_bson(value: Any) -> Any:
    """The inverse of :func:`to_bson`; always a copy."""
    if isinstance(value, dict):
        return {unescape_name(name): from_bson(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [from_bson(inner) for inner in value]
    return value


def encode(document: BsonDocument) -> BsonDocument:
    """The document as it is sent; encoded here, so that a batch fails before any of it is written."""
    data = bson.encode(document, codec_options=CODEC)
    if len(data) > _MAX_BYTES:
        raise TooLarge(f"a document of {len(data)} bytes is larger than the {_MAX_BYTES} that MongoDB holds")
    return cast("BsonDocument", RawBSONDocument(data))  # the driver takes either
