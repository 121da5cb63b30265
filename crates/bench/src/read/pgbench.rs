//! The page's statements in `pgbench`: what PostgreSQL takes for them with no service around.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use recap_store::{GenerationId, PageStatements, READER_SETTINGS};
use recap_testing::postgres;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Command;

use crate::{samples::Samples, stack::Database, stored::LARGEST};

/// Milliseconds of each transaction: begin, name the organization, read a page of 50 with its tool calls and feedback, commit.
/// Every one asks for another range of the last year that ends now, by prepared statements.
pub async fn run(database: &Database, clients: usize, time: Duration) -> anyhow::Result<Samples> {
    let program = postgres::program("pgbench")?;
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("page.sql");
    let pool = PgPool::connect(&database.url).await?;
    let generation = database.store()?.live_generation().await?;
    let newest = newest(&pool, generation).await?;
    pool.close().await;
    fs::write(&script, text(generation, &newest))?;
    let settings: Vec<String> = READER_SETTINGS
        .iter()
        .map(|(name, value)| format!("-c {name}={value}"))
        .collect();
    let output = Command::new(&program)
        .current_dir(directory.path())
        .env("PGOPTIONS", format!("-c role=recap_query {}", settings.join(" ")))
        .args(["--no-vacuum", "--protocol=prepared", "--log", "--jobs=1"])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={}", time.as_secs().max(1)))
        .arg(format!("--file={}", script.display()))
        .arg(&database.url)
        .output()
        .await
        .with_context(|| {
            format!(
                "{} cannot start: it comes with PostgreSQL's server or contrib package",
                program.display()
            )
        })?;
    ensure!(
        output.status.success(),
        "pgbench failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut samples = Samples::default();
    for entry in fs::read_dir(directory.path())? {
        let path = entry?.path();
        if path != script {
            // Client, transaction, microseconds, …
            for line in fs::read_to_string(&path)?.lines() {
                let micros = line.split(' ').nth(2).context("a line of pgbench's log")?;
                samples.add(micros.parse::<f64>()? / 1_000.0);
            }
        }
    }
    Ok(samples)
}

/// The conversations of that page: which they are does not depend on where the range begins.
async fn newest(pool: &PgPool, generation: GenerationId) -> anyhow::Result<Vec<String>> {
    let statement = format!(
        "SELECT conversation_id FROM {}.conversation_summary \
         WHERE org_id = $1 AND deleted_at IS NULL ORDER BY recency, conversation_id LIMIT 50",
        generation.schema()
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(LARGEST)
        .fetch_all(pool)
        .await?)
}

/// The script. A million different ranges, as the service is asked for.
fn text(generation: GenerationId, newest: &[String]) -> String {
    let organization = format!("'{LARGEST}'::text");
    let parameters = [
        organization.as_str(),
        "now() - interval '300 days' - :ms * interval '1 ms'",
        "now()",
        "'{}'::text[]",
        "'{}'::uuid[]",
        "NULL::bigint",
        "-9223372036854775807::bigint",
        "''::text",
        "50::bigint",
        "400::bigint",
        "'{}'::text[]",
        "NULL::text",
        "NULL::text",
    ];
    let newest = format!("ARRAY['{}']", newest.join("', '"));
    let of_page = PageStatements::of(generation);
    let page = with_values(of_page.page, &parameters);
    let tool_calls = with_values(of_page.tool_calls, &[&organization, &newest, "9223372036854775807"]);
    let feedback = with_values(of_page.feedback, &[&organization, &newest, "9223372036854775807"]);
    format!(
        "\\set ms random(1, 1000000)\n\
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n\
         SELECT generation, set_config('recap.org_id', '{LARGEST}', true) FROM recap.live;\n\
         {page};\n{tool_calls};\n{feedback};\nCOMMIT;\n"
    )
}

fn with_values(mut statement: String, values: &[&str]) -> String {
    for (index, value) in values.iter().enumerate().rev() {
        statement = statement.replace(&format!("${}", index + 1), &format!("({value})"));
    }
    statement
}
