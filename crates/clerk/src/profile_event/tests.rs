#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use proptest::prelude::*;
use recap_events::{Body, Decoded, decode};

use super::*;

fn user(updated_at: i64) -> User {
    let text = format!(
        r#"{{"id": "user_1", "first_name": "Ada", "last_name": null, "primary_email_address_id": "idn_2", "updated_at": {updated_at},
        "email_addresses": [{{"id": "idn_1", "email_address": "old@example.com"}}, {{"id": "idn_2", "email_address": "ada@example.com"}}],
        "public_metadata": {{"plan": "pro", "n": 12345678901234567890123}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn membership(updated_at: i64) -> Membership {
    let text = format!(
        r#"{{"organization": {{"id": "org_1"}}, "public_user_data": {{"user_id": "user_1"}}, "public_metadata": {{"team": "sales"}},
        "updated_at": {updated_at}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// Of this state of Clerk, read for this webhook.
fn read(user_at: i64, membership_at: i64, cause: &str) -> ProfileEvent {
    ProfileEvent::upserted(&user(user_at), &membership(membership_at), cause, Shape::default()).unwrap()
}

fn order(event: &ProfileEvent) -> (Micros, &str) {
    (event.time, &event.id)
}

#[test]
fn an_event_is_what_the_contract_reads() {
    let shape = Shape {
        metadata: MetadataSource::Merged,
        revision: 7,
    };
    let event = ProfileEvent::upserted(&user(1_700_000_000_123), &membership(5), "msg_1", shape).unwrap();
    assert_eq!(event.key(), "org_1/user_1");
    let Decoded::Event(decoded) = decode(Some(&event.value), std::iter::empty(), None) else {
        panic!("{}", String::from_utf8_lossy(&event.value));
    };
    assert_eq!((decoded.time, &*decoded.id), order(&event));
    assert_eq!(decoded.time, Micros(1_700_000_000_123_007));
    assert_eq!(decoded.id, "000000000000005.001700000000123.msg_1.org_1.user_1");
    assert!(ProfileEvent::is_id(&decoded.id) && !ProfileEvent::is_id("0198b1d2-7c3e"));
    assert_eq!(decoded.org_id, "org_1");
    let Body::User { user_id, profile } = decoded.body else {
        panic!("no profile");
    };
    let profile = profile.unwrap();
    assert_eq!(user_id, "user_1");
    assert_eq!(profile.email.as_deref(), Some("ada@example.com"));
    assert_eq!(profile.first_name.as_deref(), Some("Ada"));
    assert_eq!(profile.last_name, None);
    let text = String::from_utf8_lossy(&event.value).into_owned();
    assert!(
        text.contains(r#""publicMetadata":{"n":12345678901234567890123,"plan":"pro","team":"sales"}"#),
        "{text}"
    );
}

#[test]
fn a_user_without_a_primary_address_has_none() {
    let mut user = user(1);
    user.primary_email_address_id = None;
    assert_eq!(user.email(), None);
}

#[test]
fn times_that_recap_cannot_hold_are_refused() {
    for time in [-1, i64::MIN, i64::MAX, 253_402_300_800_000] {
        assert_eq!(ProfileEvent::deleted("o", "u", time, "c"), Err(NoTime(time)), "{time}");
    }
    assert!(ProfileEvent::deleted("o", "u", 253_402_300_799_999, "c").is_ok());
}

#[test]
fn the_same_webhook_on_the_same_state_is_the_same_event() {
    assert_eq!(read(20, 10, "msg_1"), read(20, 10, "msg_1"));
    assert_ne!(read(20, 10, "msg_1").id, read(20, 11, "msg_1").id);
}

#[test]
fn a_changed_setting_wins_over_the_same_state() {
    let next = Shape {
        metadata: MetadataSource::User,
        revision: 1,
    };
    let again = ProfileEvent::upserted(&user(20), &membership(10), "backfill-0", next).unwrap();
    assert!(order(&again) > order(&read(20, 10, "msg_9")));
}

proptest! {
    /// However many of the reads saw one object older than the other, the greatest order key is that of the last state.
    #[test]
    fn the_last_state_wins_over_every_mixture_of_older_ones(
        last in (1_i64..2_000_000_000_000, 1_i64..2_000_000_000_000),
        reads in prop::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64, "[a-z0-9_]{1,8}"), 1..20),
        cause in "[a-z0-9_]{1,8}",
    ) {
        let newest = read(last.0, last.1, &cause);
        for (user_share, membership_share, cause) in reads {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any earlier time will do")]
            let earlier = |time: i64, share: f64| ((time as f64 * share) as i64).min(time);
            let state = (earlier(last.0, user_share), earlier(last.1, membership_share));
            let event = read(state.0, state.1, &cause);
            if state == last {
                prop_assert_eq!(event.time, newest.time);
            } else {
                prop_assert!(order(&event) < order(&newest), "{:?} {:?}", order(&event), order(&newest));
            }
        }
    }

    /// What was read while the membership was there is erased by its end, and what is read after it was made anew is not.
    #[test]
    fn the_end_of_a_membership_wins_over_what_was_read_before_and_loses_to_what_comes_after(
        user_at in 0_i64..1_000, membership_at in 0_i64..1_000, ended in 0_i64..1_000, again in 1_i64..1_000, revision in 0..=MAX_REVISION,
    ) {
        let ended = ended.max(user_at).max(membership_at);
        let shape = Shape { revision, ..Shape::default() };
        let deleted = ProfileEvent::deleted("org_1", "user_1", ended, "msg_0").unwrap();
        let before = ProfileEvent::upserted(&user(user_at), &membership(membership_at), "msg_9", shape).unwrap();
        let after = ProfileEvent::upserted(&user(user_at), &membership(ended + again), "msg_9", Shape::default()).unwrap();
        prop_assert!(order(&before) < order(&deleted));
        prop_assert!(order(&deleted) < order(&after));
        let swept = ProfileEvent::deleted_after("org_1", "user_1", before.time, "backfill-1").unwrap();
        prop_assert!(order(&before) < order(&swept));
        prop_assert!(order(&swept) < order(&after));
    }
}
