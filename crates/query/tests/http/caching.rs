//! Answers kept in memory: never wrong, never another's, made once.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use tokio::time::Instant;

use crate::world::{LIST, ORG, RANGE, STATS, World, conversation, event, event_of, eventually, send};

const LOOKUPS: &str = "recap_query_cache_lookups_total";

fn lookups(world: &World, result: &str) -> u64 {
    world.metric(LOOKUPS, &[&format!("\"{result}\"")])
}

fn readings(world: &World) -> u64 {
    world.metric("recap_query_answer_rows_count", &[])
}

/// A world whose cache would keep an answer for an hour if nothing invalidated it.
async fn with_lasting_cache() -> World {
    World::start_with(|config| config.cache.max_staleness = Duration::from_hours(1)).await
}

/// Waits until the service has heard of every commit so far: the change of an organization that nobody else asks for
/// came after all of them.
async fn heard(world: &World) {
    const MARKER: &str = "org_marker";
    let token = world.admin(MARKER, "user_marker");
    let path = format!("{LIST}?{RANGE}&allInOrg=true&limit=50");
    // The first round may be ended by the feed's own beginning, which distrusts everything.
    for round in ["first", "second"] {
        assert_eq!(world.get(&token, &path).await.status, 200);
        let data = json!({ "conversationId": round });
        let time = "2024-03-01T10:00:00Z";
        world
            .publish(&[event_of(MARKER, "conversation.upserted", time, data)])
            .await;
        let seen = async || world.get(&token, &path).await.ids();
        eventually(seen, |ids| ids.iter().any(|id| id == round)).await;
    }
}

#[tokio::test]
async fn a_repeated_question_is_answered_from_memory() {
    let world = with_lasting_cache().await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    heard(&world).await;
    let boss = world.boss();
    for path in [
        format!("{LIST}?{RANGE}&allInOrg=true&limit=5"),
        format!("{STATS}?{RANGE}&allInOrg=true"),
    ] {
        let (hits, misses) = (lookups(&world, "hit"), lookups(&world, "miss"));
        let first = world.get(&boss, &path).await;
        // The same question in other words, by another administrator.
        let other_words = path.replace("2000-01-01T00:00:00Z", "2000-01-01T01:00:00.000%2B01:00");
        let again = world.get(&world.admin(ORG, "user_other"), &other_words).await;
        assert_eq!((first.status, first.body), (200, again.body));
        assert_eq!(
            (lookups(&world, "miss") - misses, lookups(&world, "hit") - hits),
            (1, 1),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_commit_ends_the_answers_it_touches_and_no_others() {
    let world = with_lasting_cache().await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    heard(&world).await;
    let path = format!("{LIST}?{RANGE}&allInOrg=true&limit=5");
    let (boss, other) = (world.boss(), world.admin("org_other", "user_boss"));
    assert_eq!(world.get(&boss, &path).await.ids(), ["c1"]);
    assert_eq!(world.get(&other, &path).await.ids(), Vec::<String>::new());
    for n in 2..6 {
        let id = format!("c{n}");
        world
            .publish(&[conversation(&id, "ada", &format!("2024-03-01T10:00:0{n}Z"))])
            .await;
        let seen = eventually(async || world.get(&boss, &path).await.ids(), |ids| ids.contains(&id)).await;
        assert_eq!(seen.len(), n);
    }
    let misses = lookups(&world, "miss");
    assert_eq!(world.get(&other, &path).await.ids(), Vec::<String>::new());
    assert_eq!(lookups(&world, "miss"), misses);
}

#[tokio::test]
async fn a_profile_change_ends_answers_too() {
    let world = with_lasting_cache().await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    assert_eq!(world.list("limit=5").await.json()[0]["userFirstName"], json!(null));
    world
        .publish(&[event(
            "user.upserted",
            "2024-03-01T00:00:00Z",
            json!({ "userId": "ada", "firstName": "Ada" }),
        )])
        .await;
    let name = async || world.list("limit=5").await.json()[0]["userFirstName"].clone();
    eventually(name, |name| name == "Ada").await;
}

#[tokio::test]
async fn a_deleted_user_is_gone_from_every_answer() {
    const PERSONAL: [&str; 4] = ["Ada", "Lovelace", "ada@example.com", "analytical"];
    let world = with_lasting_cache().await;
    let profile = json!({ "userId": "ada", "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com",
        "publicMetadata": { "team": "analytical" } });
    let profile = event("user.upserted", "2024-03-01T00:00:00Z", profile);
    world
        .publish(&[
            conversation("c1", "ada", "2024-03-01T10:00:00Z"),
            conversation("c2", "lin", "2024-03-01T09:00:00Z"),
            profile.clone(),
        ])
        .await;
    heard(&world).await;
    let lists = ["", "limit=5", "limit=5&metadataKey=team", "metadataValue=analytical"];
    let medias = ["application/json", "application/x-ndjson", "text/csv"];
    let ask = async |filter: &str, media: &str, etag: &str| {
        let path = format!("{LIST}?{RANGE}&allInOrg=true&{filter}");
        let request = world
            .request(&world.boss(), path.trim_end_matches('&'))
            .header("accept", media)
            .header("if-none-match", etag);
        send(request).await
    };
    let mut etags = Vec::new();
    for filter in lists {
        for media in medias {
            let reply = ask(filter, media, "\"none\"").await;
            for personal in PERSONAL {
                assert!(reply.text().contains(personal), "{filter} {}", reply.text());
            }
            etags.push(reply.header("etag").to_owned());
        }
    }
    let counted = format!("{STATS}?{RANGE}&allInOrg=true&metadataKey=team");
    let count = async || world.get(&world.boss(), &counted).await.json()["conversationCount"].clone();
    assert_eq!(count().await, 1);

    let deleted = json!({ "userId": "ada" });
    world
        .publish(&[event("user.deleted", "2024-03-02T00:00:00Z", deleted)])
        .await;
    heard(&world).await;
    // The profile comes again, late: it stays erased.
    world.publish(&[profile]).await;
    heard(&world).await;
    let mut etags = etags.into_iter();
    for filter in lists {
        for media in medias {
            let reply = ask(filter, media, &etags.next().unwrap()).await;
            assert_eq!(reply.status, 200, "{filter} {media}");
            for personal in PERSONAL {
                assert!(!reply.text().contains(personal), "{filter} {}", reply.text());
            }
            let found = reply.text().contains("c1");
            assert_eq!(found, !filter.contains("metadata"), "{filter} {media}");
        }
    }
    assert_eq!(count().await, 0);
    let kept = world.list("userId=ada&limit=5").await.json()[0].clone();
    assert_eq!((&kept["userId"], &kept["userEmail"]), (&json!("ada"), &json!(null)));
    assert_eq!(kept["userPublicMetadata"], json!({}));
}

#[tokio::test]
async fn lost_notifications_are_bounded_by_the_allowed_staleness() {
    let staleness = Duration::from_millis(400);
    let world = World::start_with(|config| config.cache.max_staleness = staleness).await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    let path = format!("{LIST}?{RANGE}&allInOrg=true&limit=5");
    let boss = world.boss();
    assert_eq!(world.get(&boss, &path).await.ids(), ["c1"]);
    // The listener's connection dies again and again: whatever is told meanwhile is told to nobody.
    let mut killer = sqlx::PgConnection::connect_with(&world.pool.connect_options())
        .await
        .unwrap();
    for n in 2..6 {
        let id = format!("c{n}");
        let count = kill_listeners(&mut killer).await;
        assert!(count > 0 || n > 2);
        world
            .publish(&[conversation(&id, "ada", &format!("2024-03-01T10:00:0{n}Z"))])
            .await;
        let committed = Instant::now();
        loop {
            let asked = Instant::now();
            if world.get(&boss, &path).await.ids().contains(&id) {
                break;
            }
            assert!(
                asked - committed <= staleness,
                "an answer from before a commit {:?} ago",
                asked - committed
            );
        }
    }
}

async fn kill_listeners(killer: &mut sqlx::PgConnection) -> i64 {
    let statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() \
        AND application_name = 'recap-changes'";
    sqlx::query_scalar(statement).fetch_one(killer).await.unwrap()
}

#[tokio::test]
async fn two_hundred_and_fifty_six_who_ask_a_cold_question_cause_one_reading() {
    let world = with_lasting_cache().await;
    let events: Vec<_> = (0..300)
        .map(|n| conversation(&format!("c{n:03}"), "ada", "2024-03-01T10:00:00Z"))
        .collect();
    world.publish(&events).await;
    // Keys and connections are warm by that, the question is not.
    heard(&world).await;
    let boss = world.boss();
    let (misses, readings) = (lookups(&world, "miss"), readings(&world));
    let path = format!("{LIST}?{RANGE}&allInOrg=true&limit=200");
    let replies = futures::future::join_all((0..256).map(|_| world.get(&boss, &path))).await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 200 && reply.body == replies[0].body)
    );
    assert_eq!(lookups(&world, "miss") - misses, 1);
    assert_eq!(self::readings(&world) - readings, 1);
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let world = with_lasting_cache().await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    let path = format!("{LIST}?{RANGE}&allInOrg=true&limit=5");
    let schema: i32 = sqlx::query_scalar("SELECT generation FROM recap.live")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    let rename = async |from: &str, to: &str| {
        let statement = format!("ALTER TABLE recap_g{schema}.{from} RENAME TO {to}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&world.pool)
            .await
            .unwrap();
    };
    rename("conversation_summary", "away").await;
    let failed = world.get(&world.boss(), &path).await;
    assert_eq!(
        (failed.status, failed.header("content-type")),
        (500, "application/problem+json")
    );
    assert!(!failed.text().contains("conversation_summary"), "{}", failed.text());
    rename("away", "conversation_summary").await;
    assert_eq!(world.get(&world.boss(), &path).await.ids(), ["c1"]);
}

#[tokio::test]
async fn a_members_answer_never_serves_another() {
    let world = with_lasting_cache().await;
    world
        .publish(&[
            conversation("a", "ada", "2024-03-01T10:00:00Z"),
            conversation("l", "lin", "2024-03-01T11:00:00Z"),
            event_of(
                "org_other",
                "conversation.upserted",
                "2024-03-01T11:00:00Z",
                json!({ "conversationId": "x", "userId": "ada" }),
            ),
        ])
        .await;
    let path = format!("{LIST}?from=2000-01-01T00:00:00Z&to=2099-01-01T00:00:00Z&limit=5");
    for _ in 0..3 {
        assert_eq!(world.get(&world.member(ORG, "ada"), &path).await.ids(), ["a"]);
        assert_eq!(world.get(&world.member(ORG, "lin"), &path).await.ids(), ["l"]);
        assert_eq!(world.get(&world.admin(ORG, "lin"), &path).await.ids(), ["l"]);
        assert_eq!(
            world
                .get(&world.admin(ORG, "lin"), &format!("{path}&allInOrg=true"))
                .await
                .ids(),
            ["l", "a"]
        );
        assert_eq!(world.get(&world.member("org_other", "ada"), &path).await.ids(), ["x"]);
        assert_eq!(
            world
                .get(&world.member(ORG, "ada"), &format!("{path}&allInOrg=true"))
                .await
                .status,
            403
        );
    }
}

#[tokio::test]
async fn a_switch_of_generations_ends_every_answer() {
    let world = with_lasting_cache().await;
    world
        .publish(&[conversation("old", "ada", "2024-03-01T10:00:00Z")])
        .await;
    assert_eq!(world.list("limit=5").await.ids(), ["old"]);
    let live = world.store.live_generation().await.unwrap();
    let next = world.store.create_generation().await.unwrap();
    world.store.create_indexes(next).await.unwrap();
    world.store.switch_generation(live, next, &[], &[]).await.unwrap();
    eventually(async || world.list("limit=5").await.ids(), Vec::is_empty).await;
}
