//! Every SQL statement of recap: writing conversation states, reading lists and statistics,
//! generations and migrations. It knows nothing of Kafka and nothing of HTTP.
//!
//! Start with [`Writer::flush`] for how a batch becomes rows and why nothing can be lost on the way,
//! with [`Reader`] and [`Snapshot`] for what the dashboards ask, and with `migrations/` for the tables.

mod batch;
mod bulk;
mod bytes;
mod changes;
mod compare;
mod error;
mod filter;
mod generation;
mod generation_offsets;
mod items;
mod json;
mod key;
mod load;
mod metadata;
mod page;
mod payloads;
mod plan;
mod profiles;
mod reader;
mod row;
mod schema;
mod select;
mod stats;
mod upsert;
mod users;
mod writer;

pub use batch::{AgentWrite, Base, Batch, BatchBuilder, Entry, UserFields, UserWrite};
pub use changes::{Change, ChangeListener, ListenError, OrgBuckets};
pub use compare::{ColumnDifference, Comparison, Difference, OrganizationTotals};
pub use error::{FlushError, ReadError};
pub use filter::{Filter, Include, MetadataFilter, Position};
pub use generation::{
    Generation, GenerationError, GenerationId, GenerationStatus, copy_generation, create_generation, create_indexes,
    discard_generation, list_generations, live_generation, reopen_generation, switch_generation,
};
pub use generation_offsets::{GenerationOffset, generation_offsets, save_offsets, settle_generation};
pub use items::{Feedback, ToolCall};
pub use key::ConversationKey;
pub use page::{Node, Page};
pub use reader::{PageStatements, READER_SETTINGS, Reader, ReaderOptions, Snapshot};
pub use row::Row;
pub use schema::{SchemaError, check_schema, migrate};
pub use stats::Stats;
pub use writer::{FlushReport, Writer, WriterOptions};
