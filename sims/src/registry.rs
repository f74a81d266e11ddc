//! Names: every signal, rule and recipe has one entry, and a wrong name is answered with the nearest right one.

/// How a thing is called, what it is, and where it comes from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// Other names it is known by, accepted everywhere.
    pub aliases: &'static [&'static str],
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Its formula.
    pub formula: &'static str,
    /// Paper or code it follows.
    pub source: &'static str,
    /// (library or paper, what it is called there).
    pub elsewhere: &'static [(&'static str, &'static str)],
}

/// Something with an [`Entry`].
pub trait Named: Sync {
    /// The entry.
    fn entry(&self) -> &Entry;

    /// Its name.
    fn name(&self) -> &'static str {
        self.entry().name
    }
}

/// A name nobody has.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("unknown {kind} '{name}'{}; known: {}", nearest.as_ref().map_or(String::new(), |n| format!(", did you mean '{n}'?")), known.join(", "))]
pub struct UnknownName {
    /// What was looked for: rule, signal, recipe, ...
    pub kind: String,
    /// The name given.
    pub name: String,
    /// The known name most like it.
    pub nearest: Option<String>,
    /// All known names.
    pub known: Vec<String>,
}

impl UnknownName {
    /// The error for `name` among `known` names.
    pub fn new(kind: &str, name: &str, known: Vec<String>) -> Self {
        let nearest = nearest(name, known.iter().map(String::as_str));
        UnknownName { kind: kind.into(), name: name.into(), nearest, known }
    }
}

/// The most similar of `known`, where any is similar at all.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|k| (strsim::jaro_winkler(&name.to_lowercase(), k), k));
    scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k.to_string())
}

/// The thing called `name` in `list`.
pub fn find<T: Named + ?Sized>(kind: &str, list: &'static [&'static T], name: &str) -> Result<&'static T, UnknownName> {
    let called = |t: &&&T| t.name() == name || t.entry().aliases.contains(&name);
    let unknown = || UnknownName::new(kind, name, list.iter().map(|t| t.name().to_string()).collect());
    list.iter().find(called).copied().ok_or_else(unknown)
}
