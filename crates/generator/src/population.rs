//! Who is there: organizations, their users and their agents.

use crate::{
    Config,
    random::{Random, derive},
};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Fixed point of the cumulated weights.
const ONE: u64 = 1 << 40;

#[derive(Debug)]
struct Organization {
    id: String,
    /// Weights of this one and all before it.
    cumulated: u64,
    users: u32,
    /// Users of all organizations before it.
    users_before: usize,
}

/// Organizations with Zipf-skewed traffic, users spread likewise.
#[derive(Debug)]
pub struct Population {
    seed: u64,
    organizations: Vec<Organization>,
    agents: u32,
}

impl Population {
    pub fn new(config: &Config) -> Self {
        let count = config.organizations.max(1);
        let total: u64 = (1..=u64::from(count)).map(|rank| ONE / rank).sum();
        let (mut cumulated, mut users_before) = (0, 0);
        let organizations = (0..count)
            .map(|index| {
                let weight = ONE / u64::from(index + 1);
                cumulated += weight;
                let share = u128::from(config.users) * u128::from(weight) / u128::from(total);
                let users = u32::try_from(share).unwrap_or(u32::MAX).max(1);
                let organization = Organization {
                    id: format!("org_{}", base62(config.seed, 1, u64::from(index))),
                    cumulated,
                    users,
                    users_before,
                };
                users_before += users as usize;
                organization
            })
            .collect();
        Self {
            seed: config.seed,
            organizations,
            agents: config.agents.max(1),
        }
    }

    pub fn random_organization(&self, random: &mut Random) -> u32 {
        let total = self.organizations.last().map_or(1, |last| last.cumulated);
        let point = random.below(total);
        let index = self
            .organizations
            .partition_point(|organization| organization.cumulated <= point);
        u32::try_from(index).unwrap_or(0)
    }

    pub fn random_user(&self, organization: u32, random: &mut Random) -> u32 {
        random.skewed_below(self.user_count(organization))
    }

    pub fn random_agent(&self, random: &mut Random) -> u32 {
        random.skewed_below(self.agents)
    }

    pub fn user_count(&self, organization: u32) -> u32 {
        self.organizations[organization as usize].users
    }

    /// Users of all organizations.
    pub fn total_users(&self) -> usize {
        self.organizations
            .last()
            .map_or(0, |last| last.users_before + last.users as usize)
    }

    /// Agents of all organizations.
    pub fn total_agents(&self) -> usize {
        self.organizations.len() * self.agents as usize
    }

    /// A user's place among all users.
    pub fn user_index(&self, organization: u32, user: u32) -> usize {
        self.organizations[organization as usize].users_before + user as usize
    }

    /// An agent's place among all agents.
    pub fn agent_index(&self, organization: u32, agent: u32) -> usize {
        organization as usize * self.agents as usize + agent as usize
    }

    pub fn organization_id(&self, organization: u32) -> &str {
        &self.organizations[organization as usize].id
    }

    /// Ids as Clerk makes them.
    pub fn user_id(&self, organization: u32, user: u32) -> String {
        let index = self.user_index(organization, user);
        format!("user_{}", base62(self.seed, 2, index as u64))
    }

    pub fn agent_id(&self, organization: u32, agent: u32) -> usize {
        1_000 + self.agent_index(organization, agent)
    }
}

/// 27 letters and digits.
pub fn base62(seed: u64, kind: u64, index: u64) -> String {
    let mut random = Random::new(derive(seed, kind, index));
    (0..27)
        .map(|_| char::from(ALPHABET[random.index(ALPHABET.len())]))
        .collect()
}
