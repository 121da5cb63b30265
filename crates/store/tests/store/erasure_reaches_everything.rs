use recap_events::{Micros, RawJson, UserProfile};
use recap_store::{Batch, GenerationId, Target, UserWrite};
use recap_testing::TestDatabase;

use crate::support::{database, table};

fn user(event: &str, time: i64, erased: bool) -> Batch {
    let profile = UserProfile {
        email: Some("ada@example.org".into()),
        public_metadata: Some(RawJson::parse(r#"{"a":{"b":[1,2]}}"#).unwrap()),
        ..UserProfile::default()
    };
    let profile = (!erased).then_some(&profile);
    let write = UserWrite::new("org", "ada", event, Micros(time), profile);
    Batch {
        users: vec![write],
        ..Batch::default()
    }
}

async fn assert_erased(database: &TestDatabase<'_>, generation: GenerationId) {
    let stored = table::read(&database.pool, generation).await;
    let profile = stored.users.values().next().unwrap();
    assert_eq!(profile.email, None, "generation {generation}");
    let schema = generation.schema();
    let sql = format!("SELECT count(*) FROM {schema}.user_metadata_token");
    let tokens: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(tokens, 0, "generation {generation}");
}

/// `user.deleted` empties the profile in the live, the kept and the building generation, and an older
/// profile that comes late finds the tombstone.
#[tokio::test]
async fn erasure_reaches_every_generation_and_stays() {
    let database = database().await;
    let store = &database.store;
    let kept = database.live().await;
    store
        .flush(Target::Live(kept), &mut user("e1", 1, false))
        .await
        .unwrap();
    let live = database.store.create_generation().await.unwrap();
    database.store.create_indexes(live).await.unwrap();
    store
        .flush(Target::Building(live), &mut user("e1", 1, false))
        .await
        .unwrap();
    database.store.switch_generation(kept, live, &[], &[]).await.unwrap();
    let building = database.store.create_generation().await.unwrap();
    store
        .flush(Target::Building(building), &mut user("e1", 1, false))
        .await
        .unwrap();

    store.flush(Target::Live(live), &mut user("e3", 3, true)).await.unwrap();
    for generation in [kept, live, building] {
        assert_erased(&database, generation).await;
    }
    store
        .flush(Target::Live(live), &mut user("e2", 2, false))
        .await
        .unwrap();
    store
        .flush(Target::Building(building), &mut user("e2", 2, false))
        .await
        .unwrap();
    assert_erased(&database, live).await;
    assert_erased(&database, building).await;
}
