//! Keys that a caller may leave out of every conversation.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Schema,
        path::{ParameterBuilder, ParameterStyle},
        schema::{ArrayBuilder, Type},
    },
};

use super::Value;

/// A key that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excluded {
    /// Arguments and results can be large.
    ToolCalls,
    /// Comments can be long.
    FeedbackData,
    /// Texts can be long.
    FirstMessageText,
}

impl Excluded {
    const ALL: [(Self, &str); 3] = [
        (Self::ToolCalls, "toolCalls"),
        (Self::FeedbackData, "feedbackData"),
        (Self::FirstMessageText, "firstMessageText"),
    ];

    fn names() -> [&'static str; 3] {
        Self::ALL.map(|(_, name)| name)
    }
}

impl PartialSchema for Excluded {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A key that can be left out."))
            .enum_values(Some(Self::names()));
        schema.into()
    }
}

impl ToSchema for Excluded {}

/// The keys to leave out of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Exclude([bool; 3]);

impl Exclude {
    /// Whether `key` is left out.
    pub(crate) fn contains(self, key: Excluded) -> bool {
        self.0[key as usize]
    }
}

impl Value for Exclude {
    const MAY_BE_REPEATED: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let mut exclude = Self::default();
        for item in text.split(',') {
            let known = Excluded::ALL.iter().find(|(_, name)| *name == item);
            let Some((key, _)) = known else {
                return Err(format!("takes a comma list of {}", Excluded::names().join(", ")));
            };
            if std::mem::replace(&mut exclude.0[*key as usize], true) {
                return Err("names a key more than once".to_owned());
            }
        }
        Ok(exclude)
    }

    fn canonical(&self) -> Cow<'_, str> {
        let excluded = Excluded::ALL.iter().filter(|(key, _)| self.contains(*key));
        excluded.map(|(_, name)| *name).collect::<Vec<_>>().join(",").into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        let items = ArrayBuilder::new()
            .items(Ref::from_schema_name(Excluded::name()))
            .min_items(Some(1));
        parameter
            .style(Some(ParameterStyle::Form))
            .explode(Some(false))
            .schema(Some(items))
    }
}
