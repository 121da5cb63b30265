//! Every SQL statement of recap: writing conversation states, reading lists and statistics,
//! generations and migrations. It knows nothing of Kafka and nothing of HTTP.
//!
//! A program that writes or operates has a [`Store`], one that answers dashboards a [`Reader`]; sqlx stays inside. Start with
//! [`Store::flush`] (`write.rs`) for how a batch becomes rows and why nothing can be lost on the way, with [`Snapshot`] (`read.rs`)
//! for what the dashboards ask, with `columns.rs` for the columns of a conversation and with `migrations/` for the tables.
//!
//! Events become a batch, a batch becomes rows, and a page shows them:
//!
//! ```no_run
//! use recap_events::Event;
//! use recap_store::{BatchBuilder, Filter, Include, Page, Reader, Sort, Store, StoreOptions, Target};
//!
//! async fn write_and_read(url: &str, events: &[Event<'_>], filter: &Filter) -> Result<Page, Box<dyn std::error::Error>> {
//!     let options = StoreOptions::new(url, "example");
//!     let store = Store::new(&options)?;
//!     store.migrate().await?;
//!
//!     let mut builder = BatchBuilder::default();
//!     for event in events {
//!         builder.add(event);
//!     }
//!     let live = store.live_generation().await?;
//!     store.flush(Target::Live(live), &mut builder.build()).await?;
//!
//!     let reader = Reader::new(&options)?;
//!     let mut snapshot = reader.snapshot("org_acme").await?;
//!     let page = snapshot.page(filter, Include::ALL, Sort::UpdatedAt, None, 50).await?;
//!     snapshot.finish().await?;
//!     Ok(page)
//! }
//! ```

mod batch;
mod changes;
mod columns;
mod connect;
mod database_url;
mod error;
mod generation;
mod generation_id;
mod key;
mod lease;
mod metadata;
mod org_buckets;
mod placement;
mod progress;
mod read;
mod sql;
mod statistics;
mod store;
mod table;
mod watchdog;
mod write;

pub use batch::{AgentWrite, Base, Batch, BatchBuilder, Entry, UserFields, UserWrite};
pub use changes::{Change, ChangeListener, ListenError};
pub use database_url::DatabaseUrl;
pub use error::{DatabaseError, FlushError, ReadError};
pub use generation::{
    ColumnDifference, Comparison, Difference, Generation, GenerationError, GenerationOffset, GenerationStatus,
    OrganizationTotals, RebuildLock, SchemaError, Share, Shares,
};
pub use generation_id::GenerationId;
pub use key::ConversationKey;
pub use org_buckets::OrgBuckets;
pub use progress::{Advance, Holdings, ProgressError, ProjectedOffset};
pub use read::{
    Breakdown, Bucket, ByteLimit, Feedback, FeedbackFilter, Figures, Filter, Group, GroupBy, Groups, Include,
    LogPosition, Memory, MetadataFilter, Node, Outline, OutlineEntry, Page, PageStatements, Position, READER_SETTINGS,
    RangeOn, Reader, Replication, Row, Snapshot, Sort, Stats, ToolCall,
};
pub use store::{Store, StoreOptions};
pub use write::{
    Attempt, BatchFlush, FlushReport, Target,
    listing::{Listed, Looks},
};
