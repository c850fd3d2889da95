"""The contract of the collection port: each test is a sentence of ``hub_storage.collection``.

One file, longer than most, because it is one list.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_model.base import format_datetime, parse_datetime
from hub_model.errors import Conflict, InvalidInput, NotFound, StaleVersion, TooLarge

from hub_storage.collection import VALUE_TAKEN, Collection, CollectionSpec, Document, Index, OneOf, Query, Range, Stored
from hub_storage.testing.factory import StoreFactory

NOTES = CollectionSpec(
    "notes",
    (
        Index(("owner", "rank")),
        Index(("rank",)),
        Index(("state.doneAt",)),
        Index(("slug",), unique=True),
        Index(("room", "seat"), unique=True),
    ),
)
OTHER = CollectionSpec("others", (Index(("owner",)),))
UNDECLARED = CollectionSpec("undeclared")


class CollectionContract:
    """Inherit, supply ``store_factory``, and every promise of the port is tested."""

    @pytest.fixture
    async def notes(self, store_factory: StoreFactory) -> Collection:
        return (await store_factory([NOTES, OTHER])).collection(NOTES)

    async def test_get_missing_is_none(self, notes: Collection) -> None:
        assert await notes.get("nowhere") is None

    async def test_what_was_inserted_is_read_back_at_version_1(self, notes: Collection) -> None:
        assert await notes.insert({"a": {"title": "A"}}) == frozenset()
        assert await notes.get("a") == Stored("a", 1, {"title": "A"})

    async def test_inserting_nothing_changes_nothing(self, notes: Collection) -> None:
        assert await notes.insert({}) == frozenset()
        assert await notes.count({}) == 0

    async def test_insert_twice_conflicts_and_never_overwrites_and_the_others_are_added(
        self, notes: Collection
    ) -> None:
        await notes.insert({"a": {"n": 1}})
        assert await notes.insert({"a": {"n": 2}, "b": {"n": 2}}) == {"a"}
        assert await notes.get("a") == Stored("a", 1, {"n": 1})
        assert await notes.get("b") == Stored("b", 1, {"n": 2})

    async def test_of_many_inserted_at_once_each_is_added_or_said_to_be_taken(self, notes: Collection) -> None:
        taken = {f"n{number}" for number in (0, 70, 199)}
        await notes.insert({note_id: {"n": -1} for note_id in taken})
        assert await notes.insert({f"n{number}": {"n": number} for number in range(200)}) == taken
        for number in (0, 1, 69, 70, 71, 128, 198, 199):
            stored = await notes.get(f"n{number}")
            assert stored == Stored(f"n{number}", 1, {"n": -1 if f"n{number}" in taken else number})
        assert await notes.count({}) == 200

    async def test_of_two_inserts_at_once_one_wins(self, notes: Collection) -> None:
        taken = await asyncio.gather(*(notes.insert({"a": {"n": n}}) for n in range(8)))
        assert sorted(map(len, taken)) == [0] + [1] * 7

    async def test_collections_do_not_share_documents(self, store_factory: StoreFactory) -> None:
        store = await store_factory([NOTES, OTHER])
        await store.collection(NOTES).insert({"a": {"n": 1}})
        assert await store.collection(OTHER).get("a") is None

    async def test_replace_returns_the_new_version(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 1, "gone": True}})
        assert await notes.replace("a", {"n": 2}, version=1) == 2
        assert await notes.replace("a", {"n": 3}, version=2) == 3
        assert await notes.get("a") == Stored("a", 3, {"n": 3})

    async def test_replace_with_stale_version_conflicts(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 1}})
        await notes.replace("a", {"n": 2}, version=1)
        with pytest.raises(StaleVersion):
            await notes.replace("a", {"n": 9}, version=1)
        assert await notes.get("a") == Stored("a", 2, {"n": 2})

    async def test_replace_missing_is_not_found(self, notes: Collection) -> None:
        with pytest.raises(NotFound):
            await notes.replace("a", {}, version=1)
        assert await notes.get("a") is None

    async def test_update_returns_what_is_stored_then(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 1, "kept": "yes"}})
        assert await notes.update("a", lambda note: {**note, "n": 2}) == Stored("a", 2, {"n": 2, "kept": "yes"})
        assert await notes.get("a") == Stored("a", 2, {"n": 2, "kept": "yes"})

    async def test_update_missing_is_none_and_the_change_is_not_called(self, notes: Collection) -> None:
        def change(note: Document) -> Document:
            raise AssertionError("called")

        assert await notes.update("a", change) is None

    async def test_an_update_that_returns_none_leaves_the_document_even_if_it_touched_its_copy(
        self, notes: Collection
    ) -> None:
        await notes.insert({"a": {"list": [1]}})

        def change(note: Document) -> None:
            note["list"].append(2)

        assert await notes.update("a", change) == Stored("a", 1, {"list": [1]})
        assert await notes.get("a") == Stored("a", 1, {"list": [1]})

    async def test_what_a_change_raises_is_passed_on_and_nothing_is_written(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 1}})

        def change(note: Document) -> Document:
            raise Conflict("no", code="my_own")

        with pytest.raises(Conflict) as caught:
            await notes.update("a", change)
        assert caught.value.code == "my_own"
        assert await notes.get("a") == Stored("a", 1, {"n": 1})

    async def test_update_retries_under_contention(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 0}})

        async def add_ten() -> None:
            for _ in range(10):
                await notes.update("a", lambda note: {"n": note["n"] + 1})

        await asyncio.gather(*(add_ten() for _ in range(5)))
        assert await notes.get("a") == Stored("a", 51, {"n": 50})

    async def test_delete_says_whether_there_was_one(self, notes: Collection) -> None:
        await notes.insert({"a": {}})
        assert await notes.delete("a") is True
        assert await notes.get("a") is None
        assert await notes.insert({"a": {"again": True}}) == frozenset()

    async def test_delete_missing_is_false(self, notes: Collection) -> None:
        assert await notes.delete("a") is False
        assert await notes.delete("a", version=1) is False

    async def test_delete_with_stale_version_conflicts(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 1}})
        await notes.replace("a", {"n": 2}, version=1)
        with pytest.raises(StaleVersion):
            await notes.delete("a", version=1)
        assert await notes.delete("a", version=2) is True

    async def test_delete_all_removes_every_match_and_says_how_many(self, notes: Collection) -> None:
        await notes.insert({f"n{n}": {"owner": "ann" if n % 2 else "bob", "rank": n} for n in range(1500)})
        assert await notes.delete_all({"owner": "ann", "rank": Range(gte=3)}) == 749
        assert await notes.count({}) == 751
        assert await notes.delete_all({"owner": "ann"}) == 1
        assert await notes.delete_all({"owner": "ann"}) == 0
        assert await notes.count({"owner": "bob"}) == 750
        with pytest.raises(InvalidInput):
            await notes.delete_all({"undeclared": 1})

    async def test_survives_reopen(self, store_factory: StoreFactory) -> None:
        notes = (await store_factory([NOTES])).collection(NOTES)
        await notes.insert({"a": {"rank": 1}, "b": {"rank": 2}})
        await notes.replace("a", {"rank": 3}, version=1)
        notes = (await store_factory([NOTES])).collection(NOTES)
        assert await notes.get("a") == Stored("a", 2, {"rank": 3})
        assert ids(await notes.find(Query(sort="rank"))) == ["b", "a"]

    @pytest.mark.parametrize(
        "value",
        [
            0,
            -1,
            2**53 + 1,
            2**63 - 1,
            -(2**63),
            0.1,
            1e300,
            True,
            False,
            None,
            "",
            " padded ",
            "007",
            "12.70",
            "nul \x00 inside",
            "हिन्दी, 日本語, 😀, é",
            [],
            {},
            [[1, [2, {"deep": [None, "x"]}]]],
        ],
        ids=repr,
    )
    async def test_a_json_value_is_read_back_as_it_was(self, notes: Collection, value: Any) -> None:
        await notes.insert({"a": {"value": value}})
        stored = await notes.get("a")
        assert stored is not None
        assert stored.document == {"value": value}
        assert type(stored.document["value"]) is type(value)

    async def test_keys_with_dots_and_dollars_survive(self, notes: Collection) -> None:
        document = {"a.b": 1, "$set": {"$ne": None}, "": 0, "x y": {".": "."}, '"quoted"': [{"$inc": 1}]}
        await notes.insert({"a": document})
        stored = await notes.update("a", lambda note: {**note, "n.m": 2})
        assert stored is not None
        assert stored.document == {**document, "n.m": 2}
        assert await notes.get("a") == stored

    async def test_any_text_is_an_id(self, notes: Collection) -> None:
        names = ["", "a.b", "$id", "ü/😀", "x" * 500, "'; DROP TABLE notes; --"]
        await notes.insert({name: {"n": number} for number, name in enumerate(names)})
        for number, name in enumerate(names):
            assert await notes.get(name) == Stored(name, 1, {"n": number})

    @pytest.mark.parametrize("value", [2**64, {1, 2}, b"bytes", datetime(2026, 7, 20, tzinfo=UTC), {1: 2}], ids=repr)
    async def test_what_is_not_plain_json_is_refused(self, notes: Collection, value: Any) -> None:
        await notes.insert({"a": {"n": 1}})
        with pytest.raises(InvalidInput):
            await notes.insert({"b": {"value": value}})
        with pytest.raises(InvalidInput):
            await notes.replace("a", {"value": value}, version=1)
        with pytest.raises(InvalidInput):
            await notes.update("a", lambda note: {"value": value})
        assert await notes.get("a") == Stored("a", 1, {"n": 1})
        assert await notes.get("b") is None

    @pytest.mark.parametrize("text", ["lone \ud800", "\udfff"], ids=ascii)
    async def test_half_a_surrogate_pair_is_refused_in_values_names_ids_and_questions(
        self, notes: Collection, text: str
    ) -> None:
        await notes.insert({"a": {"n": 1}})
        bad: list[dict[str, Document]] = [
            {"b": {"value": text}},
            {"b": {text: 1}},
            {"b": {"deep": [{text: 1}]}},
            {text: {}},
        ]
        for documents in bad:
            with pytest.raises(InvalidInput):
                await notes.insert(documents)
        with pytest.raises(InvalidInput):
            await notes.get(text)
        with pytest.raises(InvalidInput):
            await notes.delete(text)
        with pytest.raises(InvalidInput):
            await notes.update(text, lambda note: note)
        for criteria in ({"owner": text}, {"owner": OneOf((text,))}, {"owner": Range(gt=text)}):
            with pytest.raises(InvalidInput):
                await notes.find(Query(filter=criteria))
            with pytest.raises(InvalidInput):
                await notes.count(criteria)
        with pytest.raises(InvalidInput):
            await notes.find(Query(after=(None, text)))
        assert await notes.count({}) == 1

    @pytest.mark.parametrize("value", [2**63, 2**64 - 1, [2**63, {"n": 2**64 - 1}]], ids=repr)
    async def test_integers_up_to_64_bits_without_a_sign_are_read_back(self, notes: Collection, value: Any) -> None:
        await notes.insert({"a": {"value": value}})
        stored = await notes.get("a")
        assert stored is not None
        assert ascii(stored.document) == ascii({"value": value})

    async def test_any_name_of_a_field_is_read_back_as_it_was(self, notes: Collection) -> None:
        names = [
            "_id",
            "_version",
            "_",
            "_a.b",
            "%",
            "%25",
            "a%2Eb",
            "%2",
            "",
            "\n",
            "$",
            "$$",
            "a$b",
            "\x00",
            ".",
            "é😀",
        ]
        document = {name: {name: [{name: number}]} for number, name in enumerate(names)}
        await notes.insert({"a": document})
        stored = await notes.get("a")
        assert stored is not None
        assert stored.document == document
        assert list(stored.document) == names

    async def test_a_mebibyte_of_json_always_fits(self, notes: Collection) -> None:
        deep: Any = "x"
        for level in range(63):
            deep = {"a": deep} if level % 2 else [deep]
        for name, value in {
            "zeros": [0] * 2**19,
            "empty": [[]] * (2**20 // 3),
            "text": "x" * 2**20,
            "deep": deep,
        }.items():
            await notes.insert({name: {"value": value}})
            stored = await notes.get(name)
            assert stored is not None
            assert stored.document == {"value": value}

    async def test_a_document_that_is_too_large_is_refused_and_nothing_is_added(self, notes: Collection) -> None:
        await notes.insert({"a": {"n": 1}})
        huge = {"value": "x" * 17 * 2**20}
        with pytest.raises(TooLarge):
            await notes.insert({"b": {}, "c": huge})
        with pytest.raises(TooLarge):
            await notes.update("a", lambda note: huge)
        with pytest.raises(TooLarge):
            await notes.replace("a", huge, version=1)
        assert await notes.get("a") == Stored("a", 1, {"n": 1})
        assert await notes.count({}) == 1

    @pytest.mark.parametrize("value", [[], ["ann"], {}, {"$ne": None}, 2**63], ids=repr)
    async def test_an_indexed_field_holds_one_scalar(self, notes: Collection, value: Any) -> None:
        await notes.insert({"a": {"owner": "ann"}})
        with pytest.raises(InvalidInput):
            await notes.insert({"b": {"owner": value}})
        with pytest.raises(InvalidInput):
            await notes.update("a", lambda note: {"owner": value})
        with pytest.raises(InvalidInput):
            await notes.replace("a", {"owner": value}, version=1)
        with pytest.raises(InvalidInput):
            await notes.insert({"b": {"state": [{"doneAt": "x"}]}})
        assert ids(await notes.find(Query(filter={"owner": "ann"}))) == ["a"]

    @pytest.mark.parametrize(
        "value",
        [{"$ne": None}, {"$gt": ""}, {"$regex": "."}, ["ann"], {"$in": ["ann"]}, float("nan"), 2**63, b"ann"],
        ids=repr,
    )
    async def test_no_value_of_a_filter_is_an_operator(self, notes: Collection, value: Any) -> None:
        await notes.insert({"a": {"owner": "ann"}})
        for criteria in ({"owner": value}, {"owner": OneOf((value,))}, {"owner": Range(gt=value)}):
            with pytest.raises(InvalidInput):
                await notes.find(Query(filter=criteria))
            with pytest.raises(InvalidInput):
                await notes.count(criteria)
        with pytest.raises(InvalidInput):
            await notes.find(Query(sort="owner", after=(value, "a")))
        for text in ("$ne", "$owner", '{"$ne": null}', "ann' OR '1'='1", "^a"):
            assert await notes.find(Query(filter={"owner": text})) == []

    async def test_instants_keep_microseconds_and_their_text_order_is_time_order(self, notes: Collection) -> None:
        start = datetime(2026, 7, 20, 23, 59, 59, 999_998, tzinfo=UTC)
        instants = [start + timedelta(microseconds=n) for n in range(4)]
        await notes.insert({f"i{n}": {"state": {"doneAt": format_datetime(at)}} for n, at in enumerate(instants)})
        found = await notes.find(Query(sort="state.doneAt"))
        assert [parse_datetime(note.document["state"]["doneAt"]) for note in found] == instants
        late = await notes.find(Query(filter={"state.doneAt": Range(gt=format_datetime(instants[1]))}))
        assert ids(late) == ["i2", "i3"]

    async def test_returned_value_is_a_copy(self, notes: Collection) -> None:
        mine: Document = {"list": [1], "rank": 1}
        await notes.insert({"a": mine})
        mine["list"].append(2)
        for stored in [await notes.get("a"), *await notes.find(Query()), await notes.update("a", lambda _: None)]:
            assert stored is not None
            assert stored.document["list"] == [1]
            stored.document["list"].append(3)
        kept: Document = {"list": [1]}
        changed = await notes.update("a", lambda _: kept)
        assert changed is not None
        changed.document["list"].append(4)
        kept["list"].append(5)
        assert await notes.get("a") == Stored("a", 2, {"list": [1]})

    async def test_find_by_equality_ordered_and_limited(self, notes: Collection) -> None:
        await notes.insert({f"n{n}": {"owner": "ann" if n % 2 else "bob", "rank": 9 - n} for n in range(10)})
        query = Query(filter={"owner": "ann"}, sort="rank", limit=3)
        assert ids(await notes.find(query)) == ["n9", "n7", "n5"]
        query = Query(filter={"owner": "ann"}, sort="rank", limit=3, descending=True)
        assert ids(await notes.find(query)) == ["n1", "n3", "n5"]
        assert ids(await notes.find(Query(filter={"owner": "ann", "rank": 4}))) == ["n5"]
        assert await notes.find(Query(filter={"owner": "eve"})) == []

    async def test_without_a_sort_the_order_is_that_of_the_ids(self, notes: Collection) -> None:
        await notes.insert({name: {} for name in ["b", "B", "a", "é", "z", "10", "9"]})
        assert ids(await notes.find(Query())) == ["10", "9", "B", "a", "b", "z", "é"]
        assert ids(await notes.find(Query(descending=True, limit=2))) == ["é", "z"]

    async def test_equal_sort_values_are_ordered_by_id_in_the_same_direction(self, notes: Collection) -> None:
        await notes.insert({name: {"rank": rank} for name, rank in [("b", 1), ("c", 1), ("a", 1), ("d", 0)]})
        assert ids(await notes.find(Query(sort="rank"))) == ["d", "a", "b", "c"]
        assert ids(await notes.find(Query(sort="rank", descending=True))) == ["c", "b", "a", "d"]

    async def test_filtering_by_none_finds_null_and_missing(self, notes: Collection) -> None:
        await notes.insert({"null": {"owner": None}, "missing": {}, "set": {"owner": "ann"}, "empty": {"owner": ""}})
        assert ids(await notes.find(Query(filter={"owner": None}))) == ["missing", "null"]

    async def test_booleans_are_found(self, notes: Collection) -> None:
        await notes.insert({"yes": {"owner": True}, "no": {"owner": False}, "none": {}})
        assert ids(await notes.find(Query(filter={"owner": True}))) == ["yes"]
        assert ids(await notes.find(Query(filter={"owner": False}))) == ["no"]

    @pytest.mark.parametrize(
        ("bounds", "expected"),
        [
            (Range(gt=2), ["n3", "n4"]),
            (Range(gte=2), ["n2", "n3", "n4"]),
            (Range(lt=2), ["n0", "n1"]),
            (Range(lte=2), ["n0", "n1", "n2"]),
            (Range(gt=0, lt=3), ["n1", "n2"]),
            (Range(gte=3, lte=3), ["n3"]),
            (Range(gt=3, lt=3), []),
            (Range(), ["n0", "n1", "n2", "n3", "n4"]),
        ],
        ids=repr,
    )
    async def test_a_range_excludes_documents_without_the_field(
        self, notes: Collection, bounds: Range, expected: list[str]
    ) -> None:
        await notes.insert({f"n{n}": {"rank": n} for n in range(5)} | {"null": {"rank": None}, "missing": {}})
        assert ids(await notes.find(Query(filter={"rank": bounds}))) == expected
        assert await notes.count({"rank": bounds}) == len(expected)

    async def test_a_range_holds_values_of_the_kind_of_its_bounds(self, notes: Collection) -> None:
        await notes.insert(
            {"one": {"rank": 1}, "half": {"rank": 0.5}, "a": {"rank": "a"}, "b": {"rank": "b"}, "none": {}}
        )
        assert ids(await notes.find(Query(filter={"rank": Range(gt=0)}))) == ["half", "one"]
        assert ids(await notes.find(Query(filter={"rank": Range(lt=1)}))) == ["half"]
        assert ids(await notes.find(Query(filter={"rank": Range(gt="a")}))) == ["b"]
        assert ids(await notes.find(Query(filter={"rank": Range(lte="a")}))) == ["a"]
        assert await notes.count({"rank": Range(lt="b")}) == 1

    async def test_null_comes_first_then_numbers_then_texts(self, notes: Collection) -> None:
        ranks = {"t2": "b", "n2": 10, "z": None, "t1": "B", "n1": -1.5, "t0": "", "n3": 2**53 + 1}
        await notes.insert({name: {"rank": rank} for name, rank in ranks.items()} | {"m": {}})
        expected = ["m", "z", "n1", "n2", "n3", "t0", "t1", "t2"]
        assert ids(await notes.find(Query(sort="rank"))) == expected
        assert ids(await notes.find(Query(sort="rank", descending=True))) == expected[::-1]

    @pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
    async def test_paging_meets_values_of_every_kind_once(self, notes: Collection, descending: bool) -> None:
        ranks = [None, 3, "x", True, 2.5, "", False, -1, None, "x", 3, 2**62, True, "\x00", "😀"]
        await notes.insert({f"n{n:02}": {"rank": rank} for n, rank in enumerate(ranks)} | {"missing": {}})
        whole = Query(sort="rank", descending=descending)
        expected = ids(await notes.find(whole))
        assert len(expected) == 16
        for limit in (1, 3, 7):
            assert ids(await walk(notes, whole, limit)) == expected

    async def test_one_of_finds_any_of_the_values(self, notes: Collection) -> None:
        await notes.insert({f"n{n}": {"rank": n} for n in range(5)} | {"missing": {}})
        assert ids(await notes.find(Query(filter={"rank": OneOf((1, 3, 99))}))) == ["n1", "n3"]
        assert ids(await notes.find(Query(filter={"rank": OneOf((None, 4))}))) == ["missing", "n4"]
        assert await notes.find(Query(filter={"rank": OneOf(())})) == []

    async def test_fields_of_fields_are_found_by_dotted_path(self, notes: Collection) -> None:
        await notes.insert({"in": {"state": {"doneAt": "x"}}, "flat": {"state.doneAt": "x"}, "text": {"state": "x"}})
        assert ids(await notes.find(Query(filter={"state.doneAt": "x"}))) == ["in"]

    async def test_count_says_how_many_match(self, notes: Collection) -> None:
        await notes.insert({f"n{n}": {"owner": "ann", "rank": n} for n in range(7)})
        assert await notes.count({}) == 7
        assert await notes.count({"owner": "ann", "rank": Range(gte=5)}) == 2
        assert await notes.count({"owner": "bob"}) == 0

    @pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
    @pytest.mark.parametrize("sort", ["rank", None])
    async def test_paging_meets_every_document_once_with_ties_and_nulls(
        self, notes: Collection, sort: str | None, descending: bool
    ) -> None:
        ranks = [3, None, 1, 1, 1, 2, 2, None, 0, 3, None]
        await notes.insert({f"n{n:02}": {"owner": "ann", "rank": rank} for n, rank in enumerate(ranks)})
        await notes.insert({"m1": {"owner": "bob", "rank": 1}, "n99": {"owner": "ann"}})
        whole = Query(filter={"owner": "ann"}, sort=sort, descending=descending)
        expected = ids(await notes.find(whole))
        assert len(expected) == 12
        for limit in (1, 2, 5):
            assert ids(await walk(notes, whole, limit)) == expected

    @pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
    async def test_paging_is_complete_while_documents_are_inserted(self, notes: Collection, descending: bool) -> None:
        await notes.insert({f"n{n:03}": {"rank": n // 2} for n in range(40)})
        seen: list[str] = []
        after = None
        for page in range(100):
            query = Query(filter={"rank": Range(gte=0)}, sort="rank", descending=descending, limit=7, after=after)
            found = await notes.find(query)
            if not found:
                break
            seen += ids(found)
            after = (found[-1].document["rank"], found[-1].id)
            await notes.insert({f"x{page}-{rank}": {"rank": rank} for rank in (0, 10, 19)})
        assert len(seen) == len(set(seen))
        assert {f"n{n:03}" for n in range(40)} <= set(seen)

    async def test_a_field_that_no_index_declares_is_refused(self, notes: Collection) -> None:
        for query in (Query(filter={"title": "x"}), Query(sort="title"), Query(filter={"state": "x"})):
            with pytest.raises(InvalidInput):
                await notes.find(query)
        with pytest.raises(InvalidInput):
            await notes.count({"title": "x"})

    async def test_a_unique_value_is_taken_once(self, notes: Collection) -> None:
        await notes.insert({"a": {"slug": "s"}, "b": {"slug": "t"}})
        assert await notes.insert({"c": {"slug": "s"}, "d": {"slug": "u"}}) == {"c"}
        assert await notes.get("c") is None
        with pytest.raises(Conflict) as caught:
            await notes.update("b", lambda note: {"slug": "s"})
        assert caught.value.code == VALUE_TAKEN
        with pytest.raises(Conflict) as caught:
            await notes.replace("b", {"slug": "s"}, version=1)
        assert caught.value.code == VALUE_TAKEN
        assert await notes.get("b") == Stored("b", 1, {"slug": "t"})

    async def test_two_documents_of_one_insert_cannot_share_a_unique_value(self, notes: Collection) -> None:
        taken = await notes.insert({"a": {"slug": "s"}, "b": {"slug": "s"}})
        assert len(taken) == 1
        assert await notes.count({"slug": "s"}) == 1

    async def test_a_unique_value_is_free_again_when_its_document_changes_or_goes(self, notes: Collection) -> None:
        await notes.insert({"a": {"slug": "s"}, "b": {"slug": "t"}})
        await notes.replace("a", {"slug": "x"}, version=1)
        await notes.delete("b")
        assert await notes.insert({"c": {"slug": "s"}, "d": {"slug": "t"}}) == frozenset()

    async def test_a_unique_index_ignores_documents_that_lack_all_its_fields(self, notes: Collection) -> None:
        assert await notes.insert({"a": {}, "b": {}, "c": {"n": 1}}) == frozenset()
        assert await notes.insert({"d": {"slug": None}, "e": {"slug": None}}) == frozenset()

    async def test_a_unique_index_of_two_fields_takes_a_missing_one_for_a_value(self, notes: Collection) -> None:
        assert await notes.insert({"a": {"room": "1"}}) == frozenset()
        assert await notes.insert({"b": {"room": "1"}}) == {"b"}
        assert await notes.insert({"c": {"room": "1", "seat": "1"}, "d": {"room": "2", "seat": "1"}}) == frozenset()
        assert await notes.insert({"e": {"room": "1", "seat": "1"}}) == {"e"}

    async def test_a_collection_that_was_not_opened_is_refused(self, store_factory: StoreFactory) -> None:
        store = await store_factory([NOTES])
        with pytest.raises(InvalidInput):
            store.collection(UNDECLARED)

    async def test_without_its_index_the_store_does_not_open(self, store_factory: StoreFactory) -> None:
        loose = CollectionSpec("notes", (Index(("slug",)),))
        notes = (await store_factory([loose])).collection(loose)
        assert await notes.insert({"a": {"slug": "s"}, "b": {"slug": "s"}}) == frozenset()
        with pytest.raises(Conflict):
            await store_factory([NOTES])

    async def test_an_index_that_is_no_longer_declared_binds_no_more_or_is_told(
        self, store_factory: StoreFactory
    ) -> None:
        await store_factory([NOTES])
        loose = CollectionSpec("notes", (Index(("slug",)),))
        store = await store_factory([loose])
        refused = await store.collection(loose).insert({"a": {"slug": "s"}, "b": {"slug": "s"}})
        assert bool(await store.undeclared_indexes()) is bool(refused)

    async def test_a_store_that_is_open_answers_and_closes_twice(self, store_factory: StoreFactory) -> None:
        store = await store_factory([NOTES])
        await store.ping()
        await store.close()
        await store.close()


def ids(found: Sequence[Stored]) -> list[str]:
    return [stored.id for stored in found]


async def walk(collection: Collection, query: Query, limit: int) -> list[Stored]:
    """All pages of the query, each asked for after the last document of the one before."""
    seen: list[Stored] = []
    after = None
    for _ in range(100):
        found = await collection.find(
            Query(filter=query.filter, sort=query.sort, descending=query.descending, limit=limit, after=after)
        )
        seen += found
        if len(found) < limit:
            return seen
        after = (found[-1].document.get(query.sort) if query.sort else None, found[-1].id)
    raise AssertionError("the walk does not end")
