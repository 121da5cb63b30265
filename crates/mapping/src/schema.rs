//! Values of a schema registry's: Confluent's wire format, and what a schema decodes them to, which is JSON.
//!
//! A value is one byte 0, the id of its schema in four bytes (big endian), and what a serializer wrote by that schema. Schemas do not change under their ids, so the
//! same value always decodes to the same JSON.

mod avro;
mod protobuf;

use std::{borrow::Cow, collections::HashMap, fmt, io, sync::Arc};

use serde::{Deserialize, de::IgnoredAny};

use self::{avro::Avro, protobuf::Protobuf};

/// The reason of a record whose value its schema does not decode, or whose schema the registry does not have.
pub const SCHEMA: &str = "schema";

/// The first byte of a value that names its schema.
const MAGIC: u8 = 0;

/// The language of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchemaType {
    /// Apache Avro; what a registry means when it says nothing.
    #[default]
    Avro,
    /// JSON Schema.
    Json,
    /// Protocol Buffers.
    Protobuf,
}

impl SchemaType {
    /// Its name in the registry's API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }
}

/// A schema as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaText {
    /// Its language.
    #[serde(default)]
    pub schema_type: SchemaType,
    /// Its text.
    pub schema: String,
    /// The schemas that it refers to, and those that they refer to: each before those that refer to it.
    #[serde(default)]
    pub references: Vec<ReferencedText>,
}

impl SchemaText {
    /// Bytes of all texts.
    #[must_use]
    pub fn size(&self) -> usize {
        let referenced = self
            .references
            .iter()
            .map(|other| other.name.len() + other.schema.len());
        self.schema.len() + referenced.sum::<usize>()
    }
}

/// A schema that another refers to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReferencedText {
    /// What it is called there: the full name of an Avro type, the path of an imported `.proto`.
    pub name: String,
    /// Its text.
    pub schema: String,
}

/// A schema that decodes values.
pub struct Schema(Language);

enum Language {
    Avro(Avro),
    /// A value is JSON already. Whether it is valid by its schema is not asked: as with Confluent's own deserializers, that is the producer's.
    Json,
    Protobuf(Box<Protobuf>),
}

/// JSON, and the name of its type where that has one.
type Named<'v> = (Cow<'v, [u8]>, Option<Cow<'v, str>>);

impl Schema {
    /// Reads a schema. An error is the rest of a sentence that begins with its id.
    pub fn read(text: &SchemaText) -> Result<Self, String> {
        let language = match text.schema_type {
            SchemaType::Avro => Avro::read(text).map(Language::Avro),
            SchemaType::Json => Ok(Language::Json),
            SchemaType::Protobuf => Protobuf::read(text).map(|schema| Language::Protobuf(Box::new(schema))),
        };
        language.map(Self)
    }

    fn language(&self) -> SchemaType {
        match self.0 {
            Language::Avro(_) => SchemaType::Avro,
            Language::Json => SchemaType::Json,
            Language::Protobuf(_) => SchemaType::Protobuf,
        }
    }

    /// The JSON of what follows the id, and the name of its type where that has one. An error quotes nothing of the value.
    fn decode<'v>(&'v self, payload: &'v [u8]) -> Result<Named<'v>, String> {
        match &self.0 {
            Language::Avro(avro) => {
                let json = avro.decode(payload)?;
                Ok((Cow::Owned(json.into_bytes()), avro.name().map(Cow::Borrowed)))
            }
            Language::Json => match serde_json::from_slice::<IgnoredAny>(payload) {
                Ok(_) => Ok((Cow::Borrowed(payload), None)),
                Err(error) => Err(format!(
                    "the value is no JSON: {:?} at byte {}",
                    error.classify(),
                    error.column()
                )),
            },
            Language::Protobuf(protobuf) => {
                let (json, name) = protobuf.decode(payload)?;
                Ok((Cow::Owned(json), Some(Cow::Owned(name))))
            }
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.language()).finish()
    }
}

/// What is known of an id.
#[derive(Debug)]
pub enum Lookup {
    /// Its schema.
    Found(Schema),
    /// Why it decodes nothing, now and later: the rest of a sentence that begins with the id.
    Unusable(String),
}

impl Lookup {
    /// What a registry that does not have a schema says.
    #[must_use]
    pub fn missing() -> Self {
        Self::Unusable("is not in the registry".to_owned())
    }

    /// What a schema's text is.
    #[must_use]
    pub fn read(text: &SchemaText) -> Self {
        Schema::read(text).map_or_else(|why| Self::Unusable(format!("cannot be used: {why}")), Self::Found)
    }
}

/// The schemas of some records, by their ids.
#[derive(Debug, Clone, Default)]
pub struct Schemas(HashMap<u32, Arc<Lookup>>);

impl Schemas {
    /// The id of a value's schema, when it begins as one that names it.
    #[must_use]
    pub fn id(value: &[u8]) -> Option<u32> {
        split(value).map(|(id, _)| id)
    }

    /// Whether an id was looked up.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.0.contains_key(&id)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what an id was found to be.
    pub fn insert(&mut self, id: u32, lookup: Arc<Lookup>) {
        self.0.insert(id, lookup);
    }

    /// Adds what others were found to be.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Decodes a value that names its schema; `None` where it names none. An error is a sentence that quotes nothing of the value.
    pub(crate) fn decode<'v>(&'v self, value: &'v [u8]) -> Option<Result<Decoded<'v>, String>> {
        let (id, payload) = split(value)?;
        let decoded = match self.0.get(&id).map(AsRef::as_ref) {
            Some(Lookup::Found(schema)) => schema
                .decode(payload)
                .map(|(json, name)| Decoded {
                    json,
                    schema: Origin {
                        id,
                        language: schema.language(),
                        name,
                    },
                })
                .map_err(|why| format!("schema {id} ({}): {why}", schema.language().as_str())),
            Some(Lookup::Unusable(why)) => Err(format!("schema {id} {why}")),
            None => Err(format!("schema {id} was not looked up")),
        };
        Some(decoded)
    }
}

/// A value decoded by its schema.
#[derive(Debug)]
pub(crate) struct Decoded<'v> {
    pub json: Cow<'v, [u8]>,
    pub schema: Origin<'v>,
}

/// What a value was decoded by.
#[derive(Debug)]
pub(crate) struct Origin<'v> {
    pub id: u32,
    pub language: SchemaType,
    /// The name of its type, where that has one.
    pub name: Option<Cow<'v, str>>,
}

fn split(value: &[u8]) -> Option<(u32, &[u8])> {
    match value {
        [MAGIC, a, b, c, d, payload @ ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]), payload)),
        _ => None,
    }
}

/// Bytes of the JSON of one value: what takes no byte in a value, such as a million nulls, still ends.
fn json_max(payload: &[u8]) -> usize {
    (4 << 20) + 16 * payload.len()
}

const TOO_LARGE: &str = "the value is far larger as JSON";

/// Takes bytes up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    max: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max {
            return Err(io::Error::other(TOO_LARGE));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
