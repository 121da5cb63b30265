//! CSV (RFC 4180) of flat rows, safe to open in a spreadsheet.

use super::{
    Cut, Field, Getter,
    scalars::{integer, seconds, time},
};
use crate::parameters::Exclude;

/// The header line: the fields' names without those that are left out.
pub(super) fn csv_names<T>(out: &mut Vec<u8>, fields: &[Field<T>], exclude: Exclude) {
    let mut line = Line::new(out);
    for field in fields.iter().filter(|field| field.is_shown(exclude)) {
        line.text(Some(field.name));
    }
    line.end();
}

/// As [`csv_line`], with the places where the items of its arrays belong in place of the items, whose quotes must be doubled.
pub(super) fn csv_line_cut<T>(out: &mut Vec<u8>, fields: &[Field<T>], item: &T, exclude: Exclude) -> Vec<Cut> {
    let mut cuts = Vec::new();
    write_line(out, fields, item, exclude, |line, field, _| {
        line.separate();
        line.out.extend_from_slice(b"\"[");
        cuts.extend(Cut::here(line.out, field));
        line.out.extend_from_slice(b"]\"");
    });
    cuts
}

/// The fields of `item` as a line.
pub(super) fn csv_line<T>(out: &mut Vec<u8>, fields: &[Field<T>], item: &T, exclude: Exclude) {
    write_line(out, fields, item, exclude, |line, _, write| {
        line.json(|cell| write(cell, item));
    });
}

fn write_line<T>(
    out: &mut Vec<u8>,
    fields: &[Field<T>],
    item: &T,
    exclude: Exclude,
    mut array: impl FnMut(&mut Line<'_>, &Field<T>, fn(&mut Vec<u8>, &T)),
) {
    let mut line = Line::new(out);
    for field in fields.iter().filter(|field| field.is_shown(exclude)) {
        match &field.value {
            Getter::Text(get) | Getter::Object(get) => line.text(Some(get(item))),
            Getter::MaybeText(get) | Getter::Json(get) => line.text(get(item)),
            Getter::MaybeAgent(get) => line.number(get(item)),
            Getter::Count(get) => line.number(Some(get(item))),
            Getter::Seconds(get) => line.written(|cell| seconds(cell, get(item))),
            Getter::MaybeSeconds(get) => line.written(|cell| {
                if let Some(value) = get(item) {
                    seconds(cell, value);
                }
            }),
            Getter::Flag(get) => line.text(Some(if get(item) { "true" } else { "false" })),
            Getter::Time(get) | Getter::MaybeTime(get) => line.written(|cell| {
                if let Some(moment) = get(item) {
                    time(cell, moment);
                }
            }),
            Getter::Array(_, write) => array(&mut line, field, *write),
        }
    }
    line.end();
}

/// What a spreadsheet takes for the beginning of a formula, or of a cell of its own.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// What a spreadsheet does not see before a formula: spaces and no-break spaces of every width, zero-width characters, byte order marks.
fn is_invisible(character: char) -> bool {
    let zero_width = matches!(
        character,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
    );
    zero_width || (character.is_whitespace() && !FORMULA.contains(&character))
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Line<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, begun: false }
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
    }

    /// Null is an empty cell. A cell that a spreadsheet would take for a formula gets a `'` before it (OWASP, CSV injection).
    fn text(&mut self, text: Option<&str>) {
        self.separate();
        let text = text.unwrap_or_default();
        let formula = text.trim_start_matches(is_invisible).starts_with(FORMULA);
        let quoted = text.contains(['"', ',', '\r', '\n']);
        if quoted {
            self.out.push(b'"');
        }
        if formula {
            self.out.push(b'\'');
        }
        if quoted {
            self.out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.written(|cell| integer(cell, number)),
            None => self.separate(),
        }
    }

    /// A cell of JSON.
    fn json(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut json = Vec::new();
        write(&mut json);
        self.text(Some(&String::from_utf8_lossy(&json)));
    }

    /// A cell that needs no quoting.
    fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        write(self.out);
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[Option<&str>]) -> String {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out);
        for cell in cells {
            line.text(*cell);
        }
        line.end();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn cells_are_quoted_when_they_must_be() {
        assert_eq!(
            line(&[Some("a"), None, Some("b,c"), Some("d\"e"), Some("f\r\ng")]),
            "a,,\"b,c\",\"d\"\"e\",\"f\r\ng\"\r\n"
        );
    }

    #[test]
    fn no_cell_starts_a_formula_behind_what_cannot_be_seen_or_at_full_width() {
        for formula in ["＝1", "＋1", "－1", "＠x", "=1"] {
            for before in [
                "",
                " ",
                "   ",
                "\u{a0}",
                "\u{202f}",
                "\u{3000}",
                "\u{200b}",
                "\u{200d}",
                "\u{2060}",
                "\u{feff}",
                " \u{feff}\u{a0}",
            ] {
                let cell = format!("{before}{formula}");
                assert_eq!(line(&[Some(&cell)]), format!("'{cell}\r\n"), "{cell:?}");
            }
        }
        assert_eq!(line(&[Some("\n=1")]), "\"'\n=1\"\r\n");
        assert_eq!(
            line(&[Some(" \tx"), Some(" a = b"), Some("\u{a0}7")]),
            "' \tx, a = b,\u{a0}7\r\n"
        );
    }

    #[test]
    fn numbers_stay_numbers() {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out);
        line.number(Some(-7));
        line.number(None);
        line.number(Some(7));
        line.end();
        assert_eq!(out, b"-7,,7\r\n");
    }

    #[test]
    fn no_cell_starts_a_formula() {
        assert_eq!(
            line(&[
                Some("=1+1"),
                Some("+1"),
                Some("-1"),
                Some("@x"),
                Some("\tx"),
                Some("\rx"),
                Some("=a,b"),
                Some("a=b")
            ]),
            "'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\",\"'=a,b\",a=b\r\n"
        );
    }
}
