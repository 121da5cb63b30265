//! Tables that are written many rows at a time: their columns, each with its type and the getter of its value.
//!
//! Everything that names the columns of such a table is made from its list: the arrays of an `INSERT`, and `COPY`.

use chrono::{DateTime, Utc};
use recap_events::Millis;
use sqlx::{Arguments as _, postgres::PgArguments};

/// A table with its columns.
pub(crate) trait Table: 'static {
    /// Its name, without the schema of the generation.
    const NAME: &'static str;

    /// What a row is made from.
    type Row<'a>;

    /// The columns, in the order in which they are written.
    fn columns() -> impl Iterator<Item = &'static Column<Self>>;
}

/// A column of a table.
pub(crate) struct Column<T: Table + ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) value: Value<T>,
}

impl<T: Table + ?Sized> Column<T> {
    pub(crate) const fn new(name: &'static str, value: Value<T>) -> Self {
        Self { name, value }
    }
}

/// The type of a column, with the getter of its value.
pub(crate) enum Value<T: Table + ?Sized> {
    Text(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<&'r str>),
    Bytes(for<'r, 'a> fn(&'r T::Row<'a>) -> &'r [u8]),
    Integer(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<i64>),
    Small(for<'r, 'a> fn(&'r T::Row<'a>) -> i16),
    Flag(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<bool>),
    Time(for<'r, 'a> fn(&'r T::Row<'a>) -> Option<Millis>),
}

impl<T: Table + ?Sized> Value<T> {
    /// The type as SQL names it.
    pub(crate) const fn sql_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
            Self::Integer(_) => "bigint",
            Self::Small(_) => "smallint",
            Self::Flag(_) => "boolean",
            Self::Time(_) => "timestamptz",
        }
    }
}

/// The names of the columns, with commas between them.
pub(crate) fn names<T: Table>() -> String {
    let names: Vec<&str> = T::columns().map(|column| column.name).collect();
    names.join(", ")
}

/// An `INSERT` of the rows whose values are in [`arrays`], without what is to happen to rows that are there.
///
/// `UNNEST` gives the rows in the order of the arrays. In the select list it takes half the time it takes as a table, for which
/// PostgreSQL first stores what each array gives; the arrays are equally long, so the rows are the same.
pub(crate) fn insert<T: Table>(schema: &str) -> String {
    let arrays: Vec<String> = T::columns()
        .enumerate()
        .map(|(index, column)| format!("UNNEST(${}::{}[])", index + 1, column.value.sql_type()))
        .collect();
    format!(
        "INSERT INTO {schema}.{} AS t ({}) SELECT {}",
        T::NAME,
        names::<T>(),
        arrays.join(", ")
    )
}

/// The values of these rows, an array a column. `bytes` is about what they take: growing to megabytes by doubling would copy
/// what is there again and again.
pub(crate) fn arrays<T: Table>(rows: &[T::Row<'_>], bytes: usize) -> Result<PgArguments, sqlx::Error> {
    let mut arrays = PgArguments::default();
    arrays.reserve(T::columns().count(), bytes);
    for column in T::columns() {
        let added = match column.value {
            Value::Text(get) => arrays.add(rows.iter().map(get).collect::<Vec<Option<&str>>>()),
            Value::Bytes(get) => arrays.add(rows.iter().map(get).collect::<Vec<&[u8]>>()),
            Value::Integer(get) => arrays.add(rows.iter().map(get).collect::<Vec<Option<i64>>>()),
            Value::Small(get) => arrays.add(rows.iter().map(get).collect::<Vec<i16>>()),
            Value::Flag(get) => arrays.add(rows.iter().map(get).collect::<Vec<Option<bool>>>()),
            Value::Time(get) => {
                let times = rows.iter().map(|row| get(row).and_then(timestamp));
                arrays.add(times.collect::<Vec<Option<DateTime<Utc>>>>())
            }
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arrays)
}

/// A time as it is sent; `None` outside the years that chrono knows.
pub(crate) fn timestamp(time: Millis) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.0)
}
