//! The mappings of a log: one program a topic, from a folder.

use std::{collections::BTreeMap, fmt, fs, path::Path, sync::Arc};

use crate::mapping::{Mapping, Mistakes};

/// Raised when the same program may make other events than before.
const ENGINE: u8 = 1;

/// The mappings of a log's topics; a topic without one has events of the contract already.
#[derive(Clone, Default)]
pub struct Mappings(Option<Arc<Set>>);

struct Set {
    by_topic: BTreeMap<String, Arc<Mapping>>,
    digest: String,
}

/// The mapping of each topic, by its position in the list of topics.
pub type ByTopic = Arc<[Option<Arc<Mapping>>]>;

impl Mappings {
    /// Reads `<topic>.jq` of each of these topics from a folder. Files for other topics are passed over.
    pub fn load(folder: &Path, topics: &[Arc<str>]) -> Result<Self, Mistakes> {
        let folder_fails = |error| Mistakes(vec![format!("{} cannot be read: {error}", folder.display())]);
        let mut programs = BTreeMap::new();
        let mut mistakes = Vec::new();
        for file in fs::read_dir(folder).map_err(folder_fails)? {
            let path = file.map_err(folder_fails)?.path();
            let is_program = path.extension().is_some_and(|extension| extension == "jq");
            let Some(topic) = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_program) else {
                continue;
            };
            if !topics.iter().any(|known| **known == *topic) {
                continue;
            }
            match fs::read_to_string(&path) {
                Ok(program) => drop(programs.insert(topic.to_owned(), program)),
                Err(error) => mistakes.push(format!("{} cannot be read: {error}", path.display())),
            }
        }
        match Self::compile(programs) {
            Ok(mappings) if mistakes.is_empty() => Ok(mappings),
            Ok(_) => Err(Mistakes(mistakes)),
            Err(compiled) => {
                mistakes.extend(compiled.0);
                Err(Mistakes(mistakes))
            }
        }
    }

    /// Compiles programs by their topics.
    pub fn compile<T: Into<String>, P: AsRef<str>>(
        programs: impl IntoIterator<Item = (T, P)>,
    ) -> Result<Self, Mistakes> {
        let mut by_topic = BTreeMap::new();
        let mut mistakes = Vec::new();
        let mut digest = blake3::Hasher::new();
        digest.update(&[ENGINE]);
        let programs: BTreeMap<String, P> = programs
            .into_iter()
            .map(|(topic, program)| (topic.into(), program))
            .collect();
        for (topic, program) in programs {
            for part in [&*topic, program.as_ref()] {
                digest.update(&(part.len() as u64).to_le_bytes());
                digest.update(part.as_bytes());
            }
            match Mapping::compile(&format!("{topic}.jq"), program.as_ref()) {
                Ok(mapping) => drop(by_topic.insert(topic, Arc::new(mapping))),
                Err(found) => mistakes.extend(found.0),
            }
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        if by_topic.is_empty() {
            return Ok(Self(None));
        }
        let digest = digest.finalize().to_hex()[..32].to_owned();
        Ok(Self(Some(Arc::new(Set { by_topic, digest }))))
    }

    /// The same, where values that name a schema are decoded first: such records may give other events.
    #[must_use]
    pub fn with_schemas(self) -> Self {
        Self(self.0.map(|set| {
            Arc::new(Set {
                by_topic: set.by_topic.clone(),
                digest: blake3::hash(format!("{} schemas", set.digest).as_bytes()).to_hex()[..32].to_owned(),
            })
        }))
    }

    /// The mapping of a topic.
    #[must_use]
    pub fn of(&self, topic: &str) -> Option<&Arc<Mapping>> {
        self.0.as_ref()?.by_topic.get(topic)
    }

    /// The mapping of each of these topics.
    #[must_use]
    pub fn by_topic(&self, topics: &[Arc<str>]) -> ByTopic {
        topics.iter().map(|topic| self.of(topic).cloned()).collect()
    }

    /// Tells sets of mappings apart: equal when and only when topics and programs are, and values are decoded or are not. Empty without mappings.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.0.as_ref().map_or("", |set| &set.digest)
    }
}

impl fmt::Debug for Mappings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics = self.0.iter().flat_map(|set| set.by_topic.keys());
        f.debug_set().entries(topics).finish()
    }
}
