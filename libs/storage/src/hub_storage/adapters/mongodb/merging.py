"""A batch merged without a transaction, by any number of processes at once, each of which may die at any point.

- A record is written whole, and only over the revision that the decision was made on: whoever was slower reads it
  again and decides again. So an older version cannot overwrite a newer one.
- **Invariant:** once a batch has written a record, what it did to it can be read for a week: from the batch's mark
  on the record, which is written with it, or from the batch's own document, which is written when all of its
  records are. A mark is dropped only by a later write that has seen that document. So a batch that comes again,
  after a crash at any point, takes up the outcomes it had and decides about the rest alone.
- Records are read before the batch's document is looked for. Otherwise another process could finish the batch, and
  a third drop its marks, between the two.
"""

from collections.abc import Iterable, Mapping, Sequence

from hub_model.records import Outcome, RecordWrite
from pymongo import InsertOne, ReplaceOne, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.errors import BulkWriteError, DuplicateKeyError

from hub_storage.adapters.mongodb.contention import rounds
from hub_storage.adapters.mongodb.documents import BsonDocument
from hub_storage.adapters.mongodb.errors import translated, unexpected
from hub_storage.adapters.mongodb.record_documents import (
    Known,
    Mark,
    batch_token,
    known_fields,
    set_prefix,
    to_document,
    to_known,
    to_rules,
)
from hub_storage.json_text import to_text
from hub_storage.merged_batches import CODES, OUTCOMES, REMEMBERED_FOR
from hub_storage.merging import Decision, Rules
from hub_storage.records import MergeBatch

_DOING = "merging records"
_Write = InsertOne[BsonDocument] | ReplaceOne[BsonDocument]


class BatchMerge:
    """One merge of one batch."""

    def __init__(
        self, records: AsyncCollection[BsonDocument], batches: AsyncCollection[BsonDocument], batch: MergeBatch
    ) -> None:
        self._records = records
        self._batches = batches
        self._batch = batch
        self._rules = Rules(batch)
        self._prefix = set_prefix(batch.college_id, batch.data_type)
        self._token = batch_token(batch)

    async def run(self) -> list[Outcome]:
        """The outcomes, in the order of the batch."""
        to_text([write.key for write in self._batch.writes])  # whatever cannot be stored cannot be asked for either
        outcomes: dict[str, Outcome] = {}
        pending: Sequence[RecordWrite] = self._batch.writes
        has_written = False
        with translated(_DOING):
            async for _ in rounds(_DOING):
                known = await self._known(pending)
                # Whatever a batch was merged to, its records are there then, and none is ever removed: one that is
                # missing says that there is nothing to be told.
                if len(known) == len(pending) and (told := await self._told()):
                    return told
                marked = self._marked(known)
                has_written = has_written or bool(marked)
                outcomes |= marked
                outcomes |= self._settled(known, [write for write in pending if write.key not in marked])
                pending = [write for write in pending if write.key not in outcomes]
                if pending:
                    has_written = True
                    decisions = await self._decide(pending, known)
                    if await self._write(decisions, known) and len(decisions) == len(pending):
                        outcomes |= {decision.key: decision.outcome for decision in decisions}
                        pending = []
                if not pending:
                    break
            ordered = [outcomes[write.key] for write in self._batch.writes]
            return await self._remember(ordered) if has_written else ordered

    async def _known(self, writes: Sequence[RecordWrite]) -> Mapping[str, Known]:
        """By key, what is known of the records that are stored."""
        integration_id = self._batch.integration_id
        return {
            document["_id"][len(self._prefix) :]: to_known(document, integration_id)
            async for document in self._found(writes, known_fields(integration_id))
        }

    async def _told(self) -> list[Outcome] | None:
        """What the batch did, if it was merged to its end before."""
        document = await self._batches.find_one({"_id": {"$eq": self._batch_id(self._token)}})
        return _outcomes(document) if document else None

    def _marked(self, known: Mapping[str, Known]) -> dict[str, Outcome]:
        """By key, what this batch did when it came before and was cut off."""
        return {key: mark.outcome for key, found in known.items() for mark in found.marks if mark.batch == self._token}

    def _settled(self, known: Mapping[str, Known], writes: Iterable[RecordWrite]) -> dict[str, Outcome]:
        entries = ((write, known[write.key].entry if write.key in known else None) for write in writes)
        return {write.key: outcome for write, entry in entries if (outcome := self._rules.settled(write, entry))}

    async def _decide(self, writes: Sequence[RecordWrite], known: Mapping[str, Known]) -> list[Decision]:
        """What to write. A record that was changed since it was looked at is refused by the revision seen then."""
        stored = [write for write in writes if write.key in known]
        found: dict[str, BsonDocument] = {}
        if stored:
            found = {document["key"]: document async for document in self._found(stored)}
        return [
            self._rules.decide(write, to_rules(found[write.key]) if write.key in known else None)
            for write in writes
            if write.key in found or write.key not in known
        ]

    async def _write(self, decisions: Sequence[Decision], known: Mapping[str, Known]) -> bool:
        """Write; False if some of it met what somebody else has written meanwhile."""
        finished = await self._finished({mark.batch for key in known for mark in known[key].marks})
        operations = [self._operation(decision, known.get(decision.key), finished) for decision in decisions]
        if not operations:
            return False
        replaced = sum(1 for operation in operations if isinstance(operation, ReplaceOne))
        try:
            result = await self._records.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            if problem := unexpected(error, _DOING):
                raise problem from error
            return False
        return result.matched_count == replaced

    def _operation(self, decision: Decision, known: Known | None, finished: frozenset[str]) -> _Write:
        marks = [mark for mark in known.marks if self._is_needed(mark, finished)] if known else []
        marks.append(Mark(self._token, decision.outcome, self._batch.merged_at))
        revision = known.revision if known else 0
        document = to_document(self._batch, decision, revision + 1, marks)
        if known is None:
            return InsertOne(document)
        guard = {"_id": {"$eq": self._prefix + decision.key}, "_revision": {"$eq": revision}}
        return ReplaceOne(guard, document)

    def _is_needed(self, mark: Mark, finished: frozenset[str]) -> bool:
        return mark.batch not in finished and mark.at > self._batch.merged_at - REMEMBERED_FOR

    async def _finished(self, tokens: Iterable[str]) -> frozenset[str]:
        """Which of these batches have documents of their own."""
        ids = [self._batch_id(token) for token in tokens]
        if not ids:
            return frozenset()
        cursor = self._batches.find({"_id": {"$in": ids}}, ["_id"])
        return frozenset([document["_id"][len(self._prefix) :] async for document in cursor])

    async def _remember(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write the batch's document, or take what another delivery of it, which was quicker, has written."""
        codes = "".join(CODES[outcome] for outcome in outcomes)
        async for _ in rounds(_DOING):
            try:
                document = await self._batches.find_one_and_update(
                    {"_id": self._batch_id(self._token)},
                    # The server's clock, because the server's clock decides when the week is over.
                    {"$setOnInsert": {"outcomes": codes}, "$currentDate": {"mergedAt": True}},
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                continue  # two upserts at once, of which the server did not repeat the slower
            if document is not None:
                return _outcomes(document)
        raise AssertionError("rounds end by themselves")

    def _batch_id(self, token: str) -> str:
        return self._prefix + token

    def _found(self, writes: Sequence[RecordWrite], fields: Sequence[str] | None = None) -> AsyncCursor[BsonDocument]:
        """What is stored of these records, in one answer: otherwise the first would hold a hundred, and a second the
        rest."""
        ids = [self._prefix + write.key for write in writes]
        return self._records.find({"_id": {"$in": ids}}, fields, batch_size=len(ids) + 1)


def _outcomes(document: BsonDocument) -> list[Outcome]:
    return [OUTCOMES[code] for code in document["outcomes"]]
