//! Baseline B: batches into a fact table, counters by `UNNEST`.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use recap_events::{Decoded, Event};
use recap_log::Cluster;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqlStr};
use tokio::runtime::Handle;

use super::{Addition, CONVERSATION_COLUMNS, CONVERSATION_UPDATE, Fact, Profile, Step, step};
use crate::{
    limit::decoded,
    source::{Source, rate_of_shares},
};

/// How the baseline runs.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Events a transaction.
    pub batch: usize,
    /// Threads and connections.
    pub workers: i32,
}

/// Events a second, over the whole log or at most `budget`.
pub fn rate(
    cluster: &Cluster,
    database: &str,
    tuning: Tuning,
    budget: Duration,
    runtime: &Handle,
) -> anyhow::Result<f64> {
    runtime.block_on(create(database))?;
    rate_of_shares(tuning.workers, |share| {
        let source = Source::open(cluster, share, tuning.workers)?;
        let mut worker = runtime.block_on(Worker::connect(database))?;
        let mut batch = Batch::default();
        let mut first = None;
        let (records, mut time) = source.read(|message| {
            let began = *first.get_or_insert_with(Instant::now);
            if let Decoded::Event(event) = decoded(message) {
                batch.add(&event);
            }
            if batch.events >= tuning.batch {
                runtime.block_on(worker.write(std::mem::take(&mut batch)))?;
                if began.elapsed() > budget {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        runtime.block_on(worker.write(batch))?;
        if let Some(first) = first {
            time = first.elapsed();
        }
        Ok((records, time))
    })
}

async fn create(database: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(database).await?;
    let tables = format!(
        "DROP SCHEMA IF EXISTS baseline_b CASCADE; CREATE SCHEMA baseline_b;
         CREATE TABLE baseline_b.fact (org_id text COLLATE \"C\", conversation_id text COLLATE \"C\", kind smallint,
             id text COLLATE \"C\", at timestamptz, role text, input_tokens int, output_tokens int, total_tokens int,
             attachments int, helpful boolean, payload text, PRIMARY KEY (org_id, conversation_id, kind, id));
         CREATE TABLE baseline_b.conversation ({CONVERSATION_COLUMNS});
         CREATE INDEX ON baseline_b.conversation (org_id, updated_at DESC, conversation_id);
         CREATE TABLE baseline_b.profile (org_id text COLLATE \"C\", kind text, id text COLLATE \"C\", time bigint,
             content text, PRIMARY KEY (org_id, kind, id));"
    );
    sqlx::raw_sql(AssertSqlSafe(tables)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// One column a vector, as `UNNEST` takes them.
#[derive(Default)]
struct Facts {
    org_id: Vec<String>,
    conversation_id: Vec<String>,
    kind: Vec<i16>,
    id: Vec<String>,
    at: Vec<DateTime<Utc>>,
    role: Vec<Option<String>>,
    input_tokens: Vec<i32>,
    output_tokens: Vec<i32>,
    total_tokens: Vec<i32>,
    attachments: Vec<i32>,
    helpful: Vec<Option<bool>>,
    payload: Vec<Option<String>>,
}

impl Facts {
    fn push(&mut self, org_id: &str, conversation_id: &str, fact: Fact) {
        self.org_id.push(org_id.to_owned());
        self.conversation_id.push(conversation_id.to_owned());
        self.kind.push(fact.kind);
        self.id.push(fact.id);
        self.at.push(fact.at);
        self.role.push(fact.role);
        self.input_tokens.push(fact.input_tokens);
        self.output_tokens.push(fact.output_tokens);
        self.total_tokens.push(fact.total_tokens);
        self.attachments.push(fact.attachments);
        self.helpful.push(fact.helpful);
        self.payload.push(fact.payload);
    }
}

#[derive(Default)]
struct Batch {
    events: usize,
    facts: Facts,
    /// In key order, so that two writers never wait for each other in a circle.
    conversations: BTreeMap<(String, String), Addition>,
    profiles: BTreeMap<(String, &'static str, String), Profile>,
}

impl Batch {
    fn add(&mut self, event: &Event<'_>) {
        self.events += 1;
        match step(event) {
            Step::Conversation {
                conversation_id,
                addition,
                fact,
            } => {
                if let Some(fact) = fact {
                    self.facts.push(&event.org_id, &conversation_id, fact);
                }
                let key = (event.org_id.to_string(), conversation_id);
                match self.conversations.get_mut(&key) {
                    Some(known) => join(known, addition),
                    None => {
                        self.conversations.insert(key, addition);
                    }
                }
            }
            Step::Profile(profile) => {
                let key = (event.org_id.to_string(), profile.kind, profile.id.clone());
                if self.profiles.get(&key).is_none_or(|known| known.time < profile.time) {
                    self.profiles.insert(key, profile);
                }
            }
        }
    }
}

fn join(known: &mut Addition, new: Addition) {
    known.created_at = known.created_at.min(new.created_at);
    known.updated_at = known.updated_at.max(new.updated_at);
    known.deleted = new.deleted.or(known.deleted);
    known.user_id = known.user_id.take().or(new.user_id);
    known.agent_id = known.agent_id.or(new.agent_id);
    known.parent_id = known.parent_id.take().or(new.parent_id);
    let earlier = match (&known.first_message, &new.first_message) {
        (Some((known, _)), Some((new, _))) => new < known,
        (None, Some(_)) => true,
        _ => false,
    };
    if earlier {
        known.first_message = new.first_message;
    }
}

struct Worker {
    connection: PgConnection,
    conversations: SqlStr,
}

impl Worker {
    async fn connect(database: &str) -> anyhow::Result<Self> {
        let conversations = format!(
            "WITH fresh AS (
                 INSERT INTO baseline_b.fact
                 SELECT * FROM UNNEST($1::text[], $2::text[], $3::smallint[], $4::text[], $5::timestamptz[], $6::text[],
                     $7::int[], $8::int[], $9::int[], $10::int[], $11::boolean[], $12::text[])
                     AS t(org_id, conversation_id, kind, id, at, role, i, o, t, a, h, p)
                 ORDER BY org_id, conversation_id, kind, id
                 ON CONFLICT DO NOTHING
                 RETURNING org_id, conversation_id, kind, role, input_tokens, output_tokens, total_tokens, attachments,
                     helpful
             ), counted AS (
                 SELECT org_id, conversation_id,
                     COUNT(*) FILTER (WHERE kind = 1 AND role = 'user') AS user_messages,
                     COUNT(*) FILTER (WHERE kind = 1 AND role = 'assistant') AS assistant_messages,
                     COUNT(*) FILTER (WHERE kind = 1) AS messages,
                     SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens,
                     SUM(total_tokens) AS total_tokens, SUM(attachments) AS attachments,
                     COUNT(*) FILTER (WHERE kind = 2) AS tool_calls,
                     COUNT(*) FILTER (WHERE helpful) AS helpful, COUNT(*) FILTER (WHERE NOT helpful) AS not_helpful
                 FROM fresh GROUP BY org_id, conversation_id
             )
             INSERT INTO baseline_b.conversation AS c
             SELECT t.*, COALESCE(n.user_messages, 0), COALESCE(n.assistant_messages, 0), COALESCE(n.messages, 0),
                 COALESCE(n.input_tokens, 0), COALESCE(n.output_tokens, 0), COALESCE(n.total_tokens, 0),
                 COALESCE(n.attachments, 0), COALESCE(n.tool_calls, 0), COALESCE(n.helpful, 0),
                 COALESCE(n.not_helpful, 0)
             FROM UNNEST($13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::boolean[], $18::text[],
                 $19::bigint[], $20::text[], $21::timestamptz[], $22::text[])
                 AS t(org_id, conversation_id, created_at, updated_at, deleted, user_id, agent_id, parent_id,
                     first_message_at, first_message_text)
             LEFT JOIN counted n USING (org_id, conversation_id)
             ORDER BY t.org_id, t.conversation_id
             ON CONFLICT (org_id, conversation_id) DO UPDATE SET {CONVERSATION_UPDATE}"
        );
        Ok(Self {
            connection: PgConnection::connect(database).await?,
            conversations: AssertSqlSafe(conversations).into_sql_str(),
        })
    }

    async fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        if batch.events == 0 {
            return Ok(());
        }
        let mut transaction = self.connection.begin().await?;
        let facts = batch.facts;
        let (keys, additions): (Vec<_>, Vec<_>) = batch.conversations.into_iter().unzip();
        let (orgs, ids): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let (first_at, first_text): (Vec<_>, Vec<_>) = additions
            .iter()
            .map(|addition| addition.first_message.as_ref())
            .map(|first| (first.map(|first| first.0), first.and_then(|first| first.1.as_deref())))
            .unzip();
        sqlx::query(self.conversations.clone())
            .bind(facts.org_id)
            .bind(facts.conversation_id)
            .bind(facts.kind)
            .bind(facts.id)
            .bind(facts.at)
            .bind(facts.role)
            .bind(facts.input_tokens)
            .bind(facts.output_tokens)
            .bind(facts.total_tokens)
            .bind(facts.attachments)
            .bind(facts.helpful)
            .bind(facts.payload)
            .bind(orgs)
            .bind(ids)
            .bind(additions.iter().map(|addition| addition.created_at).collect::<Vec<_>>())
            .bind(additions.iter().map(|addition| addition.updated_at).collect::<Vec<_>>())
            .bind(additions.iter().map(|addition| addition.deleted).collect::<Vec<_>>())
            .bind(
                additions
                    .iter()
                    .map(|addition| addition.user_id.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(additions.iter().map(|addition| addition.agent_id).collect::<Vec<_>>())
            .bind(
                additions
                    .iter()
                    .map(|addition| addition.parent_id.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(first_at)
            .bind(first_text)
            .execute(&mut *transaction)
            .await?;
        write_profiles(&mut transaction, batch.profiles).await?;
        Ok(transaction.commit().await?)
    }
}

async fn write_profiles(
    connection: &mut PgConnection,
    profiles: BTreeMap<(String, &'static str, String), Profile>,
) -> anyhow::Result<()> {
    if profiles.is_empty() {
        return Ok(());
    }
    let (keys, profiles): (Vec<_>, Vec<_>) = profiles.into_iter().unzip();
    sqlx::query(
        "INSERT INTO baseline_b.profile AS p
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
         ON CONFLICT (org_id, kind, id) DO UPDATE SET time = EXCLUDED.time, content = EXCLUDED.content
         WHERE p.time < EXCLUDED.time",
    )
    .bind(keys.into_iter().map(|(org_id, _, _)| org_id).collect::<Vec<_>>())
    .bind(profiles.iter().map(|profile| profile.kind).collect::<Vec<_>>())
    .bind(profiles.iter().map(|profile| profile.id.as_str()).collect::<Vec<_>>())
    .bind(profiles.iter().map(|profile| profile.time).collect::<Vec<_>>())
    .bind(
        profiles
            .iter()
            .map(|profile| profile.content.as_str())
            .collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
