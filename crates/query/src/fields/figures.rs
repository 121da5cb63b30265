//! The figures of some conversations: of a time, of a group, or of both.

use chrono::{DateTime, Utc};
use recap_store::{Figures, Group};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat,
        schema::{SchemaType, Type},
    },
};

use super::{
    Example::Number,
    Field,
    Getter::MaybeSeconds,
    count, field,
    json::json_rest,
    scalars::{integer, string, time},
    schema::schema_of,
};

#[rustfmt::skip]
const FIGURES: &[Field<Figures>] = &[
    count("conversationCount", "Conversations.", |figures| figures.conversation_count, 128),
    count("messageCount", "Messages of every role.", |figures| figures.message_count, 2560),
    count("toolCalls", "Tool calls; by tool, those of that tool.", |figures| figures.tool_calls, 256),
    count("totalTokens", "All tokens.", |figures| figures.total_tokens, 1_200_000),
    count("inputTokens", "Tokens read.", |figures| figures.input_tokens, 900_000),
    count("outputTokens", "Tokens written.", |figures| figures.output_tokens, 300_000),
    count("uniqueUsers", "Distinct users.", |figures| figures.unique_users, 12),
    count("totalFeedback", "Feedback not withdrawn.", |figures| figures.total_feedback, 50),
    count("totalHelpful", "Of it, helpful.", |figures| figures.total_helpful, 41),
    count("totalNotHelpful", "Of it, not helpful.", |figures| figures.total_not_helpful, 9),
    field("durationP50", "The median of their durations (nearest rank), in seconds; `null` of no conversations.", MaybeSeconds(|figures: &Figures| figures.duration_p50_ms)).example(Number(65.25)),
    field("durationP95", "The 95th percentile.", MaybeSeconds(|figures: &Figures| figures.duration_p95_ms)).example(Number(610.0)),
];

/// Writes the figures of a bucket of time, of one group where there are groups.
pub(crate) fn json_bucket(
    out: &mut Vec<u8>,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    group: &Group,
    figures: &Figures,
) {
    out.extend_from_slice(b"{\"start\":\"");
    time(out, start);
    out.extend_from_slice(b"\",\"end\":\"");
    time(out, end);
    out.push(b'"');
    if *group != Group::All {
        out.extend_from_slice(b",\"group\":");
        value(out, group);
    }
    json_rest(out, FIGURES, figures);
}

/// Writes the figures of a group.
pub(crate) fn json_group(out: &mut Vec<u8>, group: &Group, figures: &Figures) {
    out.extend_from_slice(b"{\"value\":");
    value(out, group);
    json_rest(out, FIGURES, figures);
}

fn value(out: &mut Vec<u8>, group: &Group) {
    match group {
        Group::Integer(Some(value)) => integer(out, *value),
        Group::Text(Some(value)) => string(out, value),
        Group::Other => out.extend_from_slice(b"null,\"other\":true"),
        Group::All | Group::Integer(None) | Group::Text(None) => out.extend_from_slice(b"null"),
    }
}

/// An element of `getTimeSeries`, for the description.
pub(crate) struct TimeSeriesElement;

impl PartialSchema for TimeSeriesElement {
    fn schema() -> RefOr<Schema> {
        let time = |documentation: &str| {
            let format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
            let object = ObjectBuilder::new().schema_type(Type::String).format(format);
            object.description(Some(documentation))
        };
        let group = "What its conversations have in common, by `groupBy`; only there.";
        schema_of("The figures of a bucket of time, and of one group in it.", FIGURES)
            .property("start", time("The bucket's first moment."))
            .property("end", time("The first moment after it."))
            .property("group", value_schema(group))
            .property("other", other_schema())
            .required("start")
            .required("end")
            .into()
    }
}

impl ToSchema for TimeSeriesElement {}

/// An element of `getBreakdown`, for the description.
pub(crate) struct BreakdownElement;

impl PartialSchema for BreakdownElement {
    fn schema() -> RefOr<Schema> {
        let documentation = "The figures of the conversations that have a value in common.";
        schema_of(documentation, FIGURES)
            .property(
                "value",
                value_schema("What they have in common; `null` of those without."),
            )
            .property("other", other_schema())
            .required("value")
            .into()
    }
}

impl ToSchema for BreakdownElement {}

fn value_schema(documentation: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Integer, Type::String, Type::Null]))
        .description(Some(documentation))
}

fn other_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([true]))
        .description(Some("Only of those that are in none of the other groups."))
}
