//! Protocol Buffers, decoded to their JSON (ProtoJSON): the schema is compiled by protox, a value read by prost-reflect.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor, SerializeOptions};
use protox::{
    Compiler, Error,
    file::{File, FileResolver, GoogleFileResolver},
};

use super::{Bounded, SchemaText, json_max};

/// What the schema itself is called among the files that it imports.
const ROOT: &str = "recap/schema.proto";

/// A schema.
pub(super) struct Protobuf(FileDescriptor);

impl Protobuf {
    /// Compiles a schema with the files that it imports.
    pub fn read(text: &SchemaText) -> Result<Self, String> {
        let mut files = HashMap::from([(ROOT.to_owned(), text.schema.clone())]);
        files.extend(
            text.references
                .iter()
                .map(|other| (other.name.clone(), other.schema.clone())),
        );
        let mut compiler = Compiler::with_file_resolver(Files {
            files,
            google: GoogleFileResolver::new(),
        });
        compiler.include_imports(true);
        compiler.open_file(ROOT).map_err(|error| said(&error))?;
        let pool: DescriptorPool = compiler.descriptor_pool();
        pool.get_file_by_name(ROOT)
            .map(Self)
            .ok_or_else(|| "it has no messages".to_owned())
    }

    /// The JSON of a value, which is all of these bytes, and the full name of its message.
    pub fn decode(&self, payload: &[u8]) -> Result<(Vec<u8>, String), String> {
        let (message, encoded) = self.message(payload)?;
        let name = message.full_name().to_owned();
        let message = DynamicMessage::decode(message, encoded).map_err(|_| format!("the value is no {name}"))?;
        let mut json = Bounded {
            bytes: Vec::with_capacity(2 * encoded.len()),
            max: json_max(payload),
        };
        let written =
            message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &SerializeOptions::new());
        match written {
            Ok(()) => Ok((json.bytes, name)),
            // What it says of values that have no JSON, such as times beyond the year 9999.
            Err(_) => Err(format!(
                "the value, a {name}, cannot be written as JSON, or is far larger then"
            )),
        }
    }

    /// Which message of the file a value is, by the indexes that it begins with, and the rest of it.
    fn message<'v>(&self, mut payload: &'v [u8]) -> Result<(MessageDescriptor, &'v [u8]), String> {
        let unknown = || "the value is of a message that the schema does not have".to_owned();
        let count = zigzag(&mut payload)?;
        // A single 0 stands for the first message.
        let mut message = self
            .0
            .messages()
            .nth(if count == 0 { 0 } else { zigzag(&mut payload)? })
            .ok_or_else(unknown)?;
        for _ in 1..count {
            let index = zigzag(&mut payload)?;
            let child = message.child_messages().nth(index);
            message = child.ok_or_else(unknown)?;
        }
        Ok((message, payload))
    }
}

fn zigzag(bytes: &mut &[u8]) -> Result<usize, String> {
    let bits = prost::encoding::decode_varint(bytes).map_err(|_| "the value is cut off".to_owned())?;
    let number = (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed();
    usize::try_from(number).map_err(|_| "the index of a message is negative".to_owned())
}

/// The schema and those that it refers to, by the names that they are imported by.
struct Files {
    files: HashMap<String, String>,
    google: GoogleFileResolver,
}

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        let Some(text) = self.files.get(name) else {
            return self.google.open_file(name);
        };
        // Some clients register the compiled schema in place of its text.
        let compiled = STANDARD.decode(text.trim()).ok();
        let compiled = compiled.and_then(|bytes| {
            let mut file = File::decode_file_descriptor_proto(bytes.as_slice())
                .ok()?
                .file_descriptor_proto()
                .clone();
            file.name = Some(name.to_owned());
            Some(File::from_file_descriptor_proto(file))
        });
        compiled.map_or_else(|| File::from_source(name, text), Ok)
    }
}

fn said(error: &Error) -> String {
    let text = error.to_string();
    text.replace(ROOT, "the schema")
}
