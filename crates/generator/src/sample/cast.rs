//! Who is there: organizations, their people, and the agents of three teams with those that work for them.

use crate::{
    population::base62,
    random::{Random, derive},
};

/// What an agent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Support,
    OrderDesk,
    CarrierLink,
    Billing,
    Sales,
    QuoteWriter,
    Researcher,
    Engineering,
    LogAnalyst,
    Reviewer,
}

impl Role {
    pub const ALL: [Self; 10] = [
        Self::Support,
        Self::OrderDesk,
        Self::CarrierLink,
        Self::Billing,
        Self::Sales,
        Self::QuoteWriter,
        Self::Researcher,
        Self::Engineering,
        Self::LogAnalyst,
        Self::Reviewer,
    ];

    /// The agent's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Support => "Support",
            Self::OrderDesk => "Order desk",
            Self::CarrierLink => "Carrier link",
            Self::Billing => "Billing",
            Self::Sales => "Sales",
            Self::QuoteWriter => "Quote writer",
            Self::Researcher => "Researcher",
            Self::Engineering => "Engineering",
            Self::LogAnalyst => "Log analyst",
            Self::Reviewer => "Code reviewer",
        }
    }

    /// The model it runs on, and the one that it falls back to.
    pub const fn models(self) -> [&'static str; 2] {
        match self {
            Self::Support | Self::Billing => ["claude-sonnet-4-5", "gpt-5.1"],
            Self::Sales | Self::QuoteWriter => ["gpt-5.1", "claude-sonnet-4-5"],
            Self::Engineering | Self::Reviewer => ["claude-opus-4-5", "gpt-5.1"],
            Self::LogAnalyst | Self::Researcher => ["gemini-3-pro", "gpt-5.1"],
            Self::OrderDesk | Self::CarrierLink => ["mistral-large-3", "gemini-3-pro"],
        }
    }

    /// Of a hundred ratings, how many are good when nothing fails.
    pub const fn approval(self) -> u64 {
        match self {
            Self::Support => 88,
            Self::Sales => 81,
            Self::Engineering => 76,
            _ => 80,
        }
    }

    const fn number(self) -> usize {
        self as usize
    }
}

/// Name, domain of its mail, people, and its part of a hundred conversations.
const ORGANIZATIONS: [(&str, &str, usize, u64); 3] = [
    ("Northwind Outfitters", "northwind.example", 26, 62),
    ("Blue Harbor Freight", "blueharbor.example", 12, 26),
    ("Lumen Labs", "lumen.example", 6, 12),
];

const FIRST_NAMES: [&str; 22] = [
    "Ada", "Linus", "Grace", "Zoë", "Ravi", "Mei", "José", "Anna", "Tomás", "Priya", "Jonas", "Amara", "Kenji",
    "Leïla", "Oskar", "Nadia", "Pieter", "Sofia", "Emeka", "Hanna", "Luca", "Yuki",
];
const LAST_NAMES: [&str; 19] = [
    "Meyer",
    "O’Neil",
    "Nguyễn",
    "García",
    "Smith",
    "Kowalska",
    "Okafor",
    "Tanaka",
    "Silva",
    "Rao",
    "Lindqvist",
    "Diallo",
    "Sato",
    "Benali",
    "Novak",
    "Haddad",
    "de Vries",
    "Rossi",
    "Eze",
];
const PLANS: [&str; 3] = ["starter", "business", "enterprise"];
const TEAMS: [&str; 4] = ["Operations", "Customer care", "Sales", "Platform"];
const SITES: [&str; 4] = ["Rotterdam", "Lyon", "Kraków", "Osaka"];

/// Somebody of an organization, by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    pub organization: usize,
    pub user: usize,
}

/// A person of the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As Clerk makes them.
    pub user_id: String,
    /// The organization's id.
    pub organization_id: String,
    /// The organization's name.
    pub organization: &'static str,
    /// First name.
    pub first_name: &'static str,
    /// Last name.
    pub last_name: &'static str,
    /// Mail address.
    pub email: String,
}

/// Everybody, from a seed.
#[derive(Debug, Clone)]
pub struct Cast {
    seed: u64,
}

impl Cast {
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub const fn organizations() -> usize {
        ORGANIZATIONS.len()
    }

    pub const fn people(organization: usize) -> usize {
        ORGANIZATIONS[organization].2
    }

    pub fn organization_id(&self, organization: usize) -> String {
        format!("org_{}", base62(self.seed, 1, organization as u64))
    }

    fn number(seat: Seat) -> usize {
        let before: usize = ORGANIZATIONS[..seat.organization]
            .iter()
            .map(|organization| organization.2)
            .sum();
        before + seat.user
    }

    pub fn person(&self, seat: Seat) -> Person {
        let number = Self::number(seat);
        let (organization, domain, ..) = ORGANIZATIONS[seat.organization];
        let (first_name, last_name) = (
            FIRST_NAMES[number % FIRST_NAMES.len()],
            LAST_NAMES[number % LAST_NAMES.len()],
        );
        let plain: String = format!("{first_name}.{last_name}")
            .chars()
            .filter_map(unaccented)
            .collect();
        Person {
            user_id: format!("user_{}", base62(self.seed, 2, number as u64)),
            organization_id: self.organization_id(seat.organization),
            organization,
            first_name,
            last_name,
            email: format!("{plain}@{domain}"),
        }
    }

    /// What dashboards filter people by, as JSON.
    pub fn metadata(seat: Seat) -> String {
        let number = Self::number(seat);
        let (plan, team, site) = (PLANS[number % 3], TEAMS[number % 4], SITES[number / 2 % 4]);
        format!(
            r#"{{"plan":"{plan}","team":"{team}","site":"{site}","beta":{},"seat":{number},"department":{{"name":"{team}","floor":{}}},"tags":["{plan}","{site}"],"manager":null}}"#,
            number.is_multiple_of(5),
            number % 6 + 1,
        )
    }

    /// An agent's id is unique among all organizations'.
    pub const fn agent_id(organization: usize, role: Role) -> usize {
        1_000 * (organization + 1) + role.number()
    }

    /// Some ask much more than others.
    pub fn random_seat(random: &mut Random) -> Seat {
        let mut point = random.below(100);
        let mut organization = 0;
        while point >= ORGANIZATIONS[organization].3 {
            point -= ORGANIZATIONS[organization].3;
            organization += 1;
        }
        let people = ORGANIZATIONS[organization].2;
        let user = random.index(people).min(random.index(people));
        Seat { organization, user }
    }

    /// Which of the three teams is asked: an organization is more of a shop, a forwarder, or a software house.
    pub fn random_team(organization: usize, random: &mut Random) -> usize {
        let [support, sales] = [[55, 25], [40, 40], [20, 20]][organization.min(2)];
        match random.below(100) {
            point if point < support => 0,
            point if point < support + sales => 1,
            _ => 2,
        }
    }

    /// One conversation in nine runs on the model that its agent falls back to.
    pub fn model(&self, conversation: u64, role: Role) -> &'static str {
        let falls_back = derive(self.seed, 11, conversation).is_multiple_of(9);
        role.models()[usize::from(falls_back)]
    }
}

/// Letters of names as mail addresses have them.
const fn unaccented(character: char) -> Option<char> {
    Some(match character {
        'ë' | 'é' | 'ễ' => 'e',
        'ï' | 'í' => 'i',
        'á' => 'a',
        '’' | ' ' => return None,
        other => other.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn people_differ_and_their_addresses_are_plain() {
        let cast = Cast::new(1);
        let seats = (0..Cast::organizations())
            .flat_map(|organization| (0..Cast::people(organization)).map(move |user| Seat { organization, user }));
        let people: Vec<Person> = seats.map(|seat| cast.person(seat)).collect();
        let addresses: BTreeSet<&str> = people.iter().map(|person| &*person.email).collect();
        assert_eq!(addresses.len(), people.len());
        assert!(addresses.iter().all(|address| address.is_ascii()), "{addresses:?}");
    }
}
