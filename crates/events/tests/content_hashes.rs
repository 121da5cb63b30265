//! Content hashes are stored: they never change, and tell any two contents apart.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use recap_events::{
    AgentProfile, ERASED_CONTENT, FeedbackSubmitted, Millis, RawJson, ToolCallFinished, ToolCallStarted, UserProfile,
    text_content_hash,
};

fn started() -> ToolCallStarted<'static> {
    ToolCallStarted {
        tool_call_id: "t".into(),
        tool_name: "search".into(),
        args: Some(RawJson::parse(r#"{"q": 1}"#).unwrap()),
        message_id: Some("m".into()),
        started_at: Some(Millis(1_709_283_602_000)),
    }
}

fn finished() -> ToolCallFinished<'static> {
    ToolCallFinished {
        tool_call_id: "t".into(),
        tool_name: None,
        result: Some(RawJson::parse("[1]").unwrap()),
        error: None,
        finished_at: None,
    }
}

fn feedback() -> FeedbackSubmitted<'static> {
    FeedbackSubmitted {
        feedback_id: "f".into(),
        helpful: true,
        comment: Some("good".into()),
        message_id: None,
        user_id: Some("u".into()),
        created_at: None,
    }
}

fn user() -> UserProfile<'static> {
    UserProfile {
        email: Some("a@b.example".into()),
        first_name: Some("A".into()),
        last_name: None,
        public_metadata: Some(RawJson::parse("{}").unwrap()),
    }
}

fn agent() -> AgentProfile<'static> {
    AgentProfile {
        name: Some("Analyst".into()),
        model: None,
        logo_url: None,
    }
}

#[test]
fn they_are_the_same_for_ever() {
    assert_eq!(started().content_hash(), 9_004_435_455_189_655_642);
    assert_eq!(finished().content_hash(), 3_246_906_545_014_340_099);
    assert_eq!(feedback().content_hash(), 6_730_745_900_313_508_557);
    assert_eq!(user().content_hash(), 2_853_843_209_702_236_492);
    assert_eq!(agent().content_hash(), 4_896_062_486_314_146_581);
    assert_eq!(text_content_hash(None), 7_072_322_646_937_400_941);
    assert_eq!(text_content_hash(Some("Prüfe §4")), 2_852_542_551_121_021_529);
}

#[test]
fn every_field_counts_and_none_runs_into_the_next() {
    let hashes = [
        user().content_hash(),
        UserProfile {
            email: None,
            first_name: Some("a@b.exampleA".into()),
            ..user()
        }
        .content_hash(),
        UserProfile {
            first_name: None,
            last_name: Some("A".into()),
            ..user()
        }
        .content_hash(),
        UserProfile {
            public_metadata: None,
            ..user()
        }
        .content_hash(),
        UserProfile {
            last_name: Some("".into()),
            ..user()
        }
        .content_hash(),
        UserProfile::default().content_hash(),
        started().content_hash(),
        ToolCallStarted {
            args: None,
            ..started()
        }
        .content_hash(),
        ToolCallStarted {
            started_at: None,
            ..started()
        }
        .content_hash(),
        ToolCallStarted {
            message_id: None,
            ..started()
        }
        .content_hash(),
        finished().content_hash(),
        ToolCallFinished {
            result: None,
            error: Some(RawJson::parse("[1]").unwrap()),
            ..finished()
        }
        .content_hash(),
        feedback().content_hash(),
        FeedbackSubmitted {
            helpful: false,
            ..feedback()
        }
        .content_hash(),
        FeedbackSubmitted {
            message_id: Some("u".into()),
            user_id: None,
            ..feedback()
        }
        .content_hash(),
        agent().content_hash(),
        text_content_hash(None),
        text_content_hash(Some("")),
    ];
    for (at, hash) in hashes.iter().enumerate() {
        assert!(*hash <= ERASED_CONTENT);
        assert!(!hashes[..at].contains(hash), "content {at}");
    }
}

#[test]
fn the_id_of_the_thing_is_no_content() {
    let renamed = ToolCallStarted {
        tool_call_id: "other".into(),
        ..started()
    };
    assert_eq!(renamed.content_hash(), started().content_hash());
}
