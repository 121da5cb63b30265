//! Where the rows of a generation are: in this server, or on the nodes of a Citus cluster whose coordinator it is.
//!
//! On a cluster each table is distributed by `org_id`, all of them alike, and the control schema is the coordinator's own. A statement about one organization
//! is answered by its node alone, whatever it looks like. One about several joins on `org_id` without `LATERAL`, or is said of one organization after the
//! other. Every statement is planned with its values, and nodes know of a connection's settings only what the transaction says by `SET LOCAL`.

use std::fmt::Write as _;

use sqlx::PgConnection;

use crate::sql::{literal, sql};

/// Whether the extension is there, which is how a cluster is known.
pub(crate) const HAS_CITUS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus')";

/// What a connection is told on a cluster: no plan is kept, and nodes hear what transactions set. A statement goes to one shard after the other, in the same order
/// for all writers: to several at once Citus lets one writer alone, until its commit.
pub(crate) const ON_CLUSTER: &str = "SET plan_cache_mode = 'force_custom_plan'; SET citus.propagate_set_commands = 'local'; \
                                     SET citus.max_adaptive_executor_pool_size = 1; SET citus.multi_shard_modify_mode = 'sequential'";

/// Where the rows of a generation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// In this server.
    Server,
    /// On the nodes of a cluster, by organization.
    Cluster,
}

impl Placement {
    /// Says settings to the nodes of this transaction, too.
    pub async fn tell_nodes(
        self,
        transaction: &mut PgConnection,
        settings: &[(&str, &str)],
    ) -> Result<(), sqlx::Error> {
        if self == Self::Server {
            return Ok(());
        }
        // Citus passes on the whole text that a `SET` came in. In a block each has a text of its own.
        let mut block = "BEGIN ".to_owned();
        for (name, value) in settings {
            let _infallible = write!(block, "SET LOCAL {name} = {}; ", literal(value));
        }
        block += "END";
        sqlx::raw_sql(sql(format!("DO {}", literal(&block))))
            .execute(transaction)
            .await?;
        Ok(())
    }

    /// Reads from every node, so that one which cannot be read from by this connection's role is an error.
    pub async fn ask_nodes(self, connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
        if self == Self::Cluster {
            let all = format!("SELECT FROM {schema}.agent_profile LIMIT 1");
            sqlx::query(sql(all)).fetch_optional(connection).await?;
        }
        Ok(())
    }

    /// Joins the row of `table`, named `alias`, that `on` says, which is by its key. Where there is no cluster it is fenced: a look-up by key, whatever the
    /// planner thinks.
    pub fn look_up(self, table: &str, alias: &str, columns: &str, on: &str) -> String {
        match self {
            Self::Server => {
                format!("CROSS JOIN LATERAL (SELECT {columns} FROM {table} {alias} WHERE {on} LIMIT 1) {alias}")
            }
            Self::Cluster => format!("JOIN {table} {alias} ON {on}"),
        }
    }

    /// What one statement may be about, of rows in the order of their organizations: everything, or on a cluster what is of one organization.
    pub fn statements<'r, T>(self, rows: &'r [T], org_id: impl Fn(&T) -> &str + 'r) -> impl Iterator<Item = &'r [T]> {
        rows.chunk_by(move |one, next| self == Self::Server || org_id(one) == org_id(next))
    }

    /// On a cluster, a condition that `column` is the organization of the statement, which is parameter `number`.
    pub fn only(self, column: &str, number: usize) -> String {
        match self {
            Self::Server => String::new(),
            Self::Cluster => format!(" AND {column} = ${number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_about_one_organization_on_a_cluster_alone() {
        let rows = ["a1", "a2", "b1", "c1", "c2"];
        let of = |placement: Placement| -> Vec<usize> {
            let statements = placement.statements(&rows, |row| &row[..1]);
            statements.map(<[_]>::len).collect()
        };
        assert_eq!(of(Placement::Server), [5]);
        assert_eq!(of(Placement::Cluster), [2, 1, 2]);
        let none: [&str; 0] = [];
        assert_eq!(Placement::Server.statements(&none, |row| row).count(), 0);
    }
}
