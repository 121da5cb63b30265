//! Baseline A: one transaction an event.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use recap_events::{Decoded, Event};
use recap_log::Cluster;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqlStr};
use tokio::runtime::Handle;

use super::{Addition, CONVERSATION_COLUMNS, CONVERSATION_UPDATE, Fact, Profile, Step, step};
use crate::{
    limit::decoded,
    source::{Source, rate_of_shares},
};

/// Events a second of that many workers, over at most `budget`: a rate that low needs no whole log.
pub fn rate(
    cluster: &Cluster,
    database: &str,
    workers: i32,
    budget: Duration,
    runtime: &Handle,
) -> anyhow::Result<f64> {
    runtime.block_on(create(database))?;
    rate_of_shares(workers, |share| {
        let source = Source::open(cluster, share, workers)?;
        let mut worker = runtime.block_on(Worker::connect(database))?;
        let mut first = None;
        source.read(|message| {
            let began = *first.get_or_insert_with(Instant::now);
            if let Decoded::Event(event) = decoded(message) {
                runtime.block_on(worker.write(&event))?;
            }
            Ok(if began.elapsed() < budget {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })
    })
}

async fn create(database: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(database).await?;
    let tables = format!(
        "DROP SCHEMA IF EXISTS baseline_a CASCADE; CREATE SCHEMA baseline_a;
         CREATE TABLE baseline_a.processed_event (org_id text COLLATE \"C\", event_id text COLLATE \"C\",
             PRIMARY KEY (org_id, event_id));
         CREATE TABLE baseline_a.conversation ({CONVERSATION_COLUMNS});
         CREATE INDEX ON baseline_a.conversation (org_id, updated_at DESC, conversation_id);
         CREATE TABLE baseline_a.item (org_id text COLLATE \"C\", conversation_id text COLLATE \"C\", kind smallint,
             id text COLLATE \"C\", at timestamptz, name text, helpful boolean, payload text,
             PRIMARY KEY (org_id, conversation_id, kind, id));
         CREATE TABLE baseline_a.profile (org_id text COLLATE \"C\", kind text, id text COLLATE \"C\", time bigint,
             content text, PRIMARY KEY (org_id, kind, id));"
    );
    sqlx::raw_sql(AssertSqlSafe(tables)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

struct Worker {
    connection: PgConnection,
    conversation: SqlStr,
}

impl Worker {
    async fn connect(database: &str) -> anyhow::Result<Self> {
        let conversation = format!(
            "WITH fresh AS (
                 INSERT INTO baseline_a.processed_event VALUES ($1, $3) ON CONFLICT DO NOTHING RETURNING 1
             ), item AS (
                 INSERT INTO baseline_a.item
                 SELECT $1, $2, $11, $12, $13, $14, $19, $20 FROM fresh WHERE $11 > 1 ON CONFLICT DO NOTHING
             )
             INSERT INTO baseline_a.conversation AS c
             SELECT $1, $2, $4, $5, $6, $7, $8, $9, $10, $21,
                 ($11 = 1 AND $14 = 'user')::int, ($11 = 1 AND $14 = 'assistant')::int, ($11 = 1)::int,
                 $15, $16, $17, $18, ($11 = 2)::int, ($19 IS TRUE)::int, ($19 IS FALSE)::int
             FROM fresh
             ON CONFLICT (org_id, conversation_id) DO UPDATE SET {CONVERSATION_UPDATE}"
        );
        Ok(Self {
            connection: PgConnection::connect(database).await?,
            conversation: AssertSqlSafe(conversation).into_sql_str(),
        })
    }

    async fn write(&mut self, event: &Event<'_>) -> anyhow::Result<()> {
        match step(event) {
            Step::Conversation {
                conversation_id,
                addition,
                fact,
            } => {
                self.write_conversation(event, &conversation_id, addition, fact.unwrap_or_default())
                    .await
            }
            Step::Profile(profile) => self.write_profile(&event.org_id, profile).await,
        }
    }

    async fn write_conversation(
        &mut self,
        event: &Event<'_>,
        conversation_id: &str,
        addition: Addition,
        fact: Fact,
    ) -> anyhow::Result<()> {
        let (first_at, first_text) = addition.first_message.unzip();
        sqlx::query(self.conversation.clone())
            .bind(&*event.org_id)
            .bind(conversation_id)
            .bind(&*event.id)
            .bind(addition.created_at)
            .bind(addition.updated_at)
            .bind(addition.deleted)
            .bind(addition.user_id)
            .bind(addition.agent_id)
            .bind(addition.parent_id)
            .bind(first_at)
            .bind(fact.kind)
            .bind(fact.id)
            .bind(fact.at)
            .bind(fact.role)
            .bind(i64::from(fact.input_tokens))
            .bind(i64::from(fact.output_tokens))
            .bind(i64::from(fact.total_tokens))
            .bind(i64::from(fact.attachments))
            .bind(fact.helpful)
            .bind(fact.payload)
            .bind(first_text.flatten())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    async fn write_profile(&mut self, org_id: &str, profile: Profile) -> anyhow::Result<()> {
        sqlx::query(
            "INSERT INTO baseline_a.profile AS p VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (org_id, kind, id) DO UPDATE SET time = EXCLUDED.time, content = EXCLUDED.content
             WHERE p.time < EXCLUDED.time",
        )
        .bind(org_id)
        .bind(profile.kind)
        .bind(profile.id)
        .bind(profile.time)
        .bind(profile.content)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
