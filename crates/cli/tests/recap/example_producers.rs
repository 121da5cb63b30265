//! The producers of `deploy/contract`, as their pages say to run them: what they publish in either mode, recap answers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use recap_testing::{
    LIMIT, World,
    clerk::{LocalClerk, Session},
    eventually,
};
use serde_json::Value;

use crate::services::{start_projector, start_query_service};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/contract");
const REQUEST: &str = "/api/dashboard/getInteractions?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&allInOrg=true";

#[tokio::test(flavor = "multi_thread")]
async fn in_typescript_by_the_cloudevents_sdk_and_kafkajs() -> Result<()> {
    let folder = tokio::task::spawn_blocking(|| {
        installed("typescript", &Path::new(FILES).join("typescript"), |folder| {
            npm(
                folder,
                &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
            )?;
            npm(folder, &["exec", "tsc"])
        })
    })
    .await??;
    for mode in ["structured", "binary"] {
        let mut producer = Command::new("node");
        producer.arg(folder.join("out/producer.js")).arg(mode);
        answers_what_it_publishes(&format!("typescript-{mode}"), producer).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_python_by_the_cloudevents_sdk_and_confluents_client() -> Result<()> {
    let folder = with_python("python", Path::new(FILES).join("python")).await?;
    for mode in ["structured", "binary"] {
        let mut producer = Command::new(folder.join("venv/bin/python"));
        producer.arg(folder.join("producer.py")).arg(mode);
        answers_what_it_publishes(&format!("python-{mode}"), producer).await?;
    }
    Ok(())
}

async fn answers_what_it_publishes(name: &str, mut producer: Command) -> Result<()> {
    let world = World::builder(name).partitions(3).build().await;
    let clerk = LocalClerk::start().await?;
    let query = start_query_service(&world, &clerk).await?;
    let _projector = start_projector(&world, &[]).await?;
    producer
        .env("KAFKA_BOOTSTRAP_SERVERS", world.log.kafka().bootstrap())
        .env("TOPIC_PREFIX", world.log.name(""));
    tokio::task::spawn_blocking(move || run(&mut producer)).await??;
    world.caught_up(LIMIT).await;
    let dead = world.log.kafka().read_all(&world.log.dead_letters()).await?;
    ensure!(dead.is_empty(), "dead letters: {dead:?}");

    let expected: Value = serde_json::from_str(&fs::read_to_string(Path::new(FILES).join("answer.json"))?)?;
    let token = clerk.token(&Session::admin("org_demo", "user_boss"))?;
    let url = format!("http://{}{REQUEST}", query.addr);
    let http = reqwest::Client::new();
    let ask = async || http.get(&url).bearer_auth(&token).send().await?.json::<Value>().await;
    let answer = eventually("the answer", LIMIT, ask, |answer| {
        answer
            .as_ref()
            .is_ok_and(|answer| answer.as_array().is_some_and(|all| !all.is_empty()))
    })
    .await?;
    ensure!(answer == expected, "{name}: {answer:#}");
    Ok(())
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<()> {
    run(Command::new("npm").args(arguments).current_dir(folder))
}

/// A copy of a producer in Python, with what it needs in the virtual environment beside it.
pub async fn with_python(name: &'static str, source: PathBuf) -> Result<PathBuf> {
    let install = |folder: &Path| {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder))?;
        let mut pip = Command::new(folder.join("venv/bin/python"));
        run(pip
            .args(["-m", "pip", "install", "-q", "-r", "requirements.txt"])
            .current_dir(folder))
    };
    tokio::task::spawn_blocking(move || installed(name, &source, install)).await?
}

pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = || {
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    };
    ensure!(output.status.success(), "{command:?}: {}", said());
    Ok(())
}

/// A copy of the producer in a cache, with what it needs; made once for each of its files' contents.
fn installed(name: &str, source: &Path, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let cache = cache.context("HOME is not set")?.join("recap");
    fs::create_dir_all(&cache)?;
    // Made where it stays: a virtual environment knows its path.
    let folder = cache.join(format!("producer-{name}-{:016x}", hash(source)?));
    let complete = folder.join("complete");
    if !complete.is_file() {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        install(&folder)?;
        fs::write(complete, "")?;
    }
    Ok(folder)
}

fn hash(source: &Path) -> Result<u64> {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut names: Vec<PathBuf> = fs::read_dir(source)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    names.retain(|name| name.is_file());
    names.sort();
    let mut hasher = DefaultHasher::new();
    for name in names {
        hasher.write(&fs::read(name)?);
    }
    Ok(hasher.finish())
}
