//! Profiles of users and agents: the greatest order key wins, decided in the statement itself.
//!
//! The sub-select spares what is already there the row lock that `ON CONFLICT` takes; the guard after it is
//! what decides, since another writer may have been faster. It is no `NOT EXISTS`, which may become a join: a plan is kept,
//! and over an empty table every join looks good, that of all rows with all others too.

use std::collections::{BTreeMap, HashMap};

use sqlx::{PgConnection, Row as _};

use crate::{
    AgentWrite, UserWrite,
    batch::{Revision, UserFields},
    metadata::tokens_of,
    placement::Placement,
    sql::{chunks, sql},
};

/// Which profiles are written over those that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Lesser revisions.
    Lesser,
    /// The same revision as well: what is stored of it may be damaged.
    LesserOrSame,
}

impl Over {
    const fn operator(self) -> &'static str {
        match self {
            Self::Lesser => "<",
            Self::LesserOrSame => "<=",
        }
    }
}

/// A profile that was written.
pub(crate) struct Written<'a, W> {
    pub(crate) write: &'a W,
    /// There was an earlier revision.
    pub(crate) replaced: bool,
}

/// An updated row is one that its transaction has locked before, which a new row cannot be.
const REPLACED: &str = "(t.xmax <> 0)";

/// Of several revisions of one profile the greatest, in the order of their owners.
pub(crate) fn greatest<W: Revision>(writes: &[W]) -> Vec<&W> {
    let mut greatest: BTreeMap<W::Owner, &W> = BTreeMap::new();
    for write in writes {
        let kept = greatest.entry(write.owner()).or_insert(write);
        if write.order() > kept.order() {
            *kept = write;
        }
    }
    greatest.into_values().collect()
}

/// Writes profiles, each user once and sorted, where they are greater than what is stored, and the
/// metadata tokens of those. Returns the written.
pub(crate) async fn write_users<'a>(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    users: &[&'a UserWrite],
    over: Over,
) -> Result<Vec<Written<'a, UserWrite>>, sqlx::Error> {
    let mut written = Vec::new();
    for chunk in chunks(users, |user| user.heap_bytes()) {
        let changed = upsert_users(connection, placement, schema, chunk, over).await?;
        for changed in placement.statements(&changed, |user| &*user.write.org_id) {
            replace_tokens(connection, placement, schema, changed).await?;
        }
        written.extend(changed);
    }
    Ok(written)
}

async fn upsert_users<'a>(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    users: &[&'a UserWrite],
    over: Over,
) -> Result<Vec<Written<'a, UserWrite>>, sqlx::Error> {
    let older = older(placement, over, &format!("{schema}.user_profile"), "user_id");
    let over = over.operator();
    let text = |get: fn(&UserFields) -> Option<&str>| -> Vec<Option<&str>> {
        users.iter().map(|user| user.profile.as_ref().and_then(get)).collect()
    };
    let query = sqlx::query(sql(format!(
        "INSERT INTO {schema}.user_profile AS t (org_id, user_id, event_time, event_id, content, \
         deleted, email, first_name, last_name, public_metadata) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], \
         $6::boolean[], $7::text[], $8::text[], $9::text[], $10::text[]) \
         AS n(org_id, user_id, event_time, event_id, content) {older} \
         ON CONFLICT (org_id, user_id) DO UPDATE SET event_time = EXCLUDED.event_time, \
         event_id = EXCLUDED.event_id, content = EXCLUDED.content, deleted = EXCLUDED.deleted, \
         email = EXCLUDED.email, first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name, \
         public_metadata = EXCLUDED.public_metadata \
         WHERE (t.event_time, t.event_id, t.content) \
         {over} (EXCLUDED.event_time, EXCLUDED.event_id, EXCLUDED.content) \
         RETURNING org_id, user_id, {REPLACED}"
    )))
    .bind(users.iter().map(|user| &*user.org_id).collect::<Vec<_>>())
    .bind(users.iter().map(|user| &*user.user_id).collect::<Vec<_>>())
    .bind(users.iter().map(|user| user.time.0).collect::<Vec<_>>())
    .bind(users.iter().map(|user| user.event_id.as_str()).collect::<Vec<_>>())
    .bind(users.iter().map(|user| user.content.cast_signed()).collect::<Vec<_>>())
    .bind(users.iter().map(|user| user.profile.is_none()).collect::<Vec<_>>())
    .bind(text(|profile| profile.email.as_deref()))
    .bind(text(|profile| profile.first_name.as_deref()))
    .bind(text(|profile| profile.last_name.as_deref()))
    .bind(text(|profile| profile.public_metadata.as_deref()));
    let rows = query.fetch_all(connection).await?;
    let changed = rows
        .iter()
        .map(|row| {
            Ok((
                (row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?),
                row.try_get(2)?,
            ))
        })
        .collect::<Result<HashMap<_, bool>, sqlx::Error>>()?;
    let written = users.iter().filter_map(|user| {
        let replaced = *changed.get(&(&*user.org_id, &*user.user_id))?;
        Some(Written { write: *user, replaced })
    });
    Ok(written.collect())
}

/// Where what is stored is older, or there is nothing, of the new profiles `n`. Nodes of a cluster are not asked: the guard decides there, too.
fn older(placement: Placement, over: Over, table: &str, id: &str) -> String {
    let over = over.operator();
    match placement {
        Placement::Server => format!(
            "WHERE (SELECT (p.event_time, p.event_id, p.content) {over} (n.event_time, n.event_id, n.content) \
             FROM {table} p WHERE p.org_id = n.org_id AND p.{id} = n.{id}) IS NOT FALSE"
        ),
        Placement::Cluster => String::new(),
    }
}

/// Makes the tokens of these users, on a cluster of one organization, those of their profiles; what is there already stays untouched.
async fn replace_tokens(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    written: &[Written<'_, UserWrite>],
) -> Result<(), sqlx::Error> {
    let users: Vec<&UserWrite> = written.iter().map(|written| written.write).collect();
    if users.is_empty() {
        return Ok(());
    }
    let mut organizations = Vec::new();
    let mut owners = Vec::new();
    let mut tokens = Vec::new();
    for user in &users {
        let metadata = user
            .profile
            .as_ref()
            .and_then(|profile| profile.public_metadata.as_deref());
        for token in metadata.map(tokens_of).unwrap_or_default() {
            organizations.push(&*user.org_id);
            owners.push(&*user.user_id);
            tokens.push(token);
        }
    }
    // Each user's rows by the primary key, said so that no plan can begin with the table or take another index, whose order
    // this is not: a plan is kept, and one made when the table was empty would else compare all of it with all users for ever.
    let (only, of_those) = (placement.only("d.org_id", 6), placement.only("t.org_id", 6));
    let mut delete = sqlx::query(sql(format!(
        "DELETE FROM {schema}.user_metadata_token d WHERE d.ctid = ANY(ARRAY( \
         SELECT t.ctid FROM UNNEST($1::text[], $2::text[]) AS u(org_id, user_id) \
         CROSS JOIN LATERAL (SELECT t.ctid, t.* FROM {schema}.user_metadata_token t \
           WHERE t.org_id = u.org_id{of_those} AND t.user_id BETWEEN u.user_id AND u.user_id \
           ORDER BY t.user_id, t.token OFFSET 0) t \
         WHERE (t.org_id, t.user_id, t.token) NOT IN \
         (SELECT * FROM UNNEST($3::text[], $4::text[], $5::uuid[])))){only}"
    )))
    .bind(users.iter().map(|user| &*user.org_id).collect::<Vec<_>>())
    .bind(users.iter().map(|user| &*user.user_id).collect::<Vec<_>>())
    .bind(&organizations)
    .bind(&owners)
    .bind(&tokens);
    if placement == Placement::Cluster {
        delete = delete.bind(users.first().map(|user| &*user.org_id));
    }
    delete.execute(&mut *connection).await?;
    if tokens.is_empty() {
        return Ok(());
    }
    sqlx::query(sql(format!(
        "INSERT INTO {schema}.user_metadata_token (org_id, user_id, token) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::uuid[]) ON CONFLICT DO NOTHING"
    )))
    .bind(organizations)
    .bind(owners)
    .bind(tokens)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes profiles, each agent once and sorted, where they are greater than what is stored. Returns the written.
pub(crate) async fn write_agents<'a>(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    agents: &[&'a AgentWrite],
    over: Over,
) -> Result<Vec<Written<'a, AgentWrite>>, sqlx::Error> {
    let older = older(placement, over, &format!("{schema}.agent_profile"), "agent_id");
    let over = over.operator();
    let mut written = Vec::new();
    for chunk in chunks(agents, |agent| agent.heap_bytes()) {
        let query = sqlx::query(sql(format!(
            "INSERT INTO {schema}.agent_profile AS t (org_id, agent_id, event_time, event_id, content, \
             name, model, logo_url) \
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], \
             $6::text[], $7::text[], $8::text[]) \
             AS n(org_id, agent_id, event_time, event_id, content) {older} \
             ON CONFLICT (org_id, agent_id) DO UPDATE SET event_time = EXCLUDED.event_time, \
             event_id = EXCLUDED.event_id, content = EXCLUDED.content, name = EXCLUDED.name, \
             model = EXCLUDED.model, logo_url = EXCLUDED.logo_url \
             WHERE (t.event_time, t.event_id, t.content) \
             {over} (EXCLUDED.event_time, EXCLUDED.event_id, EXCLUDED.content) \
             RETURNING org_id, agent_id, {REPLACED}"
        )))
        .bind(chunk.iter().map(|agent| &*agent.org_id).collect::<Vec<_>>())
        .bind(chunk.iter().map(|agent| agent.agent_id).collect::<Vec<_>>())
        .bind(chunk.iter().map(|agent| agent.time.0).collect::<Vec<_>>())
        .bind(chunk.iter().map(|agent| agent.event_id.as_str()).collect::<Vec<_>>())
        .bind(
            chunk
                .iter()
                .map(|agent| agent.content.cast_signed())
                .collect::<Vec<_>>(),
        )
        .bind(chunk.iter().map(|agent| agent.name.as_deref()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|agent| agent.model.as_deref()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|agent| agent.logo_url.as_deref()).collect::<Vec<_>>());
        let rows = query.fetch_all(&mut *connection).await?;
        let changed = rows
            .iter()
            .map(|row| Ok(((row.try_get::<&str, _>(0)?, row.try_get(1)?), row.try_get(2)?)))
            .collect::<Result<HashMap<_, bool>, sqlx::Error>>()?;
        written.extend(chunk.iter().filter_map(|agent| {
            let replaced = *changed.get(&(&*agent.org_id, agent.agent_id))?;
            Some(Written {
                write: *agent,
                replaced,
            })
        }));
    }
    Ok(written)
}
