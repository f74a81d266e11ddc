//! Tokenizers: `tokenizer.json` of a Hugging Face folder, its special tokens and its chat template.

use crate::architecture::Architecture;
use crate::chat::Template;
use crate::error::{Error, Result};
use crate::folder::Generation;
use crate::json::{self, Fields};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Special tokens that templates may name.
const NAMES: [&str; 4] = ["bos_token", "eos_token", "pad_token", "unk_token"];

/// Text to tokens and back.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
    eos: Vec<u32>,
    pad: Option<u32>,
    template: Option<Template>,
}

impl Tokenizer {
    /// The tokenizer of `folder`: `tokenizer.json`, and where they are there, `tokenizer_config.json`, `chat_template.jinja` and `generation_config.json`.
    ///
    /// # Errors
    /// A file that is missing, damaged, or names a token that is not in the vocabulary.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(Error::file(&path, "cannot be read"))?;
        let inner = unpadded(&bytes).map_err(|e| Error::damaged(&path, format!("not a tokenizer: {e}")))?;
        let names = names(folder)?;
        let template = template(folder, &names)?;
        let mut tokenizer = Tokenizer { inner, path, eos: Vec::new(), pad: None, template };
        tokenizer.ends(folder, &names)?;
        Ok(tokenizer)
    }

    /// Tokens that end and fill: those of `generation_config.json` (or `config.json`) first, then those that `tokenizer_config.json` names.
    fn ends(&mut self, folder: &Path, names: &Map<String, Value>) -> Result<()> {
        let stated = if folder.join("config.json").is_file() { Generation::read(folder)? } else { Generation::default() };
        let named = |name| names.get(name).and_then(Value::as_str).map(|text| self.named(name, text, folder)).transpose();
        let (eos, pad) = (named("eos_token")?, named("pad_token")?);
        self.eos = if stated.eos.is_empty() { eos.into_iter().collect() } else { stated.eos };
        self.pad = stated.pad.or(pad).or(self.eos.first().copied());
        Ok(())
    }

    fn named(&self, name: &str, text: &str, folder: &Path) -> Result<u32> {
        let path = folder.join("tokenizer_config.json");
        self.token(text).ok_or_else(|| Error::damaged(&path, format!("{name} is {text:?}; allowed: a token of tokenizer.json")))
    }

    /// The tokens of `text`. Special tokens written out in it are read as such; with `special`, those the tokenizer puts around a text are added.
    ///
    /// # Errors
    /// Text that the tokenizer does not take.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoded = self.inner.encode_fast(text, special).map_err(|e| Error::damaged(&self.path, format!("cannot encode: {e}")))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The text of `tokens`, without special tokens when `plain`.
    ///
    /// # Errors
    /// Tokens that the tokenizer does not know how to write.
    pub fn decode(&self, tokens: &[u32], plain: bool) -> Result<String> {
        self.inner.decode(tokens, plain).map_err(|e| Error::damaged(&self.path, format!("cannot decode: {e}")))
    }

    /// The token that is exactly `text`.
    pub fn token(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// One more than the largest token.
    pub fn size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1)
    }

    /// Tokens that end a response.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// The token that fills batches; the first that ends a response, where none is named.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// The chat template, if the folder has one.
    pub fn template(&self) -> Option<&Template> {
        self.template.as_ref()
    }

    /// That every token has a row in the embedding of `architecture`; embeddings may be larger.
    ///
    /// # Errors
    /// When a token of the vocabulary, or one that ends or fills, has none.
    pub fn fits(&self, architecture: &Architecture) -> Result<()> {
        let largest = self.eos.iter().chain(&self.pad).map(|id| *id as usize + 1).fold(self.size(), usize::max);
        let rows = architecture.vocab_size;
        if largest <= rows {
            return Ok(());
        }
        Err(Error::damaged(&self.path, format!("its largest token is {}; the model's embedding allows 0 to {}", largest - 1, rows - 1)))
    }
}

/// The tokenizer without the padding and truncation it may have been saved with.
fn unpadded(bytes: &[u8]) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes)?;
    inner.with_padding(None);
    inner.with_truncation(None)?;
    Ok(inner)
}

/// The special tokens that `tokenizer_config.json` names, as text or as an object with its content.
fn names(folder: &Path) -> Result<Map<String, Value>> {
    let path = folder.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(Map::new());
    }
    let value = json::read(&path)?;
    let fields = Fields::new(&value, &path)?;
    let text = |name: &str| match fields.get(name) {
        Some(Value::Object(_)) => fields.object(name)?.map(|token| token.text("content")).transpose().map(Option::flatten),
        _ => fields.text(name),
    };
    NAMES.iter().filter_map(|name| text(name).transpose().map(|t| t.map(|t| (name.to_string(), t.into())))).collect()
}

/// The chat template: a file of its own, or a field of `tokenizer_config.json`, alone or the one called `default` in a list.
fn template(folder: &Path, names: &Map<String, Value>) -> Result<Option<Template>> {
    let (own, config) = (folder.join("chat_template.jinja"), folder.join("tokenizer_config.json"));
    if own.is_file() {
        let source = std::fs::read_to_string(&own).map_err(Error::file(&own, "cannot be read"))?;
        return Template::new(&source, &own, names.clone()).map(Some);
    }
    if !config.is_file() {
        return Ok(None);
    }
    let value = json::read(&config)?;
    let source = match Fields::new(&value, &config)?.get("chat_template") {
        Some(Value::Array(all)) => all.iter().find(|t| t["name"] == "default").map(|t| &t["template"]),
        alone => alone,
    };
    source.and_then(Value::as_str).map(|source| Template::new(source, &config, names.clone())).transpose()
}
