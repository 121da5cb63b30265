//! Kafka, once: what recap's programs know about the log of events they have in common.
//!
//! It names partitions and positions ([`Partition`], [`Offsets`]), reads the flags and variables that say where Kafka is
//! ([`KafkaArgs`], [`LogArgs`]), configures every client ([`Cluster`]), reads a range of the log without joining a consumer
//! group ([`LogReader`], [`OffsetLookup`]), publishes ([`Publisher`], [`RenewedProducer`]), and reads headers that may not be UTF-8 ([`headers()`]).
//!
//! It is not for consuming as a member of a group (`recap-projector`), for what an event means (`recap-events`), and it holds
//! nothing of PostgreSQL. Start reading at [`Cluster`], then [`LogReader`].

mod args;
mod cluster;
mod commit;
mod complaints;
mod error;
mod headers;
mod lag;
mod lookup;
mod offsets;
mod options;
mod pace;
mod partition;
mod producer;
mod publisher;
mod reader;
mod rights;
mod sharding;
mod topic;
mod topic_ids;

pub use args::{DeadLetterArgs, InvalidKafkaArgs, KafkaArgs, LogArgs};
pub use cluster::{Cluster, Log};
pub use commit::commit_within;
pub use error::LogError;
pub use headers::{RecordHeader, UnreadableHeader, headers, silence_header_panics};
pub use lag::Lag;
pub use lookup::{Extent, OffsetLookup, TopicIds};
pub use offsets::Offsets;
pub use pace::Pace;
pub use partition::Partition;
pub use producer::RenewedProducer;
pub use publisher::{PublishError, Publisher};
pub use reader::{LogReader, Order};
pub use rights::{MissingRight, is_refusal, missing_rights};
pub use sharding::worker_of;
pub use topic::{Topic, is_topic_name};
