//! `recap clerk` as a process: webhooks signed by Svix's own library, a stand-in of Clerk's Backend API, Apache Kafka, a projector and
//! PostgreSQL.

mod backfill;
mod bridge;
mod rights;
mod stand_in;
mod svix;
mod webhooks;
