//! The ids of topics: one that was deleted and created anew under the same name has another id (KIP-516, Kafka 2.8).
//!
//! rust-rdkafka has no call for it, so this module calls librdkafka itself, as `commit` does.
#![expect(unsafe_code, reason = "rust-rdkafka has no DescribeTopics")]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char, c_int},
    ptr,
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    bindings as c,
    consumer::{BaseConsumer, Consumer as _},
    error::{IsError as _, KafkaError, RDKafkaErrorCode},
};
use uuid::Uuid;

use crate::{LogError, complaints::Complaints};

const TIMEOUT: Duration = Duration::from_secs(10);
/// How the id of librdkafka's built-in cluster begins (2.12.1, `rd_kafka_mock_cluster_new`). It never answers this question.
const BUILT_IN: &str = "mockCluster";

/// The ids of the topics that exist; `None` where the broker has no ids, and none at all in librdkafka's built-in cluster.
pub(crate) fn topic_ids(
    client: &BaseConsumer<Complaints>,
    topics: &[Arc<str>],
) -> Result<BTreeMap<Arc<str>, Option<Uuid>>, LogError> {
    let failed = |code| LogError::kafka("ask for the ids of topics")(KafkaError::MetadataFetch(code));
    let cluster = client.client().fetch_cluster_id(TIMEOUT);
    if cluster
        .ok_or_else(|| failed(RDKafkaErrorCode::OperationTimedOut))?
        .starts_with(BUILT_IN)
    {
        return Ok(BTreeMap::new());
    }
    // A name with a zero byte is no topic's.
    let names: Vec<CString> = topics.iter().filter_map(|topic| CString::new(&**topic).ok()).collect();
    describe(client.client().native_ptr(), &names).map_err(failed)
}

type Described = Result<BTreeMap<Arc<str>, Option<Uuid>>, RDKafkaErrorCode>;

fn describe(client: *mut c::rd_kafka_t, names: &[CString]) -> Described {
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout = c_int::try_from(TIMEOUT.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: `client` is alive, since its owner is borrowed by the caller. Everything made here is destroyed here, after its last use: the
    // names outlive the collection, and what is read out of the event is copied before the event is destroyed.
    unsafe {
        let collection = c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = c::rd_kafka_AdminOptions_new(client, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        c::rd_kafka_AdminOptions_set_request_timeout(options, timeout, ptr::null_mut(), 0);
        let queue = c::rd_kafka_queue_new(client);
        c::rd_kafka_DescribeTopics(client, collection, options, queue);
        // The request has its own time limit; this one only bounds a client that does not answer at all.
        let event = c::rd_kafka_queue_poll(queue, timeout.saturating_mul(2));
        let described = read(event);
        if !event.is_null() {
            c::rd_kafka_event_destroy(event);
        }
        c::rd_kafka_queue_destroy(queue);
        c::rd_kafka_AdminOptions_destroy(options);
        c::rd_kafka_TopicCollection_destroy(collection);
        described
    }
}

/// # Safety
/// `event` is null, or the answer to `DescribeTopics` and alive.
unsafe fn read(event: *mut c::rd_kafka_event_t) -> Described {
    if event.is_null() {
        return Err(RDKafkaErrorCode::OperationTimedOut);
    }
    // SAFETY: the event is alive, and so is all that it owns; librdkafka says how many topics there are.
    unsafe {
        let error = c::rd_kafka_event_error(event);
        if error.is_error() {
            return Err(error.into());
        }
        let result = c::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let mut count = 0;
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let mut ids = BTreeMap::new();
        for index in 0..count {
            let topic = *topics.add(index);
            // The error of a topic that is there is null, or says that there is none.
            let error = c::rd_kafka_TopicDescription_error(topic);
            if !error.is_null() && c::rd_kafka_error_code(error).is_error() {
                continue;
            }
            let name = CStr::from_ptr(c::rd_kafka_TopicDescription_name(topic));
            let id = c::rd_kafka_TopicDescription_topic_id(topic);
            let (high, low) = if id.is_null() {
                (0, 0)
            } else {
                (
                    c::rd_kafka_Uuid_most_significant_bits(id),
                    c::rd_kafka_Uuid_least_significant_bits(id),
                )
            };
            let id = Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned());
            ids.insert(name.to_string_lossy().into(), Some(id).filter(|id| !id.is_nil()));
        }
        Ok(ids)
    }
}
