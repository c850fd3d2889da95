"""The client for a URL: what the store relies on is set here and cannot be weakened in the URL."""

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hub_model.errors import BackendUnavailable, HubError, InvalidInput
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, InvalidName, OperationFailure, PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from hub_storage.adapters.mongodb.documents import CODEC, BsonDocument
from hub_storage.adapters.mongodb.errors import REFUSED_CODES, translated, translation

Database = AsyncDatabase[BsonDocument]

DEFAULT_DATABASE = "hub"
_WRITES = WriteConcern("majority", wtimeout=10_000, j=True)
_READS = ReadConcern("majority")
_OPTIONS: dict[str, Any] = {
    "appname": "student-hub",
    "retryWrites": True,
    "retryReads": True,
    "serverSelectionTimeoutMS": 10_000,
    "connectTimeoutMS": 10_000,
    # A batch is answered in well under a second; whoever waits half a minute waits for a machine that is gone.
    "socketTimeoutMS": 30_000,
    "waitQueueTimeoutMS": 10_000,
}


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Database]:
    """The URL's database (``hub`` if it names none), after it has answered; closed at the end.

    Raises InvalidInput for a URL that is none and for a refused user, Unavailable if no primary answers in time. No
    text repeats the URL.
    """
    client = _client(url)
    try:
        yield await _reached(client)
    finally:
        await client.close()


def _client(url: str) -> AsyncMongoClient[BsonDocument]:
    try:
        with warnings.catch_warnings():
            # An option that the driver does not know, or a value that is none: a typo that nobody would notice.
            warnings.simplefilter("error", UserWarning)
            return AsyncMongoClient(url, document_class=dict, type_registry=CODEC.type_registry, **_OPTIONS)
    except (PyMongoError, UserWarning, ValueError, TypeError):
        # The driver's message may repeat a piece of the URL, so it is not even kept as the cause.
        raise InvalidInput(
            "the store's URL is not mongodb://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS as MongoDB documents it: "
            "check its options, and that special characters in the user and the password are percent-encoded"
        ) from None


async def _reached(client: AsyncMongoClient[BsonDocument]) -> Database:
    try:
        await client.admin.command("ping")
        database = client.get_default_database(DEFAULT_DATABASE)
    except InvalidName:
        raise InvalidInput("the name of the database in the store's URL is not one that MongoDB allows") from None
    except PyMongoError as error:
        raise _refusal(client, error) from error
    return database.with_options(CODEC, ReadPreference.PRIMARY, _WRITES, _READS)


def _refusal(client: AsyncMongoClient[BsonDocument], error: PyMongoError) -> HubError:
    if isinstance(error, OperationFailure) and error.code in REFUSED_CODES:
        return InvalidInput(
            "MongoDB refused the user or the password of the store's URL: correct them, or the user's roles and "
            "authSource",
            code="store_refused",
        )
    if isinstance(error, ConfigurationError):
        return BackendUnavailable(
            "the store's URL names servers or ways to log in that do not exist: is the name of a mongodb+srv:// URL "
            "known to the DNS, and are its options right?"
        )
    if isinstance(error, ServerSelectionTimeoutError):
        hosts = ", ".join(f"{host}:{port}" for host, port in sorted(client.topology_description.server_descriptions()))
        return BackendUnavailable(
            f"no MongoDB primary could be reached at {hosts}: is it running, and is the address right?"
        )
    return translation(error, "opening it")


async def ping(database: Database) -> None:
    """Return if the primary answers; raise Unavailable."""
    with translated("asking whether it is there"):
        await database.command("ping", read_preference=ReadPreference.PRIMARY)
