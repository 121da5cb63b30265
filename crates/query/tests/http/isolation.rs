//! Nobody receives what the rule "organization from the token, own rows unless admin" does not allow: through HTTP, cache and paging on,
//! against an independent model of the rule.

use std::collections::BTreeSet;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::world::{BREAKDOWN, LIST, ONE, SERIES, STATS, World, event_of};

const ORGS: [&str; 4] = ["org_a", "org_b", "org_c", "org_d"];
const USERS: [&str; 4] = ["user_1", "user_2", "user_3", "user_4"];
/// Ids are the same in every organization: only the organization tells them apart.
const CONVERSATIONS: usize = 24;

#[derive(Debug, Clone)]
struct Question {
    org: usize,
    user: usize,
    admin: bool,
    v1: bool,
    all_in_org: Option<bool>,
    user_id: Option<usize>,
    city: Option<usize>,
    from_hour: usize,
    to_hour: usize,
    limit: Option<usize>,
    flat: bool,
    sort: Option<&'static str>,
    figures: Option<Counted>,
}

/// An endpoint that only counts.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Stats,
    Series,
    Breakdown,
}

fn questions() -> impl Strategy<Value = Question> {
    let caller = (0..ORGS.len(), 0..USERS.len(), any::<bool>(), any::<bool>());
    let filter = (
        any::<Option<bool>>(),
        prop::option::of(0..USERS.len()),
        prop::option::of(0..2_usize),
        0..12_usize,
        8..24_usize,
    );
    let sorts = prop::sample::select(vec!["createdAt", "duration", "totalTokens"]);
    let counted = prop::sample::select(vec![Counted::Stats, Counted::Series, Counted::Breakdown]);
    let form = (
        prop::option::of(1..4_usize),
        any::<bool>(),
        prop::option::of(sorts),
        prop::option::weighted(0.4, counted),
    );
    (caller, filter, form).prop_map(
        |((org, user, admin, v1), (all_in_org, user_id, city, from_hour, to_hour), (limit, flat, sort, figures))| {
            Question {
                org,
                user,
                admin,
                v1,
                all_in_org,
                user_id,
                city,
                from_hour: from_hour.min(to_hour),
                to_hour,
                limit,
                flat,
                sort,
                figures,
            }
        },
    )
}

/// The owner of a conversation, its hour and its parent, by organization.
fn owner(org: usize, n: usize) -> usize {
    (n * 7 + org * 3) % USERS.len()
}

fn city(org: usize, user: usize) -> usize {
    (org + user) % 2
}

fn parent(org: usize, n: usize) -> Option<usize> {
    (n > 3 && (n + org).is_multiple_of(3)).then_some(n / 2)
}

fn events() -> Vec<Value> {
    let mut events = Vec::new();
    for (o, org) in ORGS.iter().enumerate() {
        for (u, user) in USERS.iter().enumerate() {
            let metadata = json!({ "userId": user, "publicMetadata": { "city": city(o, u), "org": org } });
            events.push(event_of(org, "user.upserted", "2024-03-01T00:00:00Z", metadata));
        }
        for n in 0..CONVERSATIONS {
            let time = format!("2024-03-01T{n:02}:00:00Z");
            let parent = parent(o, n).map(|parent| format!("c{parent:02}"));
            let data = json!({ "conversationId": format!("c{n:02}"), "userId": USERS[owner(o, n)], "createdAt": time, "upstreamConversationId": parent });
            events.push(event_of(org, "conversation.upserted", &time, data));
        }
    }
    events
}

/// What the rule allows: the status, or the ids.
fn allowed(q: &Question) -> Result<BTreeSet<String>, u16> {
    let all = q.all_in_org == Some(true);
    if (all && !q.admin) || (q.user_id.is_some_and(|user| user != q.user) && !all) {
        return Err(403);
    }
    let matches = |n: &usize| {
        let owner = owner(q.org, *n);
        let user = if all { q.user_id } else { Some(q.user) };
        user.is_none_or(|user| user == owner)
            && q.city.is_none_or(|wanted| wanted == city(q.org, owner))
            && (q.from_hour..=q.to_hour).contains(n)
    };
    Ok((0..CONVERSATIONS).filter(matches).map(|n| format!("c{n:02}")).collect())
}

fn query(q: &Question) -> String {
    let mut query = format!(
        "from=2024-03-01T{:02}:00:00Z&to=2024-03-01T{:02}:00:00Z",
        q.from_hour,
        q.to_hour.min(23)
    );
    let optional = [
        q.all_in_org.map(|all| format!("&allInOrg={all}")),
        q.user_id.map(|user| format!("&userId={}", USERS[user])),
        q.city.map(|city| format!("&metadataKey=city&metadataValue={city}")),
    ];
    query.extend(optional.into_iter().flatten());
    query
}

/// Every conversation of an answer, nested ones included, as (id, user's organization by metadata).
fn collect(conversations: &Value, into: &mut Vec<(String, String)>) {
    for one in conversations.as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        into.push((text(&one["id"]), text(&one["userPublicMetadata"]["org"])));
        if let Some(inside) = one.get("subConversations") {
            collect(inside, into);
        }
    }
}

async fn ask(world: &World, q: &Question) -> Result<Vec<(String, String)>, u16> {
    let session = recap_testing::clerk::Session {
        admin: q.admin,
        ..recap_testing::clerk::Session::member(ORGS[q.org], USERS[q.user])
    };
    let token = if q.v1 {
        world.clerk.token_v1(&session)
    } else {
        world.clerk.token(&session)
    }
    .unwrap();
    let limit = q.limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
    let sort = q.sort.map(|sort| format!("&sort={sort}")).unwrap_or_default();
    let mut path = format!("{LIST}?{}{limit}{sort}", query(q));
    let mut seen = Vec::new();
    loop {
        let mut request = world.request(&token, &path);
        if q.flat {
            request = request.header("accept", "application/x-ndjson");
        }
        let reply = crate::world::send(request).await;
        if reply.status != 200 {
            return Err(reply.status);
        }
        if q.flat {
            let rows: Vec<Value> = reply
                .text()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            collect(&rows.into(), &mut seen);
        } else {
            collect(&reply.json(), &mut seen);
        }
        match reply.next(&path) {
            Some(next) => path = next,
            None => return Ok(seen),
        }
    }
}

/// The conversations that an endpoint counts.
async fn count(world: &World, q: &Question, figures: Counted) -> Result<i64, u16> {
    let session = recap_testing::clerk::Session {
        admin: q.admin,
        ..recap_testing::clerk::Session::member(ORGS[q.org], USERS[q.user])
    };
    let token = world.clerk.token(&session).unwrap();
    let query = query(q);
    let path = match figures {
        Counted::Stats => format!("{STATS}?{query}"),
        Counted::Series => format!("{SERIES}?{query}&interval=hour&groupBy=userId"),
        Counted::Breakdown => format!("{BREAKDOWN}?{query}&by=userId&top=2"),
    };
    let reply = world.get(&token, &path).await;
    if reply.status != 200 {
        return Err(reply.status);
    }
    let of = |element: &Value| element["conversationCount"].as_i64().unwrap();
    Ok(match reply.json() {
        Value::Array(elements) => elements.iter().map(of).sum(),
        element => of(&element),
    })
}

/// One conversation is seen by its owner and by administrators, and by nobody of another organization: ids are the same in all of them.
#[tokio::test]
async fn one_conversation_is_seen_by_whom_the_rule_allows() {
    let world = World::start().await;
    world.publish(&events()).await;
    for (o, org) in ORGS.iter().enumerate() {
        for (u, user) in USERS.iter().enumerate() {
            for admin in [false, true] {
                let token = if admin {
                    world.admin(org, user)
                } else {
                    world.member(org, user)
                };
                for n in 0..CONVERSATIONS {
                    let reply = world.get(&token, &format!("{ONE}?id=c{n:02}")).await;
                    let is_allowed = admin || owner(o, n) == u;
                    assert_eq!(
                        reply.status,
                        if is_allowed { 200 } else { 404 },
                        "c{n:02} of {org} for {user}"
                    );
                    if !is_allowed {
                        continue;
                    }
                    let mut seen = Vec::new();
                    collect(&json!([reply.json()]), &mut seen);
                    for (id, of) in seen {
                        let number: usize = id[1..].parse().unwrap();
                        assert!(
                            of == *org && (admin || owner(o, number) == u),
                            "{id} for {user} of {org}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_receives_exactly_what_the_rule_allows() {
    let world = World::start_with(|config| config.cache.max_staleness = std::time::Duration::from_mins(10)).await;
    world.publish(&events()).await;
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(Config {
            cases: 300,
            failure_persistence: None,
            ..Config::default()
        });
        let check = |q: Question| {
            handle.block_on(async {
                let expected = allowed(&q);
                if let Some(figures) = q.figures {
                    let counted = count(&world, &q, figures).await;
                    let expected = expected.map(|ids| i64::try_from(ids.len()).unwrap());
                    prop_assert_eq!(counted, expected);
                    return Ok(());
                }
                let seen = ask(&world, &q).await;
                prop_assert_eq!(&ask(&world, &q).await, &seen);
                if let Ok(seen) = &seen {
                    prop_assert!(seen.iter().all(|(_, org)| org == ORGS[q.org]), "{:?}", seen);
                    let distinct: BTreeSet<&String> = seen.iter().map(|(id, _)| id).collect();
                    prop_assert_eq!(distinct.len(), seen.len());
                }
                prop_assert_eq!(
                    seen.map(|seen| seen.into_iter().map(|(id, _)| id).collect::<BTreeSet<_>>()),
                    expected
                );
                Ok(())
            })
        };
        runner.run(&questions(), check).unwrap();
    });
    // The cache took part.
    assert!(world.metric("recap_query_cache_lookups_total", &["\"hit\""]) > 10);
}

#[tokio::test]
async fn the_services_role_reads_under_row_level_security_and_writes_nothing() {
    let world = World::start().await;
    world.publish(&events()).await;
    // Two generations: the live one and a new one, which no query has seen.
    let building = world.store.create_generation().await.unwrap();
    let schemas: Vec<String> =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'recap\\_g%'")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    assert!(schemas.contains(&building.schema()) && schemas.len() >= 2);
    let tables: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND n.nspname LIKE 'recap\\_g%'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let mut connection = world.pool.acquire().await.unwrap();
    sqlx::raw_sql("SET ROLE recap_query")
        .execute(&mut *connection)
        .await
        .unwrap();
    for (schema, table, secured) in &tables {
        assert!(secured, "{schema}.{table} has no row-level security");
        for statement in [
            format!("DELETE FROM {schema}.{table}"),
            format!("TRUNCATE {schema}.{table}"),
            format!("INSERT INTO {schema}.{table} DEFAULT VALUES"),
            format!("DROP TABLE {schema}.{table}"),
        ] {
            let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
                .execute(&mut *connection)
                .await;
            assert!(refused.is_err(), "{statement}");
        }
        let count = format!("SELECT count(*) FROM {schema}.{table}");
        // What it has no business with it can't read at all.
        let visible: Result<i64, _> = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await;
        let hidden = visible.as_ref().map_or_else(is_denied, |rows| *rows == 0);
        assert!(hidden, "{schema}.{table} without an organization: {visible:?}");
    }
    sqlx::raw_sql("RESET ROLE").execute(&mut *connection).await.unwrap();
}

fn is_denied(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .as_deref()
        == Some("42501")
}
