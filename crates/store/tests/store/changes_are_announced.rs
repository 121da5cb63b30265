use recap_events::Change as Edit;
use recap_store::{Batch, Change, ChangeListener, DatabaseUrl, Target};

use crate::support::{batch, database, entry, log};

/// Each flush announces its organizations, and nothing when it wrote nothing; a ping comes back after
/// everything that was committed before it, and is not heard by others.
#[tokio::test]
async fn the_feed_announces_every_commit_in_order() {
    let database = database().await;
    let store = &database.store;
    let generation = database.live().await;
    let url = DatabaseUrl::from(database.url.clone());
    let mut listener = ChangeListener::connect(&url).await.unwrap();
    let mut other = ChangeListener::connect(&url).await.unwrap();

    let mut one = Batch {
        conversations: vec![
            entry("acme", "c", "e1", 1, &Edit::Restored),
            entry("globex", "c", "e2", 1, &Edit::Restored),
        ],
        ..Batch::default()
    };
    let mut repeated = one.clone();
    store.flush(Target::Live(generation), &mut one).await.unwrap();
    store.flush(Target::Live(generation), &mut repeated).await.unwrap();
    listener.ping(7).await.unwrap();
    let Change::Organizations(announced) = listener.next().await.unwrap() else {
        panic!("organizations first");
    };
    assert!(announced.may_contain("acme") && announced.may_contain("globex"));
    assert_eq!(announced.iter().count(), 2);
    assert!(matches!(listener.next().await.unwrap(), Change::Ping(7, _)));

    let mut profiles = batch(&log(3, 200));
    profiles.conversations.clear();
    let organizations: Vec<_> = profiles.users.iter().map(|user| user.org_id.clone()).collect();
    store.flush(Target::Live(generation), &mut profiles).await.unwrap();
    let Change::Organizations(announced) = listener.next().await.unwrap() else {
        panic!("organizations again");
    };
    assert!(organizations.iter().all(|org_id| announced.may_contain(org_id)));

    let new = database.store.create_generation().await.unwrap();
    database.store.create_indexes(new).await.unwrap();
    database
        .store
        .switch_generation(generation, new, &[], &[])
        .await
        .unwrap();
    assert_eq!(listener.next().await.unwrap(), Change::Generation(new));
    for _ in 0..2 {
        assert!(matches!(other.next().await.unwrap(), Change::Organizations(_)));
    }
    assert_eq!(other.next().await.unwrap(), Change::Generation(new));
}

/// A lost connection ends the feed: it never goes on in silence.
#[tokio::test]
async fn a_lost_connection_ends_the_feed() {
    let database = database().await;
    let url = DatabaseUrl::from(database.url.clone());
    let mut listener = ChangeListener::connect(&url).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'recap-changes'")
        .execute(&database.pool)
        .await
        .unwrap();
    assert!(listener.next().await.is_err());
    assert!(listener.next().await.is_err());
    assert!(listener.ping(1).await.is_err());
}
