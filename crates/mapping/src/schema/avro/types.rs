//! The types of Avro schemas, read from their JSON: names are resolved, and each type is an index.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::logical::Logical;

/// Bytes before whose number there is no text: of `bytes`, or of a `fixed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Bytes,
    Fixed(usize),
}

/// A type; those within it are indexes.
#[derive(Debug)]
pub(super) enum Type {
    /// Its definition is being read.
    Unread,
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Binary(Base),
    Enum(Vec<String>),
    Record(Vec<(String, usize)>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Logical(Logical),
}

/// All types of a schema and of those that it refers to.
#[derive(Debug, Default)]
pub(super) struct Types {
    all: Vec<Type>,
    named: HashMap<String, usize>,
    root: usize,
}

type Object = Map<String, Json>;

impl Types {
    /// Reads a schema; the last one that is read is the root.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        // A schema that is no more than the name of a type may stand without quotes.
        let schema = serde_json::from_str(text).or_else(|error| {
            let is_name = !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
            if is_name { Ok(Json::from(text)) } else { Err(error) }
        });
        let schema: Json = schema.map_err(|error| format!("it is no JSON: {error}"))?;
        self.root = self.schema(&schema, "")?;
        Ok(())
    }

    pub fn root(&self) -> usize {
        self.root
    }

    /// The full name of the root.
    pub fn root_name(&self) -> Option<&str> {
        let named = self.named.iter().find(|(_, index)| **index == self.root);
        named.map(|(name, _)| name.as_str())
    }

    pub fn get(&self, index: usize) -> &Type {
        &self.all[index]
    }

    fn push(&mut self, new: Type) -> usize {
        self.all.push(new);
        self.all.len() - 1
    }

    fn schema(&mut self, schema: &Json, namespace: &str) -> Result<usize, String> {
        match schema {
            Json::String(name) => self.name(name, namespace),
            Json::Array(branches) => {
                let branches: Result<Vec<usize>, String> =
                    branches.iter().map(|branch| self.schema(branch, namespace)).collect();
                Ok(self.push(Type::Union(branches?)))
            }
            Json::Object(object) => self.object(object, namespace),
            _ => Err("a type is a name, an object or a list".to_owned()),
        }
    }

    fn name(&mut self, name: &str, namespace: &str) -> Result<usize, String> {
        if let Some(primitive) = primitive(name) {
            return Ok(self.push(primitive));
        }
        let known = self
            .named
            .get(&full_name(name, namespace))
            .or_else(|| self.named.get(name));
        known
            .copied()
            .ok_or_else(|| format!("the type {name:?} is not defined"))
    }

    fn object(&mut self, object: &Object, namespace: &str) -> Result<usize, String> {
        let kind = match object.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            Some(other) => return self.schema(other, namespace),
            None => return Err("an object has no `type`".to_owned()),
        };
        let logical = || object.get("logicalType").and_then(Json::as_str);
        match kind {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let symbols = list(object, "symbols")?
                    .iter()
                    .map(|symbol| symbol.as_str().map(str::to_owned));
                let symbols: Option<Vec<String>> = symbols.collect();
                let symbols = symbols.ok_or("a symbol of an enum is no text")?;
                let (index, _) = self.define(object, namespace)?;
                self.all[index] = Type::Enum(symbols);
                Ok(index)
            }
            "fixed" => {
                let size = object
                    .get("size")
                    .and_then(Json::as_u64)
                    .and_then(|size| usize::try_from(size).ok());
                let base = Base::Fixed(size.ok_or("a fixed has no `size`")?);
                let (index, _) = self.define(object, namespace)?;
                self.all[index] = Logical::binary(logical(), object, base).map_or(Type::Binary(base), Type::Logical);
                Ok(index)
            }
            "array" => {
                let items = self.schema(member(object, "items")?, namespace)?;
                Ok(self.push(Type::Array(items)))
            }
            "map" => {
                let values = self.schema(member(object, "values")?, namespace)?;
                Ok(self.push(Type::Map(values)))
            }
            name => {
                let logical = match primitive(name) {
                    Some(Type::Int) => Logical::int(logical()),
                    Some(Type::Long) => Logical::long(logical()),
                    Some(Type::Binary(base)) => Logical::binary(logical(), object, base),
                    _ => None,
                };
                match logical {
                    Some(logical) => Ok(self.push(Type::Logical(logical))),
                    None => self.name(name, namespace),
                }
            }
        }
    }

    fn record(&mut self, object: &Object, namespace: &str) -> Result<usize, String> {
        let fields = list(object, "fields")?;
        // Before its fields, which may be of its own type.
        let (index, namespace) = self.define(object, namespace)?;
        let mut read = Vec::with_capacity(fields.len());
        for field in fields {
            let field = field.as_object().ok_or("a field is no object")?;
            let name = member(field, "name")?.as_str().ok_or("a field has no name")?;
            read.push((name.to_owned(), self.schema(member(field, "type")?, &namespace)?));
        }
        self.all[index] = Type::Record(read);
        Ok(index)
    }

    /// A place for a named type, and the namespace within it.
    fn define(&mut self, object: &Object, namespace: &str) -> Result<(usize, String), String> {
        let name = member(object, "name")?.as_str().ok_or("a name is no text")?;
        let own = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
        let name = full_name(name, own);
        let namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let index = self.push(Type::Unread);
        self.named.insert(name, index);
        Ok((index, namespace))
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int,
        "long" => Type::Long,
        "float" => Type::Float,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Binary(Base::Bytes),
        _ => return None,
    })
}

/// A name with a dot is full already.
fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.trim_start_matches('.').to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn member<'j>(object: &'j Object, name: &str) -> Result<&'j Json, String> {
    object.get(name).ok_or_else(|| format!("an object has no `{name}`"))
}

fn list<'j>(object: &'j Object, name: &str) -> Result<&'j [Json], String> {
    let list = member(object, name)?.as_array();
    list.map(Vec::as_slice).ok_or_else(|| format!("`{name}` is no list"))
}
