"""The transformer as it runs, on the real broker and store."""

from hub_model.errors import ErrorClass
from hub_model.messages import BatchTransformed, SyncFailed
from hub_transformer.main import NAME

RECORD = {"studentId": "CS2101", "name": "John Doe", "attendance": "P", "date": "2024-01-15", "subject": "Math"}


async def test_a_fetched_batch_is_transformed_and_published(world) -> None:
    await world.connect(attendance="/attendance")
    service = await world.start()
    await world.publish(world.batch(RECORD, "not a record"))
    message = await world.next_message()
    assert isinstance(message, BatchTransformed)
    assert message.records[0]["data"] == {**RECORD, "attendance": "present"}
    assert message.rejects[0].raw == "not a record"
    assert await service.stop(5)
    assert service.ready is not None
    await service.ready()


async def test_a_batch_without_an_integration_fails_its_run_visibly_and_stores_nothing(world) -> None:
    service = await world.start()
    batch = world.batch(RECORD)
    await world.publish(batch)
    message = await world.next_message()
    assert isinstance(message, SyncFailed)
    assert (message.run_id, message.data_type, message.stage) == (batch.run_id, batch.data_type, NAME)
    assert message.code == "integration_gone"
    assert message.error_class is not ErrorClass.CONFIG
    assert "deleted" in message.public
    (dead,) = await world.broker.dead_letters.newest("transformer.batches")
    assert "integration_gone" in dead.reason
    assert await service.stop(5)


async def test_a_mapping_that_cannot_be_used_fails_the_run_as_a_matter_of_configuration(world) -> None:
    await world.connect(attendance={"path": "/a", "mapping": {"studnetId": "roll"}})
    service = await world.start()
    await world.publish(world.batch(RECORD))
    message = await world.next_message()
    assert isinstance(message, SyncFailed)
    assert (message.code, message.error_class) == ("invalid_mapping", ErrorClass.CONFIG)
    assert "studentId" in message.public
    assert await service.stop(5)


async def test_batches_that_wait_from_before_are_transformed_after_a_start(world) -> None:
    await world.connect(attendance="/attendance")
    service = await world.start()
    assert await service.stop(5)
    await world.publish(world.batch(RECORD))
    await world.restart_broker()
    service = await world.start()
    assert isinstance(await world.next_message(), BatchTransformed)
    assert await service.stop(5)
