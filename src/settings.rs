//! Settings in layers: defaults, then a recipe, then a configuration file, then flags. The most specific wins.

use crate::engine::Backend;
use crate::error::{Error, Origin};
use crate::grid;
use mta_sims::config::{Config, KNOBS, Knob};
use mta_sims::knob::{KnobError, Value};
use mta_sims::recipe::{RECIPE_SECTIONS, RECIPES, Ready};
use mta_sims::registry::{Named, UnknownName, find};
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything a sweep was told, before it is resolved.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Values and grids from the file's top level, then from flags: later ones win.
    pub knobs: Vec<Assignment>,
    /// Recipe tables of the file.
    pub tables: Vec<RecipeTable>,
    /// Keys that are not knobs.
    pub run: RunKeys,
}

/// Values given to one knob.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The knob.
    pub knob: &'static str,
    /// One value, or a grid of numbers.
    pub values: Vec<Value>,
    /// Who said so.
    pub origin: Origin,
}

/// A `[recipe.name]` table.
#[derive(Clone, Debug)]
pub struct RecipeTable {
    /// The recipe's name.
    pub name: String,
    /// The recipe it starts from.
    pub extends: Option<String>,
    /// Its signal, where it names one.
    pub signal: Option<String>,
    /// Its rule, where it names one.
    pub rule: Option<String>,
    /// Its knobs.
    pub knobs: Vec<Assignment>,
}

/// Settings of a sweep that are not knobs of a cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunKeys {
    /// Recipes to run; empty: the default ones and those of the file.
    pub recipes: Vec<String>,
    /// The rule of every recipe, instead of its own.
    pub rule: Option<String>,
    /// Number of seeds per cell.
    pub seeds: Option<u64>,
    /// For each recipe named, the number of seeds at every grid point, in the plan's order; others have all.
    pub seeds_of: BTreeMap<String, Vec<u64>>,
    /// The first seed.
    pub seed: Option<u64>,
    /// What runs the cells.
    pub backend: Option<Backend>,
    /// Run folder.
    pub out: Option<PathBuf>,
}

/// Keys of a file that are not knobs.
pub const RUN_KEYS: &[&str] = &["recipes", "rule", "seeds", "seeds_of", "seed", "backend", "out"];

/// Keys of a recipe table that are not knobs.
pub const TABLE_KEYS: &[&str] = &["extends", "signal", "rule"];

impl Settings {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration file; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let document: toml::Table =
            text.parse().map_err(|e: toml::de::Error| Error::Usage(format!("{}: {}", path.display(), e.to_string().trim_end())))?;
        let mut settings = Settings::default();
        for (key, value) in &document {
            match (key.as_str(), value) {
                ("recipe", toml::Value::Table(tables)) => {
                    settings.tables = tables.iter().map(|(name, table)| recipe_table(name, table, path)).collect::<Result<_, _>>()?;
                }
                ("recipe", other) => return Err(wrong_type(&Origin::File(path.into()), "recipe", other, "tables [recipe.NAME]")),
                (key, value) if RUN_KEYS.contains(&key) => settings.run.set(key, value, path)?,
                (key, value) => add(&mut settings.knobs, key, assignment(key, value, &Origin::File(path.into()))?)?,
            }
        }
        Ok(settings)
    }

    /// Adds the flags `(knob, text)` over what is there.
    pub fn flags<'a>(&mut self, flags: impl Iterator<Item = (&'static str, &'a str)>) -> Result<(), Error> {
        for (name, text) in flags {
            let knob = Knob::find(name).expect("flags are made from the list of knobs");
            self.knobs.push(read_values(knob, text, &name.replace('_', "-"), Origin::Flag)?);
        }
        Ok(())
    }

    /// The knobs with more than one value, and the values; of several assignments the last holds.
    pub fn axes(&self) -> Vec<Assignment> {
        let last: BTreeMap<_, _> = self.knobs.iter().map(|a| (a.knob, a)).collect();
        let listed = |a: &&Assignment| KNOBS.iter().position(|k| k.name == a.knob);
        let mut axes: Vec<&Assignment> = last.into_values().filter(|a| a.values.len() > 1).collect();
        axes.sort_by_key(listed);
        axes.into_iter().cloned().collect()
    }

    /// The recipes to run, each with every knob set except the axes.
    pub fn recipes(&self) -> Result<Vec<Ready>, Error> {
        self.recipe_names()?.iter().map(|name| self.recipe(name)).collect()
    }

    fn recipe_names(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = Vec::new();
        let standard = RECIPES.iter().filter(|r| r.by_default).map(|r| r.name().to_string());
        let tables = self.tables.iter().map(|t| t.name.clone());
        let wanted: Vec<String> = match self.run.recipes.as_slice() {
            [] => standard.chain(tables).collect(),
            [all] if all == "all" => RECIPES.iter().map(|r| r.name().to_string()).chain(tables).collect(),
            some => some.to_vec(),
        };
        for name in wanted {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.iter().try_for_each(|name| self.check_recipe_name(name))?;
        Ok(names)
    }

    fn check_recipe_name(&self, name: &str) -> Result<(), Error> {
        if self.tables.iter().any(|t| t.name == name) || RECIPES.iter().any(|r| r.name() == name) {
            return Ok(());
        }
        let known = RECIPES.iter().map(|r| r.name().to_string()).chain(self.tables.iter().map(|t| t.name.clone()));
        Err(UnknownName::new("recipe", name, known.collect()).into())
    }

    fn recipe(&self, name: &str) -> Result<Ready, Error> {
        let table = self.tables.iter().find(|t| t.name == name);
        let own = RECIPES.iter().find(|r| r.name() == name).map(|r| r.name());
        let parent = table.and_then(|t| t.extends.as_deref()).or(own).unwrap_or("standard");
        let parent = find("recipe", RECIPES, parent)?;
        let rule = self.run.rule.as_deref().or(table.and_then(|t| t.rule.as_deref()));
        let mut ready = Ready::named(parent);
        ready.name = name.into();
        if let Some(rule) = rule {
            ready.rule = find("rule", RULES, rule)?;
            ready.config.objective = ready.rule.objective.clone();
            (parent.set)(&mut ready.config);
        }
        if let Some(signal) = table.and_then(|t| t.signal.as_deref()) {
            ready.signal = find("signal", SIGNALS, signal)?;
        }
        let from_file = self.knobs.iter().filter(|a| a.origin != Origin::Flag);
        let from_flags = self.knobs.iter().filter(|a| a.origin == Origin::Flag);
        let layers = from_file.chain(table.iter().flat_map(|t| &t.knobs)).chain(from_flags);
        layers.filter(|a| a.values.len() == 1).try_for_each(|a| set(&mut ready.config, a.knob, &a.values[0], &a.origin))?;
        Ok(ready)
    }

    /// Whether the table of `recipe` fixes `knob`, against an axis of the file.
    pub fn fixes(&self, recipe: &str, axis: &Assignment) -> bool {
        let table = self.tables.iter().find(|t| t.name == recipe);
        axis.origin != Origin::Flag && table.is_some_and(|t| t.knobs.iter().any(|a| a.knob == axis.knob))
    }
}

impl RunKeys {
    fn set(&mut self, key: &str, value: &toml::Value, path: &Path) -> Result<(), Error> {
        let wrong = |expected: &str| wrong_type(&Origin::File(path.into()), key, value, expected);
        match key {
            "recipes" => self.recipes = names(value).ok_or_else(|| wrong("a list of recipe names"))?,
            "rule" => self.rule = Some(value.as_str().ok_or_else(|| wrong("the name of a rule"))?.into()),
            "backend" => {
                let backend = value.as_str().and_then(Backend::named);
                self.backend = Some(backend.ok_or_else(|| wrong(&format!("one of {}", Backend::ALL.map(Backend::name).join(", "))))?);
            }
            "out" => self.out = Some(value.as_str().ok_or_else(|| wrong("a folder"))?.into()),
            "seeds_of" => {
                let counts = seeds_of(value);
                self.seeds_of = counts.ok_or_else(|| wrong("a table of lists of whole numbers >= 0, one list for a recipe"))?;
            }
            "seeds" => self.seeds = Some(positive(value).filter(|n| *n > 0).ok_or_else(|| wrong("a whole number >= 1"))?),
            _ => self.seed = Some(positive(value).ok_or_else(|| wrong("a whole number >= 0"))?),
        }
        Ok(())
    }
}

fn names(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(text.split(',').map(|name| name.trim().to_string()).collect()),
        toml::Value::Array(list) => list.iter().map(|name| name.as_str().map(String::from)).collect(),
        _ => None,
    }
}

fn seeds_of(value: &toml::Value) -> Option<BTreeMap<String, Vec<u64>>> {
    let counts = |list: &toml::Value| list.as_array()?.iter().map(positive).collect::<Option<Vec<u64>>>();
    value.as_table()?.iter().map(|(name, list)| Some((name.clone(), counts(list)?))).collect()
}

fn positive(value: &toml::Value) -> Option<u64> {
    value.as_integer().and_then(|n| u64::try_from(n).ok())
}

fn wrong_type(origin: &Origin, key: &str, value: &toml::Value, expected: &str) -> Error {
    Error::knob(KnobError::new(key, one_line(value), format!("must be {expected}")), origin)
}

/// A value for messages: what it is, where writing it out would take many lines.
fn one_line(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(_) => "a table".into(),
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => "a list of tables".into(),
        other => other.to_string(),
    }
}

/// Sets a knob, naming who asked for it where that fails.
pub fn set(config: &mut Config, knob: &str, value: &Value, origin: &Origin) -> Result<(), Error> {
    let knob = Knob::find(knob).expect("assignments name knobs of the list");
    knob.set(config, value).map_err(|e| Error::knob(e, origin))
}

fn recipe_table(name: &str, value: &toml::Value, path: &Path) -> Result<RecipeTable, Error> {
    let origin = Origin::Recipe(path.into(), name.escape_debug().to_string());
    let Some(table) = value.as_table() else { return Err(wrong_type(&Origin::File(path.into()), "recipe", value, "tables [recipe.NAME]")) };
    check_new_name(name, path)?;
    let text = |key: &str| -> Result<Option<String>, Error> {
        let read = |v: &toml::Value| v.as_str().map(String::from).ok_or_else(|| wrong_type(&origin, key, v, "a name"));
        table.get(key).map(read).transpose()
    };
    let mut knobs = Vec::new();
    for (key, value) in table.iter().filter(|(key, _)| !TABLE_KEYS.contains(&key.as_str())) {
        add(&mut knobs, key, recipe_knob(key, value, &origin)?)?;
    }
    Ok(RecipeTable { name: name.into(), extends: text("extends")?, signal: text("signal")?, rule: text("rule")?, knobs })
}

/// A recipe's name must be one that --recipes, tables and figures can show: `all` means all of them there, and a comma ends a name.
fn check_new_name(name: &str, path: &Path) -> Result<(), Error> {
    let plain = !name.chars().any(|c| c.is_control() || c == ',') && name.trim() == name;
    if plain && name != "all" && (1..=MAX_NAME).contains(&name.chars().count()) {
        return Ok(());
    }
    let allowed = format!("must have 1 to {MAX_NAME} characters, no comma, no control character, no space at either end, and not be 'all'");
    Err(Error::Usage(format!("{}: [recipe.{}]: the name {allowed}", path.display(), name.escape_debug())))
}

/// Most characters of a recipe's name.
const MAX_NAME: usize = 64;

/// Adds what `key` says, unless another name of the same knob has said something.
fn add(knobs: &mut Vec<Assignment>, key: &str, assignment: Assignment) -> Result<(), Error> {
    if knobs.iter().any(|a| a.knob == assignment.knob) {
        let what = format!("is set twice: another key of the same table is a name of the knob {} too", assignment.knob);
        return Err(Error::Usage(format!("{}{key} {what}", assignment.origin.prefix())));
    }
    knobs.push(assignment);
    Ok(())
}

fn recipe_knob(key: &str, value: &toml::Value, origin: &Origin) -> Result<Assignment, Error> {
    let assignment = assignment(key, value, origin)?;
    let refuse = |why: &str| Err(Error::knob(KnobError::new(key, one_line(value), why), origin));
    if assignment.values.len() > 1 {
        return refuse("must be a single value; grids belong to the top level of the file");
    }
    let section = Knob::find(assignment.knob).map_or("", |k| k.section);
    if RECIPE_SECTIONS.contains(&section) {
        Ok(assignment)
    } else {
        refuse("belongs to the world, which is the same for all recipes; set it at the top level")
    }
}

/// Reads one key of a file.
fn assignment(key: &str, value: &toml::Value, origin: &Origin) -> Result<Assignment, Error> {
    let knob = Knob::find(key).ok_or_else(|| unknown_key(key, origin))?;
    let wrong = |expected: &str| wrong_type(origin, key, value, expected);
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(list) => list.iter().map(scalar).collect::<Option<Vec<_>>>().ok_or_else(|| wrong("numbers"))?.join(","),
        other => scalar(other).ok_or_else(|| wrong(&(knob.kind)().to_string()))?,
    };
    read_values(knob, &text, key, origin.clone())
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Float(x) => Some(x.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        toml::Value::String(s) => Some(s.clone()),
        _ => None,
    }
}

fn unknown_key(key: &str, origin: &Origin) -> Error {
    let others = if matches!(origin, Origin::Recipe(..)) { TABLE_KEYS } else { RUN_KEYS };
    let known = KNOBS.iter().map(|k| k.name).chain(others.iter().copied()).chain(["recipe"]);
    let nearest = mta_sims::registry::nearest(key, known).map_or(String::new(), |n| format!(", did you mean '{n}'?"));
    Error::Usage(format!("{}unknown key '{}'{nearest} (mta-sim list knobs shows all)", origin.prefix(), key.escape_debug()))
}

/// -0 and 0 are one setting, and must be one cell.
fn without_sign_of_zero(value: Value) -> Value {
    if let Value::Number(x) = value { Value::Number(x + 0.0) } else { value }
}

/// One value, or a grid where the knob is a number; every value in range. Errors call the knob `called`, as the user did.
fn read_values(knob: &'static Knob, text: &str, called: &str, origin: Origin) -> Result<Assignment, Error> {
    let kind = (knob.kind)();
    let values = if kind.is_numeric() && grid::is_grid(text) {
        let numbers = grid::parse(called, text).map_err(|e| Error::Grid(e.into(), origin.clone()))?;
        numbers.into_iter().map(Value::Number).collect()
    } else {
        vec![kind.parse(text)]
    };
    let values: Vec<Value> = values.into_iter().map(without_sign_of_zero).collect();
    let rename = |e: KnobError| Error::knob(KnobError { knob: called.into(), ..e }, &origin);
    values.iter().try_for_each(|v| knob.check(v)).map_err(rename)?;
    Ok(Assignment { knob: knob.name, values, origin })
}
