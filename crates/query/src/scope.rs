//! What a caller may see. A [`Scope`] is made here and nowhere else, and nothing is read or cached without one.

use std::sync::Arc;

use recap_store::{Filter, Sort};

use crate::{
    auth::Caller,
    http::problem::Problem,
    parameters::{Binding, CanonicalQuery, FilterParameters, OneOf, Value as _},
};

/// Whose rows of the organization are in reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sees {
    /// The caller's own.
    Own(Arc<str>),
    /// Everybody's: an administrator asked for them.
    All,
}

/// An organization, whose rows of it are in reach, and the filter on them, if the endpoint takes one. Equal scopes have equal answers: a scope
/// is a cache key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    org_id: Arc<str>,
    sees: Sees,
    filter: Option<FilterParameters>,
}

impl Scope {
    /// The rule: one's own rows, unless an administrator asks for everybody's.
    pub(crate) fn new(caller: &Caller, filter: FilterParameters) -> Result<Self, Problem> {
        let all_in_org = filter.all_in_org == Some(true);
        if all_in_org && !caller.is_admin() {
            return Err(Problem::admin_only("allInOrg=true needs the role org:admin."));
        }
        let own_id = caller.user_id();
        let foreign = filter.user_id.as_ref().is_some_and(|id| *id.as_str() != **own_id);
        if foreign && !all_in_org {
            return Err(Problem::admin_only(
                "Another user's conversations need the role org:admin and allInOrg=true.",
            ));
        }
        let sees = if all_in_org {
            Sees::All
        } else {
            Sees::Own(Arc::clone(own_id))
        };
        // One spelling for what means the same: only then are equal scopes equal.
        let mut filter = filter.canonical();
        filter.all_in_org = all_in_org.then_some(true);
        filter.user_id = filter.user_id.filter(|_| all_in_org);
        Ok(Self {
            org_id: Arc::clone(caller.org_id()),
            sees,
            filter: Some(filter),
        })
    }

    /// Everything that the caller may see: an administrator everybody's rows, without asking for them.
    pub(crate) fn of_everything(caller: &Caller) -> Self {
        let sees = if caller.is_admin() {
            Sees::All
        } else {
            Sees::Own(Arc::clone(caller.user_id()))
        };
        Self {
            org_id: Arc::clone(caller.org_id()),
            sees,
            filter: None,
        }
    }

    /// The only organization that is read.
    pub(crate) fn org_id(&self) -> &Arc<str> {
        &self.org_id
    }

    /// The same for the store.
    pub(crate) fn filter(&self) -> Filter {
        let asked = self.filter.as_ref();
        let user_id = match &self.sees {
            Sees::Own(user_id) => Some(user_id.as_ref().to_owned()),
            Sees::All => asked.and_then(|filter| filter.user_id.clone()).map(String::from),
        };
        match asked {
            Some(filter) => filter.filter(user_id),
            None => Filter {
                user_id,
                ..Filter::ALWAYS
            },
        }
    }

    /// What a cursor of this scope's list is bound to. Administrators who ask for everybody's rows share one list, and its cursors.
    pub(crate) fn binding(&self, shape: &str, sort: Sort) -> Binding {
        let (sees, user_id) = match &self.sees {
            Sees::Own(user_id) => ("own", user_id.as_ref()),
            Sees::All => ("all", ""),
        };
        let sort = OneOf(sort);
        Binding::to(&[
            &self.org_id,
            sees,
            user_id,
            &self.canonical_query(),
            shape,
            &sort.canonical(),
        ])
    }

    /// The filter in its one canonical spelling. It names neither the organization nor the caller.
    pub(crate) fn canonical_query(&self) -> String {
        self.filter.as_ref().map(CanonicalQuery::of).unwrap_or_default()
    }
}
