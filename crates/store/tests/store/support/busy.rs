//! Which conversations are busy: any may be, and no reader may tell.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, PgPool};

/// The listed columns, each with the one it is a copy of.
const COPIES: [(&str, &str); 12] = [
    ("listed_recency", "recency"),
    ("listed_agent_model", "agent_model"),
    ("listed_finish_reason", "last_finish_reason"),
    ("listed_messages", "total_message_count"),
    ("listed_duration_ms", "duration_ms"),
    ("listed_total_tokens", "total_tokens"),
    ("listed_input_tokens", "input_tokens"),
    ("listed_output_tokens", "output_tokens"),
    ("listed_tool_calls", "tool_call_count"),
    ("listed_feedback", "total_feedback"),
    ("listed_helpful", "total_helpful"),
    ("listed_not_helpful", "total_not_helpful"),
];

/// How many.
#[derive(Clone, Copy)]
pub enum Busy {
    None,
    Some,
    All,
}

/// Makes so many of the first generation's conversations busy, others than before.
pub async fn shuffle(pool: &PgPool, busy: Busy) {
    static TIMES: AtomicU32 = AtomicU32::new(0);
    let times = TIMES.fetch_add(1, Ordering::Relaxed);
    let is_busy = match busy {
        Busy::None => "false".to_owned(),
        Busy::Some => format!("abs(hashtext(conversation_id || '{times}') % 10) < 4"),
        Busy::All => "true".to_owned(),
    };
    let list = |value: fn(&str) -> String| {
        let set = COPIES.map(|(copy, source)| format!("{copy} = {}", value(source)));
        set.join(", ")
    };
    let (quiet, busy) = (list(str::to_owned), list(|_| "NULL".to_owned()));
    for (set, condition) in [(quiet, "true".to_owned()), (busy, is_busy)] {
        let update = format!("UPDATE recap_g1.conversation_summary SET {set} WHERE {condition}");
        sqlx::query(AssertSqlSafe(update)).execute(pool).await.unwrap();
    }
}
