//! Proves a generation equal to the live one, or says in what it differs.

use recap_service::one_line::OneLine;
use recap_store::{ColumnDifference, Comparison, DatabaseError, Difference, OrganizationTotals};

/// Differing rows looked at, a table.
const ROWS_CAP: u32 = 100_000;
/// Rounds in which the same rows differ before they count.
const ROUNDS_TO_SURVIVE: u32 = 3;
/// Rounds after which rows that go on changing count too.
const ROUNDS_AT_MOST: u32 = 30;

/// What survived.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows that differ in the end, the first [`Report::ROWS`] of them with their columns.
    pub rows: Vec<(Difference, Vec<ColumnDifference>)>,
    /// Conversations of the new generation, all of them compared.
    pub conversations: u64,
    /// How many differ in all.
    pub differences: usize,
    /// The organizations they belong to, with the totals of both generations.
    pub organizations: Vec<(String, OrganizationTotals, OrganizationTotals)>,
    /// The digests of the mappings of both generations, when they are not the same.
    pub mappings: Option<(String, String)>,
}

impl Report {
    /// Rows that are described column by column.
    pub const ROWS: usize = 100;

    /// Whether the generations are equal.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.differences == 0
    }
}

/// Compares while both generations go on: `catch_up` returns when both have passed the end
/// offsets that it reads when it is called. A row counts as different when it is so in several such rounds.
pub async fn verify<E: From<DatabaseError>>(
    comparison: &Comparison,
    mut catch_up: impl AsyncFnMut() -> Result<(), E>,
) -> Result<Report, E> {
    catch_up().await?;
    let organizations = comparison.organizations().await?;
    let mut differing = comparison.rows(&organizations, ROWS_CAP).await?;
    let mut unchanged = 0;
    for _ in 0..ROUNDS_AT_MOST {
        if differing.is_empty() || unchanged == ROUNDS_TO_SURVIVE {
            break;
        }
        catch_up().await?;
        let still = comparison.still(&differing).await?;
        unchanged = if still.len() == differing.len() {
            unchanged + 1
        } else {
            0
        };
        differing = still;
    }
    Ok(report(comparison, differing).await?)
}

async fn report(comparison: &Comparison, mut differing: Vec<Difference>) -> Result<Report, DatabaseError> {
    differing.sort();
    let mut report = Report {
        conversations: comparison.conversations().await?,
        differences: differing.len(),
        ..Report::default()
    };
    let mut organizations: Vec<&str> = differing.iter().map(|d| d.org_id.as_str()).collect();
    organizations.sort_unstable();
    organizations.dedup();
    for org_id in organizations.into_iter().take(Report::ROWS) {
        let (old, new) = comparison.totals(org_id).await?;
        report.organizations.push((org_id.to_owned(), old, new));
    }
    for difference in differing.into_iter().take(Report::ROWS) {
        let columns = comparison.columns(&difference).await?;
        report.rows.push((difference, columns));
    }
    Ok(report)
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((old, new)) = &self.mappings {
            writeln!(f, "the mappings have changed: {} -> {}", digest(old), digest(new))?;
        }
        writeln!(f, "{}", counted(self.differences))?;
        for (org_id, old, new) in &self.organizations {
            writeln!(
                f,
                "organization {}: {} -> {} conversations, {} -> {} tokens",
                OneLine(org_id),
                old.conversations,
                new.conversations,
                old.total_tokens,
                new.total_tokens
            )?;
        }
        for (difference, columns) in &self.rows {
            writeln!(
                f,
                "{} {} {}",
                difference.table,
                OneLine(&difference.org_id),
                OneLine(&difference.key.join(" "))
            )?;
            for column in columns {
                writeln!(
                    f,
                    "  {}: {} -> {}",
                    column.column,
                    shortened(column.old.as_deref()),
                    shortened(column.new.as_deref())
                )?;
            }
        }
        if self.differences > self.rows.len() {
            writeln!(f, "and {} more", self.differences - self.rows.len())?;
        }
        Ok(())
    }
}

fn digest(digest: &str) -> &str {
    if digest.is_empty() { "none" } else { digest }
}

fn counted(differences: usize) -> String {
    match differences {
        1 => "1 row differs".to_owned(),
        several => format!("{several} rows differ"),
    }
}

/// The first 120 characters of a value.
fn shortened(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "(no row)".to_owned();
    };
    match value.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", OneLine(&value[..end])),
        None => OneLine(value).to_string(),
    }
}
