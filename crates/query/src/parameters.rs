//! Query parameters, each declared once and read strictly: an unknown, repeated or empty one is a 400 that names it, because a mistyped
//! filter must not widen the answer.
//!
//! A group of parameters is a struct made by [`query_parameters!`]. Each field has its documentation, its name and its type; the type is a
//! [`Value`], which knows how a text is read, how it is spelled canonically and how OpenAPI describes it. Parsing, the refusal of
//! unknown names, the description and the canonical query (cache key, cursor, `Link`) all follow from that one declaration.
//!
//! The filter that the dashboards' endpoints share is in `filter.rs`; what one endpoint takes beside it is in that endpoint's file.

mod choice;
mod cursor;
mod exclude;
mod filter;
mod query_string;
mod values;

use std::borrow::Cow;

use utoipa::openapi::{
    Required,
    path::{ParameterBuilder, ParameterIn},
};

pub use self::exclude::Exclude;
use self::query_string::encode;
pub(crate) use self::{
    choice::{Choice, OneOf},
    cursor::{Binding, Cursor},
    exclude::Excluded,
    filter::FilterParameters,
    query_string::QueryString,
    values::{AgentId, Integer, Text},
};
use crate::http::problem::Problem;

/// A value of a parameter.
pub(crate) trait Value: Sized {
    /// Whether the empty text is a value.
    const MAY_BE_EMPTY: bool = false;
    /// Whether the parameter may be given more than once: its texts then count as one, with commas between.
    const MAY_BE_REPEATED: bool = false;

    /// Reads a text. The error is the rest of a sentence that begins with the parameter's name, without the full stop.
    fn read(text: &str) -> Result<Self, String>;

    /// The one canonical spelling: equal values have equal spellings.
    fn canonical(&self) -> Cow<'_, str>;

    /// Adds schema and style to the parameter's description.
    fn describe(parameter: ParameterBuilder) -> ParameterBuilder;
}

/// A field of a group: a [`Value`] where the parameter is required, an `Option` of one where it is not.
pub(crate) trait Parameter: Sized {
    /// What is read.
    type Value: Value;
    /// Whether the parameter must be given.
    const REQUIRED: bool;

    /// The field for what was given; `None` where that is a mistake.
    fn from_given(value: Option<Self::Value>) -> Option<Self>;

    /// What would be given for this field.
    fn given(&self) -> Option<&Self::Value>;
}

impl<V: Value> Parameter for V {
    type Value = V;
    const REQUIRED: bool = true;

    fn from_given(value: Option<V>) -> Option<V> {
        value
    }

    fn given(&self) -> Option<&V> {
        Some(self)
    }
}

impl<V: Value> Parameter for Option<V> {
    type Value = V;
    const REQUIRED: bool = false;

    fn from_given(value: Option<V>) -> Option<Self> {
        Some(value)
    }

    fn given(&self) -> Option<&V> {
        self.as_ref()
    }
}

/// A name that an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    text: &'static str,
    may_be_empty: bool,
    may_be_repeated: bool,
}

impl Name {
    /// The name of a parameter of type `P`.
    pub(crate) const fn of<P: Parameter>(text: &'static str) -> Self {
        Self {
            text,
            may_be_empty: P::Value::MAY_BE_EMPTY,
            may_be_repeated: P::Value::MAY_BE_REPEATED,
        }
    }
}

/// A group of parameters.
pub(crate) trait Parameters: Sized {
    /// The parameter of this name, if the group has it.
    fn name(text: &str) -> Option<Name>;

    /// Reads the group's parameters.
    fn read(query: &mut QueryString) -> Result<Self, Problem>;

    /// Writes those that were given.
    fn write(&self, query: &mut CanonicalQuery);
}

/// None at all.
impl Parameters for () {
    fn name(_: &str) -> Option<Name> {
        None
    }

    fn read(_: &mut QueryString) -> Result<Self, Problem> {
        Ok(())
    }

    fn write(&self, _: &mut CanonicalQuery) {}
}

impl<A: Parameters, B: Parameters> Parameters for (A, B) {
    fn name(text: &str) -> Option<Name> {
        A::name(text).or_else(|| B::name(text))
    }

    fn read(query: &mut QueryString) -> Result<Self, Problem> {
        Ok((A::read(query)?, B::read(query)?))
    }

    fn write(&self, query: &mut CanonicalQuery) {
        self.0.write(query);
        self.1.write(query);
    }
}

/// Reads a query string that may hold the parameters of `P` and no others.
pub(crate) fn read<P: Parameters>(query: Option<&str>) -> Result<P, Problem> {
    P::read(&mut QueryString::parse(query.unwrap_or_default(), P::name)?)
}

/// A query string in its one canonical spelling.
#[derive(Debug, Default)]
pub(crate) struct CanonicalQuery(String);

impl CanonicalQuery {
    /// The query string of these parameters.
    pub(crate) fn of(parameters: &impl Parameters) -> String {
        let mut query = Self::default();
        parameters.write(&mut query);
        query.0
    }

    /// Adds a parameter if it was given.
    pub(crate) fn add(&mut self, name: &str, parameter: &impl Parameter) {
        if let Some(value) = parameter.given() {
            if !self.0.is_empty() {
                self.0.push('&');
            }
            self.0.push_str(name);
            self.0.push('=');
            encode(&mut self.0, &value.canonical());
        }
    }
}

/// The description of one parameter.
pub(crate) fn describe<P: Parameter>(
    name: &str,
    documentation: &[&str],
    example: Option<serde_json::Value>,
) -> utoipa::openapi::path::Parameter {
    let lines: Vec<&str> = documentation.iter().map(|line| line.trim()).collect();
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(if P::REQUIRED { Required::True } else { Required::False })
        .description(Some(lines.join("\n")))
        .example(example);
    P::Value::describe(parameter).build()
}

/// Declares a group of parameters: `"name" => field: Type,` each, with its documentation before it and an example where that helps.
/// `checked by` names a function that refuses what is wrong with them together.
macro_rules! query_parameters {
    (
        $(#[doc = $about:literal])+
        $visibility:vis struct $group:ident $(checked by $check:path)? {
            $($(#[doc = $doc:literal])+ $name:literal $(example $example:literal)? => $field:ident: $type:ty,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        $visibility struct $group {
            $($(#[doc = $doc])+ $visibility $field: $type,)+
        }

        impl $crate::parameters::Parameters for $group {
            fn name(text: &str) -> Option<$crate::parameters::Name> {
                match text {
                    $($name => Some($crate::parameters::Name::of::<$type>($name)),)+
                    _ => None,
                }
            }

            fn read(query: &mut $crate::parameters::QueryString) -> Result<Self, $crate::http::problem::Problem> {
                let group = Self { $($field: query.take($name)?,)+ };
                $($check(&group)?;)?
                Ok(group)
            }

            fn write(&self, query: &mut $crate::parameters::CanonicalQuery) {
                $(query.add($name, &self.$field);)+
            }
        }

        impl utoipa::IntoParams for $group {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                vec![$($crate::parameters::describe::<$type>($name, &[$($doc),+], [$($example.into())?].into_iter().next()),)+]
            }
        }
    };
}
pub(crate) use query_parameters;
