//! Attacks, bounded and on loopback, beside clients who mean well: what these saw is what is asserted.
//!
//! One file a kind. A program of its own, whose tests run one after another: what a good client waits for is the attack's doing, and nothing
//! else's. `recap-bench attack` runs a mix of them for as long as one likes.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "the other tests use the rest of it")]

#[path = "../http/world.rs"]
mod world;

mod bodies;
mod connections;
mod hang_ups;
mod memory;
mod program;
mod signatures;
mod turns;

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use tokio::sync::{Mutex, MutexGuard};

use crate::world::{RANGE, Reply, STATS, World, send};

/// Few good requests may take longer beside an attack.
const BOUND: Duration = Duration::from_millis(500);
/// How many of a hundred: the machine may have other things to do.
const EXCEPTIONS: usize = 10;
/// And none may take longer than this.
const LONGEST: Duration = Duration::from_secs(3);

/// What a core does in `USUAL` of [`slowness`], as these tests are built.
const WORK: u32 = 20_000_000;

/// One attack at a time.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// How long a good client's requests took beside an attack.
#[derive(Debug, Default)]
struct Waits(Vec<Duration>);

impl Waits {
    /// Says so, and fails when too many took too long.
    fn assert_good(mut self, attack: &str) {
        self.0.sort_unstable();
        let count = self.0.len();
        let most = |part: usize| self.0[(count * part / 100).min(count - 1)];
        let (median, usual, longest) = (most(50), most(100 - EXCEPTIONS), most(100));
        let slowness = slowness();
        println!(
            "{attack}: {count} good requests took {median:?} (median), {longest:?} (longest), slowness {slowness:.2}"
        );
        assert!(
            usual < BOUND.mul_f64(slowness) && longest < LONGEST.mul_f64(slowness),
            "{attack}: {median:?} {usual:?} {longest:?}, slowness {slowness:.2}"
        );
    }
}

/// How many times as long as usual two cores take for the same work now, at least 1: by a slow machine, or by what else it does, everybody waits longer.
fn slowness() -> f64 {
    const USUAL: Duration = Duration::from_millis(110);
    let work = || {
        let mut number = 1_u64;
        for _ in 0..WORK {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    };
    let started = Instant::now();
    std::thread::scope(|threads| {
        threads.spawn(work);
        threads.spawn(work);
    });
    started.elapsed().div_duration_f64(USUAL).max(1.0)
}

/// A client that asks again where its connection was closed before the answer began, as browsers do.
async fn send_again(request: RequestBuilder) -> Reply {
    for _ in 0..3 {
        if let Ok(response) = request.try_clone().unwrap().send().await {
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.bytes().await.unwrap().to_vec();
            return Reply { status, headers, body };
        }
    }
    send(request).await
}

/// A good client asks for `path` for as long as `attack` runs, and `least` times: every answer must be a 200.
async fn ask_beside<T>(world: &World, path: &str, least: usize, attack: impl Future<Output = T>) -> (Waits, T) {
    let boss = world.boss();
    let mut waits = Waits::default();
    let mut attack = std::pin::pin!(attack);
    let mut result = None;
    while result.is_none() || waits.0.len() < least {
        let request = async {
            let started = Instant::now();
            let reply = send_again(world.request(&boss, path)).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            started.elapsed()
        };
        tokio::pin!(request);
        let took = loop {
            tokio::select! {
                took = &mut request => break took,
                done = &mut attack, if result.is_none() => result = Some(done),
            }
        };
        waits.0.push(took);
    }
    (waits, result.unwrap())
}

/// Statistics, which are small and cached.
fn stats() -> String {
    format!("{STATS}?{RANGE}")
}
