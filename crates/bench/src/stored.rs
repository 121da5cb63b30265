//! Fills a generation with conversations as if they had been projected long ago, set by set in SQL: ten million events
//! through Kafka would measure nothing but waiting. Rows, columns and indexes are those of the projector; the states are
//! valid and all alike. Primary keys are made last, as loosely packed as random inserts leave them.
//!
//! Conversation i belongs to the largest organization when 5 divides i (so it holds 20%), else to one of 49 others. Of each
//! organization's conversations, 4 in 80 are sub-conversations, in chains up to 4 deep. Half of the largest organization's lie
//! in one month two years ago, all others in the last 360 days, later ones later.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use recap_events::{Change, Message, Micros, Millis, RawJson, Usage, UserProfile};
use recap_store::{Batch, GenerationId, Store, Target, UserWrite};
use recap_summary::Conversation;
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinSet;

use super::stack::Database;

/// The largest organization.
pub const LARGEST: &str = "org_stored_0";

/// Conversations inserted by one statement.
const SLICE: i64 = 100_000;
/// Slices between checkpoints, which bound the write-ahead log on the disk.
const SLICES_A_CHECKPOINT: i64 = 10;
/// Tables that are filled without their primary keys, and the keys.
const KEYS: [(&str, &str); 3] = [
    ("conversation_summary", "org_id, conversation_id"),
    ("tool_call", "org_id, conversation_id, tool_call_id"),
    ("feedback", "org_id, conversation_id, feedback_id"),
];

/// What to fill in.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub conversations: i64,
    /// Users of the largest organization; each other one has 500.
    pub users: i64,
    pub contents: Contents,
}

/// How wide the rows are, and what is beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Short states and texts and nothing beside: writing others sees how many rows and index entries there are.
    Rows,
    /// The same with short tool calls, feedback and profiles: ten million fit on a disk.
    Short,
    /// As wide as the log's.
    Full,
}

impl Contents {
    /// An SQL expression for a piece of the text that is parameter `parameter`, of `least` to `most` characters when full.
    fn piece(self, parameter: u8, least: u32, most: u32) -> String {
        let (least, most) = match self {
            Self::Full => (least, most),
            Self::Rows | Self::Short => (20, 60),
        };
        let range = most - least;
        // Of bytes: to find a character of a text, all before it would be counted.
        format!("convert_from(substr(${parameter}, (1 + h % 60000)::int, ({least} + h * 7 % {range})::int), 'UTF8')")
    }

    const fn messages(self) -> i64 {
        match self {
            Self::Full => 20,
            Self::Rows | Self::Short => 1,
        }
    }
}

/// Ids of user n of an organization.
pub fn user_id(n: i64) -> String {
    format!("user_stored_{n}")
}

/// Migrates the database and makes a filled generation live in place of the empty one.
pub async fn fill(database: &Database, stored: Stored, now: DateTime<Utc>) -> anyhow::Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let options = database
        .url
        .parse::<PgConnectOptions>()?
        .options([("synchronous_commit", "off"), ("maintenance_work_mem", "1GB")]);
    let pool = PgPoolOptions::new()
        .max_connections(u32::try_from(workers)?.max(4))
        .connect_with(options)
        .await?;
    let store = database.store()?;
    store.migrate().await?;
    let empty = store.live_generation().await?;
    let filled = store.create_generation().await?;
    let schema = filled.schema();
    for (table, _) in KEYS {
        let statement = format!("ALTER TABLE {schema}.{table} DROP CONSTRAINT {table}_pkey");
        execute(&pool, statement).await?;
    }
    let mut running = JoinSet::new();
    let next = Arc::new(AtomicI64::new(0));
    for _ in 0..workers {
        let (pool, next) = (pool.clone(), Arc::clone(&next));
        running.spawn(async move { fill_slices(&pool, filled, stored, now, &next).await });
    }
    if stored.contents != Contents::Rows {
        fill_users(&store, filled, stored).await?;
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    for (table, key) in KEYS {
        let pool = pool.clone();
        let statement = format!("ALTER TABLE {schema}.{table} ADD PRIMARY KEY ({key}) WITH (fillfactor = 70)");
        running.spawn(async move { execute(&pool, statement).await });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    store.create_indexes(filled).await?;
    store.switch_generation(empty, filled, &[], &[]).await?;
    store.discard_generation(empty).await?;
    execute(&pool, String::from("VACUUM ANALYZE")).await?;
    execute(&pool, String::from("CHECKPOINT")).await?;
    store.close().await;
    pool.close().await;
    Ok(())
}

async fn execute(pool: &PgPool, statement: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await?;
    Ok(())
}

/// Fills one slice after the other until none is left.
async fn fill_slices(
    pool: &PgPool,
    generation: GenerationId,
    stored: Stored,
    now: DateTime<Utc>,
    next: &AtomicI64,
) -> anyhow::Result<()> {
    loop {
        let slice = next.fetch_add(1, Ordering::Relaxed);
        let first = 1 + slice * SLICE;
        if first > stored.conversations {
            return Ok(());
        }
        let last = (first + SLICE - 1).min(stored.conversations);
        fill_slice(pool, generation, stored, now, first, last)
            .await
            .with_context(|| format!("filling in conversations {first} to {last}"))?;
        if slice % SLICES_A_CHECKPOINT == SLICES_A_CHECKPOINT - 1 {
            execute(pool, String::from("CHECKPOINT")).await?;
        }
    }
}

/// The remainders of a conversation's hash by which one in a thousand differs from the others: in its agent, its model, its tool, its tool's error.
const RARE: i64 = 1;
/// The agent, the model and the tool of such ones.
pub const RARE_AGENT: i64 = 9_999;
pub const RARE_NAME: &str = "rare";

async fn fill_slice(
    pool: &PgPool,
    generation: GenerationId,
    stored: Stored,
    now: DateTime<Utc>,
    first: i64,
    last: i64,
) -> anyhow::Result<()> {
    let schema = generation.schema();
    let state = example_state(now, stored.contents.messages());
    let first_text = stored.contents.piece(3, 40, 540);
    let conversations = format!(
        "INSERT INTO {schema}.conversation_summary (org_id, conversation_id, revision, base_revision, text_kept, part_count,
             state, created_at, updated_at, recency, deleted_at, user_id, agent_id, upstream_conversation_id, agent_model,
             last_finish_reason, user_message_count, assistant_message_count, total_message_count, duration_ms,
             total_tokens, input_tokens, output_tokens, attachment_count, tool_call_count, total_feedback, total_helpful,
             total_not_helpful, first_message_text, listed_recency, listed_agent_model, listed_finish_reason, listed_messages,
             listed_duration_ms, listed_total_tokens, listed_input_tokens, listed_output_tokens, listed_tool_calls,
             listed_feedback, listed_helpful, listed_not_helpful)
         SELECT org_id, conversation_id, revision, 0, false, $1, $2, created_at, updated_at,
             recency, NULL, user_id, agent_id, parent_id,
             model, 'stop', n / 2, n / 2, n, n * 20000, n * 900, n * 700, n * 200, i % 3, 1,
             (i % 5 < 2)::int, (i % 5 = 0)::int, (i % 5 = 1)::int, {first_text},
             recency, model, 'stop', n, n * 20000, n * 900, n * 700, n * 200, 1,
             (i % 5 < 2)::int, (i % 5 = 0)::int, (i % 5 = 1)::int
         FROM (SELECT *, -(extract(epoch FROM updated_at) * 1000)::bigint AS recency,
             CASE WHEN h % 1000 = {RARE} THEN {RARE_AGENT} ELSE 1000 + i % 4 END AS agent_id,
             CASE WHEN h % 1000 = {RARE} + 1 THEN '{RARE_NAME}' ELSE 'gpt-5.1' END AS model FROM (
             SELECT i, h, 2 + h % 40 AS n, h::bigint + 1 AS revision, md5(i::text)::uuid::text AS conversation_id,
                 CASE WHEN i % 5 = 0 THEN 'org_stored_0' ELSE 'org_stored_' || (1 + i / 5 % 49) END AS org_id,
                 'user_stored_' || CASE WHEN i % 5 = 0 THEN h % $4 ELSE h % 500 END AS user_id,
                 CASE WHEN i % 5 = 0 AND i / 5 % 80 BETWEEN 1 AND 4 THEN md5((i - 5)::text)::uuid::text
                      WHEN i % 5 > 0 AND i > 245 AND i / 245 % 80 BETWEEN 1 AND 4 THEN md5((i - 245)::text)::uuid::text
                 END AS parent_id,
                 at AS created_at, at + make_interval(secs => h % 7200) AS updated_at
             FROM generate_series($5::bigint, $6::bigint) AS i,
                 LATERAL (SELECT abs(hashint8(i)::bigint) AS h) AS hash,
                 LATERAL (SELECT date_trunc('milliseconds', CASE
                     WHEN i % 10 = 0 THEN $7::timestamptz - interval '730 days'
                         + interval '30 days' * (h % 1000000 / 1000000.0)
                     ELSE $7::timestamptz - interval '360 days' * ((($8 - i) + 1)::float8 / $8) END) AS at) AS time
         ) AS stored) AS rows"
    );
    sqlx::query(AssertSqlSafe(conversations))
        .bind(i16::try_from(state.part_count)?)
        .bind(&state.main)
        .bind(text().into_bytes())
        .bind(stored.users.max(1))
        .bind(first)
        .bind(last)
        .bind(now)
        .bind(stored.conversations)
        .execute(pool)
        .await?;
    if stored.contents != Contents::Rows {
        fill_payloads(pool, &schema, stored.contents, first, last, now).await?;
    }
    Ok(())
}

/// A tool call for every conversation and feedback for two in five.
async fn fill_payloads(
    pool: &PgPool,
    schema: &str,
    contents: Contents,
    first: i64,
    last: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let of = "FROM (SELECT i, abs(hashint8(i)::bigint) AS h, md5(i::text)::uuid::text AS conversation_id,
                  CASE WHEN i % 5 = 0 THEN 'org_stored_0' ELSE 'org_stored_' || (1 + i / 5 % 49) END AS org_id
              FROM generate_series($2::bigint, $3::bigint) AS i) AS rows";
    let (args, result) = (contents.piece(1, 200, 1_200), contents.piece(1, 200, 2_200));
    let comment = contents.piece(1, 79, 80);
    let calls = format!(
        "INSERT INTO {schema}.tool_call
         SELECT org_id, conversation_id, md5('call' || i)::uuid::text, true, true,
             CASE WHEN h % 1000 = {RARE} + 2 THEN '{RARE_NAME}' ELSE 'search' END, NULL,
             '{{\"query\":\"' || {args} || '\"}}', '{{\"items\":[\"' || {result} || '\"]}}',
             CASE WHEN h % 1000 = {RARE} + 3 THEN '{{}}' END, md5('message' || i)::uuid::text, $4::timestamptz, $4::timestamptz, $4::timestamptz {of}"
    );
    let feedback = format!(
        "INSERT INTO {schema}.feedback
         SELECT org_id, conversation_id, md5('feedback' || i)::uuid::text, false, i % 5 = 0,
             CASE WHEN h % 3 = 0 THEN {comment} END, NULL, NULL, $4::timestamptz {of}
         WHERE i % 5 < 2"
    );
    for statement in [calls, feedback] {
        sqlx::query(AssertSqlSafe(statement))
            .bind(text().into_bytes())
            .bind(first)
            .bind(last)
            .bind(now)
            .execute(pool)
            .await?;
    }
    Ok(())
}

/// Profiles through the projector's own writer, which also makes what metadata filters need.
async fn fill_users(store: &Store, generation: GenerationId, stored: Stored) -> anyhow::Result<()> {
    let largest = (0..stored.users).map(|user| (0, user));
    let others = (1..50).flat_map(|organization| (0..500).map(move |user| (organization, user)));
    let mut batch = Batch::default();
    for (organization, user) in largest.chain(others) {
        let metadata = format!(
            r#"{{"customerId":"customer-{user}","plan":"{}","seats":{},"department":{{"name":"d{}"}},"tags":["a","b"]}}"#,
            ["free", "pro", "enterprise"][usize::try_from(user % 3)?],
            user % 40,
            user % 20,
        );
        let profile = UserProfile {
            email: Some(format!("user{user}@example.com").into()),
            first_name: Some("Ada".into()),
            last_name: Some("Meyer".into()),
            public_metadata: Some(RawJson::parse(&metadata).context("metadata is JSON")?),
        };
        batch.users.push(UserWrite::new(
            &format!("org_stored_{organization}"),
            &user_id(user),
            "0",
            Micros(0),
            Some(&profile),
        ));
        if batch.users.len() == 5_000 {
            store.flush(Target::Building(generation), &mut batch).await?;
        }
    }
    store.flush(Target::Building(generation), &mut batch).await?;
    Ok(())
}

/// The state of a conversation of that many messages.
fn example_state(now: DateTime<Utc>, messages: i64) -> recap_summary::Encoded {
    let mut conversation = Conversation::default();
    for number in 0..messages {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let message = Message {
            message_id: id.as_str().into(),
            role: if number % 2 == 0 { "user" } else { "assistant" }.into(),
            created_at: Millis(now.timestamp_millis() + number),
            text: None,
            model: Some("gpt-5.1".into()),
            finish_reason: Some("stop".into()),
            usage: Usage {
                input_tokens: Some(700),
                output_tokens: Some(200),
                ..Usage::default()
            },
            attachment_count: None,
            user_id: None,
            agent_id: Some(1_000),
            upstream_conversation_id: None,
        };
        let time = Micros(now.timestamp_micros() + number);
        conversation.apply(&id, time, &Change::Message(message));
    }
    conversation.encode_whole()
}

/// 64 KB of words in ASCII that need no escaping, to cut texts from.
fn text() -> String {
    let words = [
        "order", "status", "the", "customer", "asked", "why", "shipment", "of", "invoice", "was", "late", "and",
    ];
    let mut text = String::with_capacity(66_000);
    let mut position = 7_usize;
    while text.len() < 65_000 {
        // A full cycle through a large modulus: no visible repetition, no dependence on anything.
        position = (position * 1_103 + 12_345) % 1_000_003;
        text.push_str(words[position % words.len()]);
        text.push_str(&position.to_string());
        text.push(' ');
    }
    text
}
