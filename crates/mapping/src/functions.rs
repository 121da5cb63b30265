//! The functions of jq that a mapping may call: those whose answer depends on nothing but the record.
//!
//! There is no clock (`now`, `localtime`), no environment (`env`, `$ENV`), no input (`input`, `inputs`), no module and no output beside the events (`debug`,
//! `halt`). What is left out is named in [`WITHHELD`], so that a mistake can say why.

mod otlp;
mod regular_expressions;
mod strings;
mod times;

use jaq_core::{
    Error, ValR,
    load::parse::Def,
    native::{Fun, bome, run, unary, v},
};

use crate::{
    budget,
    jq::Jq,
    value::{self, Array, Value, positions},
};

/// What jq has and a mapping has not, with the reason.
pub(crate) const WITHHELD: [(&str, &str); 20] = [
    ("now", CLOCK),
    ("localtime", CLOCK),
    ("strflocaltime", CLOCK),
    ("mktime_local", CLOCK),
    ("env", ENVIRONMENT),
    ("$ENV", ENVIRONMENT),
    ("$__prog_args", ENVIRONMENT),
    ("get_search_list", ENVIRONMENT),
    ("input", INPUT),
    ("inputs", INPUT),
    ("input_filename", INPUT),
    ("input_line_number", INPUT),
    ("debug", OUTPUT),
    ("stderr", OUTPUT),
    ("halt", OUTPUT),
    ("halt_error", OUTPUT),
    ("$__loc__", OUTPUT),
    ("import", MODULE),
    ("include", MODULE),
    ("rand", CLOCK),
];

const CLOCK: &str =
    "a replay must give the same events, so there is no clock; `.timestamp` is the record's time in Unix milliseconds";
const ENVIRONMENT: &str = "a replay must give the same events, so nothing around the record can be read";
const INPUT: &str = "the input is `.`, one record at a time";
const OUTPUT: &str = "what a mapping puts out is events; use `error(\"…\")` to refuse a record";
const MODULE: &str = "a mapping is one file";

/// Definitions of the interpreter's library that call what is withheld, or what is not built.
const LEFT_OUT: [&str; 13] = [
    "stderr",
    "debug",
    "halt",
    "halt_error",
    "logb",
    "significand",
    "pow10",
    "drem",
    "nexttoward",
    "scalb",
    "gamma",
    "isnan",
    "@htmld",
];

/// What the library needs before its own definitions: numbers are ordered otherwise here.
const BEFORE: &str = "def isnan: . != .;";

/// What the interpreter's libraries leave to the program that embeds them.
const AFTER: &str = r#"
def tonumber: if isnumber then . else tonumber_of_string end;
def toboolean: if isboolean then . elif . == "true" then true elif . == "false" then false else error("toboolean needs a boolean, `true` or `false`") end;
def toarray: if isarray then . else [.] end;
def transpose: . as $rows | [range([$rows[] | length] | max // 0) as $i | [$rows[][$i]]];
def in(xs): . as $key | xs | has($key);
def inside(xs): . as $part | xs | contains($part);
def index($part): indices($part) | .[0];
def rindex($part): indices($part) | .[-1:] | .[0];
def trimstr($text): ltrimstr($text) | rtrimstr($text);
def @json: tojson;
"#;

/// Definitions of the language's library.
pub(crate) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let parsed = |text| jaq_core::load::parse(text, |parser| parser.defs()).unwrap_or_default();
    let library = jaq_std::defs().filter(|def| !LEFT_OUT.contains(&def.name));
    jaq_core::defs()
        .chain(parsed(BEFORE))
        .chain(library)
        .chain(parsed(AFTER))
}

/// Functions written in Rust. Of two with one name the first counts: those of ours that count what they do.
pub(crate) fn natives() -> impl Iterator<Item = Fun<Jq>> {
    let ours = [
        values(),
        strings::functions(),
        regular_expressions::functions(),
        times::functions(),
        otlp::functions(),
    ];
    let ours = ours
        .into_iter()
        .flat_map(|functions| functions.into_vec().into_iter().map(run::<Jq>));
    let library = jaq_core::funs::<Jq>().chain(jaq_std::base_funs::<Jq>());
    ours.chain(library.filter(|(name, ..)| *name != "halt"))
}

/// A function with its name and its arguments.
type Function = jaq_core::native::Filter<jaq_core::RunPtr<Jq>>;

fn text(value: &Value) -> Result<&str, Error<Value>> {
    value.as_str().ok_or_else(|| Error::typ(value.clone(), "string"))
}

fn values() -> Box<[Function]> {
    Box::new([
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("has", v(1), |cv| {
            unary(cv, |of, key| Ok(Value::Bool(of.part(&key)?.is_some())))
        }),
        ("contains", v(1), |cv| {
            unary(cv, |all, part| Ok(Value::Bool(contains(&all, &part))))
        }),
        ("indices", v(1), |cv| unary(cv, |of, part| indices(&of, &part))),
        ("tojson", v(0), |cv| bome(Ok(Value::from(cv.1.to_json())))),
        ("fromjson", v(0), |cv| {
            bome(
                text(&cv.1)
                    .and_then(|text| value::read(text).map_err(|error| Error::str(format!("not JSON: {error}")))),
            )
        }),
        ("tonumber_of_string", v(0), |cv| bome(text(&cv.1).and_then(number))),
        ("fabs", v(0), |cv| bome(float(&cv.1, f64::abs))),
        ("sqrt", v(0), |cv| bome(float(&cv.1, f64::sqrt))),
        ("trunc", v(0), |cv| bome(float(&cv.1, f64::trunc))),
    ])
}

fn float(value: &Value, calculate: fn(f64) -> f64) -> ValR<Value> {
    use jaq_std::ValT as _;
    value
        .as_f64()
        .map(|float| Value::from(calculate(float)))
        .ok_or_else(|| Error::typ(value.clone(), "number"))
}

fn number(text: &str) -> ValR<Value> {
    match value::read(text) {
        Ok(number @ Value::Number(_)) => Ok(number),
        _ => Err(Error::str("the string is no number")),
    }
}

fn length(value: &Value) -> ValR<Value> {
    Ok(match value {
        Value::Null => Value::from(0_usize),
        Value::Number(number) => Value::from(number.as_f64().abs()),
        Value::String(text) => {
            budget::work(text.len());
            Value::from(text.chars().count())
        }
        Value::Array(array) => Value::from(array.items().len()),
        Value::Object(object) => Value::from(object.len()),
        Value::Bool(_) => return Err(Error::str("a boolean has no length")),
    })
}

fn contains(all: &Value, part: &Value) -> bool {
    budget::step();
    match (all, part) {
        (Value::String(all), Value::String(part)) => {
            budget::work(all.len());
            all.contains(&**part)
        }
        (Value::Array(all), Value::Array(parts)) => parts
            .items()
            .iter()
            .all(|part| all.items().iter().any(|item| contains(item, part))),
        (Value::Object(all), Value::Object(parts)) => parts
            .iter()
            .all(|(key, part)| all.get(key).is_some_and(|item| contains(item, part))),
        _ => all == part,
    }
}

fn indices(of: &Value, part: &Value) -> ValR<Value> {
    match (of, part) {
        (Value::Null, _) => Ok(Value::Null),
        (Value::String(text), Value::String(part)) => {
            budget::work(text.len() * 2);
            if part.is_empty() {
                return Ok(Value::Null);
            }
            let at = text
                .char_indices()
                .enumerate()
                .filter(|(_, (at, _))| text[*at..].starts_with(&**part));
            Ok(at.map(|(at, _)| Value::from(at)).collect())
        }
        (Value::Array(array), Value::Array(parts)) => Ok(positions(array, parts)),
        (Value::Array(array), part) => Ok(equal_items(array, part)),
        (of, _) => Err(Error::typ(of.clone(), "array or string")),
    }
}

fn equal_items(array: &Array, part: &Value) -> Value {
    let items = array.items().iter().enumerate();
    items
        .filter(|(_, item)| *item == part)
        .map(|(at, _)| Value::from(at))
        .collect()
}
