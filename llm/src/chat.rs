//! Chat templates: the Jinja text that turns messages into a prompt, rendered as transformers' `apply_chat_template` does.
//!
//! Blocks are trimmed, methods of Python's strings, lists and dictionaries work, `tojson` spaces and orders as Python's `json.dumps`, and
//! `raise_exception` ends with the template's message. `strftime_now` is left undefined: templates that ask for it fall back on a fixed date, so that a
//! prompt does not depend on the day; `date_string` can be handed over instead.

use crate::error::{Error, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// A chat template, ready to render.
#[derive(Clone, Debug)]
pub struct Template {
    environment: Environment<'static>,
    /// The file it comes from.
    path: PathBuf,
    /// `bos_token` and its like: every rendering sees them.
    names: Map<String, Json>,
}

impl Template {
    /// The template `source`, which comes from the file `path`. `names` are seen by every rendering: `bos_token`, `eos_token` and the like.
    ///
    /// # Errors
    /// When `source` is not a template.
    pub fn new(source: &str, path: &Path, names: Map<String, Json>) -> Result<Self> {
        let mut environment = Environment::new();
        let trimmed = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(trimmed.expect("the delimiters are Jinja's own"));
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        let added = environment.add_template_owned("chat", source.to_string());
        added.map_err(|e| Error::damaged(path, format!("not a chat template: {}", said(&e))))?;
        Ok(Template { environment, path: path.to_path_buf(), names })
    }

    /// The prompt of `messages`. With `add_generation_prompt` it ends where the assistant's next message begins. `more` are the template's own settings, such
    /// as `enable_thinking`.
    ///
    /// # Errors
    /// What the template refuses, in its words.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool, more: &Map<String, Json>) -> Result<String> {
        let messages = serde_json::to_value(messages).expect("messages are text");
        self.render_any(messages, add_generation_prompt, more)
    }

    /// [`Template::render`] of messages with more fields than [`Message`] has.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_any(&self, messages: Json, add_generation_prompt: bool, more: &Map<String, Json>) -> Result<String> {
        let mut context = self.names.clone();
        context.extend(more.clone());
        context.insert("messages".into(), messages);
        context.insert("add_generation_prompt".into(), add_generation_prompt.into());
        let chat = self.environment.get_template("chat").expect("the template was added");
        let context: Value = serde_json::from_value(context.into()).expect("JSON has no values that templates lack");
        let rendered = chat.render(context);
        rendered.map_err(|e| Error::damaged(&self.path, format!("the chat template fails: {}", said(&e))))
    }
}

/// What went wrong, with its line.
fn said(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
    error.line().map_or_else(|| what.clone(), |line| format!("{what} (line {line})"))
}

fn raise_exception(message: String) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)` of Python.
#[allow(clippy::needless_pass_by_value)] // as templates call filters
fn to_json(value: &Value, options: Kwargs) -> std::result::Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    let json = serde_json::to_value(value).map_err(|e| minijinja::Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    Ok(Value::from_safe_string(dumps(&json, indent, 0)))
}

fn dumps(value: &Json, indent: Option<usize>, depth: usize) -> String {
    let inner = |value| dumps(value, indent, depth + 1);
    match value {
        Json::Array(items) => brackets(['[', ']'], &items.iter().map(inner).collect::<Vec<_>>(), indent, depth),
        Json::Object(map) => {
            let items: Vec<_> = map.iter().map(|(name, value)| format!("{}: {}", Json::from(name.as_str()), inner(value))).collect();
            brackets(['{', '}'], &items, indent, depth)
        }
        _ => value.to_string(),
    }
}

fn brackets(ends: [char; 2], items: &[String], indent: Option<usize>, depth: usize) -> String {
    let line = |depth| indent.map_or_else(String::new, |width| format!("\n{}", " ".repeat(width * depth)));
    if items.is_empty() {
        return ends.iter().collect();
    }
    let (before, after) = (line(depth + 1), line(depth));
    let comma = if indent.is_some() { format!(",{before}") } else { ", ".into() };
    format!("{}{before}{}{after}{}", ends[0], items.join(&comma), ends[1])
}
