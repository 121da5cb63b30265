//! Values that are one of a few words.

use std::borrow::Cow;

use recap_store::{FeedbackFilter, RangeOn, Sort};
use utoipa::openapi::{ObjectBuilder, path::ParameterBuilder, schema::Type};

use super::Value;

/// A value that is one of a few words.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// Each with its word, in the order in which they are described.
    const WORDS: &'static [(Self, &'static str)];
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OneOf<C>(pub(crate) C);

impl<C: Choice> Value for OneOf<C> {
    fn read(text: &str) -> Result<Self, String> {
        let known = C::WORDS.iter().find(|(_, word)| *word == text);
        known.map(|(value, _)| Self(*value)).ok_or_else(|| {
            let words: Vec<&str> = C::WORDS.iter().map(|(_, word)| *word).collect();
            format!("must be one of {}", words.join(", "))
        })
    }

    fn canonical(&self) -> Cow<'_, str> {
        let known = C::WORDS.iter().find(|(value, _)| *value == self.0);
        known.map_or("", |(_, word)| word).into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        let words = C::WORDS.iter().map(|(_, word)| *word);
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
        parameter.schema(Some(schema))
    }
}

impl Choice for RangeOn {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::CreatedAt, "createdAt"), (Self::UpdatedAt, "updatedAt")];
}

impl Choice for FeedbackFilter {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Any, "any"),
        (Self::None, "none"),
        (Self::Helpful, "helpful"),
        (Self::NotHelpful, "notHelpful"),
    ];
}

impl Choice for Sort {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::UpdatedAt, "updatedAt"),
        (Self::CreatedAt, "createdAt"),
        (Self::TotalTokens, "totalTokens"),
        (Self::TotalMessageCount, "totalMessageCount"),
        (Self::Duration, "duration"),
    ];
}
