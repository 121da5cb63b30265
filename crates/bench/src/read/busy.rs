//! Traffic beside the readers: conversations of the largest organization that change all the time, written as a projector writes them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use chrono::{DateTime, Utc};
use recap_events::{Body, Change, Event, Message, Micros, Millis, Usage};
use recap_store::{BatchBuilder, Target};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinHandle;

use crate::{stack::Database, stored::LARGEST};

/// Conversations that change: as many of one organization as may be busy.
pub const CONVERSATIONS: u32 = 4_000;
/// Messages a second, and how often they are written.
pub const RATE: u32 = 5_000;
const EVERY: Duration = Duration::from_millis(50);

/// Traffic that goes on until it is stopped.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    writing: JoinHandle<anyhow::Result<u64>>,
    began: Instant,
}

impl Traffic {
    /// Messages in the newest conversations, one after the other; returns when each has changed once.
    pub async fn start(database: &Database, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let store = database.store()?;
        let live = store.live_generation().await?;
        let newest = format!(
            "SELECT conversation_id FROM {}.conversation_summary WHERE org_id = '{LARGEST}' \
             ORDER BY recency, conversation_id LIMIT {CONVERSATIONS}",
            live.schema()
        );
        let mut connection = PgConnection::connect(&database.url).await?;
        let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(newest))
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        ensure!(!ids.is_empty(), "there is no conversation to change");
        let first: Vec<Event<'_>> = ids
            .iter()
            .zip(0..)
            .map(|(id, number)| message(id, number, now))
            .collect();
        store.flush(Target::Live(live), &mut built(&first)).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let writing = tokio::spawn(async move {
            let mut written = 0;
            let mut tick = tokio::time::interval(EVERY);
            while !stopped.load(Ordering::Relaxed) {
                tick.tick().await;
                let count = u64::from(RATE) * u64::try_from(EVERY.as_millis())? / 1_000;
                let numbers = written..written + count;
                let events: Vec<Event<'_>> = numbers
                    .map(|number| {
                        // Prime to the number of conversations: each in its turn, no neighbours together.
                        let place = usize::try_from(number * 1_663)? % ids.len();
                        anyhow::Ok(message(&ids[place], 1_000_000 + number, now))
                    })
                    .collect::<Result<_, _>>()?;
                store.flush(Target::Live(live), &mut built(&events)).await?;
                written += count;
            }
            store.close().await;
            Ok(written)
        });
        Ok(Self {
            stop,
            writing,
            began: Instant::now(),
        })
    }

    /// Ends it; messages a second that were written.
    pub async fn stop(self) -> anyhow::Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let written = self.writing.await??;
        Ok(crate::load::count(usize::try_from(written)?) / self.began.elapsed().as_secs_f64())
    }
}

fn built(events: &[Event<'_>]) -> recap_store::Batch {
    let mut builder = BatchBuilder::default();
    for event in events {
        builder.add(event);
    }
    builder.build()
}

/// A message now; the more messages a conversation has, the wider its state, so they take turns by eight.
fn message(conversation_id: &str, number: u64, now: DateTime<Utc>) -> Event<'_> {
    let time = now.timestamp_micros() + i64::try_from(number).unwrap_or(0);
    Event {
        id: format!("busy-{number}").into(),
        time: Micros(time),
        org_id: LARGEST.into(),
        body: Body::Conversation {
            conversation_id: conversation_id.into(),
            change: Change::Message(Message {
                message_id: format!("busy-{}", number % 8).into(),
                role: "assistant".into(),
                created_at: Millis(now.timestamp_millis()),
                text: None,
                model: None,
                finish_reason: None,
                usage: Usage {
                    output_tokens: Some(u32::try_from(number % 1_000).unwrap_or(0)),
                    ..Usage::default()
                },
                attachment_count: None,
                user_id: None,
                agent_id: None,
                upstream_conversation_id: None,
            }),
        },
    }
}
