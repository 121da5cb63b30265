//! Flat rows, for the description: one conversation a line, without those inside it.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use super::{conversation::INTERACTION, schema::schema_of};

/// A line of NDJSON, for the description. CSV has the same fields as columns.
pub(crate) struct FlatInteraction;

impl PartialSchema for FlatInteraction {
    fn schema() -> RefOr<Schema> {
        let documentation =
            "One conversation by itself: a line of NDJSON. In CSV its fields are the columns, nested values as JSON.";
        schema_of(documentation, INTERACTION).into()
    }
}

impl ToSchema for FlatInteraction {}

/// A whole answer in NDJSON, for the description: OpenAPI 3.1 has no schema for a sequence of JSON texts.
pub(crate) struct FlatLines;

impl PartialSchema for FlatLines {
    fn schema() -> RefOr<Schema> {
        text_schema(
            "One `FlatInteraction` a line, each ended by LF.",
            "application/x-ndjson",
        )
    }
}

impl ToSchema for FlatLines {}

/// A whole answer in CSV, for the description.
pub(crate) struct FlatTable;

impl PartialSchema for FlatTable {
    fn schema() -> RefOr<Schema> {
        let documentation = "RFC 4180: a line of names, then one of values for each conversation, the members of `FlatInteraction` in their order; nested \
             values as JSON, null empty.";
        text_schema(documentation, "text/csv")
    }
}

impl ToSchema for FlatTable {}

fn text_schema(documentation: &str, media_type: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(documentation))
        .content_media_type(media_type)
        .into()
}
