//! Statements: put together from fragments, and of bounded size.

use sqlx::AssertSqlSafe;

/// Rows of one statement.
const ROWS: usize = 1_000;
/// Bytes of one statement, about.
const BYTES: usize = 2 << 20;

/// A statement as text. Only fixed fragments, a generation's schema name and what [`literal`] spells ever go into one.
pub(crate) fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}

/// A constant as SQL spells it, whatever `standard_conforming_strings` is: for what takes no parameters.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

/// Cuts a list into statements of bounded size.
pub(crate) fn chunks<T>(mut rest: &[T], bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut total = 0;
        let most = rest.iter().take(ROWS);
        let fitting = most
            .take_while(|item| {
                let fits = total < BYTES;
                total += bytes(item);
                fits
            })
            .count();
        let (chunk, after) = rest.split_at(fitting);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_constant_ends_where_it_is_to_end() {
        assert_eq!(literal("org_1"), "E'org_1'");
        assert_eq!(literal(r"a\'; DROP TABLE b"), r"E'a\\''; DROP TABLE b'");
        assert_eq!(literal(&literal("'")), "E'E'''''''''");
    }
}
