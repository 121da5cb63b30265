//! JSON objects, written straight into a buffer in the order of their fields.

use super::{
    Cut, Field, Getter,
    scalars::{integer, seconds, string, time},
};
use crate::parameters::Exclude;

/// An object with these fields of `item`.
pub(crate) fn json_object<T>(out: &mut Vec<u8>, fields: &[Field<T>], item: &T) {
    json_members(out, fields, item, Exclude::default());
    out.push(b'}');
}

/// The other members of an object that has some already, and its end.
pub(super) fn json_rest<T>(out: &mut Vec<u8>, fields: &[Field<T>], item: &T) {
    let begin = out.len();
    json_members(out, fields, item, Exclude::default());
    if let Some(mark) = out.get_mut(begin) {
        *mark = b',';
    }
    out.push(b'}');
}

/// An array, each item written by `write`.
pub(super) fn json_array<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// As [`json_members`], with the places where the items of its arrays belong in place of the items.
pub(super) fn json_members_cut<T>(out: &mut Vec<u8>, fields: &[Field<T>], item: &T, exclude: Exclude) -> Vec<Cut> {
    let mut cuts = Vec::new();
    members(out, fields, exclude, |out, field| match &field.value {
        Getter::Array(..) => {
            out.push(b'[');
            cuts.extend(Cut::here(out, field));
            out.push(b']');
        }
        other => value(out, other, item),
    });
    cuts
}

/// An object's opening brace and its members, without those that `exclude` leaves out.
pub(super) fn json_members<T>(out: &mut Vec<u8>, fields: &[Field<T>], item: &T, exclude: Exclude) {
    members(out, fields, exclude, |out, field| value(out, &field.value, item));
}

fn members<T>(
    out: &mut Vec<u8>,
    fields: &[Field<T>],
    exclude: Exclude,
    mut write: impl FnMut(&mut Vec<u8>, &Field<T>),
) {
    let mut mark = b'{';
    for field in fields.iter().filter(|field| field.is_shown(exclude)) {
        out.extend_from_slice(&[mark, b'"']);
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        write(out, field);
        mark = b',';
    }
}

fn value<T>(out: &mut Vec<u8>, value: &Getter<T>, item: &T) {
    match value {
        Getter::Text(get) => string(out, get(item)),
        Getter::MaybeText(get) => or_null(out, get(item), string),
        Getter::MaybeAgent(get) => or_null(out, get(item), integer),
        Getter::Count(get) => integer(out, get(item)),
        Getter::Seconds(get) => seconds(out, get(item)),
        Getter::MaybeSeconds(get) => or_null(out, get(item), seconds),
        Getter::Flag(get) => out.extend_from_slice(if get(item) { b"true" } else { b"false" }),
        Getter::Time(get) | Getter::MaybeTime(get) => or_null(out, get(item), |out, moment| {
            out.push(b'"');
            time(out, moment);
            out.push(b'"');
        }),
        // The store keeps JSON as the producer sent it; it is checked on arrival and copied on the way out.
        Getter::Object(get) => out.extend_from_slice(get(item).as_bytes()),
        Getter::Json(get) => out.extend_from_slice(get(item).unwrap_or("null").as_bytes()),
        Getter::Array(_, write) => write(out, item),
    }
}

fn or_null<V>(out: &mut Vec<u8>, value: Option<V>, write: impl FnOnce(&mut Vec<u8>, V)) {
    match value {
        Some(value) => write(out, value),
        None => out.extend_from_slice(b"null"),
    }
}
