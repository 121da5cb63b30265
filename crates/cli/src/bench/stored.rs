//! Fills a generation with conversations as if they had been projected long ago, set by set in SQL: ten million events
//! through Kafka would measure nothing but patience. Rows, columns and indexes are those of the projector; the states are
//! valid and all alike.
//!
//! Conversation i belongs to the largest organization when 5 divides i (so it holds 20%), else to one of 49 others. Of each
//! organization's conversations, 4 in 80 are sub-conversations, in chains up to 4 deep. Half of the largest organization's lie
//! in one month two years ago, all others in the last 360 days, later ones later.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use recap_events::{Change, Message, Micros, Millis, RawJson, Usage, UserProfile};
use recap_store::{
    Batch, GenerationId, UserWrite, Writer, WriterOptions, create_generation, create_indexes,
    discard_generation, live_generation, migrate, switch_generation,
};
use recap_summary::Conversation;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Duration;

use super::stack::Database;

/// The largest organization.
pub const LARGEST: &str = "org_stored_0";

/// Conversations inserted by one statement.
const SLICE: i64 = 100_000;

/// What to fill in.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub conversations: i64,
    /// Users of the largest organization; each other one has 500.
    pub users: i64,
    /// Tool calls, feedback and profiles too: reading needs them, growth of writing doesn't.
    pub payloads: bool,
}

/// Ids of user n of an organization.
pub fn user_id(n: i64) -> String {
    format!("user_stored_{n}")
}

/// Migrates the database and makes a filled generation live in place of the empty one.
pub async fn fill(database: &Database, stored: Stored, now: DateTime<Utc>) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect(&database.url)
        .await?;
    migrate(&pool).await?;
    let empty = live_generation(&pool).await?;
    let filled = create_generation(&pool).await?;
    let mut first = 1;
    while first <= stored.conversations {
        let last = (first + SLICE - 1).min(stored.conversations);
        fill_slice(&pool, filled, stored, now, first, last)
            .await
            .with_context(|| format!("filling in conversations {first} to {last}"))?;
        first = last + 1;
    }
    if stored.payloads {
        fill_users(database, filled, stored).await?;
    }
    create_indexes(&pool, filled).await?;
    switch_generation(&pool, empty, filled, &[], &[]).await?;
    discard_generation(&pool, empty).await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn fill_slice(
    pool: &PgPool,
    generation: GenerationId,
    stored: Stored,
    now: DateTime<Utc>,
    first: i64,
    last: i64,
) -> anyhow::Result<()> {
    let schema = generation.schema();
    let state = example_state(now);
    let conversations = format!(
        "INSERT INTO {schema}.conversation_summary
         SELECT org_id, conversation_id, revision, 0, false, $1, $2, created_at, updated_at,
             -(extract(epoch FROM updated_at) * 1000)::bigint, NULL, user_id, 1000 + i % 4, parent_id,
             'gpt-5.1', 'stop', n / 2, n / 2, n, n * 20000, n * 900, n * 700, n * 200, i % 3, 1,
             (i % 5 < 2)::int, (i % 5 = 0)::int, (i % 5 = 1)::int, substr($3, (1 + h % 60000)::int, (40 + h % 500)::int)
         FROM (
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
         ) AS rows"
    );
    // Of the index's order, so that pages of the primary key fill up as they do over months.
    sqlx::query(AssertSqlSafe(conversations))
        .bind(i16::try_from(state.part_count)?)
        .bind(&state.main)
        .bind(text())
        .bind(stored.users.max(1))
        .bind(first)
        .bind(last)
        .bind(now)
        .bind(stored.conversations)
        .execute(pool)
        .await?;
    if stored.payloads {
        fill_payloads(pool, &schema, first, last, now).await?;
    }
    Ok(())
}

/// A tool call for every conversation and feedback for two in five.
async fn fill_payloads(
    pool: &PgPool,
    schema: &str,
    first: i64,
    last: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let of = "FROM (SELECT i, abs(hashint8(i)::bigint) AS h, md5(i::text)::uuid::text AS conversation_id,
                  CASE WHEN i % 5 = 0 THEN 'org_stored_0' ELSE 'org_stored_' || (1 + i / 5 % 49) END AS org_id
              FROM generate_series($2::bigint, $3::bigint) AS i) AS rows";
    let calls = format!(
        "INSERT INTO {schema}.tool_call
         SELECT org_id, conversation_id, md5('call' || i)::uuid::text, true, true, 'search', NULL,
             '{{\"query\":\"' || substr($1, (1 + h % 60000)::int, (200 + h % 1000)::int) || '\"}}',
             '{{\"items\":[\"' || substr($1, (1 + h % 50000)::int, (200 + h * 7 % 2000)::int) || '\"]}}',
             NULL, md5('message' || i)::uuid::text, $4::timestamptz, $4::timestamptz, $4::timestamptz {of}"
    );
    let feedback = format!(
        "INSERT INTO {schema}.feedback
         SELECT org_id, conversation_id, md5('feedback' || i)::uuid::text, false, i % 5 = 0,
             CASE WHEN h % 3 = 0 THEN substr($1, (1 + h % 60000)::int, 80) END, NULL, NULL, $4::timestamptz {of}
         WHERE i % 5 < 2"
    );
    for statement in [calls, feedback] {
        sqlx::query(AssertSqlSafe(statement))
            .bind(text())
            .bind(first)
            .bind(last)
            .bind(now)
            .execute(pool)
            .await?;
    }
    Ok(())
}

/// Profiles through the projector's own writer, which also makes what metadata filters need.
async fn fill_users(
    database: &Database,
    generation: GenerationId,
    stored: Stored,
) -> anyhow::Result<()> {
    let writer = Writer::new(
        &WriterOptions {
            database_url: database.url.clone().into(),
            max_connections: 1,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_mins(5),
        },
        [7; 32],
    )?;
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
            writer.flush_building(generation, &mut batch).await?;
        }
    }
    writer.flush_building(generation, &mut batch).await?;
    writer.close().await;
    Ok(())
}

/// The state of a conversation of twenty messages.
fn example_state(now: DateTime<Utc>) -> recap_summary::Encoded {
    let mut conversation = Conversation::default();
    for number in 0..20_i64 {
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
                total_tokens: None,
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
        "order", "status", "the", "customer", "asked", "why", "shipment", "of", "invoice", "was",
        "late", "and",
    ];
    let mut text = String::with_capacity(66_000);
    let mut place = 7_usize;
    while text.len() < 65_000 {
        // A full cycle through a large modulus: no visible repetition, no dependence on anything.
        place = (place * 1_103 + 12_345) % 1_000_003;
        text.push_str(words[place % words.len()]);
        text.push_str(&place.to_string());
        text.push(' ');
    }
    text
}
