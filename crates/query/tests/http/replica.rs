//! Reading from a streaming standby, while events are committed on its primary.

use std::time::Duration;

use recap_query::config::Changes;
use recap_testing::PostgresServer;
use serde_json::json;
use sqlx::PgPool;
use tokio::time::timeout;

use crate::{
    changes::Events,
    golden,
    world::{LIST, RANGE, World, conversation, event, eventually},
};

const SOON: Duration = Duration::from_secs(10);

struct Servers {
    primary: PostgresServer,
    standby: PostgresServer,
    /// The standby, as its superuser.
    operator: PgPool,
}

impl Servers {
    async fn start() -> Self {
        let primary = PostgresServer::start().await.unwrap();
        let standby = primary.standby().await.unwrap();
        let operator = PgPool::connect(&standby.url("postgres")).await.unwrap();
        Self {
            primary,
            standby,
            operator,
        }
    }

    async fn on_standby(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.operator).await.unwrap();
    }

    /// Waits for a number that the standby tells.
    async fn standby_tells(&self, statement: &'static str, wanted: i64) {
        let ask = async || {
            sqlx::query_scalar::<_, i64>(statement)
                .fetch_one(&self.operator)
                .await
                .unwrap()
        };
        eventually(ask, |told| *told == wanted).await;
    }
}

/// Until the standby shows it.
async fn published(servers: &Servers, world: &World, id: &str) {
    world.publish(&[conversation(id, "ada", "2024-03-01T10:00:00Z")]).await;
    servers.primary.caught_up(&servers.standby).await.unwrap();
}

/// In seconds, as it is exported.
fn replay_lag(world: &World) -> f64 {
    let text = world.registry.render().unwrap();
    let mut series = text
        .lines()
        .filter(|line| line.starts_with("recap_query_replay_lag_seconds"));
    series.next().unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

async fn ready_becomes(world: &World, status: u16) {
    eventually(async || world.probe("/readyz").await, |reply| reply.status == status).await;
}

#[tokio::test]
async fn the_golden_requests_are_answered_exactly_by_a_standby() {
    let servers = Servers::start().await;
    let world = World::on_standby(&servers.primary, &servers.standby, |_| {}).await;
    ready_becomes(&world, 200).await;
    world.publish(&golden::events()).await;
    servers.primary.caught_up(&servers.standby).await.unwrap();
    golden::assert_answers(&world).await;
}

/// What was cached from before a change was replayed is not kept, though the change was heard of before: only the feed ends an answer here.
#[tokio::test]
async fn a_change_heard_of_on_the_primary_ends_answers_once_the_standby_shows_it() {
    let servers = Servers::start().await;
    let world = World::on_standby(&servers.primary, &servers.standby, |config| {
        config.cache.max_staleness = Duration::from_hours(1);
    })
    .await;
    published(&servers, &world, "c1").await;
    let list = async || world.list("limit=5").await.ids().len();
    eventually(list, |found| *found == 1).await;
    let mut changes = Events::open(&world, &world.boss()).await;
    timeout(SOON, changes.next()).await.unwrap().unwrap();
    let heard = async || world.metric("recap_query_changes_total", &[]);
    let before = heard().await;

    servers.on_standby("SELECT pg_wal_replay_pause()").await;
    servers
        .standby_tells("SELECT count(*) WHERE pg_get_wal_replay_pause_state() = 'paused'", 1)
        .await;
    world
        .publish(&[conversation("c2", "ada", "2024-03-01T10:00:01Z")])
        .await;
    eventually(heard, |heard| *heard > before).await;
    timeout(SOON, changes.next()).await.unwrap().unwrap();
    assert_eq!(list().await, 1, "nothing is replayed");
    servers.on_standby("SELECT pg_wal_replay_resume()").await;
    eventually(list, |found| *found == 2).await;
}

#[tokio::test]
async fn without_a_change_feed_answers_are_kept_by_age() {
    let servers = Servers::start().await;
    let world = World::on_standby(&servers.primary, &servers.standby, |config| {
        config.changes = Changes::Off;
        config.cache.max_staleness = Duration::from_millis(300);
    })
    .await;
    published(&servers, &world, "c1").await;
    let list = async || world.list("limit=5").await.ids().len();
    eventually(list, |found| *found == 1).await;
    published(&servers, &world, "c2").await;
    eventually(list, |found| *found == 2).await;
    ready_becomes(&world, 200).await;
    assert_eq!(world.metric("recap_query_changes_total", &[]), 0);
}

#[tokio::test]
async fn a_standby_that_is_too_far_behind_is_not_ready() {
    let servers = Servers::start().await;
    let world = World::on_standby(&servers.primary, &servers.standby, |config| {
        config.timeouts.replay_lag = Duration::from_secs(1);
    })
    .await;
    published(&servers, &world, "c1").await;
    ready_becomes(&world, 200).await;
    servers.on_standby("SELECT pg_wal_replay_pause()").await;
    world
        .publish(&[conversation("c2", "ada", "2024-03-01T10:00:01Z")])
        .await;
    ready_becomes(&world, 503).await;
    assert_eq!(world.probe("/readyz").await.json()["database"], false);
    assert!(replay_lag(&world) > 1.0);
    assert_eq!(world.list("limit=5").await.ids(), ["c1"], "it answers all the same");
    servers.on_standby("SELECT pg_wal_replay_resume()").await;
    ready_becomes(&world, 200).await;
}

/// A request is held between two of its statements by a lock on the primary, which the standby replays; another such lock on what it has read
/// already is a conflict, for which the standby cancels it.
#[tokio::test]
async fn a_request_that_replay_cancels_is_answered_at_the_second_try_and_not_at_a_third() {
    for conflicts in [1, 2] {
        let servers = Servers::start().await;
        servers
            .on_standby("ALTER SYSTEM SET max_standby_streaming_delay = '50ms'")
            .await;
        servers.on_standby("SELECT pg_reload_conf()").await;
        let world = World::on_standby(&servers.primary, &servers.standby, |_| {}).await;
        let call = json!({ "conversationId": "c1", "toolCallId": "t1", "toolName": "search" });
        world
            .publish(&[event("tool_call.started", "2024-03-01T10:00:02Z", call)])
            .await;
        published(&servers, &world, "c1").await;
        let schema = world.store.live_generation().await.unwrap().schema();
        let lock = async |table: String| {
            let mut transaction = world.pool.begin().await.unwrap();
            let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
            sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
                .execute(&mut *transaction)
                .await
                .unwrap();
            // Writes out what the standby is to receive.
            sqlx::raw_sql("SELECT pg_switch_wal()")
                .execute(&world.pool)
                .await
                .unwrap();
            transaction
        };
        let blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'";
        let exclusive =
            "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND locktype = 'relation'";

        let mut held = vec![lock(format!("{schema}.tool_call")).await];
        servers.standby_tells(exclusive, 1).await;
        let request = world.request(&world.boss(), &format!("{LIST}?{RANGE}&allInOrg=true&limit=5"));
        let asking = tokio::spawn(crate::world::send(request));
        for (table, locks) in [
            (format!("{schema}.conversation_summary"), 2),
            ("recap.live".to_owned(), 3),
        ]
        .into_iter()
        .take(conflicts)
        {
            servers.standby_tells(blocked, 1).await;
            held.push(lock(table).await);
            // The lock is there only once whoever was in its way is gone.
            servers.standby_tells(exclusive, locks).await;
        }
        for transaction in held {
            transaction.rollback().await.unwrap();
        }
        let reply = timeout(SOON, asking).await.unwrap().unwrap();
        if conflicts == 1 {
            assert_eq!(reply.ids(), ["c1"]);
            assert_eq!(reply.json()[0]["toolCalls"][0]["toolName"], "search");
        } else {
            assert_eq!(reply.status, 503, "{}", reply.text());
        }
        servers
            .standby_tells(
                "SELECT sum(confl_lock)::bigint FROM pg_stat_database_conflicts",
                i64::try_from(conflicts).unwrap(),
            )
            .await;
        assert_eq!(world.list("limit=5").await.ids(), ["c1"]);
    }
}
