//! The statements that read conversations, put together from a few fragments. Their parameters are those of every [`Scope`].

use super::{
    arm::Arm,
    plan::Source,
    row,
    scope::{Range, Scope},
    sort::Sort,
};

/// Ancestors up to which a conversation is shown inside its parent.
pub(crate) const MAX_LINKS: u32 = 32;

/// What an outline says of a conversation `c`.
fn outline(sort: Sort) -> String {
    let place = sort.place(Arm::Row, "c");
    format!("c.conversation_id, {place}, c.upstream_conversation_id")
}

impl Scope<'_> {
    /// A page of top-level conversations with their descendants. Columns: `top`, `more`, then those of
    /// [`row::select_list`]. Unordered.
    pub(crate) fn page(&self, source: Source, sort: Sort, first_message_text: bool) -> String {
        let columns = row::select_list(first_message_text);
        let joins = row::joins(self.schema);
        self.shown(source, sort, &format!("{columns} FROM shown c {joins}"))
    }

    /// The same page without what its rows say. Columns: `top`, `more`, then those of [`outline`].
    pub(crate) fn page_outline(&self, source: Source, sort: Sort) -> String {
        self.shown(source, sort, &format!("{} FROM shown c", outline(sort)))
    }

    /// A page's statement that ends with `selected`, said of `shown c`.
    fn shown(&self, source: Source, sort: Sort, selected: &str) -> String {
        let (of_c, of_t, names) = (row::stored("c"), row::stored("t"), row::stored_names());
        let (candidates, links) = (self.candidates(source, sort), self.links());
        let below = self.below();
        // A cycle or an endless chain has no end to hang from: such rows start at the last depth.
        format!(
            "WITH RECURSIVE pick AS MATERIALIZED ( \
               SELECT k.place, {of_c}, links.n FROM {candidates} \
               CROSS JOIN LATERAL (SELECT CASE WHEN c.upstream_conversation_id IS NULL THEN 0 \
                 ELSE ({links}) END AS n OFFSET 0) links \
               WHERE links.n = 0 OR links.n > {MAX_LINKS} \
               ORDER BY k.place, k.conversation_id LIMIT $9 + 1), \
             shown(top, depth, {names}) AS ( \
               SELECT true, CASE WHEN t.n = 0 THEN 0 ELSE {MAX_LINKS} END, {of_t} \
               FROM (SELECT * FROM pick ORDER BY place, conversation_id LIMIT $9) t \
               UNION ALL \
               SELECT false, s.depth + 1, {of_c} FROM shown s CROSS JOIN LATERAL ({below}) c \
               WHERE s.depth < {MAX_LINKS}) \
             SELECT c.top, (SELECT count(*) FROM pick) > $9, {selected}"
        )
    }

    /// The conversation `$8` and those below it, in a page of its own, whether its parent matches or not. Columns as of [`Self::page`]; no row
    /// when it does not match.
    pub(crate) fn one(&self, first_message_text: bool) -> String {
        let columns = row::select_list(first_message_text);
        let joins = row::joins(self.schema);
        self.shown_below_one(&format!("{columns} FROM shown c {joins}"))
    }

    /// The same without what the rows say. Columns: `top`, `more`, then those of [`outline`].
    pub(crate) fn one_outline(&self) -> String {
        self.shown_below_one(&format!("{} FROM shown c", outline(Sort::UpdatedAt)))
    }

    fn shown_below_one(&self, selected: &str) -> String {
        let (of_c, names, schema) = (row::stored("c"), row::stored_names(), self.schema);
        let (matches, below) = (self.matches_by_key("c"), self.below());
        // Each has one parent, so a cycle that is met here leads back to the one it began with.
        format!(
            "WITH RECURSIVE shown(top, depth, {names}) AS ( \
               SELECT true, 0, {of_c} FROM (SELECT {of_c} FROM {schema}.conversation_summary c \
                 WHERE {matches} AND c.conversation_id = $8 LIMIT 1) c \
               UNION ALL \
               SELECT false, s.depth + 1, {of_c} FROM shown s CROSS JOIN LATERAL ({below}) c \
               WHERE s.depth < {MAX_LINKS} AND c.conversation_id <> $8) \
             SELECT c.top, false, {selected}"
        )
    }

    /// The matching conversations `c` whose parent is `s`.
    fn below(&self) -> String {
        let (of_c, schema) = (row::stored("c"), self.schema);
        let matches = self.matches("c", Arm::Row, Range::Checked);
        format!(
            "SELECT {of_c} FROM {schema}.conversation_summary c \
             WHERE {matches} AND c.upstream_conversation_id = s.conversation_id OFFSET 0"
        )
    }

    /// Conversations one by one, whatever their parents. Columns as in [`row::select_list`], in order.
    pub(crate) fn rows(&self, source: Source, sort: Sort, first_message_text: bool) -> String {
        let columns = row::select_list(first_message_text);
        let joins = row::joins(self.schema);
        let of_c = row::stored("c");
        let candidates = self.candidates(source, sort);
        format!(
            "WITH pick AS MATERIALIZED (SELECT k.place, {of_c} FROM {candidates} \
               ORDER BY k.place, k.conversation_id LIMIT $9) \
             SELECT {columns} FROM pick c {joins} ORDER BY c.place, c.conversation_id"
        )
    }

    /// The same without what the rows say. Columns: those of [`outline`], in order.
    pub(crate) fn rows_outline(&self, source: Source, sort: Sort) -> String {
        let (outline, candidates) = (outline(sort), self.candidates(source, sort));
        format!("SELECT {outline} FROM {candidates} ORDER BY k.place, k.conversation_id LIMIT $9")
    }

    /// Matching conversations `c` after the place, and `k`, their places in the list, in its order.
    /// The places come out of an index alone; rows are fetched for those only that the page gets to.
    fn candidates(&self, source: Source, sort: Sort) -> String {
        let schema = self.schema;
        let (of_c, places) = (row::stored("c"), self.places(source, sort));
        let matches = self.matches_by_key("c");
        format!(
            "({places}) k CROSS JOIN LATERAL (SELECT {of_c} FROM {schema}.conversation_summary c \
             WHERE {matches} AND c.conversation_id = k.conversation_id OFFSET 0) c"
        )
    }

    /// How many matching ancestors the conversation `c` has, counted to one more than nest. A cycle
    /// counts that far too.
    fn links(&self) -> String {
        let schema = self.schema;
        let matches = self.matches_by_key("p");
        format!(
            "WITH RECURSIVE up(parent, n) AS ( \
               SELECT c.upstream_conversation_id, 0 \
               UNION ALL \
               SELECT p.upstream_conversation_id, up.n + 1 FROM up CROSS JOIN LATERAL ( \
                 SELECT p.upstream_conversation_id FROM {schema}.conversation_summary p \
                 WHERE {matches} AND p.conversation_id = up.parent OFFSET 0) p \
               WHERE up.n <= {MAX_LINKS}) \
             SELECT max(n) FROM up"
        )
    }
}
