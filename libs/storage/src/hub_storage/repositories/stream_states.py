"""How far each stream of an integration has been read (``hub_model.stream_states``)."""

from datetime import datetime
from typing import Any

from hub_model.base import format_datetime
from hub_model.ids import derived_id
from hub_model.stream_states import StreamState

from hub_storage.collection import CollectionSpec, Document, Index
from hub_storage.store import Store

SPEC = CollectionSpec("stream_states", (Index(("collegeId", "integrationId", "stream")),))


class StreamStates:
    """Invariant: what a run has covered is added to what is known, and an older run never takes anything back."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def find(self, college_id: str, integration_id: str, stream: str) -> StreamState | None:
        """The state of a stream, None before its first complete walk."""
        stored = await self._collection.get(_id(college_id, integration_id, stream))
        return None if stored is None else StreamState.model_validate(stored.document["state"])

    async def advance(
        self, college_id: str, integration_id: str, stream: str, state: StreamState, *, began_at: datetime
    ) -> None:
        """Add what a walk, that began then, has covered. Repeatable.

        Where the endpoint was changed meanwhile, the state of the run that began later stands. A mark by itself is
        nothing: if what the walk went on from was forgotten meanwhile, it is not kept.
        """
        state_id = _id(college_id, integration_id, stream)
        new: Document = {
            "collegeId": college_id,
            "integrationId": integration_id,
            "stream": stream,
            "beganAt": format_datetime(began_at),
            "state": _dumped(state),
        }

        def add(document: Document) -> Document | None:
            stored, is_older = StreamState.model_validate(document["state"]), document["beganAt"] > new["beganAt"]
            if is_older and stored.identity != state.identity:
                return None
            joined = state.joined(stored) if is_older else stored.joined(state)
            changed = {**new, "beganAt": max(document["beganAt"], new["beganAt"]), "state": _dumped(joined)}
            return None if changed == document else changed

        if await self._collection.update(state_id, add) is not None:
            return
        if state.token is not None and state.full_at is None:
            return
        if await self._collection.insert({state_id: new}):
            await self._collection.update(state_id, add)  # another run was first

    async def forget(self, college_id: str, integration_id: str) -> None:
        """Make the next sync read everything."""
        await self._collection.delete_all({"collegeId": college_id, "integrationId": integration_id})


def _id(college_id: str, integration_id: str, stream: str) -> str:
    return derived_id(college_id, integration_id, stream)


def _dumped(state: StreamState) -> dict[str, Any]:
    return state.model_dump(mode="json", by_alias=True)
