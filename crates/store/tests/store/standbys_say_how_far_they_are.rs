use std::time::Duration;

use recap_store::{Change, ChangeListener, DatabaseUrl, ListenError, LogPosition, Reader, StoreOptions};
use recap_testing::{PostgresServer, TestDatabase, eventually};

use crate::support::{batch, log};

const LIMIT: Duration = Duration::from_secs(30);

/// A ping of the primary's feed carries a position that a standby reaches once it shows what was committed before; a standby that does not replay
/// says so, and has no feed.
#[tokio::test]
async fn a_standby_reaches_the_position_of_a_ping_when_it_shows_what_was_committed_before() {
    let primary = PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(&primary).await;
    let standby = primary.standby().await.unwrap();
    primary.caught_up(&standby).await.unwrap();
    let name = database.url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let replica = standby.url(name);
    let reader = Reader::new(&StoreOptions::new(replica.as_str(), "replica")).unwrap();
    reader.check_schema().await.unwrap();
    assert_eq!(database.reader().replication().await.unwrap(), None);
    let replayed = async || reader.replication().await.unwrap().unwrap().replayed;

    let pool = sqlx::PgPool::connect(&replica).await.unwrap();
    sqlx::raw_sql("SELECT pg_wal_replay_pause()")
        .execute(&pool)
        .await
        .unwrap();
    let mut feed = ChangeListener::connect(&DatabaseUrl::from(database.url.as_str()))
        .await
        .unwrap();
    database.flush(&mut batch(&log(1, 50))).await;
    feed.ping(1).await.unwrap();
    let position: LogPosition = loop {
        if let Change::Ping(1, position) = feed.next().await.unwrap() {
            break position;
        }
    };
    assert!(replayed().await < position, "nothing is replayed");
    let lag = async || reader.replication().await.unwrap().unwrap().lag;
    eventually("the lag", LIMIT, lag, |lag| *lag > Duration::from_millis(500)).await;
    sqlx::raw_sql("SELECT pg_wal_replay_resume()")
        .execute(&pool)
        .await
        .unwrap();
    eventually("the replay", LIMIT, replayed, |replayed| *replayed >= position).await;
    eventually("no lag", LIMIT, lag, Duration::is_zero).await;

    let refused = ChangeListener::connect(&DatabaseUrl::from(replica)).await.err();
    assert!(matches!(&refused, Some(ListenError::Database(_))), "{refused:?}");
}
