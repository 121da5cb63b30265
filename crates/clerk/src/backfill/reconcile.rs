//! The comparison at the end of a backfill.

use std::collections::{BTreeSet, HashSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{BackfillError, Observer, Report, persist};
use crate::{bridge::Bridge, directory::Known};

/// As many as the API answers at once.
const PAGE: u32 = 500;
/// Users looked at again at one time.
const CONCURRENCY: usize = 8;
/// More erasures than these, and than one profile in ten, look like a mistake.
const FEW_ERASURES: usize = 100;
const ERASURES_SHARE: usize = 10;
/// People come and go meanwhile, which their webhooks tell: more rounds find nothing that they do not.
const ROUNDS: usize = 3;

/// Repairs the profiles that differ: rounds of comparison until one finds nothing.
pub(super) async fn reconcile(
    bridge: &Bridge,
    cause: &str,
    erase_many: bool,
    report: &mut Report,
    observer: &dyn Observer,
) -> Result<(), BackfillError> {
    for _ in 0..ROUNDS {
        observer.comparing(report.repaired);
        // What is published is read first: a membership that is not listed after it has ended, or is told by its own webhook.
        persist(async || {
            bridge.follower.catch_up().await?;
            Ok(())
        })
        .await?;
        let shown: Vec<Known> = bridge.follower.directory().all().collect();
        let members = members(bridge).await?;
        let (over, missing) = differing(&shown, &members);
        let ours = shown.iter().filter(|known| known.ours).count();
        if !erase_many && over.len() > FEW_ERASURES.max(ours / ERASURES_SHARE) {
            let over = over.len();
            return Err(BackfillError::TooMuchToErase { over, shown: ours });
        }
        let differing: BTreeSet<String> = over.into_iter().chain(missing).map(|(_, user_id)| user_id).collect();
        if differing.is_empty() {
            return Ok(());
        }
        let repaired: Vec<u64> = stream::iter(differing)
            .map(|user_id| async move {
                let published = persist(async || bridge.refresh(&user_id, None, cause).await).await?;
                Ok::<_, BackfillError>(published as u64)
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        report.repaired += repaired.len() as u64;
        report.events += repaired.iter().sum::<u64>();
    }
    Ok(())
}

type Member = (String, String);

/// Every membership there is: organization and user.
async fn members(bridge: &Bridge) -> Result<HashSet<Member>, BackfillError> {
    let mut members = HashSet::new();
    let mut offset = 0;
    loop {
        let page = bridge.api.membership_page(offset, PAGE).await?.data;
        if page.is_empty() {
            return Ok(members);
        }
        offset += page.len() as u64;
        members.extend(page.iter().filter_map(|membership| {
            let user_id = membership.user_id()?;
            Some((membership.organization.id.clone(), user_id.to_owned()))
        }));
    }
}

/// Profiles of the bridge's that are no member's, and members without a profile.
fn differing(shown: &[Known], members: &HashSet<Member>) -> (Vec<Member>, Vec<Member>) {
    let member = |known: &Known| (known.org_id.to_string(), known.user_id.to_string());
    let profiles: HashSet<Member> = shown.iter().map(member).collect();
    let ours = shown.iter().filter(|known| known.ours).map(member);
    let over = ours.filter(|profile| !members.contains(profile)).collect();
    let missing = members
        .iter()
        .filter(|member| !profiles.contains(*member))
        .cloned()
        .collect();
    (over, missing)
}
