//! Apache Kafka's jars: a given installation, or fetched once from Maven Central into the user's cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::error::{ServerError, tail};

/// The version that is fetched.
pub const VERSION: &str = "4.3.0";

const JAVA: &str = "install a Java runtime 17 or newer (Debian and Ubuntu: apt-get install openjdk-17-jre-headless), \
                    or set JAVA_HOME";
const MAVEN: &str = "install Maven (Debian and Ubuntu: apt-get install maven) so that Apache Kafka can be fetched from \
                     Maven Central once, or set RECAP_KAFKA_HOME to an unpacked Apache Kafka 4";

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>recap</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>4.3.0</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"#;
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// The `java` program.
pub fn java() -> Result<PathBuf, ServerError> {
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        let java = Path::new(&home).join("bin/java");
        if java.is_file() {
            return Ok(java);
        }
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path)
        .map(|dir| dir.join("java"))
        .find(|java| java.is_file())
        .ok_or(ServerError::Missing {
            what: "java",
            install: JAVA,
        })
}

/// The directory of Kafka's jars: `libs` of `RECAP_KAFKA_HOME`, else of the cache, which is filled first if needed.
/// Blocks, for up to minutes while fetching.
pub fn libraries() -> Result<PathBuf, ServerError> {
    if let Some(home) = std::env::var_os("RECAP_KAFKA_HOME") {
        let libraries = Path::new(&home).join("libs");
        if libraries.is_dir() {
            return Ok(libraries);
        }
        return Err(ServerError::Missing {
            what: "the directory `libs` in RECAP_KAFKA_HOME",
            install: "set it to an unpacked Apache Kafka 4, or unset it",
        });
    }
    let cache = cache_directory()?;
    let doing = || format!("using the cache {}", cache.display());
    let home = cache.join(format!("kafka-{VERSION}"));
    let libraries = home.join("libs");
    if libraries.is_dir() {
        return Ok(libraries);
    }
    fs::create_dir_all(&cache).map_err(ServerError::io(doing()))?;
    let lock = File::create(cache.join("kafka.lock")).map_err(ServerError::io(doing()))?;
    // Released when the file is closed, also by the end of this process.
    lock.lock().map_err(ServerError::io(doing()))?;
    if !libraries.is_dir() {
        fetch(&cache, &home)?;
    }
    Ok(libraries)
}

pub(crate) fn cache_directory() -> Result<PathBuf, ServerError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
        .map(|cache| cache.join("recap"))
        .ok_or(ServerError::Missing {
            what: "a directory to cache servers in",
            install: "set HOME or XDG_CACHE_HOME",
        })
}

/// Fetches into a directory beside `home` and renames it, so that `home` is complete or absent.
fn fetch(cache: &Path, home: &Path) -> Result<(), ServerError> {
    let doing = || format!("fetching Apache Kafka {VERSION} into {}", home.display());
    tracing::info!(version = VERSION, cache = %cache.display(), "fetching Apache Kafka from Maven Central");
    let part = tempfile::Builder::new()
        .prefix("kafka-part-")
        .tempdir_in(cache)
        .map_err(ServerError::io(doing()))?;
    let log = part.path().join("fetch.log");
    fs::write(part.path().join("pom.xml"), POM).map_err(ServerError::io(doing()))?;
    let output = File::create(&log).map_err(ServerError::io(doing()))?;
    let errors = output.try_clone().map_err(ServerError::io(doing()))?;
    let status = Command::new("mvn")
        .args(["--batch-mode", "--quiet", COPY])
        .arg(format!("-DoutputDirectory={}", part.path().join("libs").display()))
        .current_dir(part.path())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ServerError::Missing {
                what: "mvn",
                install: MAVEN,
            },
            _ => ServerError::Io { doing: doing(), source },
        })?;
    if !status.success() {
        return Err(ServerError::Exited {
            program: "mvn".to_owned(),
            status,
            log: tail(&log),
        });
    }
    let complete = part.keep();
    fs::rename(&complete, home).map_err(ServerError::io(doing()))
}
