//! What a flush takes away from the live generation is taken from the others in the same transaction.
//!
//! A kept generation is what a rollback goes back to, and nobody writes it meanwhile: a text that was redacted, or a tool call that was deleted, would
//! stay readable in it. So the events that take content away are merged into it early. A rollback merges them again with all the
//! others, which changes nothing. Only rows that are there are written: what arrived after the switch is nowhere else.
//!
//! A flush that takes nothing away, nearly every one, asks nothing.

use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    Flush,
    profiles::{self, Written},
};
use crate::{
    AgentWrite, Base, Entry, FlushError, GenerationId, OrgBuckets, Target, UserWrite, generation, lease::within,
};

impl Flush<'_> {
    /// Merges what these entries take away into every other generation that has their rows.
    pub(super) async fn erase_elsewhere(&mut self, entries: &[Entry]) -> Result<(), FlushError> {
        if !self.follows_the_log() {
            return Ok(());
        }
        let erasing: Vec<Entry> = entries
            .iter()
            .filter_map(|entry| Some(Entry::unknown(entry.key.clone(), entry.delta.erasing()?)))
            .collect();
        if erasing.is_empty() {
            return Ok(());
        }
        for other in self.others().await? {
            self.elsewhere(other).merge_into_rows(erasing.clone()).await?;
        }
        Ok(())
    }

    /// Replaces in every other generation the profiles that were replaced here. A deletion goes everywhere, whoever writes it: its tombstone keeps
    /// older revisions away.
    pub(super) async fn replace_profiles_elsewhere(
        &mut self,
        users: &[&UserWrite],
        written_users: &[Written<'_, UserWrite>],
        written_agents: &[Written<'_, AgentWrite>],
    ) -> Result<(), FlushError> {
        let is_live = self.follows_the_log();
        let deleted = users.iter().copied().filter(|user| user.profile.is_none());
        let replaced = written_users
            .iter()
            .filter(|user| is_live && user.replaced && user.write.profile.is_some())
            .map(|user| user.write);
        let mut users: Vec<&UserWrite> = deleted.chain(replaced).collect();
        users.sort_by_key(|user| (&user.org_id, &user.user_id));
        let agents: Vec<&AgentWrite> = written_agents
            .iter()
            .filter(|agent| is_live && agent.replaced)
            .map(|agent| agent.write)
            .collect();
        if users.is_empty() && agents.is_empty() {
            return Ok(());
        }
        let over = self.over();
        for other in self.others().await? {
            let schema = other.schema();
            profiles::write_users(self.connection, self.placement, &schema, &users, over).await?;
            profiles::write_agents(self.connection, self.placement, &schema, &agents, over).await?;
        }
        Ok(())
    }

    /// Whether this is what a projector has read: others write what one has read, or will.
    fn follows_the_log(&self) -> bool {
        matches!(self.target, Target::Live(_))
    }

    async fn others(&mut self) -> Result<Vec<GenerationId>, FlushError> {
        let generations = within(self.answer_timeout, generation::generations(self.connection)).await?;
        let others = generations.into_iter().map(|generation| generation.id);
        Ok(others.filter(|other| *other != self.target.generation()).collect())
    }

    /// The same transaction in another generation.
    fn elsewhere(&mut self, other: GenerationId) -> Flush<'_> {
        Flush {
            target: Target::Building(other),
            placement: self.placement,
            busy: self.busy,
            random: StdRng::from_rng(&mut self.random),
            connection: &mut *self.connection,
            answer_timeout: self.answer_timeout,
            schema: other.schema(),
            revisions: Vec::new(),
            touched: OrgBuckets::none(),
            report: super::FlushReport::default(),
        }
    }

    async fn merge_into_rows(mut self, mut entries: Vec<Entry>) -> Result<(), FlushError> {
        while let Err(error) = self.load_unknown(&mut entries).await {
            let FlushError::State { key, .. } = &error else {
                return Err(error);
            };
            // A row that nobody can go back to is no reason to stop the projection.
            let generation = self.target.generation();
            tracing::error!(%error, "generation {generation} keeps what was erased of this conversation: rebuild, which drops it");
            entries.retain(|entry| entry.key != *key);
        }
        entries.retain(|entry| entry.base != Base::Absent);
        self.revisions = vec![None; entries.len()];
        self.write_conversations(&mut entries).await
    }
}
