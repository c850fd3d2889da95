"""The store on MongoDB 6.0 or later, for any number of processes; in production on a replica set.

What another program finds in the database, such as the Hub's own backend:

- one collection per ``CollectionSpec``, named as it is (``integrations``, ``runs``, ...). A document has its id as
  ``_id`` and its fields as they are, in camelCase: ``db.runs.find({collegeId, integrationId}).sort({createdAt: -1})``;
- ``records``, the canonical records of all colleges and types::

      {_id: "<college>:<type>:<key>", collegeId, dataType, key, data: {...}, deleted: false, createdAt, updatedAt,
       sources: {<integration>: {hash, version, observedAt, sourceId, runId, at, deleted,
                                 fieldVersions: [{version, observedAt, fields: [<name>, ...]}],
                                 holds: [<name> or [<name>, <entry>], ...]}}}

  indexed by ``(collegeId, dataType)`` and then ``deleted, updatedAt``, ``data.studentId`` or ``data.date``. A
  tombstone (``deleted: true``) keeps its data: leave it out. ``fieldVersions`` is there only while fields that were
  pushed are newer than the integration's last full write, whose ``version`` is null if there was none. ``holds`` is
  there where several integrations have written the record: the fields, and entries of fields that are objects, whose
  stored value is what this one said last. Names in ``fields`` and ``holds`` are as they are. In ``_id``, ``%`` and
  ``:`` of the college's id are written ``%25`` and ``%3A``;
- ``record_batches``, which batches were merged in the last week. Nobody else needs it.

Instants are texts in RFC 3339 with six decimals and ``Z``, whose order is time order. Fields that begin with an
underscore, other than ``_id``, are the store's own. In names of fields ``%`` is written ``%25``, a dot ``%2E``, a
leading dollar ``%24``, NUL ``%00``, the empty name ``%``, and at the top of a document a leading underscore ``%5F``.
Integers beyond 63 bits are Decimal128. Another program may read everything and must write nothing.
"""

from hub_storage.adapters.mongodb.store import MongoStore

__all__ = ["MongoStore"]
