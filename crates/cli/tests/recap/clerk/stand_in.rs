//! A stand-in of Clerk's Backend API, after Clerk's published description of it (`github.com/clerk/openapi-specs`, version 2025-11-10) and of
//! its webhooks (2025-04-15): the endpoints, parameters and required fields that the bridge meets, rate limits with `Retry-After`, and a
//! webhook for each change.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub const SECRET_KEY: &str = "sk_test_stand_in";
/// Clerk's clock when it starts, in milliseconds since 1970.
const BEGIN: i64 = 1_750_000_000_000;
/// Every so many requests one is refused with 429, and one fails.
const LIMITED_EVERY: u64 = 250;
const FAILED_EVERY: u64 = 333;

/// What a profile is to show: organization and user, to address, names and metadata.
pub type Profiles = BTreeMap<(String, String), (Option<String>, Option<String>, Option<String>, Value)>;

/// A webhook before it is signed.
#[derive(Debug, Clone)]
pub struct Change {
    pub id: String,
    pub body: String,
}

#[derive(Clone)]
struct User {
    first_name: Option<String>,
    email: Option<String>,
    metadata: Value,
    created_at: i64,
    updated_at: i64,
}

#[derive(Clone)]
struct Membership {
    id: u64,
    metadata: Value,
    created_at: i64,
    updated_at: i64,
}

#[derive(Default)]
struct Instance {
    now: i64,
    messages: u64,
    users: BTreeMap<String, User>,
    memberships: BTreeMap<(String, String), Membership>,
    /// By age.
    listed: BTreeMap<(i64, u64), (String, String)>,
}

#[derive(Clone)]
pub struct StandIn {
    instance: Arc<Mutex<Instance>>,
    requests: Arc<AtomicU64>,
    limited: Arc<AtomicU64>,
    pub addr: SocketAddr,
    server: Arc<JoinHandle<()>>,
}

impl StandIn {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let instance = Arc::new(Mutex::new(Instance {
            now: BEGIN,
            ..Instance::default()
        }));
        let (requests, limited) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&requests), Arc::clone(&limited));
        let router = Router::new()
            .route("/v1/users", get(users))
            .route("/v1/users/{id}", get(user))
            .route("/v1/users/{id}/organization_memberships", get(memberships_of_user))
            .route("/v1/organization_memberships", get(memberships))
            .with_state(Arc::clone(&instance))
            .layer(middleware::from_fn_with_state(counters, admit));
        let server = tokio::spawn(async move {
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self {
            instance,
            requests,
            limited,
            addr,
            server: Arc::new(server),
        })
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that were refused with 429 so far.
    pub fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn put_user(&self, id: &str, first_name: Option<&str>, email: Option<&str>, metadata: Value) -> Change {
        let mut instance = self.instance();
        let now = instance.tick();
        let created_at = instance.users.get(id).map(|user| user.created_at);
        let user = User {
            first_name: first_name.map(str::to_owned),
            email: email.map(str::to_owned),
            metadata,
            created_at: created_at.unwrap_or(now),
            updated_at: now,
        };
        let data = user.object(id);
        instance.users.insert(id.to_owned(), user);
        let event_type = if created_at.is_some() {
            "user.updated"
        } else {
            "user.created"
        };
        instance.change(event_type, &data)
    }

    /// A user and the memberships go; Clerk's webhook tells no more than the id.
    pub fn delete_user(&self, id: &str) -> Change {
        let mut instance = self.instance();
        instance.tick();
        instance.users.remove(id);
        instance.end_all(|(_, user_id)| user_id == id);
        instance.change("user.deleted", &json!({"object": "user", "id": id, "deleted": true}))
    }

    pub fn put_membership(&self, org_id: &str, user_id: &str, metadata: Value) -> Change {
        let mut instance = self.instance();
        let now = instance.tick();
        let key = (org_id.to_owned(), user_id.to_owned());
        let before = instance
            .memberships
            .get(&key)
            .map(|before| (before.id, before.created_at));
        let (id, created_at) = before.unwrap_or((instance.messages, now));
        let membership = Membership {
            id,
            metadata,
            created_at,
            updated_at: now,
        };
        instance.listed.insert((created_at, id), key.clone());
        instance.memberships.insert(key.clone(), membership);
        let data = instance.membership(&key);
        let what = if before.is_some() { "updated" } else { "created" };
        instance.change(&format!("organizationMembership.{what}"), &data)
    }

    /// `None` when there is no such membership.
    pub fn end_membership(&self, org_id: &str, user_id: &str) -> Option<Change> {
        let mut instance = self.instance();
        let key = (org_id.to_owned(), user_id.to_owned());
        instance.memberships.get(&key)?;
        let data = instance.membership(&key);
        instance.tick();
        instance.end_all(|ended| *ended == key);
        Some(instance.change("organizationMembership.deleted", &data))
    }

    pub fn delete_organization(&self, id: &str) -> Change {
        let mut instance = self.instance();
        instance.tick();
        instance.end_all(|(org_id, _)| org_id == id);
        let data = json!({"object": "organization", "id": id, "slug": id, "deleted": true});
        instance.change("organization.deleted", &data)
    }

    pub fn exists(&self, user_id: &str) -> bool {
        self.instance().users.contains_key(user_id)
    }

    /// Who is a member of what.
    pub fn members(&self) -> Vec<(String, String)> {
        self.instance().memberships.keys().cloned().collect()
    }

    /// What recap is to show; `merged` or the membership's metadata alone.
    pub fn profiles(&self, merged: bool) -> Profiles {
        let instance = self.instance();
        let profile = |(key, membership): (&(String, String), &Membership)| {
            let user = instance.users.get(&key.1)?;
            let mut metadata = if merged { user.metadata.clone() } else { json!({}) };
            if let (Some(all), Some(more)) = (metadata.as_object_mut(), membership.metadata.as_object()) {
                all.extend(more.clone());
            }
            Some((
                key.clone(),
                (user.email.clone(), user.first_name.clone(), None, metadata),
            ))
        };
        instance.memberships.iter().filter_map(profile).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if Arc::strong_count(&self.server) == 1 {
            self.server.abort();
        }
    }
}

impl Instance {
    fn tick(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    fn end_all(&mut self, ends: impl Fn(&(String, String)) -> bool) {
        for (_, membership) in self.memberships.extract_if(.., |key, _| ends(key)) {
            self.listed.remove(&(membership.created_at, membership.id));
        }
    }

    fn change(&mut self, event_type: &str, data: &Value) -> Change {
        self.messages += 1;
        let body = json!({
            "object": "event",
            "type": event_type,
            "instance_id": "ins_1",
            "timestamp": self.now,
            "event_attributes": {"http_request": {"client_ip": "192.0.2.1", "user_agent": "test"}},
            "data": data,
        });
        Change {
            id: format!("msg_{:027}", self.messages),
            body: body.to_string(),
        }
    }

    fn membership(&self, key: &(String, String)) -> Value {
        let (org_id, user_id) = key;
        let (Some(membership), user) = (self.memberships.get(key), self.users.get(user_id)) else {
            return Value::Null;
        };
        json!({
            "object": "organization_membership",
            "id": format!("orgmem_{}", membership.id),
            "role": "org:member",
            "role_name": "Member",
            "permissions": ["org:sys_memberships:read"],
            "public_metadata": membership.metadata,
            "private_metadata": {},
            "organization": {
                "object": "organization", "id": org_id, "name": org_id, "slug": org_id, "has_image": false, "max_allowed_memberships": 5,
                "admin_delete_enabled": true, "public_metadata": {}, "created_at": BEGIN, "updated_at": BEGIN,
            },
            "public_user_data": {
                "user_id": user_id, "first_name": user.and_then(|user| user.first_name.clone()), "last_name": null,
                "profile_image_url": null, "image_url": "https://img.clerk.com/x", "has_image": false,
                "identifier": user.and_then(|user| user.email.clone()),
            },
            "created_at": membership.created_at,
            "updated_at": membership.updated_at,
        })
    }

    fn page<'k>(&self, keys: impl ExactSizeIterator<Item = &'k (String, String)>, query: &Query) -> Value {
        let total = keys.len();
        let page = keys
            .skip(query.offset)
            .take(query.limit)
            .map(|key| self.membership(key));
        json!({"data": page.collect::<Vec<_>>(), "total_count": total})
    }
}

impl User {
    fn object(&self, id: &str) -> Value {
        let addresses = self.email.iter().map(|email| {
            json!({"object": "email_address", "id": "idn_1", "email_address": email, "reserved": false, "verification": null,
                "linked_to": [], "created_at": self.created_at, "updated_at": self.created_at})
        });
        json!({
            "object": "user", "id": id, "external_id": null, "username": null, "first_name": self.first_name, "last_name": null,
            "has_image": false, "primary_email_address_id": self.email.as_ref().map(|_| "idn_1"), "primary_phone_number_id": null,
            "primary_web3_wallet_id": null, "password_enabled": true, "two_factor_enabled": false, "totp_enabled": false,
            "backup_code_enabled": false, "email_addresses": addresses.collect::<Vec<_>>(), "phone_numbers": [], "web3_wallets": [],
            "passkeys": [], "external_accounts": [], "saml_accounts": [], "enterprise_accounts": [], "public_metadata": self.metadata,
            "private_metadata": null, "unsafe_metadata": {}, "last_sign_in_at": null, "banned": false, "locked": false,
            "lockout_expires_in_seconds": null, "verification_attempts_remaining": 100, "created_at": self.created_at,
            "updated_at": self.updated_at, "delete_self_enabled": true, "create_organization_enabled": true, "last_active_at": null,
            "mfa_enabled_at": null, "mfa_disabled_at": null, "legal_accepted_at": null,
        })
    }
}

struct Query {
    limit: usize,
    offset: usize,
    user_ids: BTreeSet<String>,
}

impl Query {
    fn read(query: Option<&str>) -> Self {
        let mut read = Self {
            limit: 10,
            offset: 0,
            user_ids: BTreeSet::new(),
        };
        for (name, value) in query
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
        {
            match name {
                "limit" => read.limit = value.parse().unwrap_or(0),
                "offset" => read.offset = value.parse().unwrap_or(0),
                "user_id" => drop(read.user_ids.insert(value.to_owned())),
                _ => assert_eq!(
                    (name, value),
                    ("order_by", "%2Bcreated_at"),
                    "a parameter that Clerk does not have"
                ),
            }
        }
        assert!(
            (1..=500).contains(&read.limit),
            "Clerk refuses a limit of {}",
            read.limit
        );
        assert!(read.user_ids.len() <= 100, "Clerk takes 100 ids");
        read
    }
}

type Shared = State<Arc<Mutex<Instance>>>;

fn lock(instance: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    instance.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: StatusCode, code: &str) -> Response {
    let errors = json!({"errors": [{"message": code, "long_message": code, "code": code}], "clerk_trace_id": "1"});
    (status, Json(errors)).into_response()
}

async fn admit(
    State((requests, limited)): State<(Arc<AtomicU64>, Arc<AtomicU64>)>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok());
    if key != Some(&format!("Bearer {SECRET_KEY}")) {
        return error(StatusCode::UNAUTHORIZED, "authentication_invalid");
    }
    let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
    if number.is_multiple_of(LIMITED_EVERY) {
        limited.fetch_add(1, Ordering::Relaxed);
        let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
        answer
            .headers_mut()
            .insert("retry-after", axum::http::HeaderValue::from_static("1"));
        return answer;
    }
    if number.is_multiple_of(FAILED_EVERY) {
        return error(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    }
    next.run(request).await
}

async fn user(State(instance): Shared, Path(id): Path<String>) -> Response {
    match lock(&instance).users.get(&id) {
        Some(user) => Json(user.object(&id)).into_response(),
        None => error(StatusCode::NOT_FOUND, "resource_not_found"),
    }
}

async fn users(State(instance): Shared, RawQuery(query): RawQuery) -> Response {
    let query = Query::read(query.as_deref());
    let instance = lock(&instance);
    let found = instance.users.iter().filter(|(id, _)| query.user_ids.contains(*id));
    let page = found
        .skip(query.offset)
        .take(query.limit)
        .map(|(id, user)| user.object(id));
    Json(page.collect::<Vec<_>>()).into_response()
}

async fn memberships_of_user(State(instance): Shared, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let instance = lock(&instance);
    if !instance.users.contains_key(&id) {
        return error(StatusCode::NOT_FOUND, "resource_not_found");
    }
    let keys: Vec<_> = instance
        .memberships
        .keys()
        .filter(|(_, user_id)| *user_id == id)
        .collect();
    Json(instance.page(keys.into_iter(), &Query::read(query.as_deref()))).into_response()
}

async fn memberships(State(instance): Shared, RawQuery(query): RawQuery) -> Response {
    let instance = lock(&instance);
    Json(instance.page(instance.listed.values(), &Query::read(query.as_deref()))).into_response()
}
