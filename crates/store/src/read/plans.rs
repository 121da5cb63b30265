//! The plans of the reading statements on a table large enough for the planner to care, taken over a
//! reader's own connection: its role, its row-level security, its settings.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use recap_testing::PostgresServer;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

use super::{
    FeedbackFilter, Filter, GroupBy, MetadataFilter, Position, RangeOn, Reader, Snapshot, Sort,
    few::Few,
    figures::HASHED,
    plan::Source,
    scope::{Resolved, Scope},
    users::{LISTED, Users, by_token},
};
use crate::{Store, StoreOptions, metadata::tokens_of};

/// One organization of 100,000 conversations among fifty of 1,000: two years, 2,000 users, one in twenty
/// a sub-conversation, updated within a day.
const FILL: &str = "
    INSERT INTO recap_g1.conversation_summary
    SELECT org_id, format('%s-%s', org_id, n), 1, 0, false, 1, '\\x01', created, updated,
        -(extract(epoch FROM updated) * 1000)::bigint, NULL, 'user' || n % 2000, agent,
        CASE WHEN n % 20 = 0 THEN format('%s-%s', org_id, n - 1) END, model, NULL,
        1, 1, 2, 1000, n, 10, 20, 0, 0, rated, rated, 0, 'text',
        -(extract(epoch FROM updated) * 1000)::bigint, model, NULL, 2, 1000, n, 10, 20, 0, rated, rated, 0
    FROM (SELECT *, n % 1000 / 999 AS rated, CASE WHEN n % 1000 = 7 THEN 99 ELSE n % 7 END AS agent,
            CASE WHEN n % 1000 = 3 THEN 'rare' ELSE 'm' || n % 3 END AS model FROM (
        SELECT org_id, n, created, created + (n * 7919 % 86400) * interval '1 second' AS updated
        FROM (
            SELECT CASE WHEN n <= 100000 THEN 'big' ELSE 'org' || n % 50 END AS org_id, n,
                timestamptz '2024-01-01Z' + (n * 7907 % 100000) * interval '630 seconds' AS created
            FROM generate_series(1, 150000) n) a) b) c;
    INSERT INTO recap_g1.tool_call
    SELECT org_id, conversation_id, 't', true, true, CASE WHEN n % 1000 = 5 THEN 'rare' ELSE 'common' END, NULL, NULL, NULL,
        CASE WHEN n % 1000 = 9 THEN '{}' END, NULL, created_at, created_at, created_at
    FROM (SELECT *, total_tokens AS n FROM recap_g1.conversation_summary) c WHERE n % 3 = 0 OR n % 1000 IN (5, 9)";

struct Plans {
    reader: Reader,
    pool: PgPool,
}

/// One organization of 20,000 conversations below one, and as many others.
const FILL_BELOW_ONE: &str = "
    INSERT INTO recap_g1.conversation_summary
    SELECT 'big', format('c-%s', n), 1, 0, false, 1, '\\x01', created, created,
        -(extract(epoch FROM created) * 1000)::bigint, NULL, 'user' || n % 2000, n % 7,
        CASE WHEN n BETWEEN 1 AND 20000 THEN 'c-0' END, NULL, NULL,
        1, 1, 2, 1000, 30, 10, 20, 0, 0, 0, 0, 0, 'text',
        -(extract(epoch FROM created) * 1000)::bigint, NULL, NULL, 2, 1000, 30, 10, 20, 0, 0, 0, 0
    FROM (SELECT n, timestamptz '2024-01-01Z' - n * interval '60 seconds' AS created
        FROM generate_series(0, 40000) n) a";

impl Plans {
    /// A database as it is born: nothing has been analyzed.
    async fn unanalyzed(fill: &'static str) -> Self {
        let server = PostgresServer::shared().await.unwrap();
        let url = server.create_database().await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        let mut options = StoreOptions::new(url, "plans");
        Store::new(&options).unwrap().migrate().await.unwrap();
        options.max_connections = 1;
        let reader = Reader::new(&options).unwrap();
        sqlx::raw_sql(fill).execute(&pool).await.unwrap();
        Self { reader, pool }
    }

    async fn new() -> Self {
        let Self { reader, pool } = Self::unanalyzed(FILL).await;
        for (users, metadata) in [(1, r#"{"rare":1}"#), (1_500, r#"{"common":1}"#), (20, r#"{"few":1}"#)] {
            sqlx::query(
                "INSERT INTO recap_g1.user_metadata_token SELECT 'big', 'user' || n, token \
                 FROM generate_series(1, $1) n, UNNEST($2::uuid[]) AS token ON CONFLICT DO NOTHING",
            )
            .bind(users)
            .bind(tokens_of(metadata))
            .execute(&pool)
            .await
            .unwrap();
        }
        sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await.unwrap();
        Self { reader, pool }
    }

    /// Runs a statement and answers its plan.
    async fn explain(&self, filter: &Filter, after: Option<&Position>, source: Source, question: Question) -> Plan {
        let mut snapshot = self.reader.snapshot("big").await.unwrap();
        let resolved = snapshot.resolve(filter).await.unwrap();
        let Snapshot {
            connection,
            schema,
            org_id,
            ..
        } = &mut snapshot;
        let scope = Scope {
            schema,
            org_id,
            filter,
            resolved: &resolved,
        };
        let window = match source {
            Source::Window(window) => window,
            Source::Range | Source::EachUser | Source::EachListed => 0,
        };
        let connection = connection.get().unwrap();
        // As the reader runs it: planned for any parameters at all.
        let types = match question {
            Question::Breakdown(_) => format!("{TYPES}, timestamptz[], bigint[]"),
            _ => TYPES.to_owned(),
        };
        if let Question::Breakdown(_) = question {
            sqlx::raw_sql(HASHED).execute(&mut *connection).await.unwrap();
        }
        let prepare = format!("PREPARE asked ({types}) AS {}", question.statement(&scope, source));
        sqlx::raw_sql(AssertSqlSafe(prepare))
            .execute(&mut *connection)
            .await
            .unwrap();
        let explain = format!(
            "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({})",
            literals(&scope, after, window, question)
        );
        let row = sqlx::raw_sql(AssertSqlSafe(explain))
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        sqlx::raw_sql("DEALLOCATE asked").execute(connection).await.unwrap();
        let plan = Plan::new(row.get(0));
        snapshot.finish().await.unwrap();
        plan
    }

    async fn page(&self, filter: &Filter, source: Source) -> Plan {
        self.explain(filter, None, source, Question::Page).await
    }

    async fn resolve(&self, filter: &Filter) -> Resolved {
        let mut snapshot = self.reader.snapshot("big").await.unwrap();
        snapshot.resolve(filter).await.unwrap()
    }

    async fn users(&self, filter: &Filter) -> Users {
        self.resolve(filter).await.users
    }
}

/// The types of every statement's parameters.
const TYPES: &str =
    "text, timestamptz, timestamptz, text[], uuid[], bigint, bigint, text, bigint, bigint, text[], text, text";

/// The values that [`Scope::bind`] binds, for a page of 50.
fn literals(scope: &Scope<'_>, after: Option<&Position>, window: i64, question: Question) -> String {
    let array = |items: Vec<String>| {
        let items: Vec<String> = items.iter().map(|item| format!("'{item}'")).collect();
        format!("ARRAY[{}]", items.join(", "))
    };
    let (listed, tokens) = match &scope.resolved.users {
        Users::Any => (Vec::new(), Vec::new()),
        Users::Listed(users) => (users.clone(), Vec::new()),
        Users::ByToken(tokens) => (Vec::new(), tokens.iter().map(ToString::to_string).collect()),
    };
    let few = match &scope.resolved.few {
        Few::Listed(ids) => ids.clone(),
        Few::Unknown => Vec::new(),
    };
    let (place, id) = scope.begin(question.sort(), after);
    let text = |text: &Option<String>| {
        text.as_ref()
            .map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
    };
    let agent = scope
        .filter
        .agent_id
        .map_or_else(|| "NULL".to_owned(), |id| id.to_string());
    let (from, to) = (scope.filter.from.to_rfc3339(), scope.filter.to.to_rfc3339());
    let mut literals = format!(
        "'{}', '{from}', '{to}', {}::text[], {}::uuid[], {agent}, {}, '{id}', 50, {window}, {}::text[], {}, {}",
        scope.org_id,
        array(listed),
        array(tokens),
        place.max(i64::MIN + 1),
        array(few),
        text(&scope.filter.model),
        text(&scope.filter.tool_name),
    );
    if let Question::Breakdown(_) = question {
        literals.push_str(", ARRAY['2000-01-01Z', '2024-06-01Z']::timestamptz[], ARRAY[0]::bigint[]");
    }
    literals
}

/// Which statement.
#[derive(Clone, Copy)]
enum Question {
    Page,
    Sorted(Sort),
    Rows,
    Probe,
    Stats,
    Breakdown(Option<GroupBy>),
}

impl Question {
    fn statement(self, scope: &Scope<'_>, source: Source) -> String {
        match self {
            Self::Page | Self::Sorted(_) => scope.page(source, self.sort(), true),
            Self::Rows => scope.rows(source, self.sort(), true),
            Self::Probe => scope.probe(),
            Self::Stats => scope.stats(),
            Self::Breakdown(by) => scope.breakdown(by),
        }
    }

    fn sort(self) -> Sort {
        match self {
            Self::Sorted(sort) => sort,
            _ => Sort::UpdatedAt,
        }
    }
}

/// What a plan touches.
#[derive(Debug, Default)]
struct Plan {
    indexes: BTreeSet<String>,
    /// Tables read without an index, or through a bitmap.
    scanned: BTreeSet<String>,
    /// The most rows any node handled.
    rows: f64,
}

impl Plan {
    fn new(json: Value) -> Self {
        let mut plan = Self::default();
        let mut left = vec![json];
        while let Some(value) = left.pop() {
            match value {
                Value::Array(items) => left.extend(items),
                Value::Object(mut node) => {
                    let kind = node.get("Node Type").and_then(Value::as_str).unwrap_or_default();
                    if let Some(index) = node.get("Index Name").and_then(Value::as_str) {
                        plan.indexes.insert(index.to_owned());
                    }
                    if matches!(kind, "Seq Scan" | "Bitmap Heap Scan") {
                        let table = node["Relation Name"].as_str().unwrap_or_default();
                        plan.scanned.insert(table.to_owned());
                    }
                    let of = |name: &str| node.get(name).and_then(Value::as_f64).unwrap_or(0.0);
                    let removed = of("Rows Removed by Filter") + of("Rows Removed by Index Recheck");
                    plan.rows = plan.rows.max((of("Actual Rows") + removed) * of("Actual Loops"));
                    left.extend(["Plan", "Plans"].iter().filter_map(|key| node.remove(*key)));
                }
                _ => {}
            }
        }
        plan
    }

    fn uses(&self, indexes: &[&str]) {
        for index in indexes {
            assert!(self.indexes.contains(*index), "{index} is not used: {self:?}");
        }
        assert!(!self.scanned.contains("conversation_summary"), "{self:?}");
        assert!(!self.scanned.contains("user_metadata_token"), "{self:?}");
    }
}

fn day(date: &str) -> DateTime<Utc> {
    format!("{date}T00:00:00Z").parse().unwrap()
}

fn range(from: &str, to: &str) -> Filter {
    Filter::created(day(from), day(to))
}

fn with_key(filter: Filter, key: &str) -> Filter {
    let metadata = MetadataFilter {
        key: Some(key.to_owned()),
        value: Some("1".to_owned()),
    };
    Filter {
        metadata: Some(metadata),
        ..filter
    }
}

const BY_UPDATE: &str = "conversation_summary_by_update";
const BY_CREATION: &str = "conversation_summary_by_creation";
const BY_USER: &str = "conversation_summary_by_user";
const BY_PARENT: &str = "conversation_summary_by_parent";
const BY_KEY: &str = "conversation_summary_pkey";
const BY_TOKEN: &str = "user_metadata_token_by_token";

#[tokio::test]
async fn every_statement_uses_its_index() {
    let plans = Plans::new().await;
    let whole = range("2024-01-01", "2026-12-31");
    let window = Source::Window(400);

    // A page walks the list's index, asks upwards by key and downwards by parent.
    let page = plans.page(&whole, window).await;
    page.uses(&[BY_UPDATE, BY_KEY, BY_PARENT]);
    assert!(page.rows < 400.0, "{page:?}");
    // The thousandth page costs what the first does.
    let middle = Position {
        value: day("2025-01-01").timestamp_millis(),
        conversation_id: "m".into(),
    };
    let deep = plans.explain(&whole, Some(&middle), window, Question::Page).await;
    deep.uses(&[BY_UPDATE, BY_KEY, BY_PARENT]);
    assert!(deep.rows < 400.0, "{deep:?}");
    plans
        .explain(&whole, None, window, Question::Rows)
        .await
        .uses(&[BY_UPDATE, BY_KEY]);

    // A narrow range is read by creation, and no more of it.
    let week = range("2024-06-01", "2024-06-08");
    let narrow = plans.page(&week, Source::Range).await;
    narrow.uses(&[BY_CREATION, BY_KEY, BY_PARENT]);
    assert!(narrow.rows < 2_000.0, "{narrow:?}");
    let probe = plans.explain(&week, None, window, Question::Probe).await;
    probe.uses(&[BY_UPDATE, BY_CREATION]);
    assert!(probe.rows < 2_000.0, "{probe:?}");

    // One user's list has an index of its own, and so have the few that metadata finds.
    let own = Filter {
        user_id: Some("user7".into()),
        ..whole.clone()
    };
    let own = plans.page(&own, window).await;
    own.uses(&[BY_USER, BY_KEY, BY_PARENT]);
    assert!(own.rows < 400.0, "{own:?}");
    let rare = with_key(whole.clone(), "rare");
    assert_eq!(plans.users(&rare).await, Users::Listed(vec!["user1".into()]));
    plans.page(&rare, window).await.uses(&[BY_USER, BY_KEY, BY_PARENT]);
    let few = with_key(whole.clone(), "few");
    let each = plans.page(&few, Source::EachUser).await;
    each.uses(&[BY_USER, BY_KEY, BY_PARENT]);
    assert!(each.rows < 2_000.0, "{each:?}");

    // Many users are recognised by their tokens while walking.
    let common = with_key(whole.clone(), "common");
    assert!(matches!(plans.users(&common).await, Users::ByToken(_)));
    let walk = plans.page(&common, window).await;
    walk.uses(&[BY_UPDATE, BY_KEY, BY_PARENT]);
    assert!(walk.rows < 2_000.0, "{walk:?}");

    plans
        .explain(&week, None, window, Question::Stats)
        .await
        .uses(&[BY_CREATION]);
    let own_stats = Filter {
        user_id: Some("user7".into()),
        ..whole
    };
    plans
        .explain(&own_stats, None, window, Question::Stats)
        .await
        .uses(&[BY_USER]);
    token_lookup(&plans).await;
}

#[tokio::test]
async fn other_filters_and_orders_use_their_indexes() {
    let plans = Plans::new().await;
    let whole = range("2024-01-01", "2026-12-31");
    let window = Source::Window(400);

    // What one conversation in a thousand is like has an index of its own, in the order of the list.
    let agent = Filter {
        agent_id: Some(99),
        ..whole.clone()
    };
    let model = Filter {
        model: Some("rare".into()),
        ..whole.clone()
    };
    let helpful = Filter {
        feedback: Some(FeedbackFilter::Helpful),
        ..whole.clone()
    };
    let any = Filter {
        feedback: Some(FeedbackFilter::Any),
        ..whole.clone()
    };
    for (filter, index) in [
        (&agent, "conversation_summary_by_agent"),
        (&model, "conversation_summary_by_model"),
        (&helpful, "conversation_summary_helpful"),
        (&any, "conversation_summary_with_feedback"),
    ] {
        let page = plans.page(filter, window).await;
        page.uses(&[index, BY_KEY]);
        assert!(page.rows < 400.0, "{index}: {page:?}");
    }

    // Calls of a rare tool name few conversations, which are looked up; those of a common one are met on the way.
    let tool = |name: &str| Filter {
        tool_name: Some(name.into()),
        ..whole.clone()
    };
    let failed = Filter {
        tool_error: Some(true),
        ..whole.clone()
    };
    for (filter, index) in [(&tool("rare"), "tool_call_by_name"), (&failed, "tool_call_failed")] {
        assert!(matches!(plans.resolve(filter).await.few, Few::Listed(ids) if ids.len() == 100));
        let page = plans.page(filter, Source::EachListed).await;
        page.uses(&[BY_KEY, index]);
        assert!(page.rows < 400.0, "{index}: {page:?}");
    }
    assert_eq!(plans.resolve(&tool("common")).await.few, Few::Unknown);
    let common = plans.page(&tool("common"), window).await;
    common.uses(&[BY_UPDATE, BY_KEY, "tool_call_by_name"]);
    assert!(common.rows < 400.0, "{common:?}");

    // A range of the last updates is walked.
    let week = Filter {
        range_on: RangeOn::UpdatedAt,
        ..range("2024-06-01", "2024-06-08")
    };
    let updated = plans.page(&week, window).await;
    updated.uses(&[BY_UPDATE, BY_KEY]);
    assert!(updated.rows < 400.0, "{updated:?}");

    // Other orders sort the range out of its index.
    let month = range("2024-06-01", "2024-07-01");
    for sort in [
        Sort::CreatedAt,
        Sort::TotalTokens,
        Sort::TotalMessageCount,
        Sort::Duration,
    ] {
        let page = plans.explain(&month, None, Source::Range, Question::Sorted(sort)).await;
        page.uses(&[BY_CREATION, BY_KEY]);
        assert!(page.rows < 5_000.0, "{page:?}");
    }

    // Figures come out of the index alone, the names of tools too.
    let figures = [
        None,
        Some(GroupBy::AgentId),
        Some(GroupBy::AgentModel),
        Some(GroupBy::ToolName),
    ];
    for by in figures {
        let breakdown = plans.explain(&month, None, window, Question::Breakdown(by)).await;
        breakdown.uses(&[BY_CREATION]);
        assert!(breakdown.rows < 60_000.0, "{by:?}: {breakdown:?}");
    }
    // Both sides are large, and nothing compares each with each.
    let by_tool = Question::Breakdown(Some(GroupBy::ToolName));
    for filter in [&tool("common"), &tool("rare"), &whole] {
        let breakdown = plans.explain(filter, None, window, by_tool).await;
        assert!(breakdown.rows < 250_000.0, "{breakdown:?}");
    }
}

async fn token_lookup(plans: &Plans) {
    let mut connection = plans.pool.acquire().await.unwrap();
    sqlx::raw_sql("SET recap.org_id = 'big'; SET ROLE recap_query")
        .execute(&mut *connection)
        .await
        .unwrap();
    let sql = format!("EXPLAIN (ANALYZE, FORMAT JSON) {}", by_token("recap_g1"));
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind("big")
        .bind(tokens_of(r#"{"rare":1}"#))
        .bind(LISTED)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    Plan::new(row.get(0)).uses(&[BY_TOKEN]);
    connection.close_on_drop();
}

#[tokio::test]
async fn no_plan_waits_for_the_first_analyze() {
    let plans = Plans::unanalyzed(FILL_BELOW_ONE).await;
    let whole = range("2020-01-01", "2026-12-31");
    let page = plans.page(&whole, Source::Window(400)).await;
    page.uses(&[BY_UPDATE, BY_KEY, BY_PARENT]);
    // The 20,000 below one, and a few times the window.
    assert!(page.rows < 25_000.0, "{page:?}");
}
