//! Reading stored states, whole and of one moment.

use recap_summary::Conversation;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use crate::{ConversationKey, FlushError, placement::Placement, sql::sql};

/// A conversation's row as a writer needs it.
pub(crate) struct Stored {
    /// Which of the keys asked for.
    pub(crate) index: usize,
    pub(crate) revision: i64,
    pub(crate) state: Conversation,
}

/// The stored states of these keys; keys without a row are missing from the answer.
///
/// One statement reads row and parts, so they are of one moment even while others write.
/// With `unlike`, rows that have the revision given for their key are left out.
pub(crate) async fn load(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    keys: &[&ConversationKey],
    unlike: Option<&[i64]>,
) -> Result<Vec<Stored>, FlushError> {
    let organizations: Vec<&str> = keys.iter().map(|key| &*key.org_id).collect();
    let conversations: Vec<&str> = keys.iter().map(|key| &*key.conversation_id).collect();
    let (revisions, differing) = if unlike.is_some() {
        ("$3::bigint[]", "WHERE c.revision <> k.revision")
    } else {
        ("NULL::bigint[]", "")
    };
    let conversation = placement.look_up(
        &format!("{schema}.conversation_summary"),
        "c",
        "c.org_id, c.conversation_id, c.revision, c.part_count, c.state",
        "c.org_id = k.org_id AND c.conversation_id = k.conversation_id",
    );
    let statement = sql(format!(
        "SELECT k.n, c.revision, c.state, \
         CASE WHEN c.part_count > 1 THEN ARRAY(SELECT p.part FROM {schema}.conversation_state_part p \
           WHERE p.org_id = c.org_id AND p.conversation_id = c.conversation_id ORDER BY p.part) END, \
         CASE WHEN c.part_count > 1 THEN ARRAY(SELECT p.state FROM {schema}.conversation_state_part p \
           WHERE p.org_id = c.org_id AND p.conversation_id = c.conversation_id ORDER BY p.part) END \
         FROM UNNEST($1::text[], $2::text[], {revisions}) \
           WITH ORDINALITY AS k(org_id, conversation_id, revision, n) {conversation} {differing}"
    ));
    let mut query = sqlx::query(statement).bind(organizations).bind(conversations);
    if let Some(revisions) = unlike {
        query = query.bind(revisions);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| stored(row, keys)).collect()
}

fn stored(row: &PgRow, keys: &[&ConversationKey]) -> Result<Stored, FlushError> {
    let ordinal: i64 = row.try_get(0)?;
    let index = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
    let main: &[u8] = row.try_get(2)?;
    let numbers: Option<Vec<i16>> = row.try_get(3)?;
    let states: Option<Vec<Vec<u8>>> = row.try_get(4)?;
    let parts: Vec<(u16, Vec<u8>)> = numbers
        .unwrap_or_default()
        .into_iter()
        .map(i16::cast_unsigned)
        .zip(states.unwrap_or_default())
        .collect();
    let state = Conversation::decode(main, &parts).map_err(|source| FlushError::State {
        key: keys[index].clone(),
        source,
    })?;
    Ok(Stored {
        index,
        revision: row.try_get(1)?,
        state,
    })
}
