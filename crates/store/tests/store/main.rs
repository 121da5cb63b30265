//! What the store claims, proved on a real PostgreSQL: one file a claim.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod changes_are_announced;
mod conflicts_merge;
mod connections_find_their_server;
mod copies_equal_flushes;
mod erasure_reaches_everything;
mod figures_equal_a_naive_count;
mod giants_are_written_in_parts;
mod kept_generations_lose_what_is_erased;
mod long_statements_are_watched;
mod lost_commits_are_noticed;
mod migrations_fit;
mod plans_survive_growth;
mod poolers_are_understood;
mod profiles_last_write_wins;
mod quiet_ones_are_listed;
mod reading_follows_the_contract;
mod replay_writes_nothing;
mod retries_end_with_the_rows_written;
mod reused_ids_are_counted;
mod role_sees_one_organization;
mod roles_have_their_rights;
mod rows_equal_the_fold;
mod silence_has_an_end;
mod standbys_say_how_far_they_are;
mod switches_are_noticed;
mod writers_lose_nothing;
