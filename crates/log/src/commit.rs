//! Committing offsets, with a bound on the wait: rust-rdkafka's own waits for the broker however long it is away, and a consumer that waits neither polls nor stops.
#![expect(unsafe_code, reason = "rust-rdkafka commits to no queue of the caller's")]

use std::{ffi::c_int, ptr, time::Duration};

use rdkafka::{
    TopicPartitionList, bindings as c,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{IsError as _, KafkaError, KafkaResult, RDKafkaErrorCode},
};

/// Commits these offsets, and waits for the broker's answer for at most `timeout`. After that the commit may still happen.
pub fn commit_within<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<()> {
    let client = consumer.client().native_ptr();
    let milliseconds = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the client and the offsets are borrowed, so alive; librdkafka copies the offsets. The queue and the event are destroyed after their last use;
    // an answer that comes later finds a queue that librdkafka itself keeps until then.
    let error = unsafe {
        let queue = c::rd_kafka_queue_new(client);
        let mut error = c::rd_kafka_commit_queue(client, offsets.ptr(), queue, None, ptr::null_mut());
        if !error.is_error() {
            let event = c::rd_kafka_queue_poll(queue, milliseconds);
            error = if event.is_null() {
                c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT
            } else {
                c::rd_kafka_event_error(event)
            };
            if !event.is_null() {
                c::rd_kafka_event_destroy(event);
            }
        }
        c::rd_kafka_queue_destroy(queue);
        error
    };
    // Nothing to commit is no failure.
    if !error.is_error() || RDKafkaErrorCode::from(error) == RDKafkaErrorCode::NoOffset {
        Ok(())
    } else {
        Err(KafkaError::ConsumerCommit(error.into()))
    }
}
