//! The OpenAPI schema of an object with given fields.

use serde_json::Value;
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat,
    schema::{AdditionalProperties, ArrayBuilder, SchemaType, Type},
};

use super::{Example, Field, Getter};
use crate::parameters::AgentId;

/// An object with these fields; those that a caller can exclude are not required.
pub(crate) fn schema_of<T>(documentation: &str, fields: &[Field<T>]) -> ObjectBuilder {
    let object = ObjectBuilder::new().description(Some(documentation));
    fields.iter().fold(object, |object, field| {
        let object = object.property(field.name, property(field));
        if field.excluded_by.is_none() {
            object.required(field.name)
        } else {
            object
        }
    })
}

fn property<T>(field: &Field<T>) -> RefOr<Schema> {
    let of = |types: SchemaType| ObjectBuilder::new().schema_type(types);
    let or_null = |r#type: Type| of(SchemaType::Array(vec![r#type, Type::Null]));
    let format = |format: KnownFormat| Some(SchemaFormat::KnownFormat(format));
    let object = match field.value {
        Getter::Text(_) => of(Type::String.into()),
        Getter::MaybeText(_) => or_null(Type::String),
        Getter::MaybeAgent(_) => or_null(Type::Integer)
            .format(format(KnownFormat::Int64))
            .minimum(Some(AgentId::LEAST))
            .maximum(Some(AgentId::MOST)),
        Getter::Count(_) => of(Type::Integer.into())
            .format(format(KnownFormat::Int64))
            .minimum(Some(0))
            .maximum(Some(AgentId::MOST)),
        Getter::Seconds(_) => of(Type::Number.into())
            .format(format(KnownFormat::Double))
            .minimum(Some(0)),
        Getter::MaybeSeconds(_) => or_null(Type::Number)
            .format(format(KnownFormat::Double))
            .minimum(Some(0)),
        Getter::Flag(_) => of(Type::Boolean.into()),
        Getter::Time(_) => of(Type::String.into()).format(format(KnownFormat::DateTime)),
        Getter::MaybeTime(_) => or_null(Type::String).format(format(KnownFormat::DateTime)),
        // Without it generated clients take it for an object that is always empty.
        Getter::Object(_) => of(Type::Object.into()).additional_properties(Some(AdditionalProperties::FreeForm(true))),
        Getter::Json(_) => of(SchemaType::AnyValue),
        Getter::Array(items, _) => {
            let array = ArrayBuilder::new().items(Ref::from_schema_name(items));
            return array.description(Some(field.documentation)).into();
        }
    };
    let object = object.description(Some(field.documentation));
    match field.example {
        Some(example) => object.examples([Value::from(example)]).into(),
        None => object.into(),
    }
}

impl From<Example> for Value {
    fn from(example: Example) -> Self {
        match example {
            Example::Text(text) => text.into(),
            Example::Integer(integer) => integer.into(),
            Example::Number(number) => number.into(),
        }
    }
}
