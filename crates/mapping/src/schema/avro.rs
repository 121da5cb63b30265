//! Apache Avro's binary encoding (1.12), decoded to JSON text.
//!
//! Avro's own crate (`apache-avro` 0.22) is not used for that: it takes a value that is cut off within a string or a union for `null`, and recurses as deeply as a value says.

mod logical;
mod types;

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use self::types::{Base, Type, Types};
use super::{SchemaText, TOO_LARGE, json_max};
use crate::value::write_string;

/// Values nested more deeply than this are refused: each level takes stack.
const NESTING_MAX: u32 = 128;

/// A schema.
pub(super) struct Avro(Types);

impl Avro {
    /// Reads a schema, and those that it refers to before it.
    pub fn read(text: &SchemaText) -> Result<Self, String> {
        let mut types = Types::default();
        for other in &text.references {
            types
                .read(&other.schema)
                .map_err(|why| format!("{}, which it refers to: {why}", other.name))?;
        }
        types.read(&text.schema)?;
        Ok(Self(types))
    }

    /// The full name of its type, where that has one.
    pub fn name(&self) -> Option<&str> {
        self.0.root_name()
    }

    /// The JSON of a value, which is all of these bytes.
    pub fn decode(&self, payload: &[u8]) -> Result<String, String> {
        let mut decoder = Decoder {
            types: &self.0,
            bytes: payload,
            json: String::with_capacity(2 * payload.len()),
            max: json_max(payload),
            depth: 0,
        };
        let ended = decoder.value(self.0.root());
        let at = payload.len() - decoder.bytes.len();
        match ended {
            Ok(()) if decoder.bytes.is_empty() => Ok(decoder.json),
            Ok(()) => Err(format!("the value ends at byte {at} of {}", payload.len())),
            Err(why) => Err(format!("{why} at byte {at} of {}", payload.len())),
        }
    }
}

struct Decoder<'t, 'b> {
    types: &'t Types,
    /// What is left.
    bytes: &'b [u8],
    json: String,
    max: usize,
    depth: u32,
}

type Decoding = Result<(), &'static str>;

const CUT_OFF: &str = "the value is cut off";

impl<'b> Decoder<'_, 'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], &'static str> {
        let (taken, left) = self.bytes.split_at_checked(count).ok_or(CUT_OFF)?;
        self.bytes = left;
        Ok(taken)
    }

    /// A variable-length zigzag number.
    fn long(&mut self) -> Result<i64, &'static str> {
        let mut bits = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = *self.take(1)? else { return Err(CUT_OFF) };
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            bits |= part << shift;
            if byte & 0x80 == 0 {
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err("a number has more than 64 bits")
    }

    fn int(&mut self) -> Result<i32, &'static str> {
        i32::try_from(self.long()?).map_err(|_| "a number has more than 32 bits")
    }

    fn sized(&mut self) -> Result<&'b [u8], &'static str> {
        let size = usize::try_from(self.long()?).map_err(|_| "a size is negative")?;
        self.take(size)
    }

    fn text(&mut self) -> Result<&'b str, &'static str> {
        std::str::from_utf8(self.sized()?).map_err(|_| "a string is not UTF-8")
    }

    fn of_base(&mut self, base: Base) -> Result<&'b [u8], &'static str> {
        match base {
            Base::Bytes => self.sized(),
            Base::Fixed(size) => self.take(size),
        }
    }

    fn value(&mut self, index: usize) -> Decoding {
        if self.json.len() > self.max {
            return Err(TOO_LARGE);
        }
        let types = self.types;
        match types.get(index) {
            Type::Null => self.json.push_str("null"),
            Type::Boolean => match self.take(1)? {
                [0] => self.json.push_str("false"),
                [1] => self.json.push_str("true"),
                _ => return Err("a boolean is neither 0 nor 1"),
            },
            Type::Int => {
                let int = self.int()?;
                self.write(format_args!("{int}"));
            }
            Type::Long => {
                let long = self.long()?;
                self.write(format_args!("{long}"));
            }
            Type::Float => {
                let float = f32::from_le_bytes(self.array()?);
                self.float(float.is_finite(), f64::from(float), format_args!("{float:?}"));
            }
            Type::Double => {
                let double = f64::from_le_bytes(self.array()?);
                self.float(double.is_finite(), double, format_args!("{double:?}"));
            }
            Type::Binary(base) => {
                let bytes = self.of_base(*base)?;
                self.json.push('"');
                STANDARD.encode_string(bytes, &mut self.json);
                self.json.push('"');
            }
            Type::String => {
                let text = self.text()?;
                self.string(text);
            }
            Type::Enum(symbols) => {
                let symbol = usize::try_from(self.long()?).ok().and_then(|at| symbols.get(at));
                self.string(symbol.ok_or("an enum has no such symbol")?);
            }
            Type::Logical(logical) => logical.decode(self)?,
            Type::Union(branches) => {
                let branch = usize::try_from(self.long()?).ok().and_then(|at| branches.get(at));
                self.value(*branch.ok_or("a union has no such branch")?)?;
            }
            Type::Record(fields) => self.nested(|decoder| {
                decoder.json.push('{');
                for (at, (name, field)) in fields.iter().enumerate() {
                    decoder.member(at == 0, name);
                    decoder.value(*field)?;
                }
                decoder.json.push('}');
                Ok(())
            })?,
            Type::Array(items) => self.nested(|decoder| {
                decoder.json.push('[');
                decoder.blocks(|decoder, is_first| {
                    if !is_first {
                        decoder.json.push(',');
                    }
                    decoder.value(*items)
                })?;
                decoder.json.push(']');
                Ok(())
            })?,
            Type::Map(values) => self.nested(|decoder| {
                decoder.json.push('{');
                decoder.blocks(|decoder, is_first| {
                    let name = decoder.text()?;
                    decoder.member(is_first, name);
                    decoder.value(*values)
                })?;
                decoder.json.push('}');
                Ok(())
            })?,
            Type::Unread => return Err("a type of the schema is not defined"),
        }
        Ok(())
    }

    fn nested(&mut self, decode: impl FnOnce(&mut Self) -> Decoding) -> Decoding {
        self.depth += 1;
        if self.depth >= NESTING_MAX {
            return Err("the value is nested too deeply");
        }
        decode(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// The items of an array or a map, in blocks of so many; a negative count is followed by the block's size.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self, bool) -> Decoding) -> Decoding {
        let mut is_first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                item(self, is_first)?;
                is_first = false;
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N)?.try_into().map_err(|_| CUT_OFF)
    }

    fn member(&mut self, is_first: bool, name: &str) {
        if !is_first {
            self.json.push(',');
        }
        self.string(name);
        self.json.push(':');
    }

    fn string(&mut self, text: &str) {
        // A string takes everything.
        let _infallible = write_string(text, &mut self.json);
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // A string takes everything.
        let _infallible = self.json.write_fmt(arguments);
    }

    /// What is no number in JSON is the text that Protobuf's JSON has for it.
    fn float(&mut self, is_finite: bool, float: f64, shortest: std::fmt::Arguments<'_>) {
        if is_finite {
            self.write(shortest);
        } else if float.is_nan() {
            self.string("NaN");
        } else {
            self.string(if float > 0.0 { "Infinity" } else { "-Infinity" });
        }
    }
}
