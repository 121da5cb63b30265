//! Whom one can be in the console of `recap dev`: one click shows what each may see.

use recap_console::{DevPeople, DevPerson};
use recap_generator::{Person, Sample};
use recap_testing::clerk::{Session, SigningKey};

/// Tokens are asked for anew before they expire; short ones show that this works.
const LIFETIME: std::time::Duration = std::time::Duration::from_mins(2);

/// An administrator, a member, and an administrator of another organization.
pub fn of(sample: &Sample, key: SigningKey, issuer: String) -> DevPeople {
    let mut organizations = sample.people();
    let (others, first) = (organizations.swap_remove(1), organizations.swap_remove(0));
    DevPeople::new(move || {
        let roles = [
            (
                "administrator",
                &first[0],
                true,
                "Everything that happens in the organization.",
            ),
            (
                "member",
                &first[1],
                false,
                "Their own conversations, and nobody else’s.",
            ),
            (
                "other",
                &others[0],
                true,
                "Everything of another organization, nothing of the first.",
            ),
        ];
        let people = roles.map(|(id, person, admin, sees)| describe(id, person, admin, sees, &key, &issuer));
        people.into_iter().flatten().collect()
    })
}

fn describe(id: &str, person: &Person, admin: bool, sees: &str, key: &SigningKey, issuer: &str) -> Option<DevPerson> {
    let (organization, user) = (&person.organization_id, &person.user_id);
    let mut session = if admin {
        Session::admin(organization, user)
    } else {
        Session::member(organization, user)
    };
    session.lifetime = LIFETIME;
    let token = key.sign(&session.claims_v2(issuer));
    let token = token
        .inspect_err(|error| tracing::error!(%error, "a token of the sample cannot be signed"))
        .ok()?;
    Some(DevPerson {
        id: id.to_owned(),
        name: format!("{} {}", person.first_name, person.last_name),
        role: if admin { "Administrator" } else { "Member" }.to_owned(),
        organization: person.organization.to_owned(),
        sees: sees.to_owned(),
        token,
    })
}
