//! Valid events of every type.

use std::borrow::Cow;

use proptest::{collection::vec, option, prelude::*};
use recap_events::{
    AgentProfile, Body, Change, ConversationFields, Event, FeedbackSubmitted, Message, Micros, Millis, RawJson,
    ToolCallFinished, ToolCallStarted, Usage, UserProfile,
};

pub fn event() -> impl Strategy<Value = Event<'static>> {
    (id(), 0..=Micros::MAX.0, id(), body()).prop_map(|(id, time, org_id, body)| Event {
        id,
        time: Micros(time),
        org_id,
        body,
    })
}

fn id() -> impl Strategy<Value = Cow<'static, str>> {
    "[^\0]{1,20}|[0-9a-f]{8}-[0-9a-f]{4}|x{255}".prop_map(Cow::Owned)
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    "[^\0]{0,30}|[a-z \"\\\\\n]{0,60}".prop_map(Cow::Owned)
}

fn name() -> impl Strategy<Value = Cow<'static, str>> {
    "[^\0]{1,12}".prop_map(Cow::Owned)
}

fn millis() -> impl Strategy<Value = Millis> {
    (0..=Millis::MAX.0).prop_map(Millis)
}

fn count() -> impl Strategy<Value = Option<u32>> {
    option::of(0..=0x7fff_ffff_u32)
}

fn agent_id() -> impl Strategy<Value = i64> {
    -9_007_199_254_740_991..=9_007_199_254_740_991_i64
}

/// Compact JSON that is not `null`, which would be the same as absent.
fn raw() -> impl Strategy<Value = RawJson<'static>> {
    let leaf = prop_oneof![
        Just(String::from("null")),
        Just(String::from("true")),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,3})?(e[+-]?[0-9]{1,3})?",
        "[^\0]{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let nested = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(("[a-z]{0,3}", inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    nested
        .prop_filter("null is absent", |text| text != "null")
        .prop_map(|text| match RawJson::parse(&text) {
            Ok(raw) => raw.into_owned(),
            Err(error) => panic!("{error}: {text}"),
        })
}

fn usage() -> impl Strategy<Value = Usage> {
    (count(), count(), count()).prop_map(|(input_tokens, output_tokens, total_tokens)| Usage {
        input_tokens,
        output_tokens,
        total_tokens,
    })
}

fn message() -> impl Strategy<Value = Change<'static>> {
    let required = (id(), name(), millis());
    let said = (option::of(text()), option::of(text()), option::of(text()));
    let counted = (usage(), count());
    let about = (option::of(id()), option::of(agent_id()), option::of(id()));
    (required, said, counted, about).prop_map(|(required, said, counted, about)| {
        let (message_id, role, created_at) = required;
        let (text, model, finish_reason) = said;
        let (usage, attachment_count) = counted;
        let (user_id, agent_id, upstream_conversation_id) = about;
        Change::Message(Message {
            message_id,
            role,
            created_at,
            text,
            model,
            finish_reason,
            usage,
            attachment_count,
            user_id,
            agent_id,
            upstream_conversation_id,
        })
    })
}

fn upserted() -> impl Strategy<Value = Change<'static>> {
    let about = (option::of(id()), option::of(agent_id()), option::of(id()));
    (about, option::of(millis())).prop_map(|((user_id, agent_id, upstream_conversation_id), created_at)| {
        Change::Upserted(ConversationFields {
            user_id,
            agent_id,
            upstream_conversation_id,
            created_at,
        })
    })
}

fn started() -> impl Strategy<Value = Change<'static>> {
    let optional = (option::of(raw()), option::of(id()), option::of(millis()));
    (id(), name(), optional).prop_map(|(tool_call_id, tool_name, (args, message_id, started_at))| {
        Change::ToolCallStarted(ToolCallStarted {
            tool_call_id,
            tool_name,
            args,
            message_id,
            started_at,
        })
    })
}

fn finished() -> impl Strategy<Value = Change<'static>> {
    let outcome = (option::of(raw()), option::of(raw()), option::of(millis()));
    (id(), option::of(name()), outcome).prop_map(|(tool_call_id, tool_name, (result, error, finished_at))| {
        Change::ToolCallFinished(ToolCallFinished {
            tool_call_id,
            tool_name,
            result,
            error,
            finished_at,
        })
    })
}

fn submitted() -> impl Strategy<Value = Change<'static>> {
    let optional = (
        option::of(text()),
        option::of(id()),
        option::of(id()),
        option::of(millis()),
    );
    (id(), any::<bool>(), optional).prop_map(|(feedback_id, helpful, optional)| {
        let (comment, message_id, user_id, created_at) = optional;
        Change::FeedbackSubmitted(FeedbackSubmitted {
            feedback_id,
            helpful,
            comment,
            message_id,
            user_id,
            created_at,
        })
    })
}

fn change() -> impl Strategy<Value = Change<'static>> {
    prop_oneof![
        message(),
        upserted(),
        started(),
        finished(),
        submitted(),
        Just(Change::Deleted),
        Just(Change::Restored),
        id().prop_map(|feedback_id| Change::FeedbackWithdrawn { feedback_id }),
        id().prop_map(|message_id| Change::MessageDeleted { message_id }),
        id().prop_map(|tool_call_id| Change::ToolCallDeleted { tool_call_id }),
    ]
}

fn user() -> impl Strategy<Value = UserProfile<'static>> {
    let metadata = raw().prop_filter("an object", |raw| raw.as_str().starts_with('{'));
    let names = (option::of(text()), option::of(text()), option::of(text()));
    (names, option::of(metadata)).prop_map(|((email, first_name, last_name), public_metadata)| UserProfile {
        email,
        first_name,
        last_name,
        public_metadata,
    })
}

fn agent() -> impl Strategy<Value = AgentProfile<'static>> {
    (option::of(text()), option::of(text()), option::of(text())).prop_map(|(name, model, logo_url)| AgentProfile {
        name,
        model,
        logo_url,
    })
}

fn body() -> impl Strategy<Value = Body<'static>> {
    prop_oneof![
        4 => (id(), change()).prop_map(|(conversation_id, change)| Body::Conversation {
            conversation_id,
            change,
        }),
        1 => (id(), option::of(user())).prop_map(|(user_id, profile)| Body::User {
            user_id,
            profile,
        }),
        1 => (agent_id(), agent()).prop_map(|(agent_id, profile)| Body::Agent {
            agent_id,
            profile,
        }),
    ]
}
