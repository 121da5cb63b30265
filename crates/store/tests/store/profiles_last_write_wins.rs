use recap_events::{Micros, RawJson, UserProfile};
use recap_store::{Batch, Target, UserWrite};

use crate::support::{database, table};

fn user(event: &str, time: i64, metadata: Option<&str>) -> UserWrite {
    let profile = metadata.map(|metadata| UserProfile {
        email: Some(event.into()),
        public_metadata: Some(RawJson::parse(metadata).unwrap()),
        ..UserProfile::default()
    });
    UserWrite::new("org", "user", event, Micros(time), profile.as_ref())
}

/// Any order, in one batch or in several, with equal times ordered by the id's bytes.
#[tokio::test]
async fn the_greatest_order_key_wins() {
    let database = database().await;
    let generation = database.live().await;
    let store = &database.store;
    let revisions = [
        user("b", 5, Some(r#"{"k":1}"#)),
        user("a", 5, Some(r#"{"k":2,"gone":true}"#)),
        user("z", 4, Some(r#"{"k":3}"#)),
        user("B", 5, None),
    ];
    for split in 0..=revisions.len() {
        for (round, part) in [&revisions[split..], &revisions[..split]].into_iter().enumerate() {
            let mut batch = Batch {
                users: part.to_vec(),
                ..Batch::default()
            };
            let report = store.flush(Target::Live(generation), &mut batch).await.unwrap();
            assert!(split == 0 && round == 0 || report.profiles <= 1);
            assert!(batch.users.is_empty());
        }
        let stored = table::read(&database.pool, generation).await;
        let email = stored.users.values().next().unwrap().email.clone();
        assert_eq!(email.as_deref(), Some("b"));
        let tokens: i64 = sqlx::query_scalar("SELECT count(*) FROM recap_g1.user_metadata_token")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        // The key, the key with its value, the value.
        assert_eq!(tokens, 3);
    }
}
